//! From directives to the typed [`Config`]: every value read by its kind, every setter run, then what options mean
//! together.
//!
//! All errors of a configuration are found in one go. Facts of the machine come in as [`Machine`], so the whole is
//! pure; it runs in the master at the start and at each reload, and in `rhinod check`. Not for reading files
//! (`collect`) and not for names and defaults (`options`).

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::directive::{Directive, Origin};
use super::error::{ConfigError, ConfigErrors};
use super::model::{
    Address, Application, Busyness, Config, EnvironmentChange, Hook, Identity, Listener, Logging, Patience, PidFiles,
    Policy, ProcessNames, Protocol, Python, Recycling, RequestLimits, Scaling, TermMeaning, VanishedClients, Watch,
    WatchEffect,
};
use super::options::{self, Kind, Opt, Parsed, Status};

/// Actions of hooks (reference/processes.md 5.4); those of C functions are left out.
const HOOK_ACTIONS: &[&str] = &[
    "exec",
    "safeexec",
    "print",
    "log",
    "write",
    "writen",
    "append",
    "appendn",
    "writefifo",
    "spinningfifo",
    "unlink",
    "create",
    "creat",
    "touch",
    "mkdir",
    "cd",
    "chdir",
    "chmod",
    "chown",
    "chown2",
    "putenv",
    "hostname",
    "alarm",
    "signal",
    "unix_signal",
    "exit",
    "wait_for_fs",
    "wait_for_file",
    "wait_for_dir",
    "wait_for_socket",
];

/// Options that change how far `cheaper` goes but do not switch it on by themselves.
const CHEAPER_DETAILS: &[&str] = &[
    "cheaper-algo",
    "cheaper-step",
    "cheaper-overload",
    "cheaper-idle",
    "cheaper-target-wait",
    "cheaper-rss-limit-soft",
    "cheaper-rss-limit-hard",
];

/// What a configuration has to know of the machine it is for.
#[derive(Debug, Clone)]
pub struct Machine {
    /// `net.core.somaxconn`, the kernel's bound on `listen`; `None` when it cannot be read.
    pub somaxconn: Option<u32>,
    /// Most processes of this user (`RLIMIT_NPROC`); `None` without a limit.
    pub process_limit: Option<u64>,
    /// The effective user; 0 is root.
    pub euid: u32,
    /// Processors that this process may use.
    pub cpus: usize,
    /// How many sockets are handed in at start (standard input, systemd); `None` when that cannot be known, as in
    /// `rhinod check`.
    pub inherited_sockets: Option<usize>,
    /// Looks up the address of a host's name.
    pub resolve: fn(&str) -> Option<IpAddr>,
}

/// A configuration under construction: what the setters of the table write into.
#[derive(Debug)]
pub struct Draft<'a> {
    /// What is built.
    pub config: Config,
    /// Options of the Python application, used when any names one.
    pub python: Python,
    /// `rust-app`.
    pub rust_app: Option<PathBuf>,
    /// `reuse-port`, for all sockets.
    pub reuse_port: bool,
    /// `abstract-socket`, for all unix sockets.
    pub abstract_sockets: bool,
    /// The numbers of `cheaper` and its relatives before they are compared.
    pub cheaper: Cheaper,
    machine: &'a Machine,
    current: &'a Directive,
    given: HashMap<&'static str, &'a Directive>,
    sockets_from: Vec<&'a Directive>,
    warnings: Vec<ConfigError>,
    errors: Vec<ConfigError>,
}

/// `cheaper`, `cheaper-initial` and `cheaper-algo` as given.
#[derive(Debug, Default)]
pub struct Cheaper {
    /// `cheaper`.
    pub minimum: Option<usize>,
    /// `cheaper-initial`.
    pub initial: Option<usize>,
    /// `cheaper-algo`.
    pub policy: Option<Policy>,
}

/// A configuration and what the operator should know about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Built {
    /// What the program will do. Its `notes` hold the text of the warnings.
    pub config: Config,
    /// What is not wrong enough to stop the start.
    pub warnings: Vec<ConfigError>,
}

