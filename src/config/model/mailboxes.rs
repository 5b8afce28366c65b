//! The mailboxes that a configuration needs, by name: queues between the processes of an instance, which outlive them.
//!
//! Their names are what master and zygote agree on, which may be of different versions. Not for making them
//! (`sys::mailbox`). Pure; the master and every process below it.

use std::path::Path;

use super::{Application, Config};

/// Messages to any mule.
pub const ANY_MULE: &str = "mule";
/// What the application tells the master of signals, timers and alarms.
pub const MASTER: &str = "master";

/// Spans of requests, for the exporter.
pub const SPANS: &str = "spans";

/// Messages to one mule.
pub fn mule(number: u32) -> String {
    format!("mule {number}")
}

/// Messages to a farm.
pub fn farm(name: &str) -> String {
    format!("farm {name}")
}

/// What wakes the processes of a spool directory.
pub fn spooler(directory: &Path) -> String {
    format!("spooler {}", directory.display())
}

/// What the names of mailboxes with signals begin with.
pub const SIGNALS: &str = "signals ";

/// Signals that the first of some processes takes that has time for it, or that one takes.
pub fn signals(to: &str) -> String {
    format!("{SIGNALS}{to}")
}

impl Config {
    /// Those that this configuration needs.
    pub fn mailboxes_needed(&self) -> Vec<String> {
        let mut names = Vec::new();
        if !self.mules.list.is_empty() {
            names.push(ANY_MULE.to_owned());
        }
        names.extend((1..).zip(&self.mules.list).map(|(number, _)| mule(number)));
        names.extend(self.mules.farms.iter().map(|one| farm(&one.name)));
        names.extend(self.spoolers.list.iter().map(|spool| spooler(&spool.directory)));
        names.extend(self.signal_boxes());
        // Rules raise alarms, too.
        if !self.logging.alarms.list.is_empty() && !names.iter().any(|name| name == MASTER) {
            names.push(MASTER.to_owned());
        }
        if self.telemetry.otlp.is_wanted {
            names.push(SPANS.to_owned());
        }
        names
    }

    /// Those of signals, which only Python applications have.
    fn signal_boxes(&self) -> Vec<String> {
        if !matches!(self.application, Application::Python(_)) {
            return Vec::new();
        }
        let mut names = vec![MASTER.to_owned(), signals("worker")];
        if !self.mules.list.is_empty() {
            names.push(signals("mule"));
        }
        names.extend((1..).zip(&self.mules.list).map(|(number, _)| signals(&mule(number))));
        names.extend(self.mules.farms.iter().map(|one| signals(&farm(&one.name))));
        if self.spoolers.processes().next().is_some() {
            names.push(signals("spooler"));
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Farm, MuleWork, Mules};
    use super::*;

    #[test]
    fn nobody_who_uses_none_has_any() {
        assert_eq!(Config::default().mailboxes_needed(), [""; 0]);
    }

    #[test]
    fn each_mule_and_each_farm_has_its_own_and_all_mules_have_one() {
        let farms = vec![Farm { name: "f".to_owned(), mules: vec![1] }];
        let mules = Mules { list: vec![MuleWork::Messages; 2], farms, ..Mules::default() };
        let config = Config { mules, ..Config::default() };
        assert_eq!(config.mailboxes_needed(), ["mule", "mule 1", "mule 2", "farm f"]);
    }
}
