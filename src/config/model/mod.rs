//! What the program will do: the typed, validated configuration that the rest of rhinod reads.
//!
//! Nothing here knows of ini files or option names; `options` fills it. One file has one section, with its defaults.
//! Times are [`Duration`](std::time::Duration)s, sizes are bytes. Pure; built in the master, read in every process.
//!
//! It travels (`crate::travel`) from the master to its zygotes and to the next image of the master, and both may be of
//! another version. So what a section does not have stands at its default, and what is not known is ignored; but a word of ours
//! that is not known (a protocol, a moment of hooks) is refused by name, because leaving it out would mean something
//! else. `tests/program/travel.rs` holds this against settings that earlier versions have written.

mod alarms;
mod application;
mod areas;
mod bounds;
mod caches;
mod canary;
mod capabilities;
mod crons;
mod daemon;
mod directory;
mod emperor;
mod harakiri;
mod hearing;
mod hook;
mod http;
mod identity;
mod listener;
mod log_places;
mod logging;
pub mod mailboxes;
pub mod metrics;
mod mules;
mod network;
mod offers;
mod patience;
mod pid_files;
mod process_names;
mod queue;
mod recycling;
mod refork;
mod request;
mod resources;
mod router;
mod routing;
mod sandbox;
mod scaling;
mod schedule;
mod socket_tuning;
mod spoolers;
mod statics;
mod statistics;
mod staying;
mod subscriptions;
mod telemetry;
mod term;
mod tls;
mod watch;
mod websockets;
mod word;
mod zerg;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use alarms::{Alarm, AlarmAction, Alarms, LineAlarm};
pub use application::{Application, Python};
pub use areas::{Area, PAGE_BYTES};
pub use bounds::Bounds;
pub use caches::{CacheSettings, Caches, Preloaded};
pub use canary::{Canary, Portion, Undecided};
pub use capabilities::{Capabilities, NoSuchCapability};
pub use crons::{CronCommand, CronTime};
pub use daemon::{Daemon, Daemons};
pub use emperor::{Emperor, OnDemand, Plea, SharedMemory, VassalPatience, VassalStart};
pub use harakiri::Harakiri;
pub use hearing::{Hearing, SignCheck, Turns};
pub use hook::{Hook, HookAction, HookPhase, SignalFunction};
pub use http::HttpSockets;
pub use identity::{EnvironmentChange, Identity};
pub use listener::{Address, Listener, Protocol, ToHttps};
pub use log_places::{Encoder, LineForm, LogPlace, Logger, Route};
pub use logging::Logging;
pub use metrics::{Metric, MetricKind, Metrics, Threshold};
pub use mules::{Farm, MuleWork, Mules};
pub use network::{Network, NotANetwork, Peer};
pub use offers::Offers;
pub use patience::Patience;
pub use pid_files::PidFiles;
pub use process_names::ProcessNames;
pub use queue::QueueSettings;
pub use recycling::{MonitoredExceptions, Recycling};
pub use refork::Refork;
pub use request::{RequestLimits, VanishedClients};
pub use resources::Resources;
pub use router::Routers;
pub use routing::{CollectedHeader, Routing};
pub use sandbox::{NoReach, Reach, Sandbox};
pub use scaling::{Busyness, Policy, Scaling};
pub use schedule::{DAY_MINUTES, Period};
pub use socket_tuning::SocketTuning;
pub use spoolers::{Spool, Spoolers};
pub use statics::{Answers, ErrorPage, Expiry, ExpiryOf, Packed, Place, PlaceKind, Sender, StaticFiles};
pub use statistics::Statistics;
pub use subscriptions::{Announced, Digest, Keys, Signer, Subscription, Subscriptions};
pub use telemetry::{Carbon, Collector, IdleAverage, NoCollector, Otlp, Push, PushForm, Telemetry};
pub use term::TermMeaning;
pub use tls::{Material, NamedCertificate, Tls};
pub use watch::{Watch, WatchEffect, WatchedDescriptor};
pub use websockets::WebSockets;
pub use word::UnknownWord;
pub use zerg::{Zerg, ZergPool};