/// Builds the configuration that these directives, in order, describe.
///
/// Directives that are no option are placeholders, which the language has judged already; they only go to
/// [`Config::given`].
///
/// # Errors
/// Every bad value and every contradiction, each with its place.
pub fn build(directives: &[Directive], machine: &Machine) -> Result<Built, ConfigErrors> {
    let nothing = Directive::new("", None, Origin::Program);
    let mut draft = Draft::new(machine, &nothing);
    for directive in directives {
        draft.take(directive);
    }
    draft.finish()
}

/// The configuration without any directive: every option at its default.
pub fn defaults() -> Config {
    Config {
        sockets: Vec::new(),
        listen: 100,
        chmod_socket: None,
        chown_socket: None,
        application: Application::Embedded,
        workers: 1,
        threads: 1,
        scaling: default_scaling(),
        request: default_request_limits(),
        clients: VanishedClients::default(),
        recycling: Recycling { min_lifetime: Duration::from_secs(10), ..Recycling::default() },
        patience: Patience {
            mercy: Duration::from_secs(60),
            respawn_delay_max: Duration::from_secs(2),
            load_timeout: None,
        },
        logging: Logging { requests: true, ..Logging::default() },
        pidfiles: PidFiles::default(),
        vacuum: false,
        identity: Identity::default(),
        environment: Vec::new(),
        master_fifos: Vec::new(),
        watches: Vec::new(),
        hooks: Vec::new(),
        term: TermMeaning::GracefulStop,
        lazy_apps: false,
        need_app: false,
        daemonize: None,
        process_names: ProcessNames::default(),
        given: Vec::new(),
        notes: Vec::new(),
    }
}

fn default_scaling() -> Scaling {
    Scaling {
        enabled: false,
        policy: Policy::Adaptive,
        minimum: 1,
        initial: 1,
        step: 1,
        overload: 3,
        idle: 10,
        rss_soft: None,
        rss_hard: None,
        target_wait: Duration::from_millis(20),
        busyness: Busyness {
            max: 50,
            min: 25,
            multiplier: 10,
            penalty: 2,
            verbose: false,
            backlog_alert: 33,
            backlog_step: 1,
            backlog_multiplier: 3,
            backlog_nonzero: 60,
        },
        check_interval: Duration::from_secs(1),
        cheap: false,
        idle_after: None,
        die_on_idle: false,
        log: None,
    }
}

fn default_request_limits() -> RequestLimits {
    RequestLimits {
        buffer_size: u16::MAX,
        vars_max: 128,
        socket_timeout: Duration::from_secs(4),
        body_max: None,
        post_buffering: 0,
        harakiri: None,
        trusted_proxies: Vec::new(),
    }
}

