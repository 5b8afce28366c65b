//! What routers make of instances that announce themselves (uWSGI's manual, "The uWSGI subscription server").
//!
//! A section of the configuration, the other side of `subscriptions`. Not for hearing anything (`router::hearing`). Pure; the
//! master opens the sockets, the router reads the rest.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::listener::Address;
use super::subscriptions::Digest;

/// Where routers hear announcements, whom they believe, and whom of those they ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hearing {
    /// Sockets for datagrams: UDP, or paths (`http-subscription-server`); none: nothing is heard.
    pub at: Vec<Address>,
    /// Whose pool is asked where nobody has announced the key (`http-subscription-fallback-key`).
    pub fallback_key: Option<String>,
    /// Whether `.example` is asked where nobody has announced `a.example` (`subscription-dotsplit`).
    pub splits_dots: bool,
    /// Which node of a pool is next (`subscription-algo`).
    pub turns: Turns,
    /// How long a node may be silent before it is asked no more (`subscription-tolerance`).
    pub tolerance: Duration,
    /// What signatures are judged by (`subscriptions-sign-check`); `None`: none is needed.
    pub signatures: Option<SignCheck>,
    /// How far the moment of a signed announcement may be from now (`subscriptions-sign-check-tolerance`).
    pub skew: Duration,
    /// Users whose processes need not sign, on unix sockets (`subscriptions-sign-skip-uid`); never root.
    pub trusted_users: Vec<u32>,
    /// Directories of which one has a file with the key's name that belongs to the sender's user and group
    /// (`subscriptions-credentials-check`); none: that is not asked.
    pub credentials: Vec<PathBuf>,
    /// Whether the workers of this instance are asked where nobody has announced the key (`http-to` names their socket).
    pub falls_to_workers: bool,
}

/// Which node of a pool is next.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Turns {
    /// In turns, by their weights (`wrr`).
    #[default]
    Weighted,
    /// Whoever has the fewest requests of this router's (`lrc`).
    LeastBusy,
    /// The same in proportion to the weights (`wlrc`).
    LeastBusyWeighted,
}

impl Turns {
    /// The words for them, as uWSGI has them.
    pub const NAMES: &'static [&'static str] = &["wrr", "lrc", "wlrc"];

    /// What one of the words means.
    pub fn of(word: &str) -> Turns {
        match word {
            "lrc" => Turns::LeastBusy,
            "wlrc" => Turns::LeastBusyWeighted,
            _ => Turns::Weighted,
        }
    }
}

/// What signatures are judged by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignCheck {
    /// What is signed of the bytes.
    pub digest: Digest,
    /// Where the public keys are, each in a file named after the key that it is for.
    pub directory: PathBuf,
}

impl Hearing {
    /// Whether anything is heard, so that requests go by their host.
    pub fn is_on(&self) -> bool {
        !self.at.is_empty()
    }
}

impl Default for Hearing {
    fn default() -> Hearing {
        Hearing {
            at: Vec::new(),
            fallback_key: None,
            splits_dots: false,
            turns: Turns::default(),
            tolerance: Duration::from_secs(17),
            signatures: None,
            skew: Duration::from_secs(86_400),
            trusted_users: Vec::new(),
            credentials: Vec::new(),
            falls_to_workers: false,
        }
    }
}
