//! The mailboxes of the instance: made before the first zygote that needs them, kept for the instance's life, so that what
//! is in them outlives processes, reloads and upgrades of the master. Master only.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;

use mio::Poll;
use serde::{Deserialize, Serialize};

use super::super::passed::Passed;
use super::super::wake::Wake;
use crate::config::model::Config;
use crate::config::model::mailboxes::{MASTER, SIGNALS, SPANS};
use crate::sys::mailbox::{Mailbox, Posted};

/// Most messages of the application that are taken in one round: others wait for the master as well.
const WISHES_AT_ONCE: usize = 256;

/// Room for spans that the exporter has not taken yet.
const SPANS_BYTES: usize = 1 << 20;

/// All of them, by name.
#[derive(Debug, Default)]
pub(in crate::master) struct Mailboxes(BTreeMap<String, Mailbox>);

/// One on its way to the next image of the master.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MailboxHandover {
    name: String,
    inlet: Passed,
    outlet: Passed,
}

impl Mailboxes {
    /// Makes what a configuration needs and what is not there; returns the names of what it needs.
    pub(super) fn provide(&mut self, config: &Config, poll: &Poll) -> io::Result<Vec<String>> {
        let names = config.mailboxes_needed();
        for name in &names {
            if !self.0.contains_key(name) {
                let is_of_signals = name == MASTER || name.starts_with(SIGNALS);
                let bytes = match name.as_str() {
                    // As much as the kernel allows of it.
                    SPANS => Some(SPANS_BYTES),
                    _ if is_of_signals => config.signal_queue_bytes,
                    _ => config.mules.queue_bytes,
                };
                self.0.insert(name.clone(), Mailbox::new(bytes)?);
                self.watch(name, poll)?;
            }
        }
        Ok(names)
    }

    /// Has the event loop tell when something is in the master's own.
    fn watch(&self, name: &str, poll: &Poll) -> io::Result<()> {
        match self.0.get(name) {
            Some(mailbox) if name == MASTER => Wake::Wishes.when_readable(&mailbox.outlet(), poll),
            _ => Ok(()),
        }
    }

    /// What is in the master's own, within bounds: the rest is told of once more.
    pub(in crate::master) fn take_wishes(&self, poll: &Poll) -> Vec<Vec<u8>> {
        let Some(mailbox) = self.0.get(MASTER) else { return Vec::new() };
        let next = || {
            mailbox.take().unwrap_or_else(|error| {
                log::error!("the application's signals cannot be heard: {error}");
                None
            })
        };
        let taken: Vec<Vec<u8>> = std::iter::from_fn(next).take(WISHES_AT_ONCE).collect();
        if taken.len() == WISHES_AT_ONCE
            && let Err(error) = Wake::Wishes.again(&mailbox.outlet(), poll)
        {
            log::error!("the application's signals are not heard any more: {error}");
        }
        taken
    }

    /// Puts a message into one. `None`: there is no such mailbox.
    pub(in crate::master) fn post(&self, name: &str, message: &[u8]) -> Option<io::Result<Posted>> {
        self.0.get(name).map(|mailbox| mailbox.post(message))
    }

    /// One of them.
    pub(in crate::master) fn get(&self, name: &str) -> Option<&Mailbox> {
        self.0.get(name)
    }

    /// Bytes that one has room for.
    pub(in crate::master) fn bytes(&self, name: &str) -> usize {
        self.0.get(name).map_or(0, Mailbox::bytes)
    }

    /// Bytes that wait in one.
    pub(in crate::master) fn waiting_bytes(&self, name: &str) -> u64 {
        self.0.get(name).map_or(0, Mailbox::waiting_bytes)
    }

    /// The ends of these, two of each.
    pub(super) fn ends(&self, names: &[String]) -> Vec<BorrowedFd<'_>> {
        names.iter().filter_map(|name| self.0.get(name)).flat_map(Mailbox::ends).collect()
    }

    /// Writes everything down for the next image and lets the descriptors pass.
    pub(super) fn hand_over(&self) -> io::Result<Vec<MailboxHandover>> {
        let written = |(name, mailbox): (&String, &Mailbox)| {
            let [inlet, outlet] = mailbox.ends();
            Ok(MailboxHandover { name: name.clone(), inlet: Passed::on(&inlet)?, outlet: Passed::on(&outlet)? })
        };
        self.0.iter().map(written).collect()
    }

    /// Takes over those of the image before.
    pub(super) fn adopt(handover: Vec<MailboxHandover>, poll: &Poll) -> io::Result<Self> {
        let taken = |MailboxHandover { name, inlet, outlet }| {
            Ok((name, Mailbox::from_owned(Passed::take(inlet)?, Passed::take(outlet)?)))
        };
        let adopted = Self(handover.into_iter().map(taken).collect::<io::Result<_>>()?);
        adopted.watch(MASTER, poll)?;
        Ok(adopted)
    }
}