impl<'a> Draft<'a> {
    fn new(machine: &'a Machine, nothing: &'a Directive) -> Draft<'a> {
        Draft {
            config: defaults(),
            python: Python::default(),
            rust_app: None,
            reuse_port: false,
            abstract_sockets: false,
            cheaper: Cheaper::default(),
            machine,
            current: nothing,
            given: HashMap::new(),
            sockets_from: Vec::new(),
            warnings: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Reads one directive's value and lets its option's setter write it.
    fn take(&mut self, directive: &'a Directive) {
        self.current = directive;
        let option = options::find(&directive.key);
        let name = option.map_or(directive.key.as_str(), |option| option.name);
        self.config.given.push((name.to_owned(), directive.value.clone()));
        let Some(option) = option else { return };
        self.given.insert(option.name, directive);
        match option.kind.parse(directive.value.as_deref()) {
            Ok(parsed) => self.apply(option, &parsed),
            Err(unfit) => {
                let mut error = ConfigError::about(directive, format!("expected {}", unfit.expected));
                error.suggestion = unfit.hint.or_else(|| inline_comment_hint(directive));
                self.errors.push(error);
            }
        }
    }

    fn apply(&mut self, option: &Opt, parsed: &Parsed<'_>) {
        if let Some(remark) = &parsed.remark {
            self.warn(remark.clone());
        }
        if let Some(set) = option.set {
            set(self, parsed);
        }
        let switched_off = matches!(option.kind, Kind::Flag | Kind::InvertedFlag) && !parsed.on();
        match option.status {
            Status::Works | Status::Accepted(_) => {}
            _ if switched_off => {}
            Status::NotYet(feature) => self.warn(format!("has no effect: rhinod does not have this yet: {feature}")),
            Status::Unsupported(instead) => self.warn(format!("has no effect: not supported; {instead}")),
            Status::Refused(instead) => self.refuse("going on without it would not be safe", instead),
        }
    }

    /// Notes something about the current directive that does not stop the start.
    fn warn(&mut self, problem: impl Into<String>) {
        self.warnings.push(ConfigError::about(self.current, problem));
    }

    /// Notes an error in the current directive.
    fn refuse(&mut self, problem: impl Into<String>, suggestion: impl Into<String>) {
        self.errors.push(ConfigError::about(self.current, problem).suggest(suggestion));
    }

    /// `socket`: one more listener.
    pub fn listen(&mut self, value: &Parsed<'_>) {
        let address = match &value.address {
            Some(address) => address.clone(),
            None => match self.look_up(value.text) {
                Some(address) => address,
                None => {
                    return self.refuse("expected an address; the host's name is not known", "write its IP address");
                }
            },
        };
        self.config.sockets.push(Listener { address, protocol: Protocol::Uwsgi, reuse_port: false });
        self.sockets_from.push(self.current);
    }

    fn look_up(&self, text: &str) -> Option<Address> {
        let (host, port) = text.rsplit_once(':')?;
        let end = port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len());
        let port = port.get(..end)?.parse().ok()?;
        Some(Address::Tcp(SocketAddr::new((self.machine.resolve)(host)?, port)))
    }

    /// `protocol`: what plain sockets speak.
    pub fn protocol(&mut self, value: &Parsed<'_>) {
        match value.text {
            "uwsgi" => {}
            "http" | "fastcgi" | "scgi" => self.refuse(
                "rhinod does not speak this protocol on sockets yet",
                "remove the line and use uwsgi_pass in nginx",
            ),
            _ => self.refuse("expected uwsgi", "http, fastcgi and scgi are known but not there yet"),
        }
    }

    /// `listen`: the length of the queue, bounded by the kernel (reference/processes.md 3.6).
    pub fn listen_queue(&mut self, value: &Parsed<'_>) {
        let wanted = u32::try_from(value.number).unwrap_or(u32::MAX);
        match self.machine.somaxconn {
            Some(most) if wanted > most => self.refuse(
                format!("longer than net.core.somaxconn allows ({most})"),
                format!("raise it with `sysctl -w net.core.somaxconn={wanted}`, or use listen = {most}"),
            ),
            _ => self.config.listen = wanted,
        }
    }

    /// `buffer-size`: what a uwsgi packet's 16-bit length cannot exceed counts as 65535.
    pub fn buffer_size(&mut self, value: &Parsed<'_>) {
        if value.number == 0 {
            return self.refuse("expected a number of bytes from 1 to 65535", "without the line it is 65535");
        }
        self.config.request.buffer_size = u16::try_from(value.number).unwrap_or_else(|_| {
            self.warn("counts as 65535, the most that the uwsgi protocol can carry");
            u16::MAX
        });
    }

    /// `check-interval`: a rule that looks all the time would keep the master awake.
    pub fn check_interval(&mut self, value: &Parsed<'_>) {
        match value.duration_unless_zero() {
            Some(interval) => self.config.scaling.check_interval = interval,
            None => self.refuse("expected a number of seconds from 1 on", "without the line it is 1"),
        }
    }

    /// `socket-timeout`: there is always one, or a silent client would hold a worker for ever.
    pub fn socket_timeout(&mut self, value: &Parsed<'_>) {
        match value.duration_unless_zero() {
            Some(timeout) => self.config.request.socket_timeout = timeout,
            None => self.refuse("expected a number of seconds from 1 on", "without the line it is 4"),
        }
    }

    /// `touch-*` and `fs-*` with a path alone.
    pub fn watch(&mut self, value: &Parsed<'_>, effect: WatchEffect, any_event: bool) {
        self.config.watches.push(Watch { path: value.path(), effect, any_event });
    }

