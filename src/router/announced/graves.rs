//! The nodes that have gone, with what they signed last, so that nobody says the same again for them. Bounded: of too many the ones
//! that signed earliest are forgotten, and whoever is new and signed no later is not believed. Pure; used in the router.

use std::collections::{BTreeMap, BTreeSet};

use super::record::Record;

/// Most nodes whose last signature is remembered.
pub(super) const GONE_MAX: usize = 4_096;

/// Which node: the key, and the address as it is written in JSON.
pub(super) type Grave = (String, String);

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Graves {
    moments_s: BTreeMap<Grave, u64>,
    /// The same, the earliest first.
    by_moment: BTreeSet<(u64, Grave)>,
    /// The latest moment that was forgotten.
    forgotten_s: Option<u64>,
}

impl Graves {
    /// The last moment that was signed by a node that has gone; of one that nobody remembers no later one can be ruled out.
    pub(super) fn last_moment_s(&self, record: &Record) -> Option<u64> {
        self.moments_s.get(&grave(record)).copied().max(self.forgotten_s)
    }

    /// Remembers a node that goes, if it has signed anything.
    pub(super) fn bury(&mut self, record: &Record) {
        let Some(moment_s) = record.moment_s else { return };
        let grave = grave(record);
        if let Some(before_s) = self.moments_s.insert(grave.clone(), moment_s) {
            self.by_moment.remove(&(before_s, grave.clone()));
        }
        self.by_moment.insert((moment_s, grave));
        while self.moments_s.len() > GONE_MAX
            && let Some((moment_s, grave)) = self.by_moment.pop_first()
        {
            self.moments_s.remove(&grave);
            self.forgotten_s = self.forgotten_s.max(Some(moment_s));
        }
    }

    /// The node is there again.
    pub(super) fn remove(&mut self, record: &Record) {
        if let Some((grave, moment_s)) = self.moments_s.remove_entry(&grave(record)) {
            self.by_moment.remove(&(moment_s, grave));
        }
    }

    /// Each with the moment.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Grave, u64)> {
        self.moments_s.iter().map(|(grave, moment_s)| (grave, *moment_s))
    }
}

fn grave(record: &Record) -> Grave {
    (record.key.clone(), serde_json::to_string(&record.address).unwrap_or_default())
}
