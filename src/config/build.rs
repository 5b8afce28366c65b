//! From directives to the typed [`Config`]: every value read by its kind, every setter run, then what options mean
//! together (`judge`).
//!
//! All errors of a configuration are found in one go. Facts of the machine come in as [`Machine`], so the whole is
//! pure; it runs in the master at the start and at each reload, and in `rhinod check`. Not for reading files
//! (`collect`) and not for names and defaults (`options`).

mod judge;
/// `15 gracefully_kill_them_all`
fn names_a_signal_function(argument: &str) -> bool {
    argument.trim().split_once(char::is_whitespace).is_some_and(|(number, function)| {
        number.parse::<u8>().is_ok_and(|number| number > 0) && SIGNAL_FUNCTIONS.contains(&function.trim())
    })
}

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::directive::{Directive, Origin};
use super::error::{ConfigError, ConfigErrors};
use super::model::{
    Address, Application, Busyness, Config, EnvironmentChange, Hook, Identity, Listener, Logging, Patience, PidFiles,
    Policy, ProcessNames, Protocol, Python, Recycling, ReloadDescriptor, RequestLimits, Scaling, TermMeaning,
    VanishedClients, Watch, WatchEffect,
};
use super::options::{self, Kind, Opt, Parsed, Status};

/// Actions of hooks (uWSGI's manual, "Hooks"), those that [`crate::hooks`] performs.
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
    "unix_signal",
    "exit",
    "wait_for_fs",
    "wait_for_file",
    "wait_for_dir",
    "wait_for_socket",
];

/// Functions of uWSGI that a `unix_signal` hook may name.
pub(crate) const SIGNAL_FUNCTIONS: &[&str] =
    &["gracefully_kill_them_all", "kill_them_all", "reap_them_all", "grace_them_all", "uwsgi_chain_reload"];

/// Most bytes that are read at once of a descriptor that asks for a reload.
const RELOAD_BYTES_MAX: usize = 4_096;

/// What a configuration has to know of the machine it is for.
#[derive(Debug, Clone)]
pub struct Machine {
    /// `net.core.somaxconn`, the kernel's bound on `listen`; `None` when it cannot be read.
    pub somaxconn: Option<u32>,
    /// Whether the kernel hands the queue of a closed socket to another one with its port
    /// (`net.ipv4.tcp_migrate_req`); `None` when it cannot be read.
    pub migrates_connections: Option<bool>,
    /// Most processes of this user (`RLIMIT_NPROC`); `None` without a limit.
    pub process_limit: Option<u64>,
    /// The effective user; 0 is root.
    pub euid: u32,
    /// Processors that this process may use.
    pub cpus: usize,
    /// How many sockets are handed in at start (standard input, systemd); `None` when that cannot be known, as in
    /// `rhinod check`: then it is a remark that there is nothing to listen on, not an error.
    pub inherited_sockets: Option<usize>,
    /// Looks up the address of a host's name.
    pub resolve: fn(&str) -> Option<IpAddr>,
    /// Whether a path leads to a program that this process may execute.
    pub executes: fn(&Path) -> bool,
    /// `PATH` of the environment, where programs without a directory are looked for.
    pub search_path: Option<String>,
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
    whole: &'a Origin,
    given: HashMap<&'static str, &'a Directive>,
    unfit: HashSet<&'static str>,
    sockets_from: Vec<&'a Directive>,
    idle: Vec<ConfigError>,
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
    /// What the program will do. Its `notes` hold the text of both lists.
    pub config: Config,
    /// Lines that do nothing.
    pub idle: Vec<ConfigError>,
    /// What else is not wrong enough to stop the start.
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
    let (built, errors) = build_all(directives, machine);
    errors.into_result(built)
}

/// The same, with what could be built although there are errors.
pub fn build_all(directives: &[Directive], machine: &Machine) -> (Built, ConfigErrors) {
    let nothing = Directive::new("", None, whole(directives));
    let mut draft = Draft::new(machine, &nothing);
    for directive in directives {
        draft.take(directive);
    }
    draft.finish()
}

