//! Programs that run beside the workers.
//!
//! The rows of the option table for the group [`Daemons`](super::Group::Daemons).
//! Read in the master before anything else, and by the commands.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use super::draft::Draft;
use super::keys::{Key, KeyError, read_keys};
use super::parsed::Parsed;
use super::row::{Opt, flag, list};
use crate::config::error::ConfigError;
use crate::config::model::{Daemon, Watch, WatchEffect};

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    list("attach-daemon").sets(|d, v| attach(d, v, false)).works()
        .says("Run a command that stays in the foreground beside the workers, and again whenever it ends"),
    list("attach-control-daemon").sets(|d, v| attach(d, v, true)).works()
        .says("The same, and stop the instance gracefully when it ends"),
    list("smart-attach-daemon").sets(|d, v| attach_smart(d, v, false)).works()
        .says("Run a command that writes a pid file itself, and leave it alone while it lives: PIDFILE[,SECONDS] COMMAND"),
    list("smart-attach-daemon2").sets(|d, v| attach_smart(d, v, true)).works()
        .says("The same for a command that stays in the foreground; its pid file is written for it"),
    list("attach-daemon2").sets(attach_by_keys).works()
        .says("Any of these as KEY=VALUE,...: cmd, pidfile, daemonize, freq, control, stopsignal, reloadsignal, \
               notifypid, touch, uid, gid, chdir, stdin, ns_pid, max_throttle"),
    flag("daemons-honour-stdin").sets(|d, v| d.daemons_honour_stdin = v.on()).works()
        .says("Leave them the standard input of the instance, not /dev/null"),
];

/// The keys of `attach-daemon2` (uWSGI's manual, "Managing external daemons/services with uWSGI").
const KEYS: &[(&str, SetKey)] = &[
    ("cmd", |daemon, key| key.text().map(|text| daemon.command = text)),
    ("pidfile", |daemon, key| key.text().map(|text| daemon.pidfile = Some(text.into()))),
    ("daemonize", |daemon, key| key.switch().map(|on| daemon.daemonize = on)),
    ("freq", |daemon, key| key.number(1, SECONDS_MAX).map(|seconds| daemon.freq = Duration::from_secs(seconds))),
    ("control", |daemon, key| key.switch().map(|on| daemon.control = on)),
    ("stopsignal", |daemon, key| signal(key, 1).map(|signal| daemon.stop_signal = signal)),
    ("reloadsignal", |daemon, key| signal(key, 0).map(|signal| daemon.reload_signal = Some(signal).filter(|s| *s > 0))),
    ("notifypid", |daemon, key| key.switch().map(|on| daemon.notify = on)),
    ("touch", |daemon, key| key.text().map(|text| daemon.touch = paths(&text))),
    ("uid", |daemon, key| key.text().map(|text| daemon.uid = account(text))),
    ("gid", |daemon, key| key.text().map(|text| daemon.gid = account(text))),
    ("chdir", |daemon, key| key.text().map(|text| daemon.chdir = Some(text.into()))),
    ("stdin", |daemon, key| key.switch().map(|on| daemon.keeps_stdin = on)),
    ("ns_pid", |daemon, key| key.switch().map(|on| daemon.own_pid_namespace = on)),
    ("max_throttle", |daemon, key| key.number(0, SECONDS_MAX).map(|seconds| throttle(daemon, seconds))),
];

/// Other spellings of keys.
const ALIASES: &[(&str, &str)] = &[
    ("command", "cmd"),
    ("exec", "cmd"),
    ("daemon", "daemonize"),
    ("stop_signal", "stopsignal"),
    ("reload_signal", "reloadsignal"),
];

