//! What the program will do: the typed, validated configuration that the rest of rhinod reads.
//!
//! Nothing here knows of ini files or option names; `options` fills it. Times are [`Duration`]s, sizes are bytes.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::network::Network;

/// Everything an instance needs to know. Built once for each start and each reload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// Listening sockets in the order of the configuration.
    pub sockets: Vec<Listener>,
    /// Length of the queue of connections that wait for a worker, for each socket (`listen`).
    pub listen: u32,
    /// Permission bits of the unix sockets (`chmod-socket`); `None` leaves what the umask gives.
    pub chmod_socket: Option<u32>,
    /// Owner of the unix sockets (`chown-socket`), as `user`, `user:group` or numbers.
    pub chown_socket: Option<String>,
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
    /// How clients that went away are treated.
    pub clients: VanishedClients,
    /// When a worker is replaced although nothing is wrong with it.
    pub recycling: Recycling,
    /// How long the master waits for what it asked for.
    pub patience: Patience,
    /// What is logged, where to, and how.
    pub logging: Logging,
    /// Files that hold the master's pid.
    pub pidfiles: PidFiles,
    /// Remove sockets and pid files at the end (`vacuum`).
    pub vacuum: bool,
    /// Who the instance runs as, and where.
    pub identity: Identity,
    /// Changes of the process environment, in the order of the configuration (`env`, `unenv`).
    pub environment: Vec<EnvironmentChange>,
    /// Paths of the master fifos, slot 0 first (`master-fifo`).
    pub master_fifos: Vec<PathBuf>,
    /// What reloads when which file changes (`touch-*`, `fs-*`).
    pub watches: Vec<Watch>,
    /// Descriptors that ask for a reload when they become readable (`reload-on-fd`, `brutal-reload-on-fd`).
    pub reload_descriptors: Vec<ReloadDescriptor>,
    /// End with exit code 0 where a reload would begin (`exit-on-reload`).
    pub exit_on_reload: bool,
    /// What runs at which moment of the life cycle (`hook-*`, `exec-*`).
    pub hooks: Vec<Hook>,
    /// Old meaning of the signals (`die-on-term`, `reload-on-term`).
    pub term: TermMeaning,
    /// Whether each worker loads the application after the fork (`lazy-apps`).
    pub lazy_apps: bool,
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

impl Config {
    /// How long the kernel's queue of each socket is: those who wait, `listen`, and those who do not really, because
    /// they come when all threads of all workers have just finished. There may be two generations of workers, since a
    /// reload can come at any time. (The kernel cuts what exceeds `net.core.somaxconn`.)
    pub fn backlog(&self) -> u32 {
        let taken_at_once = self.workers.saturating_mul(self.threads.max(1)).saturating_mul(2);
        self.listen.saturating_add(u32::try_from(taken_at_once).unwrap_or(u32::MAX))
    }
}

/// One listening socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Where it listens.
    pub address: Address,
    /// What is spoken on it.
    pub protocol: Protocol,
    /// Several sockets on one TCP address (`reuse-port`).
    pub reuse_port: bool,
}

/// An address to listen on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Address {
    /// A path of the file system, relative to `chdir`.
    Unix(PathBuf),
    /// A name of Linux' abstract namespace, without the leading NUL (`@name`).
    Abstract(Vec<u8>),
    /// TCP, version 4 or 6. Port 0 takes a free one.
    Tcp(SocketAddr),
    /// A descriptor inherited at start (`fd://N`, or standard input being a socket).
    Inherited(RawFd),
}

/// As configurations write it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => path.display().fmt(f),
            Self::Abstract(name) => write!(f, "@{}", String::from_utf8_lossy(name)),
            Self::Tcp(address) => address.fmt(f),
            Self::Inherited(number) => write!(f, "fd://{number}"),
        }
    }
}

/// What is spoken on a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Protocol {
    /// The uwsgi protocol (nginx `uwsgi_pass`).
    Uwsgi,
}