    /// `touch-exec` and `hook-touch`: a path, a blank, and what to do.
    pub fn watch_with_action(&mut self, value: &Parsed<'_>, effect: fn(String) -> WatchEffect) {
        match value.text.split_once(' ') {
            Some((path, action)) if !action.trim().is_empty() => self.config.watches.push(Watch {
                path: PathBuf::from(path),
                effect: effect(action.trim().to_owned()),
                any_event: false,
            }),
            _ => self.refuse("expected a path, a blank and what to do", "for example /tmp/touched echo changed"),
        }
    }

    /// `hook-PHASE`: an action and what follows its colon.
    pub fn hook(&mut self, value: &Parsed<'_>, phase: &str) {
        let Some((action, argument)) = value.text.split_once(':') else {
            return self.refuse("expected ACTION:ARGUMENT", "for example exec:/usr/local/bin/announce");
        };
        if !HOOK_ACTIONS.contains(&action.trim_start_matches('!')) {
            return self.refuse(
                format!("there is no hook action `{action}`"),
                format!("known are {}", HOOK_ACTIONS.join(", ")),
            );
        }
        self.push_hook(phase, action, argument);
    }

    /// `exec-PHASE`: a command for the shell.
    pub fn exec_hook(&mut self, value: &Parsed<'_>, phase: &str) {
        self.push_hook(phase, "exec", value.text);
    }

    fn push_hook(&mut self, phase: &str, action: &str, argument: &str) {
        self.config.hooks.push(Hook {
            phase: phase.to_owned(),
            action: action.to_owned(),
            argument: argument.to_owned(),
            origin: self.current.origin.to_string(),
        });
    }

    /// `die-on-term`, `reload-on-term`: the last one that is on wins.
    pub fn term(&mut self, value: &Parsed<'_>, meaning: TermMeaning) {
        if value.on() {
            self.config.term = meaning;
        } else if self.config.term == meaning {
            self.config.term = TermMeaning::GracefulStop;
        }
    }

    /// `env`: sets a variable, or removes it without `=` (reference/config.md section 4).
    pub fn set_variable(&mut self, value: &Parsed<'_>) {
        self.config.environment.push(match value.text.split_once('=') {
            Some((name, text)) => EnvironmentChange::Set(name.to_owned(), text.to_owned()),
            None => EnvironmentChange::Unset(value.string()),
        });
    }

    /// `log-date`: a switch, or a pattern that is on.
    pub fn log_date(&mut self, value: &Parsed<'_>) {
        let plain = matches!(value.text.to_ascii_lowercase().as_str(), "" | "true" | "on" | "yes" | "1");
        self.config.logging.date = match value.on() {
            false => None,
            true if plain => Some(String::new()),
            true => Some(value.string()),
        };
    }

    /// What options mean together, once all are known.
    fn finish(mut self) -> Result<Built, ConfigErrors> {
        self.finish_sockets();
        self.finish_application();
        self.finish_scaling();
        self.finish_memory_limits();
        self.finish_lifetimes();
        self.finish_workers();
        self.finish_identity();
        self.config.notes = self.warnings.iter().map(ToString::to_string).collect();
        ConfigErrors(self.errors).into_result(Built { config: self.config, warnings: self.warnings })
    }

    fn finish_sockets(&mut self) {
        for listener in &mut self.config.sockets {
            listener.reuse_port = self.reuse_port && matches!(listener.address, Address::Tcp(_));
            if let (true, Address::Unix(path)) = (self.abstract_sockets, &listener.address) {
                listener.address = Address::Abstract(path.as_os_str().as_encoded_bytes().to_vec());
            }
        }
        self.refuse_doubled_sockets();
        if let (Some(most), false) = (self.machine.somaxconn, self.given.contains_key("listen"))
            && most < self.config.listen
        {
            self.config.listen = most;
        }
        if self.config.sockets.is_empty() {
            self.judge_no_sockets();
        }
    }

