//! An Emperor and its vassals (uWSGI's manual, "The Emperor"): where their configurations are, how each is started, how long
//! is waited; and what an instance tells the Emperor that it serves.
//!
//! A section of the configuration. Not for doing any of it (`crate::emperor`, `master::vassal`). Pure.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::capabilities::Capabilities;
use super::listener::Address;

/// An Emperor and its vassals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Emperor {
    /// Where configurations of vassals are (`emperor`): directories and patterns. None: this is no Emperor.
    pub monitors: Vec<String>,
    /// Endings of file names that are vassals beside the usual ones (`emperor-extra-extension`).
    pub extensions: Vec<String>,
    /// A link's own time of change counts (`emperor-nofollow`).
    pub nofollow: bool,
    /// Each vassal runs as the owner of its file (`emperor-tyrant`).
    pub tyrant: bool,
    /// Or of the link that leads there (`emperor-tyrant-nofollow`).
    pub tyrant_nofollow: bool,
    /// How often is looked where nothing tells of changes (`emperor-freq`).
    pub look_every: Duration,
    /// How vassals are started.
    pub start: VassalStart,
    /// How long is waited for what.
    pub patience: VassalPatience,
    /// Where sleeping vassals are listened for.
    pub on_demand: OnDemand,
    /// Where the Emperor tells of its vassals (`emperor-stats`).
    pub stats: Option<Address>,
    /// Where its pid is written (`emperor-pidfile`).
    pub pidfile: Option<PathBuf>,
    /// Its title (`emperor-procname`).
    pub title: Option<String>,
    /// Where the next Emperor meets the vassals that outlive this one (`emperor-survive`, ours).
    pub survive: Option<PathBuf>,
    /// Memory for the workers of all vassals together (`emperor-memory`, ours).
    pub memory: Option<SharedMemory>,
    /// How many reinforcements all vassals may have together (`emperor-broodlord`).
    pub reinforcements: usize,
    /// How often an instance tells its Emperor that it lives (`heartbeat`).
    pub heartbeat: Option<Duration>,
    /// When an instance asks its Emperor for reinforcements.
    pub plea: Plea,
}

/// How much memory vassals share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SharedMemory {
    /// So many bytes.
    Bytes(u64),
    /// Nine tenths of what the machine, or the cgroup of the Emperor, has.
    Auto,
}

/// When an instance asks its Emperor for reinforcements.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Plea {
    /// When all its workers are busy, and no more often (`vassal-sos`).
    pub every: Option<Duration>,
    /// When so many connections wait (`vassal-sos-backlog`).
    pub backlog: Option<u64>,
}

/// What is executed for a vassal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct VassalStart {
    /// In the place of this program (`emperor-wrapper`).
    pub wrapper: Option<String>,
    /// Tried before it (`emperor-wrapper-override`).
    pub before: Vec<String>,
    /// Tried after it (`emperor-wrapper-fallback`).
    pub after: Vec<String>,
    /// What an executable file prints is the configuration (`emperor-magic-exec`).
    pub magic_exec: bool,
    /// Templates before the vassal's file: option and path (`vassals-inherit-before`, `vassals-include-before`).
    pub templates_before: Vec<(String, String)>,
    /// Templates after it (`vassals-inherit`, `vassals-include`).
    pub templates_after: Vec<(String, String)>,
    /// `KEY=VALUE` for each (`vassals-set`).
    pub set: Vec<String>,
    /// A program that is called before (`vassals-start-hook`).
    pub start_hook: Option<String>,
    /// And one after its end (`vassals-stop-hook`).
    pub stop_hook: Option<String>,
    /// What vassals may have at most (`emperor-cap`).
    pub capabilities: Option<Capabilities>,
}

/// How long an Emperor waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VassalPatience {
    /// After the first failure (`emperor-throttle`); twice as long after each further one.
    pub first: Duration,
    /// At most (`emperor-max-throttle`).
    pub longest: Duration,
    /// Failures are forgotten at once (`emperor-no-blacklist`).
    pub forgives: bool,
    /// For the end of one that was told to go (`emperor-curse-tolerance`).
    pub curse: Duration,
    /// For the next sign of life of one that gives them (`emperor-required-heartbeat`).
    pub heartbeat: Duration,
    /// How many may be starting at once (`emperor-starts`, ours); `None`: by the machine's processors.
    pub starts: Option<u32>,
}

/// Where the address of a vassal is found that is started by its first connection.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct OnDemand {
    /// In the file that has the vassal's name and this ending (`emperor-on-demand-extension`).
    pub extension: Option<String>,
    /// In this directory (`emperor-on-demand-directory`).
    pub directory: Option<PathBuf>,
    /// Where this command says, which gets the vassal's name (`emperor-on-demand-exec`).
    pub command: Option<String>,
}

impl Default for Emperor {
    fn default() -> Emperor {
        Emperor {
            monitors: Vec::new(),
            extensions: Vec::new(),
            nofollow: false,
            tyrant: false,
            tyrant_nofollow: false,
            look_every: Duration::from_secs(3),
            start: VassalStart::default(),
            patience: VassalPatience::default(),
            on_demand: OnDemand::default(),
            stats: None,
            pidfile: None,
            title: None,
            survive: None,
            memory: None,
            reinforcements: 0,
            heartbeat: None,
            plea: Plea::default(),
        }
    }
}

impl Default for VassalPatience {
    fn default() -> VassalPatience {
        VassalPatience {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(180),
            forgives: false,
            curse: Duration::from_secs(30),
            heartbeat: Duration::from_secs(30),
            starts: None,
        }
    }
}
