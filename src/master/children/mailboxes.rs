//! The mailboxes of the instance: made before the first zygote that needs them, kept for the instance's life, so that what
//! is in them outlives processes, reloads and upgrades of the master. Master only.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::BorrowedFd;

use serde::{Deserialize, Serialize};

use super::super::passed::Passed;
use crate::config::model::Config;
use crate::sys::mailbox::Mailbox;

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
    pub(super) fn provide(&mut self, config: &Config) -> io::Result<Vec<String>> {
        let names = config.mailboxes_needed();
        for name in &names {
            if !self.0.contains_key(name) {
                self.0.insert(name.clone(), Mailbox::new(config.mules.queue_bytes)?);
            }
        }
        Ok(names)
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
    pub(super) fn adopt(handover: Vec<MailboxHandover>) -> io::Result<Self> {
        let taken = |MailboxHandover { name, inlet, outlet }| {
            Ok((name, Mailbox::from_owned(Passed::take(inlet)?, Passed::take(outlet)?)))
        };
        Ok(Self(handover.into_iter().map(taken).collect::<io::Result<_>>()?))
    }
}
