//! When routers are told what: while the instance serves, over reloads, and not any more before it stops. Master only.

use worker_protocol::subscription::Command;

use super::super::driver::Driver;
use super::book::{AGAIN_US, Membership};
use crate::config::model::Subscription;
use crate::sys::clock::monotonic_us;

impl Driver<'_> {
    /// Announces what is due, and takes it back while no requests are to come.
    pub(in crate::master) fn mind_subscriptions(&mut self) {
        match (self.may_subscribe(), self.subscribing.is_on) {
            (true, false) => self.begin_subscriptions(),
            (false, true) => self.unsubscribe(),
            _ if self.subscribing.next_us.is_some_and(|due_us| due_us <= monotonic_us()) => self.announce_to_routers(),
            _ => {}
        }
    }

    /// Another configuration may be in force.
    pub(in crate::master) fn renew_subscriptions(&mut self) {
        if self.may_subscribe() {
            self.begin_subscriptions();
        }
    }

    fn may_subscribe(&self) -> bool {
        let pauses = self.in_force.config.subscriptions.pauses_for_reloads;
        let reloads = pauses && self.machine.is_switching();
        self.has_served && !self.is_parting() && !self.machine.is_paused() && !reloads
    }

    /// When to announce the next time.
    pub(in crate::master) fn subscriptions_due_us(&self) -> Option<u64> {
        self.subscribing.next_us
    }

    /// The instance serves, perhaps with another configuration: routers are told.
    fn begin_subscriptions(&mut self) {
        let silent = self.in_force.config.subscriptions.begins_silent;
        let subscribing = &mut self.subscribing;
        subscribing.is_silent.get_or_insert(silent);
        subscribing.is_on = true;
        subscribing.again_us = AGAIN_US;
        subscribing.open_door(&self.in_force, &self.poll);
        self.announce_to_routers();
    }

    /// Fifo `S`.
    pub(in crate::master) fn toggle_subscriptions(&mut self) {
        let was_silent = self.subscribing.is_silent.unwrap_or(self.in_force.config.subscriptions.begins_silent);
        self.subscribing.is_silent = Some(!was_silent);
        log::info!("subscriptions {}blocked", if was_silent { "un" } else { "" });
        self.unsubscribe();
    }

    /// No router shall send requests any more.
    pub(in crate::master) fn unsubscribe(&mut self) {
        let subscribing = &mut self.subscribing;
        subscribing.is_on = false;
        subscribing.next_us = None;
        for (membership, subscription) in std::mem::take(&mut subscribing.known) {
            log::info!("unsubscribing from {}", subscription.text);
            subscribing.send(Command::Unsubscribe, &membership, &subscription, &self.in_force, 0);
        }
        subscribing.acknowledged.clear();
    }

    /// Somebody says something where routers acknowledge.
    pub(in crate::master) fn hear_routers(&mut self) {
        let Some(door) = &self.subscribing.door else { return };
        for said in door.hear() {
            log::info!("{said}");
            let heard = self.subscribing.known.keys().filter(|one| said.contains(&format!("] {} =>", one.key)));
            let heard: Vec<Membership> = heard.filter(|one| said.contains(&one.address)).cloned().collect();
            self.subscribing.acknowledged.extend(heard);
        }
    }

    /// Tells all routers what is so now.
    fn announce_to_routers(&mut self) {
        let config = &self.in_force.config;
        let load = self.listeners().first().and_then(|listener| listener.queue).unwrap_or(0);
        let subscribing = &mut self.subscribing;
        if subscribing.is_silent == Some(true) || config.subscriptions.list.is_empty() && subscribing.known.is_empty() {
            subscribing.next_us = None;
            return;
        }
        let wanted = subscribing.wanted(&self.in_force);
        let gone = |(one, _): &(&Membership, &Subscription)| !wanted.contains_key(*one);
        let gone: Vec<_> = subscribing.known.iter().filter(gone).map(|(one, it)| (one.clone(), it.clone())).collect();
        for (membership, subscription) in gone {
            log::info!("unsubscribing from {}", subscription.text);
            subscribing.send(Command::Unsubscribe, &membership, &subscription, &self.in_force, load);
            subscribing.known.remove(&membership);
            subscribing.acknowledged.remove(&membership);
        }
        for (membership, subscription) in &wanted {
            if !subscribing.known.contains_key(membership) {
                log::info!("subscribing to {}", subscription.text);
            }
            subscribing.send(Command::Subscribe, membership, subscription, &self.in_force, load);
        }
        subscribing.known = wanted;
        subscribing.plan_next(u64::try_from(config.subscriptions.every.as_micros()).unwrap_or(u64::MAX));
    }
}
