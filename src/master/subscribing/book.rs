//! What routers know of the instance, what they are to know, and the packets that say so. Master only.

use std::collections::{BTreeMap, BTreeSet};

use worker_protocol::subscription::{Announcement, Command};

use super::super::in_force::InForce;
use super::super::wake::Wake;
use super::acknowledged::Door;
use super::source::source_towards;
use crate::config::model::{Address, Announced, Keys, Signer, Subscription};
use crate::sys::clock::{epoch_s, monotonic_us};
use crate::sys::datagrams;
use crate::sys::files::short_text;
use crate::tls::Seal;

/// How soon it is announced again where an acknowledgement is missing: at first, twice as long each time.
pub(super) const AGAIN_US: u64 = 1_000_000;

/// Most bytes of a file with keys, and of one with a private key.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What routers know, and when they are told again.
#[derive(Debug, Default)]
pub(in crate::master) struct Subscribing {
    /// Nothing is announced (`start-unsubscribed`, fifo `S`); `None`: as the configuration has it.
    pub(super) is_silent: Option<bool>,
    /// Requests are to come.
    pub(super) is_on: bool,
    pub(super) next_us: Option<u64>,
    pub(super) again_us: u64,
    /// What was announced, with the address: to be taken back.
    pub(super) known: BTreeMap<Membership, Subscription>,
    /// Which of that a router has acknowledged.
    pub(super) acknowledged: BTreeSet<Membership>,
    pub(super) door: Option<Door>,
    /// What went wrong, as far as that was said.
    pub(super) complaints: BTreeSet<String>,
    /// The moment in the last signed announcement: each must exceed the one before.
    pub(super) signed_s: u64,
}

/// A key at a router, and where it is to connect.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Membership {
    pub(super) server: String,
    pub(super) key: String,
    pub(super) address: String,
}

impl Subscribing {
    /// Which routers are to know what.
    pub(super) fn wanted(&mut self, in_force: &InForce) -> BTreeMap<Membership, Subscription> {
        let mut wanted = BTreeMap::new();
        for subscription in &in_force.config.subscriptions.list {
            if subscription.check.as_ref().is_some_and(|file| !file.exists()) {
                continue;
            }
            let Some(address) = address_of(subscription, in_force) else {
                self.complain(format!("{}: there is no socket that could be announced", subscription.text));
                continue;
            };
            for (key, modifier1) in self.keys(subscription) {
                let membership = Membership { server: subscription.server.to_string(), key, address: address.clone() };
                let modifier1 = modifier1.unwrap_or(subscription.modifier1);
                wanted.insert(membership, Subscription { modifier1, ..subscription.clone() });
            }
        }
        wanted
    }

    /// The keys, each with a `modifier1` if it has one of its own.
    fn keys(&mut self, subscription: &Subscription) -> Vec<(String, Option<u8>)> {
        let file = match &subscription.keys {
            Keys::One(key) => return vec![(key.clone(), None)],
            Keys::In(file) => file,
        };
        match short_text(file, FILE_BYTES_MAX) {
            Ok(text) => keys_in(&text),
            Err(error) => {
                self.complain(format!("{}: cannot read {}: {error}", subscription.text, file.display()));
                // What is announced stays: a file that is being written must not take sites away.
                self.known
                    .keys()
                    .filter(|one| one.server == subscription.server.to_string())
                    .map(|one| (one.key.clone(), None))
                    .collect()
            }
        }
    }

    pub(super) fn send(
        &mut self,
        command: Command,
        to: &Membership,
        subscription: &Subscription,
        in_force: &InForce,
        load: u32,
    ) {
        let sent = self.packet(command, to, subscription, in_force, load);
        let sent =
            sent.and_then(|packet| datagrams::send(&subscription.server, &packet).map_err(|error| error.to_string()));
        match sent {
            Ok(()) => self.complaints.retain(|said| !said.starts_with(&subscription.text)),
            Err(problem) => self.complain(format!("{}: {problem}", subscription.text)),
        }
    }