    fn refuse_doubled_sockets(&mut self) {
        for (index, listener) in self.config.sockets.iter().enumerate() {
            let earlier = self.config.sockets[..index].iter().position(|other| other.address == listener.address);
            if let Some(earlier) = earlier.filter(|_| !is_any_port(&listener.address)) {
                let origin = &self.sockets_from[earlier].origin;
                let problem = format!("the same address is listened on at {origin}");
                self.errors.push(ConfigError::about(self.sockets_from[index], problem).suggest("remove one of them"));
            }
        }
        let http = ["http", "http-socket", "http11-socket", "fastcgi-socket", "scgi-socket", "stats"];
        for other in http.iter().filter_map(|name| self.given.get(name)) {
            let same = self.sockets_from.iter().find(|socket| socket.value == other.value);
            if let Some(socket) = same {
                let problem = format!("the same address is listened on by {} at {}", socket.key, socket.origin);
                self.errors.push(ConfigError::about(other, problem).suggest("give each its own"));
            }
        }
    }

    fn judge_no_sockets(&mut self) {
        let problem = "nothing to listen on: no `socket`, and no socket was handed in";
        let suggestion = match ["http-socket", "http", "fastcgi-socket"].iter().find_map(|name| self.given.get(name)) {
            Some(other) => {
                format!("`{}` ({}) is not there yet; add socket = PATH or HOST:PORT", other.key, other.origin)
            }
            None => "add socket = PATH or HOST:PORT".to_owned(),
        };
        let complaint = ConfigError::at(&Origin::Program, problem).suggest(suggestion);
        match self.machine.inherited_sockets {
            Some(0) => self.errors.push(complaint),
            Some(_) => {}
            None => self.warnings.push(complaint),
        }
    }

    /// Names the application. `module` wins over `wsgi-file` (reference/config.md 6.2).
    fn finish_application(&mut self) {
        let python = self.python.module.is_some() || self.python.file.is_some() || !self.python.mounts.is_empty();
        let rust = self.rust_app.take();
        if let (true, Some(directive), Some(path)) = (python, self.given.get("rust-app"), &rust) {
            let problem = format!("{} and a Python application were named; one instance serves one", path.display());
            self.errors.push(ConfigError::about(directive, problem).suggest("remove one of them"));
        }
        if let (Some(_), Some(_), Some(directive)) =
            (&self.python.module, &self.python.file, self.given.get("wsgi-file"))
        {
            self.warnings.push(ConfigError::about(directive, "is ignored: `module` names the application"));
            self.python.file = None;
        }
        self.config.application = match rust {
            Some(path) => Application::Rust(path),
            None if python => Application::Python(std::mem::take(&mut self.python)),
            None => Application::Embedded,
        };
        if let (true, Application::Python(_), Some(directive)) =
            (self.config.threads > 1, &self.config.application, self.given.get("threads"))
        {
            let problem = "several requests run at once in one worker; the application must be thread-safe";
            self.warnings.push(ConfigError::about(directive, problem));
        }
    }

    /// Bounds of the number of workers (reference/processes.md 2.2).
    fn finish_scaling(&mut self) {
        let workers = self.config.workers;
        self.config.scaling.policy = self.cheaper.policy.unwrap_or(Policy::Adaptive);
        let (minimum, initial) = match (self.cheaper.minimum, self.cheaper.initial) {
            (Some(0), _) => return self.leave_scaling_off("cheaper = 0 switches it off"),
            (Some(minimum), initial) => {
                if minimum >= workers {
                    return self.refuse_minimum(minimum, workers);
                }
                (minimum, initial.unwrap_or(minimum))
            }
            (None, Some(initial)) if initial > 0 => {
                let minimum = initial.min(workers);
                self.note_bounds_without_cheaper(minimum, workers);
                (minimum, initial)
            }
            (None, _) => return self.leave_scaling_off("neither `cheaper` nor `cheaper-initial` says how few workers"),
        };
        self.config.scaling.enabled = minimum < workers;
        self.config.scaling.minimum = minimum;
        self.config.scaling.initial = self.clamp_initial(initial, minimum, workers);
    }

    fn leave_scaling_off(&mut self, reason: &str) {
        self.config.scaling.minimum = self.config.workers;
        self.config.scaling.initial = self.config.workers;
        let detail = CHEAPER_DETAILS.iter().find_map(|name| self.given.get(name));
        if let Some(directive) = detail {
            let problem = format!("has no effect: all {} workers run; {reason}", self.config.workers);
            self.warnings.push(ConfigError::about(directive, problem));
        }
    }

