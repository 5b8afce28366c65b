//! How a process becomes a vassal: identity, standard input, hooks, environment, command line, program. The Emperor, and the
//! process that it has forked.

use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use nix::unistd::{Gid, Uid};
use worker_protocol::ids::ProcessId;

use super::monitors::Candidate;
use crate::config::model::{Config, EnvironmentChange, HookPhase};
use crate::supervision::record::{EMPEROR_VARIABLE, NAME_VARIABLE, REUNION_VARIABLE, SHARES_MEMORY};
use crate::supervision::vassal::EMPEROR_FD;
use crate::sys::capabilities::bound_to;
use crate::sys::identity::{Credentials, become_user};
use crate::sys::line::Line;
use crate::sys::{process, spawn};

/// With what a process ends that could execute nothing, as in uWSGI.
const NOT_EXECUTED: i32 = 26;

/// Of the Emperor's environment, what is for it alone.
const FOR_THE_EMPEROR: [&str; 11] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "UWSGI_RELOADS",
    EMPEROR_FD,
    EMPEROR_VARIABLE,
    REUNION_VARIABLE,
    NAME_VARIABLE,
];

/// What hooks are told of where a vassal stands.
pub(super) const VASSALS_DIR: &str = "UWSGI_VASSALS_DIR";

/// The section of a file that is its reinforcements', as in uWSGI.
const REINFORCEMENTS: &str = "zerg";

/// Variables with this beginning are passed on without it.
const FOR_VASSALS: &str = "UWSGI_VASSAL_";

/// What makes a vassal one of several of the same file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reinforcement {
    /// The vassal that has asked for it.
    pub(super) of: String,
    /// Which of its own it is, from 1.
    pub(super) number: u32,
}

/// A vassal that is to be started.
pub(super) struct Birth<'a> {
    pub(super) config: &'a Config,
    pub(super) name: &'a str,
    pub(super) candidate: &'a Candidate,
    /// This program.
    pub(super) program: &'a Path,
    /// What it is to listen on, where its first connection starts it.
    pub(super) socket: Option<BorrowedFd<'a>>,
    pub(super) stands_by: Option<&'a Reinforcement>,
}

