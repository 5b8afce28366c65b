//! To which routers the instance announces itself, and how (uWSGI's manual, "The uWSGI subscription server").
//!
//! A section of the configuration. Not for sending anything (`master::subscribing`). Pure; the master reads it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::listener::Address;

/// Routers, and what they are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Subscriptions {
    /// In the order of the configuration (`subscribe-to`, `subscribe2`).
    pub list: Vec<Subscription>,
    /// From one announcement to the next (`subscribe-freq`).
    pub every: Duration,
    /// Where routers say that they know the instance now (`subscription-notify-socket`).
    pub notify: Option<Address>,
    /// What is announced where a line has no weight of its own (`weight`).
    pub weight: u64,
    /// As many as requests can be had at once (`auto-weight`).
    pub auto_weight: bool,
    /// Announced whatever a line has (`subscribe-with-modifier1`).
    pub modifier1: Option<u8>,
    /// Not subscribed while a reload is under way (`unsubscribe-on-graceful-reload`).
    pub pauses_for_reloads: bool,
    /// Nothing is announced until the fifo says so (`start-unsubscribed`).
    pub begins_silent: bool,
}

/// One router, and what it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// As it was written.
    pub text: String,
    /// Where the router hears announcements.
    pub server: Address,
    /// Which pools are joined.
    pub keys: Keys,
    /// Where the router is to connect.
    pub announced: Announced,
    /// The part of the requests; `None`: the instance's.
    pub weight: Option<u64>,
    /// 0: it is asked like all others; else only while nobody with a lower number can be.
    #[serde(default)]
    pub backup: u64,
    /// What the router puts into requests.
    pub modifier1: u8,
    /// The same.
    pub modifier2: u8,
    /// With what it is signed.
    pub signer: Option<Signer>,
    /// Announced only while this file is there (`check`).
    pub check: Option<PathBuf>,
    /// Files on the router's machine: key, certificate, authority.
    pub sni: [Option<String>; 3],
}

/// Which pools.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Keys {
    /// This one.
    One(String),
    /// Those in a file, read again at each announcement (`@FILE`).
    In(PathBuf),
}

/// Where a router is to connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Announced {
    /// To the listening socket with this number, from 0.
    Socket(usize),
    /// There, as it stands.
    Text(String),
}

/// How announcements are signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signer {
    /// Which digest.
    pub digest: Digest,
    /// The file with the private key.
    pub key: PathBuf,
}

/// What is signed of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub enum Digest {
    Sha256,
    Sha384,
    Sha512,
}

impl Default for Subscriptions {
    fn default() -> Self {
        Subscriptions {
            list: Vec::new(),
            every: Duration::from_secs(10),
            notify: None,
            weight: 0,
            auto_weight: false,
            modifier1: None,
            pauses_for_reloads: false,
            begins_silent: false,
        }
    }
}