/// The application that workers serve.
#[expect(clippy::large_enum_variant, reason = "there is one value of it in a process")]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Application {
    /// None was named: fine for a binary that embeds its own, else an error at start.
    Embedded,
    /// Another binary that embeds an application (`rust-app`).
    Rust(PathBuf),
    /// Python WSGI.
    Python(Python),
}

/// A Python WSGI application.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Python {
    /// Virtual environment (`home`, `virtualenv`, `venv`, `pyhome`).
    pub home: Option<PathBuf>,
    /// Interpreter to run when there is no `home` (`python-executable`, ours).
    pub interpreter: Option<PathBuf>,
    /// `module`, as given: `package.module` or `package.module:callable`.
    pub module: Option<String>,
    /// `wsgi-file` / `file`.
    pub file: Option<PathBuf>,
    /// `callable`; default `application`.
    pub callable: Option<String>,
    /// `pythonpath`, in order of the configuration.
    pub path: Vec<String>,
    /// `pyargv`, split at blanks.
    pub argv: Vec<String>,
    /// `import` / `pyimport` (in each worker), in order.
    pub imports: Vec<String>,
    /// `shared-import` / `pyshared-import` (in the zygote), in order.
    pub shared_imports: Vec<String>,
    /// `mount`: mountpoint and application.
    pub mounts: Vec<(String, String)>,
    /// `manage-script-name`.
    pub manage_script_name: bool,
    /// `py-autoreload`: seconds between looks; zero is off.
    pub autoreload: u64,
    /// `catch-exceptions`.
    pub catch_exceptions: bool,
    /// `optimize` / `-O`.
    pub optimize: u8,
}

impl Python {
    /// Where the interpreter may be, the first one that can be executed: in the virtualenv, else `python-executable`.
    /// None at all: `python3` of PATH.
    pub fn interpreters(&self) -> Vec<PathBuf> {
        match (&self.home, &self.interpreter) {
            (Some(home), _) => vec![home.join("bin/python"), home.join("bin/python3")],
            (None, Some(path)) => vec![path.clone()],
            (None, None) => Vec::new(),
        }
    }
}

/// How many of the workers run at a time. Without any `cheaper*` option `initial == minimum == workers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// Whether the number of workers changes at all.
    pub enabled: bool,
    /// Which rule decides.
    pub policy: Policy,
    /// Fewest workers (`cheaper`).
    pub minimum: usize,
    /// Workers at start (`cheaper-initial`).
    pub initial: usize,
    /// Most workers added by one decision of uWSGI's policies (`cheaper-step`).
    pub step: usize,
    /// `cheaper-overload`, raw: its unit depends on the policy.
    pub overload: u64,
    /// `cheaper-idle` of `spare2`.
    pub idle: u64,
    /// `cheaper-rss-limit-soft`, in bytes.
    pub rss_soft: Option<u64>,
    /// `cheaper-rss-limit-hard`, in bytes.
    pub rss_hard: Option<u64>,
    /// Target waiting time of `adaptive` (`cheaper-target-wait`, ours; milliseconds in the configuration).
    pub target_wait: Duration,
    /// Options of `busyness`.
    pub busyness: Busyness,
    /// `check-interval`.
    pub check_interval: Duration,
    /// Start with no worker, wake at the first connection (`cheap`).
    pub cheap: bool,
    /// Go to no worker after so long without a request (`idle`).
    pub idle_after: Option<Duration>,
    /// Stop instead (`die-on-idle`).
    pub die_on_idle: bool,
    /// File for the decisions, one JSON line each (`cheaper-log`, ours).
    pub log: Option<PathBuf>,
}

impl Scaling {
    /// `cheaper-target-wait` without the line. The simulator's figures and pictures are of this target.
    pub const TARGET_WAIT: Duration = Duration::from_millis(10);
}

/// Which rule decides on the number of workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    /// rhinod's own, driven by how long requests wait.
    Adaptive,
    /// uWSGI's default.
    Spare,
    /// Keeps `cheaper` workers idle.
    Spare2,
    /// By the length of the listen queue.
    Backlog,
    /// By the share of time that workers are busy.
    Busyness,
    /// Only the master fifo's `+` and `-`.
    Manual,
}