impl Birth<'_> {
    /// Forks the process that becomes the vassal.
    ///
    /// # Errors
    /// What `fork(2)` says, or that there are no descriptors left.
    pub(super) fn begin(&self) -> io::Result<(ProcessId, Line)> {
        let (line, theirs) = Line::pair()?;
        let parent = std::process::id();
        let pid = spawn::fork_vassal(|| {
            match self.become_vassal(&theirs, parent) {
                Ok(()) => log::error!("[emperor] vassal {}: nothing could be executed", self.name),
                Err(reason) => log::error!("[emperor] vassal {}: {reason}", self.name),
            }
            NOT_EXECUTED
        })?;
        Ok((pid, line))
    }

    fn become_vassal(&self, line: &OwnedFd, parent: u32) -> Result<(), String> {
        let because = |what: &str, error: io::Error| format!("cannot {what}: {error}");
        if let Some(directory) = &self.candidate.directory {
            std::env::set_current_dir(directory)
                .map_err(|error| because(&format!("enter {}", directory.display()), error))?;
        }
        process::set_input(self.socket).map_err(|error| because("set standard input", error))?;
        process::inherit(line.as_fd()).map_err(|error| because("pass on the Emperor's line", error))?;
        // Before the identity is taken, and with it the right to do this.
        if let Some(kept) = self.config.emperor.start.capabilities {
            bound_to(kept.bits()).map_err(|error| because("give up capabilities", error))?;
        }
        self.take_identity()?;
        // After the identity is taken, which would undo it (prctl(2)).
        if self.survives().is_none() {
            process::die_with_parent().map_err(|error| because("be ended with the Emperor", error))?;
        }
        if !spawn::is_child_of(parent) {
            return Err("the Emperor is gone".to_owned());
        }
        self.run_hooks()?;
        let mut environment = environment(self.config, parent, line.as_raw_fd(), self.stands_by);
        if let Some(path) = self.survives() {
            let variable = |name: &str, value: &[u8]| OsString::from_vec([name.as_bytes(), b"=", value].concat());
            environment.push(variable(REUNION_VARIABLE, path.as_os_str().as_bytes()));
            environment.push(variable(NAME_VARIABLE, self.name.as_bytes()));
        }
        let environment = texts(environment)?;
        let arguments = texts(self.arguments())?;
        for program in self.programs() {
            let program = CString::new(program.into_vec()).map_err(|error| error.to_string())?;
            let words: Vec<CString> = std::iter::once(program.clone()).chain(arguments.iter().cloned()).collect();
            let error = spawn::execute(&words, &environment);
            log::error!("[emperor] cannot execute {}: {error}", program.to_string_lossy());
        }
        Ok(())
    }

    /// Where it meets the next Emperor, if it is to outlive this one. What sleeps has a socket that is this one's.
    fn survives(&self) -> Option<&Path> {
        self.config.emperor.survive.as_deref().filter(|_| self.socket.is_none() && self.stands_by.is_none())
    }

    /// The owner of the file, under a tyrant.
    fn take_identity(&self) -> Result<(), String> {
        if !self.config.emperor.tyrant {
            return Ok(());
        }
        let (user, group) = self.candidate.owner;
        let (user, group) = (Some(Uid::from_raw(user)), Some(Gid::from_raw(group)));
        let credentials = Credentials { user, group, group_was_named: true, groups: Vec::new() };
        become_user(&credentials).map_err(|error| error.to_string())
    }

    fn run_hooks(&self) -> Result<(), String> {
        if let Some(hook) = &self.config.emperor.start.start_hook {
            let mut command = std::process::Command::new(hook);
            command.arg(self.name).env(VASSALS_DIR, self.candidate.directory());
            match process::keep_signals(&mut command).status() {
                Ok(status) if status.success() => {}
                Ok(status) => log::warn!("[emperor] vassals-start-hook {hook} {}: {status}", self.name),
                Err(error) => log::warn!("[emperor] vassals-start-hook {hook} {}: {error}", self.name),
            }
        }
        crate::hooks::run(&self.config.hooks, HookPhase::AsVassal).map_err(|failure| failure.to_string())
    }

    /// What is tried, one after the other.
    fn programs(&self) -> Vec<OsString> {
        let start = &self.config.emperor.start;
        let usual = start.wrapper.clone().map_or_else(|| self.program.as_os_str().to_owned(), OsString::from);
        let before = start.before.iter().map(OsString::from);
        before.chain([usual]).chain(start.after.iter().map(OsString::from)).collect()
    }

    /// As uWSGI has them: templates before, variables, the file, templates after.
    fn arguments(&self) -> Vec<OsString> {
        let start = &self.config.emperor.start;
        let pair = |option: &str, value: &str| [OsString::from(format!("--{option}")), OsString::from(value)];
        let mut words = Vec::new();
        words.extend(start.templates_before.iter().flat_map(|(option, path)| pair(option, path)));
        words.extend(start.set.iter().flat_map(|set| pair("set", set)));
        let file = self.stands_by.map_or(self.name, |reinforcement| reinforcement.of.as_str());
        let section = if self.stands_by.is_some() { format!(":{REINFORCEMENTS}") } else { String::new() };
        if start.magic_exec && self.candidate.executable {
            words.extend(pair("ini", &format!("exec://{file}{section}")));
        } else {
            words.extend(pair(form(file), &format!("{file}{section}")));
        }
        words.extend(start.templates_after.iter().flat_map(|(option, path)| pair(option, path)));
        words
    }
}

/// The option that names a file, by its ending.
fn form(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "yml" | "yaml" => "yaml",
        "js" | "json" => "json",
        "xml" => "xml",
        _ => "ini",
    }
}

/// `NAME=VALUE` of all variables.
fn environment(config: &Config, emperor: u32, line: i32, stands_by: Option<&Reinforcement>) -> Vec<OsString> {
    let mut variables: std::collections::BTreeMap<OsString, OsString> = std::env::vars_os().collect();
    FOR_THE_EMPEROR.iter().for_each(|name| drop(variables.remove(std::ffi::OsStr::new(name))));
    for (name, value) in variables.clone() {
        if let Some(rest) = name.as_bytes().strip_prefix(FOR_VASSALS.as_bytes()) {
            variables.remove(&name);
            variables.insert(OsString::from_vec([b"UWSGI_", rest].concat()), value);
        }
    }
    for change in &config.environment {
        match change {
            EnvironmentChange::Set(name, value) => drop(variables.insert(name.into(), value.into())),
            EnvironmentChange::Unset(name) => drop(variables.remove(std::ffi::OsStr::new(name))),
        }
    }
    variables.insert(EMPEROR_FD.into(), line.to_string().into());
    let shares = if config.emperor.memory.is_some() { format!(",{SHARES_MEMORY}") } else { String::new() };
    variables.insert(EMPEROR_VARIABLE.into(), format!("{emperor}{shares}").into());
    if let Some(reinforcement) = stands_by {
        variables.insert("UWSGI_BROODLORD_NUM".into(), reinforcement.number.to_string().into());
    }
    let joined = |(name, value): (OsString, OsString)| [name.as_bytes(), b"=", value.as_bytes()].concat();
    variables.into_iter().map(joined).map(OsString::from_vec).collect()
}

fn texts(words: Vec<OsString>) -> Result<Vec<CString>, String> {
    let text =
        |word: OsString| CString::new(word.into_vec()).map_err(|error| format!("cannot pass on a word: {error}"));
    words.into_iter().map(text).collect()
}