type SetKey = fn(&mut Daemon, &Key<'_>) -> Result<(), KeyError>;

/// No wait is longer than a clock can bear.
const SECONDS_MAX: u64 = i32::MAX as u64;

/// Signals by name, as `kill -l` of Linux has them.
const SIGNALS: &[(&str, u64)] = &[
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("KILL", 9),
    ("USR1", 10),
    ("USR2", 12),
    ("ALRM", 14),
    ("TERM", 15),
    ("CONT", 18),
    ("WINCH", 28),
];

/// The largest signal of Linux.
const SIGNAL_MAX: u64 = 64;

fn signal(key: &Key<'_>, least: u64) -> Result<i32, KeyError> {
    let name = key.value.unwrap_or_default().trim().to_ascii_uppercase();
    let bare = name.strip_prefix("SIG").unwrap_or(&name);
    let number = match SIGNALS.iter().find(|(known, _)| *known == bare) {
        Some((_, number)) => *number,
        None => key.number(least, SIGNAL_MAX).map_err(|error| error.or("the name of a signal"))?,
    };
    Ok(i32::try_from(number).unwrap_or(0))
}

fn paths(list: &str) -> Vec<PathBuf> {
    list.split(';').map(str::trim).filter(|path| !path.is_empty()).map(PathBuf::from).collect()
}

/// 0 means no change, as in uWSGI.
fn account(text: String) -> Option<String> {
    Some(text).filter(|text| text != "0")
}

/// 0 means the usual bound.
fn throttle(daemon: &mut Daemon, seconds: u64) {
    daemon.throttle_max = match seconds {
        0 => Daemon::default().throttle_max,
        seconds => Duration::from_secs(seconds),
    };
}

/// `attach-daemon` and `attach-control-daemon`: a command.
fn attach(draft: &mut Draft<'_>, value: &Parsed<'_>, control: bool) {
    push(draft, Daemon { command: value.text.trim().to_owned(), control, ..Daemon::default() });
}

/// `smart-attach-daemon` and `smart-attach-daemon2`: `PIDFILE[,SECONDS] COMMAND`.
fn attach_smart(draft: &mut Draft<'_>, value: &Parsed<'_>, daemonize: bool) {
    let Some((file, command)) = value.text.trim().split_once(char::is_whitespace) else {
        return draft.refuse(
            "expected a pid file, a blank and a command",
            "for example /run/app/redis.pid redis-server, or /run/app/redis.pid,30 redis-server",
        );
    };
    let (path, freq) = match file.rsplit_once(',') {
        Some((path, seconds)) => (path, seconds.parse().ok().filter(|seconds| (1..=SECONDS_MAX).contains(seconds))),
        None => (file, Some(10)),
    };
    let (Some(seconds), false) = (freq, path.is_empty()) else {
        return draft
            .refuse("expected a pid file, and behind a comma how many seconds it may take", "for example p,30");
    };
    let freq = Duration::from_secs(seconds);
    let command = command.trim().to_owned();
    push(draft, Daemon { command, pidfile: Some(path.into()), daemonize, freq, ..Daemon::default() });
}

/// `attach-daemon2`.
fn attach_by_keys(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let mut daemon = Daemon::default();
    let known: Vec<&str> = KEYS.iter().map(|(name, _)| *name).collect();
    let mut good = true;
    for key in read_keys(value.text) {
        let name = ALIASES.iter().find(|(alias, _)| *alias == key.name).map_or(key.name, |(_, name)| name);
        let outcome = match KEYS.iter().find(|(known, _)| *known == name) {
            Some((_, set)) => set(&mut daemon, &key),
            None if name == "legion" => Err(KeyError::new("there are no legions here", "the orchestrator decides")),
            None => Err(key.unknown(&known)),
        };
        if let Err(KeyError { problem, suggestion }) = outcome {
            good = false;
            draft.refuse(problem, suggestion);
        }
    }
    if good {
        push(draft, daemon);
    }
}

/// Takes a daemon whose parts fit together.
fn push(draft: &mut Draft<'_>, daemon: Daemon) {
    let wrong = match &daemon {
        Daemon { command, .. } if command.trim().is_empty() => {
            Some(("a command is missing", "for example redis-server --port 0"))
        }
        Daemon { pidfile: None, daemonize: true, .. } => Some(("daemonize needs a pidfile", "add pidfile=PATH")),
        Daemon { pidfile: None, notify: true, .. } => Some(("notifypid needs a pidfile", "add pidfile=PATH")),
        Daemon { pidfile: Some(_), own_pid_namespace: true, .. } => {
            Some(("with ns_pid, the number in a pidfile would mean another process", "leave out one of the two"))
        }
        _ => None,
    };
    if let Some((problem, suggestion)) = wrong {
        return draft.refuse(problem, suggestion);
    }
    draft.daemons_from.push(draft.current());
    draft.config.daemons.list.push(daemon);
}

/// Gives all of them what holds for all, has their files watched, and looks for what cannot be.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let mut holders = HashMap::new();
    for (place, directive) in draft.daemons_from.clone().into_iter().enumerate() {
        let honours_stdin = draft.daemons_honour_stdin;
        let daemon = &mut draft.config.daemons.list[place];
        daemon.keeps_stdin |= honours_stdin;
        let (touch, pidfile) = (daemon.touch.clone(), daemon.pidfile.clone());
        let another = daemon.uid.is_some() || daemon.gid.is_some();
        let namespace = daemon.own_pid_namespace;
        let watch = |path| Watch { path, effect: WatchEffect::RenewDaemon(place), any_event: false };
        draft.config.watches.extend(touch.into_iter().map(watch));
        if let Some(pidfile) = pidfile
            && let Some(other) = holders.insert(pidfile, &directive.origin)
        {
            let problem = format!("the pid file is that of the daemon of {other}");
            draft.error(ConfigError::about(directive, problem).suggest("give each its own"));
        }
        if let (true, Some(reason)) = (another || namespace, why_not_root(draft)) {
            let wish = if namespace { "ns_pid needs root" } else { "only root can run it as another user or group" };
            draft.warning(ConfigError::about(directive, format!("{wish}, and {reason}")));
        }
    }
}

/// Why the master is not root when it starts daemons.
fn why_not_root(draft: &Draft<'_>) -> Option<&'static str> {
    let identity = &draft.config.identity;
    match draft.surroundings().euid {
        0 if identity.uid.is_some() && !identity.master_as_root => {
            Some("the master is not root any more when it starts daemons (master-as-root keeps it so)")
        }
        0 => None,
        _ => Some("this user is not root"),
    }
}