    fn refuse_minimum(&mut self, minimum: usize, workers: usize) {
        let Some(directive) = self.given.get("cheaper") else { return };
        let problem = format!("must be lower than the number of workers ({workers})");
        let suggestion = format!("use processes = {} or more, or a lower cheaper", minimum + 1);
        self.errors.push(ConfigError::about(directive, problem).suggest(suggestion));
    }

    fn note_bounds_without_cheaper(&mut self, minimum: usize, workers: usize) {
        let Some(directive) = self.given.get("cheaper-initial") else { return };
        let problem = format!("without `cheaper`, the number of workers goes from {minimum} (this line) to {workers}");
        self.warnings.push(ConfigError::about(directive, problem));
    }

    fn clamp_initial(&mut self, initial: usize, minimum: usize, workers: usize) -> usize {
        let clamped = if initial == 0 { minimum } else { initial.clamp(minimum, workers) };
        if let (true, Some(directive)) = (initial != 0 && clamped != initial, self.given.get("cheaper-initial")) {
            let problem = format!("counts as {clamped}: it must lie from cheaper ({minimum}) to workers ({workers})");
            self.warnings.push(ConfigError::about(directive, problem));
        }
        clamped
    }

    /// The two limits on the workers' memory together (reference/processes.md 2.2). rhinod measures memory itself, so
    /// `memory-report` is no condition.
    fn finish_memory_limits(&mut self) {
        let Some(directive) = self.given.get("cheaper-rss-limit-hard") else { return };
        let (problem, suggestion) = match (self.config.scaling.rss_soft, self.config.scaling.rss_hard) {
            (_, None) => return,
            (None, Some(_)) => ("needs cheaper-rss-limit-soft as well".to_owned(), "add it with a lower value"),
            (Some(soft), Some(hard)) if hard <= soft => {
                (format!("must be above cheaper-rss-limit-soft ({soft})"), "both are in bytes")
            }
            _ => return,
        };
        self.errors.push(ConfigError::about(directive, problem).suggest(suggestion));
    }

    fn finish_lifetimes(&mut self) {
        let (Some(longest), Some(directive)) =
            (self.config.recycling.max_lifetime, self.given.get("max-worker-lifetime"))
        else {
            return;
        };
        let shortest = self.config.recycling.min_lifetime;
        if shortest >= longest {
            let problem = format!("must be above min-worker-lifetime ({} s)", shortest.as_secs());
            let suggestion = "set min-worker-lifetime lower; without the line it is 10";
            self.errors.push(ConfigError::about(directive, problem).suggest(suggestion));
        }
    }

    fn finish_workers(&mut self) {
        let Some(directive) = self.given.get("processes") else { return };
        // The master and the zygote need a process each.
        let needed = self.config.workers as u64 + 2;
        if let Some(limit) = self.machine.process_limit.filter(|limit| needed > *limit) {
            let problem = format!("more than the limit of this user's processes ({limit}) has room for");
            let suggestion = "raise it with `ulimit -u` or LimitNPROC=, or use fewer workers";
            self.errors.push(ConfigError::about(directive, problem).suggest(suggestion));
        }
    }

    fn finish_identity(&mut self) {
        let identity = &self.config.identity;
        if self.machine.euid == 0 && identity.uid.is_none() {
            let problem = "the application runs as root";
            let suggestion = "add uid and gid of an ordinary user";
            self.warnings.push(ConfigError::at(&Origin::Program, problem).suggest(suggestion));
        }
    }
}

impl fmt::Display for Built {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.warnings.iter().try_for_each(|warning| writeln!(out, "{warning}"))
    }
}

fn is_any_port(address: &Address) -> bool {
    matches!(address, Address::Tcp(socket) if socket.port() == 0)
}

/// Values are literal: what looks like a comment behind one belongs to it (reference/config.md 4.6).
fn inline_comment_hint(directive: &Directive) -> Option<String> {
    let value = directive.value.as_deref()?;
    let marked = value.contains(" ;") || value.contains(" #");
    marked.then(|| "comments need a line of their own; this one is part of the value".to_owned())
}