impl Policy {
    /// Every name that `cheaper-algo` takes, in the order of [`Policy::ALL`].
    pub const NAMES: &'static [&'static str] = &["adaptive", "spare", "spare2", "backlog", "busyness", "manual"];

    /// Every policy.
    pub const ALL: &'static [Policy] =
        &[Policy::Adaptive, Policy::Spare, Policy::Spare2, Policy::Backlog, Policy::Busyness, Policy::Manual];

    /// The policy of this name.
    pub fn of_name(name: &str) -> Option<Policy> {
        Policy::ALL.iter().copied().find(|policy| policy.name() == name)
    }

    /// Its name in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Policy::Adaptive => "adaptive",
            Policy::Spare => "spare",
            Policy::Spare2 => "spare2",
            Policy::Backlog => "backlog",
            Policy::Busyness => "busyness",
            Policy::Manual => "manual",
        }
    }
}

/// Options of the policy `busyness`; units as in uWSGI's manual.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Busyness {
    /// Percent above which workers are added.
    pub max: u64,
    /// Percent below which workers are removed.
    pub min: u64,
    /// Windows of `cheaper-overload` seconds to wait before a removal.
    pub multiplier: u64,
    /// Added to the multiplier when a removal proved wrong.
    pub penalty: u64,
    /// `cheaper-busyness-verbose`: log every window.
    pub verbose: bool,
    /// Length of the queue that adds emergency workers.
    pub backlog_alert: u64,
    /// Emergency workers a decision.
    pub backlog_step: u64,
    /// Multiplier while there are emergency workers.
    pub backlog_multiplier: u64,
    /// Seconds of a queue above zero that add emergency workers.
    pub backlog_nonzero: u64,
}

/// Bounds of one request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestLimits {
    /// Largest block of variables in bytes (`buffer-size`; default 65535, uWSGI's 4096).
    pub buffer_size: u16,
    /// Most variables (`max-vars`).
    pub vars_max: usize,
    /// Deadline for the whole head, and the longest silence while a body is read or a response written (`socket-timeout`).
    pub socket_timeout: Duration,
    /// Largest request body in bytes (`limit-post`); `None` has no limit.
    pub body_max: Option<u64>,
    /// `post-buffering`, in bytes; zero is off.
    pub post_buffering: u64,
    /// `harakiri`: longest time for one request.
    pub harakiri: Option<Duration>,
    /// Peers whose `X-Forwarded-*` headers are believed. Empty: nobody's.
    pub trusted_proxies: Vec<Network>,
}

impl RequestLimits {
    /// Whether the `X-Forwarded-*` headers of a request from this peer (`REMOTE_ADDR`) are believed.
    pub fn trusts(&self, remote_addr: &[u8]) -> bool {
        if self.trusted_proxies.is_empty() {
            return false;
        }
        let address = std::str::from_utf8(remote_addr).ok().and_then(|text| text.parse().ok());
        address.is_some_and(|address| self.trusted_proxies.iter().any(|network| network.contains(address)))
    }
}

/// How clients that went away before the response was complete are treated.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct VanishedClients {
    /// `ignore-write-errors`: failed writes are not logged.
    pub ignore_write_errors: bool,
    /// `ignore-sigpipe`: nor are clients that closed their end.
    pub ignore_sigpipe: bool,
    /// `disable-write-exception`: the application sees no exception.
    pub disable_write_exception: bool,
}