    fn packet(
        &mut self,
        command: Command,
        to: &Membership,
        subscription: &Subscription,
        in_force: &InForce,
        load: u32,
    ) -> Result<Vec<u8>, String> {
        let config = &in_force.config;
        let general = &config.subscriptions;
        let cores = (in_force.scaling.maximum as u64).saturating_mul(config.threads as u64);
        let notify = self.door.as_ref().map(Door::name);
        let announcement = Announcement {
            key: &to.key,
            address: &to.address,
            modifier1: general.modifier1.unwrap_or(subscription.modifier1),
            modifier2: subscription.modifier2,
            cores,
            load: u64::from(load),
            weight: subscription.weight.unwrap_or(if general.auto_weight { cores } else { general.weight }),
            backup: subscription.backup,
            sni: [0, 1, 2].map(|which| subscription.sni[which].as_deref()),
            notify,
        };
        let seal = subscription.signer.as_ref().map(seal).transpose()?;
        // Later than the last one: routers refuse what they may have heard before.
        let moment = seal.as_ref().map(|_| {
            self.signed_s = self.signed_s.saturating_add(1).max(u64::try_from(epoch_s()).unwrap_or(0));
            (self.signed_s, command)
        });
        let pairs = announcement.pairs(moment).map_err(|unfit| unfit.to_string())?;
        let signature = seal.map(|seal| seal.sign(&pairs)).transpose()?;
        command.packet(pairs, signature.as_deref()).map_err(|unfit| unfit.to_string())
    }

    /// In the usual time, or sooner where a router has not said that it knows the instance.
    pub(super) fn plan_next(&mut self, every_us: u64) {
        let now_us = monotonic_us();
        let missing = self.known.keys().find(|one| self.door.is_some() && !self.acknowledged.contains(*one)).cloned();
        let every_us = every_us.max(AGAIN_US);
        self.next_us = Some(now_us.saturating_add(match &missing {
            Some(_) => self.again_us.min(every_us),
            None => every_us,
        }));
        if let Some(Membership { server, key, .. }) = missing {
            if self.again_us > AGAIN_US {
                self.complain(format!(
                    "the router at {server} has not acknowledged {key}: is it there, and is the signature one that it accepts?"
                ));
            }
            self.again_us = self.again_us.saturating_mul(2);
        }
    }

    fn complain(&mut self, complaint: String) {
        if self.complaints.insert(complaint.clone()) {
            log::warn!("subscription {complaint}");
        }
    }

    /// Opens the door at which routers acknowledge, if there is to be one and it is not open.
    pub(super) fn open_door(&mut self, in_force: &InForce, poll: &mio::Poll) {
        let wanted = in_force.config.subscriptions.notify.as_ref();
        if self.door.as_ref().map(Door::address) == wanted {
            return;
        }
        self.door = None;
        let Some(address) = wanted else { return };
        match Door::open(address).and_then(|door| Wake::Routers.when_readable(&door, poll).map(|()| door)) {
            Ok(door) => self.door = Some(door),
            Err(error) => self.complain(format!("subscription-notify-socket {address}: {error}")),
        }
    }
}

/// The key that signs, read anew each time: it may have been replaced.
fn seal(signer: &Signer) -> Result<Seal, String> {
    let about = |problem: String| format!("{}: {problem}", signer.key.display());
    let text = short_text(&signer.key, FILE_BYTES_MAX).map_err(|error| about(error.to_string()))?;
    Seal::of(&text, signer.digest).map_err(about)
}

/// Where a router is to connect. A socket on all addresses is announced with the one from which the router is reached.
fn address_of(subscription: &Subscription, in_force: &InForce) -> Option<String> {
    let number = match &subscription.announced {
        Announced::Text(text) => return Some(text.clone()),
        Announced::Socket(number) => *number,
    };
    let socket = in_force.sockets.get(number)?;
    let Ok(mut address) = socket.name.parse::<std::net::SocketAddr>() else {
        return Some(socket.name.clone())
            .filter(|_| matches!(socket.listener.address, Address::Unix(_) | Address::Tcp(_)));
    };
    if address.ip().is_unspecified() {
        address.set_ip(source_towards(&subscription.server)?);
    }
    Some(address.to_string())
}

/// One `key[,modifier1]` a line; empty lines and those that begin with `#` are none.
fn keys_in(text: &str) -> Vec<(String, Option<u8>)> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| match line.split_once(',') {
            Some((key, modifier)) => (key.to_owned(), modifier.trim().parse().ok()),
            None => (line.to_owned(), None),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::keys_in;

    #[test]
    fn a_file_has_a_key_a_line() {
        let text = "# sites\na.example\n\n b.example:80,5 \nc.example,x";
        let keys = [("a.example", None), ("b.example:80", Some(5)), ("c.example", None)];
        assert_eq!(keys_in(text), keys.map(|(key, modifier)| (key.to_owned(), modifier)));
    }
}