/// Everything an instance needs to know. Built once for each start and each reload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Config {
    /// Listening sockets in the order of the configuration.
    pub sockets: Vec<Listener>,
    /// Length of the queue of connections that wait for a worker, for each socket (`listen`).
    pub listen: u32,
    /// Leave a listening socket on standard input alone (`skip-zero`).
    pub skip_zero: bool,
    /// Sockets that are taken from others or given to them.
    pub zerg: Zerg,
    /// Routers to which the instance announces itself.
    pub subscriptions: Subscriptions,
    /// Instances that are started for configurations.
    pub emperor: Emperor,
    /// Permission bits of the unix sockets (`chmod-socket`); `None` leaves what the umask gives.
    pub chmod_socket: Option<u32>,
    /// Owner of the unix sockets (`chown-socket`), as `user`, `user:group` or numbers.
    pub chown_socket: Option<String>,
    /// What the kernel is told about them.
    pub socket_tuning: SocketTuning,
    /// The application that the workers serve.
    pub application: Application,
    /// Most workers at once (`processes`, `workers`).
    pub workers: usize,
    /// Requests that one worker handles at once (`threads`).
    pub threads: usize,
    /// How many of the workers run at a time (`cheaper` and relatives).
    pub scaling: Scaling,
    /// Where a worker's request ends and what bounds it.
    pub request: RequestLimits,
    /// How long the application may take for one.
    pub harakiri: Harakiri,
    /// How HTTP is spoken.
    pub http: HttpSockets,
    /// How websockets are minded.
    pub websockets: WebSockets,
    /// The processes that take TLS off connections.
    pub routers: Routers,
    /// Files that workers serve themselves.
    pub statics: StaticFiles,
    /// What every answer has and has not.
    pub answers: Answers,
    /// Threads of each worker that send answers to slow clients (`offload-threads`).
    pub offload_threads: usize,
    /// Rules that look at each request.
    pub routing: Routing,
    /// How clients that went away are treated.
    pub clients: VanishedClients,
    /// When a worker is replaced although nothing is wrong with it.
    pub recycling: Recycling,
    /// What of the machine processes may take, and with which standing.
    pub resources: Resources,
    /// Whether a new generation proves itself on a part of the requests before it takes over.
    pub canary: Canary,
    /// When workers are forked from one that has served.
    pub refork: Refork,
    /// Whether what is forked from then keeps the program for good, so that nobody writes to it (`refork-immortal`).
    pub refork_immortal: bool,
    /// How long the master waits for what it asked for.
    pub patience: Patience,
    /// What is logged, where to, and how.
    pub logging: Logging,
    /// Where the instance tells of itself.
    pub statistics: Statistics,
    /// To whom it sends what it tells.
    pub telemetry: Telemetry,
    /// Files that hold the master's pid.
    pub pidfiles: PidFiles,
    /// Remove sockets and pid files at the end (`vacuum`).
    pub vacuum: bool,
    /// Who the instance runs as, and where.
    pub identity: Identity,
    /// What is kept from the processes of the application.
    pub sandbox: Sandbox,
    /// Programs beside the workers.
    pub daemons: Daemons,
    /// Commands that run at certain minutes (`cron` and its relatives).
    pub crons: Vec<CronCommand>,
    /// Processes beside the workers that run code of the application.
    pub mules: Mules,
    /// Directories of tasks, and who runs them.
    pub spoolers: Spoolers,
    /// Bytes of each queue of signals (`signal-bufsize`); `None`: what the kernel gives.
    pub signal_queue_bytes: Option<usize>,
    /// Signals that are raised every so many seconds, without the application having asked (`signal-timer`).
    pub signal_timers: Vec<(u8, u64)>,
    /// The names of the mailboxes that there are, in the order in which a zygote gets them. The master fills it for its
    /// zygotes.
    pub mailboxes: Vec<String>,
    /// Metrics that the application changes.
    pub metrics: Metrics,
    /// Caches that all processes share.
    pub caches: Caches,
    /// The queue that all processes share.
    pub queue: QueueSettings,
    /// Areas of memory that they share, by their numbers (`sharedarea`).
    pub areas: Vec<Area>,
    /// What other instances may ask for.
    pub offers: Offers,
    /// Names of the memories that come beside these settings, in their order: told only on the way to a zygote.
    pub memories: Vec<String>,
    /// Changes of the process environment, in the order of the configuration (`env`, `unenv`).
    pub environment: Vec<EnvironmentChange>,
    /// Paths of the master fifos, slot 0 first (`master-fifo`).
    pub master_fifos: Vec<PathBuf>,
    /// What reloads when which file changes (`touch-*`, `fs-*`).
    pub watches: Vec<Watch>,
    /// Descriptors that set something off when they become readable (`reload-on-fd`, `brutal-reload-on-fd`, `alarm-fd`).
    #[serde(rename = "reload_descriptors")]
    pub descriptors: Vec<WatchedDescriptor>,
    /// End with exit code 0 where a reload would begin (`exit-on-reload`).
    pub exit_on_reload: bool,
    /// What runs at which moment of the life cycle (`hook-*`, `exec-*`).
    pub hooks: Vec<Hook>,
    /// What SIGTERM means (`die-on-term`, `reload-on-term`).
    pub term: TermMeaning,
    /// Whether each worker loads the application after the fork (`lazy-apps`).
    pub lazy_apps: bool,
    /// Whether workers bury the application's children that have ended (`reaper`).
    pub reaper: bool,
    /// Whether workers end without what is registered for the end of a process (`skip-atexit`).
    pub skip_atexit: bool,
    /// Whether workers end without waiting for threads that the application has begun (`no-threads-wait`).
    pub leaves_threads: bool,
    /// Stop with exit code 22 when no application could be loaded (`need-app`).
    pub need_app: bool,
    /// Go to the background and log there (`daemonize`).
    pub daemonize: Option<PathBuf>,
    /// Titles of the processes (`procname*`, `auto-procname`).
    pub process_names: ProcessNames,
    /// Print the configuration as an ini file before the start (`show-config`).
    pub show_config: bool,
    /// Print the names of the policies at the start (`cheaper-algo-list`).
    pub list_policies: bool,
    /// Every option as given, in order, for `uwsgi.opt`: name as it was written and value (`None`: a bare flag).
    pub given: Vec<(String, Option<String>)>,
    /// The magic variables at the end of reading, for `uwsgi.magic_table`: letter and value.
    pub magic: Vec<(char, String)>,
    /// What the operator should know before start-up: one sentence each, with its origin.
    pub notes: Vec<String>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            sockets: Vec::new(),
            listen: 100,
            skip_zero: false,
            zerg: Zerg::default(),
            subscriptions: Subscriptions::default(),
            emperor: Emperor::default(),
            chmod_socket: None,
            chown_socket: None,
            socket_tuning: SocketTuning::default(),
            application: Application::default(),
            workers: 1,
            threads: 1,
            scaling: Scaling::default(),
            request: RequestLimits::default(),
            harakiri: Harakiri::default(),
            http: HttpSockets::default(),
            websockets: WebSockets::default(),
            routers: Routers::default(),
            statics: StaticFiles::default(),
            answers: Answers::default(),
            offload_threads: 0,
            routing: Routing::default(),
            clients: VanishedClients::default(),
            recycling: Recycling::default(),
            resources: Resources::default(),
            canary: Canary::default(),
            refork: Refork::default(),
            refork_immortal: true,
            patience: Patience::default(),
            logging: Logging::default(),
            statistics: Statistics::default(),
            telemetry: Telemetry::default(),
            pidfiles: PidFiles::default(),
            vacuum: false,
            identity: Identity::default(),
            sandbox: Sandbox::default(),
            daemons: Daemons::default(),
            crons: Vec::new(),
            mules: Mules::default(),
            spoolers: Spoolers::default(),
            signal_queue_bytes: None,
            signal_timers: Vec::new(),
            mailboxes: Vec::new(),
            metrics: Metrics::default(),
            caches: Caches::default(),
            queue: QueueSettings::default(),
            areas: Vec::new(),
            offers: Offers::default(),
            memories: Vec::new(),
            environment: Vec::new(),
            master_fifos: Vec::new(),
            watches: Vec::new(),
            descriptors: Vec::new(),
            exit_on_reload: false,
            hooks: Vec::new(),
            term: TermMeaning::default(),
            lazy_apps: false,
            reaper: false,
            skip_atexit: false,
            leaves_threads: false,
            need_app: false,
            daemonize: None,
            process_names: ProcessNames::default(),
            show_config: false,
            list_policies: false,
            given: Vec::new(),
            magic: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl Config {
    /// How long the kernel's queue of each socket is: those who wait, `listen`, and those who do not really, because
    /// they come when all threads of all workers have just finished. There may be two generations of workers, since a
    /// reload can come at any time. (The kernel cuts what exceeds `net.core.somaxconn`.)
    pub fn backlog(&self) -> u32 {
        let taken_at_once = self.workers.saturating_mul(self.threads.max(1)).saturating_mul(2);
        self.listen.saturating_add(u32::try_from(taken_at_once).unwrap_or(u32::MAX))
    }

    /// The descriptors that an option names.
    pub(crate) fn descriptors_of(&self, option: &str) -> impl Iterator<Item = &WatchedDescriptor> {
        self.descriptors.iter().filter(move |descriptor| descriptor.option() == option)
    }

    /// Between how many workers this instance moves.
    pub fn bounds(&self) -> Bounds {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        match self.scaling.enabled {
            true => Bounds::new(number(self.scaling.minimum), number(self.scaling.initial), number(self.workers)),
            false => Bounds::fixed(number(self.workers)),
        }
    }

    /// Whether no application was named and no socket needs one, since a router passes all on to others.
    pub fn is_router_only(&self) -> bool {
        let is_passed_on = |listener: &Listener| listener.reads_requests;
        let has_sockets = !self.sockets.is_empty() && self.sockets.iter().all(is_passed_on);
        has_sockets && self.application == Application::Embedded
    }

    /// The file that holds the log, if one does: the last of those that were opened at start.
    pub fn log_file(&self) -> Option<&Path> {
        let Logging { to, to2, .. } = &self.logging;
        to2.as_deref().or(to.as_deref()).or(self.daemonize.as_deref())
    }

    /// Makes the paths of logs, the one of decisions among them, and of spools, that are opened before `chdir` hold after it.
    pub fn anchor_logs(&mut self, start_directory: &Path) {
        for path in [&mut self.logging.to, &mut self.logging.to2, &mut self.daemonize, &mut self.scaling.log]
            .into_iter()
            .flatten()
        {
            *path = start_directory.join(&*path);
        }
        for spool in &mut self.spoolers.list {
            spool.directory = start_directory.join(&spool.directory);
        }
    }
}