/// When a worker is replaced although nothing is wrong with it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Recycling {
    /// `max-requests`; zero is off.
    pub max_requests: u64,
    /// `max-requests-delta`.
    pub max_requests_delta: u64,
    /// `min-worker-lifetime`.
    pub min_lifetime: Duration,
    /// `max-worker-lifetime`.
    pub max_lifetime: Option<Duration>,
    /// `max-worker-lifetime-delta`.
    pub max_lifetime_delta: Duration,
    /// `reload-on-rss`, in bytes.
    pub rss: Option<u64>,
    /// `reload-on-as`, in bytes.
    pub address_space: Option<u64>,
    /// `evil-reload-on-rss`, in bytes.
    pub evil_rss: Option<u64>,
    /// `evil-reload-on-as`, in bytes.
    pub evil_address_space: Option<u64>,
    /// `reload-on-exception` and its relatives.
    pub exceptions: MonitoredExceptions,
}

/// Failures of the application after which the worker is replaced. All texts are compared as wholes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MonitoredExceptions {
    /// `reload-on-exception`: whatever it is.
    pub any: bool,
    /// `reload-on-exception-type`, in order.
    pub types: Vec<String>,
    /// `reload-on-exception-value`, in order.
    pub values: Vec<String>,
    /// `reload-on-exception-repr`, in order.
    pub reprs: Vec<String>,
}

/// How long the master waits for what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patience {
    /// For a worker to finish what it holds (`worker-reload-mercy`, 60 s).
    pub mercy: Duration,
    /// Between respawns of workers that die at once (`forkbomb-delay`, 2 s): the longest step of the back-off.
    pub respawn_delay_max: Duration,
    /// For a generation to load and get ready (`load-timeout`, ours); `None` waits for ever.
    pub load_timeout: Option<Duration>,
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Logging {
    /// Whether each request is logged (`disable-logging` turns it off).
    pub requests: bool,
    /// `log-4xx`.
    pub status_4xx: bool,
    /// `log-5xx`.
    pub status_5xx: bool,
    /// `log-zero`: answers without a body.
    pub zero: bool,
    /// `log-big`: answers whose body has so many bytes.
    pub big: Option<u64>,
    /// `log-sendfile`.
    pub sendfile: bool,
    /// `log-ioerror`: requests that could not be read or answers that could not be written.
    pub io_error: bool,
    /// `log-slow`.
    pub slow: Option<Duration>,
    /// `log-format`; `None` is uWSGI's default line.
    pub format: Option<String>,
    /// `logformat-strftime`: `%(ftime)` has the pattern of `log-date`.
    pub format_strftime: bool,
    /// `log-format-json` (ours): values in `log-format` are escaped as the insides of JSON strings.
    pub format_json: bool,
    /// `log-micros`.
    pub micros: bool,
    /// `log-x-forwarded-for`.
    pub forwarded_for: bool,
    /// `logto` (opened before privileges are dropped).
    pub to: Option<PathBuf>,
    /// `logto2` (opened after).
    pub to2: Option<PathBuf>,
    /// `logfile-chmod`.
    pub mode: Option<u32>,
    /// `logfile-chown`: the file of `logto` belongs to the user who serves.
    pub chown: bool,
    /// `log-truncate`: the file is emptied at start.
    pub truncate: bool,
    /// `log-reopen`: the file is opened anew at each reload.
    pub reopen: bool,
    /// `log-date`: strftime pattern, empty for ctime; `None` for no date.
    pub date: Option<String>,
    /// `log-prefix`.
    pub prefix: Option<String>,
    /// `memory-report`.
    pub memory: bool,
}

/// Files that hold the master's pid.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PidFiles {
    /// `pidfile`: early, as root, relative to the start directory.
    pub pidfile: Option<PathBuf>,
    /// `pidfile2`: after privileges are dropped and `chdir`.
    pub pidfile2: Option<PathBuf>,
    /// `safe-pidfile`: only once workers serve.
    pub safe_pidfile: Option<PathBuf>,
    /// `safe-pidfile2`.
    pub safe_pidfile2: Option<PathBuf>,
}

