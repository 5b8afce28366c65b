//! What options mean together: conflicts, limits, and what one option gives another.
//!
//! Runs once all directives are taken, so that their order does not matter. The rules are those of
//! uWSGI's manual, "The uWSGI cheaper subsystem"; each of them says what to do about it. Pure.

use std::path::{Path, PathBuf};

use super::{Built, Draft};
use crate::config::error::{ConfigError, ConfigErrors};
use crate::config::model::{Address, Application, EnvironmentChange, Listener, Policy, TermMeaning};
use crate::config::options::{self, Kind, Status};

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

/// Options of uWSGI's that listen on an address as well.
const OTHER_LISTENERS: &[&str] =
    &["http", "http-socket", "http11-socket", "fastcgi-socket", "scgi-socket", "shared-socket", "stats"];

/// Options of uWSGI's that give an instance work without `socket`.
const OTHER_WORK: &[&str] = &[
    "http-socket",
    "http11-socket",
    "http",
    "https",
    "https-socket",
    "fastcgi-socket",
    "scgi-socket",
    "suwsgi-socket",
    "shared-socket",
    "zerg",
    "emperor",
    "fastrouter",
];

impl Draft<'_> {
    /// What options mean together, once all are known.
    pub(super) fn finish(mut self) -> (Built, ConfigErrors) {
        self.finish_sockets();
        self.finish_application();
        self.finish_scaling();
        self.finish_memory_limits();
        self.finish_busyness();
        self.finish_lifetimes();
        self.finish_workers();
        self.finish_identity();
        self.judge_term();
        self.config.notes = self.warnings.iter().chain(&self.idle).map(ToString::to_string).collect();
        let built = Built { config: self.config, idle: self.idle, warnings: self.warnings };
        (built, ConfigErrors(self.errors))
    }

    fn finish_sockets(&mut self) {
        for listener in &mut self.config.sockets {
            listener.reuse_port = self.reuse_port && matches!(listener.address, Address::Tcp(_));
            if let (true, Address::Unix(path)) = (self.abstract_sockets, &listener.address) {
                listener.address = Address::Abstract(path.as_os_str().as_encoded_bytes().to_vec());
            }
        }
        if let (Some(false), Some(directive)) =
            (self.machine.migrates_connections, self.given.get("reuse-port").filter(|_| self.reuse_port))
        {
            let problem = "what waits in the queue when this instance ends is reset, although others have the port";
            let suggestion = "set `sysctl -w net.ipv4.tcp_migrate_req=1` (Linux 5.14), which hands it to them";
            self.warnings.push(ConfigError::about(directive, problem).suggest(suggestion));
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

    /// Who switches `die-on-term` off in so many words wants what uWSGI does without it.
    fn judge_term(&mut self) {
        if let (TermMeaning::GracefulStop, Some(directive)) = (self.config.term, self.given.get("die-on-term")) {
            let problem = "SIGTERM stops gracefully, where uWSGI reloads brutally";
            let suggestion = "reload-on-term = true brings that back";
            self.warnings.push(ConfigError::about(directive, problem).suggest(suggestion));
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
        for other in OTHER_LISTENERS.iter().filter_map(|name| self.given.get(name)) {
            let address = Kind::Address.parse(other.value.as_deref()).ok().and_then(|parsed| parsed.address);
            let same = |listener: &Listener| Some(&listener.address) == address.as_ref();
            if let Some(index) = self.config.sockets.iter().position(same) {
                let socket = self.sockets_from[index];
                let problem = format!("the same address is listened on by {} at {}", socket.key, socket.origin);
                self.errors.push(ConfigError::about(other, problem).suggest("give each its own"));
            }
        }
    }

    /// Nothing to listen on. When another option was to give it work, the instance would stand idle: an error. Else
    /// init may hand a socket in.
    fn judge_no_sockets(&mut self) {
        let problem = "nothing to listen on: no `socket`, and no socket was handed in";
        let suggestion = "add socket = PATH or HOST:PORT";
        let unfit = self.unfit.contains("socket") || self.unfit.contains("uwsgi-socket");
        let known = self.machine.inherited_sockets;
        if unfit || known.is_some_and(|sockets| sockets > 0) {
            return;
        }
        let others = OTHER_WORK.iter().filter_map(|name| Some((options::find(name)?.status, *self.given.get(name)?)));
        match others.max_by_key(|(status, _)| *status == Status::Works) {
            Some((Status::Works, _)) => return,
            Some((_, other)) => {
                let problem = "rhinod does not have this yet, and there is no `socket` to listen on";
                return self.errors.push(ConfigError::about(other, problem).suggest(suggestion));
            }
            None => {}
        }
        let complaint = ConfigError::at(self.whole, problem).suggest(suggestion);
        match known {
            Some(_) => self.errors.push(complaint),
            None => self.warnings.push(complaint),
        }
    }

    /// Names the application. `module` wins over `wsgi-file` (uWSGI's manual, "Quickstart for Python/WSGI
    /// applications").
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
            self.idle.push(ConfigError::about(directive, "has no effect: `module` names the application"));
            self.python.file = None;
        }
        self.config.application = match rust {
            Some(path) => Application::Rust(path),
            None if python => Application::Python(std::mem::take(&mut self.python)),
            None => Application::Embedded,
        };
        self.judge_interpreter();
        if let (true, Application::Python(_), Some(directive)) =
            (self.config.threads > 1, &self.config.application, self.given.get("threads"))
        {
            let problem = "several requests run at once in one worker; the application must be thread-safe";
            self.warnings.push(ConfigError::about(directive, problem));
        }
    }

    /// Whether the interpreter that was asked for can be executed. A hook may still make it.
    fn judge_interpreter(&mut self) {
        let Application::Python(python) = &self.config.application else { return };
        let from_path = python.interpreters().is_empty();
        let candidates = if from_path { self.on_path("python3") } else { python.interpreters() };
        // The master is in `chdir` by the time it executes one. Where a relative one is cannot be told: at a reload the
        // master is there already.
        let chdir = self.config.identity.chdir.as_deref();
        let is_unknown = |path: &Path| path.is_relative() && chdir.is_some_and(Path::is_relative);
        let place = |path: &Path| chdir.map_or_else(|| path.to_owned(), |directory| directory.join(path));
        let serves = |path: &PathBuf| is_unknown(path) || (self.machine.executes)(&place(path));
        if candidates.is_empty() || candidates.iter().any(serves) || !self.config.hooks.is_empty() {
            return;
        }
        let (options, suggestion) = match &python.home {
            Some(home) => (&["virtualenv"][..], format!("make the virtualenv: python3 -m venv {}", home.display())),
            None if from_path => {
                (&["module", "wsgi-file", "mount"][..], "name a virtualenv (home) or python-executable".to_owned())
            }
            None => (&["python-executable"][..], "name a CPython, 3.9 or later".to_owned()),
        };
        if let Some(directive) = options.iter().find_map(|option| self.given.get(option)) {
            let places: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
            let whence = if from_path { " (PATH)" } else { "" };
            let problem = format!("no interpreter can be executed: looked for {}{whence}", places.join(" and "));
            self.errors.push(ConfigError::about(directive, problem).suggest(suggestion));
        }
    }

    /// Where a program is looked for, by the `PATH` that the configuration leaves to the process; nowhere without one.
    fn on_path(&self, program: &str) -> Vec<PathBuf> {
        let path = self.config.environment.iter().rev().find_map(|change| match change {
            EnvironmentChange::Set(name, value) if name == "PATH" => Some(Some(value)),
            EnvironmentChange::Unset(name) if name == "PATH" => Some(None),
            _ => None,
        });
        let path = path.unwrap_or(self.machine.search_path.as_ref());
        path.into_iter().flat_map(|path| path.split(':')).map(|directory| Path::new(directory).join(program)).collect()
    }

    /// Bounds of the number of workers (uWSGI's manual, "The uWSGI cheaper subsystem").
    fn finish_scaling(&mut self) {
        if self.unfit.contains("processes") || self.unfit.contains("cheaper") {
            return;
        }
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
            self.idle.push(ConfigError::about(directive, problem));
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

    /// The two limits on the workers' memory together (uWSGI's manual, "The uWSGI cheaper subsystem"). rhinod measures
    /// memory itself, so `memory-report` is no condition.
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

    /// Between the two nothing changes; the other way round there is no load at which the number of workers could rest.
    /// A bound that is not written gives way to the one that is.
    fn finish_busyness(&mut self) {
        let scaling = &mut self.config.scaling;
        let (is_used, busyness) = (scaling.policy == Policy::Busyness, &mut scaling.busyness);
        let (lowest, highest) = (self.given.get("cheaper-busyness-min"), self.given.get("cheaper-busyness-max"));
        match (lowest, highest) {
            (None, _) => busyness.min = busyness.min.min(busyness.max),
            (_, None) => busyness.max = busyness.max.max(busyness.min),
            (Some(_), Some(directive)) if is_used && busyness.min > busyness.max => {
                let problem = format!("must not be below cheaper-busyness-min ({})", busyness.min);
                self.errors
                    .push(ConfigError::about(directive, problem).suggest("without the lines they are 25 and 50"));
            }
            _ => {}
        }
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
        let stays_root = matches!(self.config.identity.uid.as_deref(), None | Some("root" | "0"));
        if self.machine.euid == 0 && stays_root {
            // The kernel does not hold root to the limit (setrlimit(2), RLIMIT_NPROC).
            return;
        }
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
            self.warnings.push(ConfigError::at(self.whole, problem).suggest(suggestion));
        }
    }
}

fn is_any_port(address: &Address) -> bool {
    matches!(address, Address::Tcp(socket) if socket.port() == 0)
}