/// The place to name when no line is to blame: the first file as a whole.
fn whole(directives: &[Directive]) -> Origin {
    let of_file = |directive: &Directive| match &directive.origin {
        Origin::File { path, section, .. } => {
            Some(Origin::File { path: path.clone(), line: 0, section: section.clone() })
        }
        _ => None,
    };
    directives.iter().find_map(of_file).unwrap_or(Origin::CommandLine)
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
        reload_descriptors: Vec::new(),
        exit_on_reload: false,
        hooks: Vec::new(),
        term: TermMeaning::GracefulStop,
        lazy_apps: false,
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
        target_wait: Scaling::TARGET_WAIT,
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
            whole: &nothing.origin,
            given: HashMap::new(),
            unfit: HashSet::new(),
            sockets_from: Vec::new(),
            idle: Vec::new(),
            warnings: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Reads one directive's value and lets its option's setter write it.
    fn take(&mut self, directive: &'a Directive) {
        self.current = directive;
        let option = options::find(&directive.key);
        self.config.given.push((directive.key.clone(), directive.value.clone()));
        let Some(option) = option else { return };
        self.given.insert(option.name, directive);
        match (option.parse(directive.value.as_deref()), option.status) {
            (Ok(parsed), _) => self.apply(option, &parsed),
            // What is not used need not be right.
            (Err(_), Status::Accepted(_)) => {}
            (Err(_), Status::Unsupported(instead)) => self.does_nothing(format!("not supported; {instead}")),
            (Err(unfit), _) => {
                self.unfit.insert(option.name);
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
        let literal = matches!(option.kind, Kind::Path | Kind::Address | Kind::User | Kind::UserGroup);
        if let (true, None, Some(hint)) = (literal, &parsed.remark, inline_comment_hint(self.current)) {
            self.warn(hint);
        }
        if let Some(set) = option.set {
            set(self, parsed);
        }
        if option.is_switched_off(parsed) {
            return;
        }
        match option.status {
            Status::Works | Status::Accepted(_) => {}
            Status::NotYet(feature) => self.does_nothing(format!("rhinod does not have this yet: {feature}")),
            Status::Unsupported(instead) => self.does_nothing(format!("not supported; {instead}")),
            Status::Refused(instead) => self.refuse("going on without it would not be safe", instead),
        }
    }

    /// Notes that the current directive has no effect.
    fn does_nothing(&mut self, reason: String) {
        self.idle.push(ConfigError::about(self.current, format!("has no effect: {reason}")));
    }

    /// Notes something about the current directive that does not stop the start.
    fn warn(&mut self, problem: impl Into<String>) {
        self.warnings.push(ConfigError::about(self.current, problem));
    }

    /// Notes an error in the current directive.
    fn refuse(&mut self, problem: impl Into<String>, suggestion: impl Into<String>) {
        self.errors.push(ConfigError::about(self.current, problem).suggest(suggestion));
    }

    /// A file to log into. uWSGI takes HOST:PORT for a log over the network, where a file of that name would surprise.
    pub fn log_file(&mut self, value: &Parsed<'_>) -> Option<PathBuf> {
        let is_address = value.text.rsplit_once(':').is_some_and(|(host, port)| {
            !host.contains('/') && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
        });
        if is_address {
            let instead = format!("name a file (./{} if it is one)", value.text);
            self.refuse("expected a path; rhinod does not log over UDP to HOST:PORT", instead);
        }
        Some(value.path()).filter(|_| !is_address)
    }

    /// `master`: there always is one.
    pub fn master(&mut self, value: &Parsed<'_>) {
        if !value.on() {
            self.does_nothing("rhinod always runs a master".to_owned());
        }
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

    /// `listen`: the length of the queue, bounded by the kernel (uWSGI's manual, "Things to know").
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

    /// Numbers of `busyness`: zero stands for the default (uWSGI's manual, "The uWSGI cheaper subsystem").
    pub fn busyness(&mut self, value: &Parsed<'_>, set: fn(&mut Busyness, u64)) {
        if let Some(number) = value.unless_zero() {
            set(&mut self.config.scaling.busyness, number);
        }
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

    /// `reload-on-fd` and `brutal-reload-on-fd`: `FD[:BYTES] [MESSAGE]` (uWSGI's manual, "uWSGI Options").
    pub fn reload_descriptor(&mut self, value: &Parsed<'_>, brutal: bool) {
        let (numbers, message) = value.text.split_once(' ').unwrap_or((value.text, ""));
        let (number, bytes) = numbers.split_once(':').unwrap_or((numbers, "1"));
        let message = Some(message.trim()).filter(|message| !message.is_empty()).map(str::to_owned);
        match (number.parse(), bytes.parse()) {
            (Ok(number @ 3..), Ok(bytes @ 1..=RELOAD_BYTES_MAX)) => {
                self.config.reload_descriptors.push(ReloadDescriptor { number, bytes, message, brutal });
            }
            _ => self.refuse(
                "expected an inherited descriptor from 3 on, `:` and how many bytes to read (1 to 4096), and a message",
                "for example 3, or 3:8 for an eventfd, or 3:8 the code has changed",
            ),
        }
    }

    /// `hook-PHASE`: an action and what follows its colon.
    pub fn hook(&mut self, value: &Parsed<'_>, phase: &str) {
        let Some((action, argument)) = value.text.split_once(':') else {
            return self.refuse("expected ACTION:ARGUMENT", "for example exec:/usr/local/bin/announce");
        };
        let (action, hidden) = action.strip_prefix('!').map_or((action, false), |action| (action, true));
        if !HOOK_ACTIONS.contains(&action) {
            return self.refuse(
                format!("there is no hook action `{action}`"),
                format!("known are {}", HOOK_ACTIONS.join(", ")),
            );
        }
        if action == "unix_signal" && !names_a_signal_function(argument) {
            return self.refuse(
                "expected the number of a signal, a blank and a function",
                format!("functions are {}", SIGNAL_FUNCTIONS.join(", ")),
            );
        }
        self.push_hook(phase, action, argument, hidden);
    }

    /// `exec-PHASE`: a command for the shell.
    pub fn exec_hook(&mut self, value: &Parsed<'_>, phase: &str) {
        self.push_hook(phase, "exec", value.text, false);
    }

    fn push_hook(&mut self, phase: &str, action: &str, argument: &str, hidden: bool) {
        self.config.hooks.push(Hook {
            phase: phase.to_owned(),
            action: action.to_owned(),
            argument: argument.to_owned(),
            hidden,
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

    /// `env`: sets a variable, or removes it without `=` (uWSGI's manual, "uWSGI Options").
    pub fn set_variable(&mut self, value: &Parsed<'_>) {
        self.config.environment.push(match value.text.split_once('=') {
            Some((name, text)) => EnvironmentChange::Set(name.to_owned(), text.to_owned()),
            None => EnvironmentChange::Unset(value.string()),
        });
    }

    /// `trusted-proxy`: an address or a network.
    pub fn trust_proxy(&mut self, value: &Parsed<'_>) {
        match value.text.parse() {
            Ok(network) => self.config.request.trusted_proxies.push(network),
            Err(error) => self.refuse(error.to_string(), "for example 10.0.0.0/8"),
        }
    }

    /// `procname` and its relatives: each of them gives the master a title as well.
    pub fn titles(&mut self) -> &mut ProcessNames {
        self.config.process_names.auto = true;
        &mut self.config.process_names
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
}

/// Values are literal: what looks like a comment behind one belongs to it (uWSGI's manual, "uWSGI Options").
fn inline_comment_hint(directive: &Directive) -> Option<String> {
    let value = directive.value.as_deref()?;
    let marked = value.contains(" ;") || value.contains(" #");
    marked.then(|| "comments need a line of their own; this one is part of the value".to_owned())
}