/// Who the instance runs as, and where.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Identity {
    /// `uid`: name or number.
    pub uid: Option<String>,
    /// `gid`: name or number.
    pub gid: Option<String>,
    /// `add-gid`, in order.
    pub add_gids: Vec<String>,
    /// `umask`.
    pub umask: Option<u32>,
    /// `chdir`.
    pub chdir: Option<PathBuf>,
    /// `chdir2`: in each worker, after the application is loaded.
    pub chdir2: Option<PathBuf>,
    /// `master-as-root`.
    pub master_as_root: bool,
    /// `no-orphans`.
    pub no_orphans: bool,
}

/// One change of the process environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnvironmentChange {
    /// `env = NAME=VALUE`.
    Set(String, String),
    /// `unenv = NAME`.
    Unset(String),
}

impl Config {
    /// The file that holds the log, if one does: the last of those that were opened at start.
    pub fn log_file(&self) -> Option<&Path> {
        let Logging { to, to2, .. } = &self.logging;
        to2.as_deref().or(to.as_deref()).or(self.daemonize.as_deref())
    }

    /// Makes the paths of logs, the one of decisions among them, that are opened before `chdir` hold after it.
    pub fn anchor_logs(&mut self, start_directory: &Path) {
        for path in [&mut self.logging.to, &mut self.daemonize, &mut self.scaling.log].into_iter().flatten() {
            *path = start_directory.join(&*path);
        }
    }
}

/// What a change of a file sets off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The file or directory, relative to `chdir`.
    pub path: PathBuf,
    /// What happens.
    pub effect: WatchEffect,
    /// Whether any event of the path counts (`fs-*`), not only a newer time stamp (`touch-*`).
    pub any_event: bool,
}

/// What a watched file sets off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum WatchEffect {
    /// A new generation.
    Reload,
    /// A new generation at once, requests are cut.
    BrutalReload,
    /// Every worker anew.
    WorkersReload,
    /// One worker after the other.
    ChainReload,
    /// The log is opened anew by its name.
    ReopenLog,
    /// A command for the shell.
    Execute(String),
    /// A hook action.
    Hook(String),
}

/// An inherited descriptor that asks for a reload when it becomes readable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReloadDescriptor {
    /// Its number at the start.
    pub number: RawFd,
    /// Most bytes to read of it each time; an eventfd needs 8.
    pub bytes: usize,
    /// What to say in the log.
    pub message: Option<String>,
    /// Whether old workers are killed.
    pub brutal: bool,
}

/// Something to run at a moment of the life cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// The moment, as in the option's name: `asap`, `pre-app`, `accepting1-once`, …
    pub phase: String,
    /// `exec`, `writefifo`, `unlink`, …
    pub action: String,
    /// What follows the colon.
    pub argument: String,
    /// Whether the log keeps silent about the argument (`!exec:…`).
    pub hidden: bool,
    /// Where it was written.
    pub origin: String,
}

/// What SIGTERM means to the master.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TermMeaning {
    /// Stop gracefully (our default).
    GracefulStop,
    /// Stop at once (`die-on-term`, uWSGI's letter).
    Stop,
    /// Brutal reload, as uWSGI without `die-on-term` (`reload-on-term`, ours).
    BrutalReload,
}

/// Names of the processes in `ps`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ProcessNames {
    /// `auto-procname`, or any of the others: the master has a title too, instead of its command line.
    pub auto: bool,
    /// `procname`.
    pub name: Option<String>,
    /// `procname-master`.
    pub master: Option<String>,
    /// `procname-prefix`.
    pub prefix: String,
    /// `procname-append`.
    pub append: String,
}

impl ProcessNames {
    /// A title with what stands before and after every one.
    pub fn decorated(&self, title: &str) -> String {
        format!("{}{title}{}", self.prefix, self.append)
    }

    /// The master's title; `None`: it keeps its command line.
    pub fn master(&self) -> Option<String> {
        let title = self.master.as_deref().or(self.name.as_deref()).unwrap_or("rhinod master");
        self.auto.then(|| self.decorated(title))
    }

    /// The title of a zygote or worker; `own` is what it is called unless all have one name.
    pub fn below_master(&self, own: &str) -> String {
        self.decorated(self.name.as_deref().unwrap_or(own))
    }
}
