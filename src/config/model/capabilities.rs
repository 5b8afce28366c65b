//! Rights of root, one by one, that an instance keeps when it gives up the others (capabilities(7)).
//!
//! A section of the configuration. Not for giving them up (`sys::capabilities`). Pure; the master reads it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Some of them. It travels as the bits that the kernel has for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Capabilities(u64);

/// By their numbers.
const NAMES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// A word that names none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no capability \"{0}\" (capabilities(7))")]
pub struct NoSuchCapability(String);

impl Capabilities {
    /// As the kernel has them: bit N is number N.
    pub fn bits(self) -> u64 {
        self.0
    }

    /// All of both.
    #[must_use]
    pub fn with(self, other: Capabilities) -> Capabilities {
        Capabilities(self.0 | other.0)
    }

    /// Whether a number is among them.
    pub fn has(self, number: u32) -> bool {
        self.0.checked_shr(number).is_some_and(|bits| bits & 1 == 1)
    }
}

/// Names with commas between them, each with or without `cap_`, in any case.
impl FromStr for Capabilities {
    type Err = NoSuchCapability;

    fn from_str(text: &str) -> Result<Capabilities, NoSuchCapability> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        words.map(named).try_fold(Capabilities::default(), |all, one| Ok(all.with(one?)))
    }
}

fn named(word: &str) -> Result<Capabilities, NoSuchCapability> {
    let lower = word.to_ascii_lowercase();
    let name = lower.strip_prefix("cap_").unwrap_or(&lower);
    let number = NAMES.iter().position(|known| *known == name);
    number.map(|number| Capabilities(1 << number)).ok_or_else(|| NoSuchCapability(word.to_owned()))
}

impl fmt::Display for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = (0..).zip(NAMES).filter(|(number, _)| self.has(*number)).map(|(_, name)| name).collect();
        f.write_str(&names.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_people_write_them() {
        let read = |text: &str| text.parse::<Capabilities>().map(Capabilities::bits);
        assert_eq!(read("net_bind_service, CAP_SETUID,"), Ok(1 << 10 | 1 << 7));
        assert_eq!(read("checkpoint_restore"), Ok(1 << 40));
        assert_eq!(read(""), Ok(0));
        assert_eq!(read("chown,fly"), Err(NoSuchCapability("fly".to_owned())));
        assert_eq!("SYS_NICE,kill".parse::<Capabilities>().unwrap().to_string(), "kill,sys_nice");
    }
}
