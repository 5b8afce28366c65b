//! Signals of the master: noted by signal-hook, turned into orders here (uWSGI's manual, "Managing the uWSGI server").
//! Master only.

use std::io;
use std::sync::Arc;

use mio::{Interest, Poll};
use nix::sys::signal::Signal;
use signal_hook::consts::signal::{
    SIGALRM, SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2, SIGWINCH,
};
use signal_hook_mio::v1_0::Signals as Source;

use super::machine::{Order, Reload};
use super::wake::Wake;
use super::wanted::Wanted;
use crate::config::model::{Config, SignalFunction, TermMeaning};
use crate::hooks::meaning_of_signal;
use crate::sys::signals::note;

/// The signals that have come since the last look.
pub(super) struct Signals(Source);

/// What a signal means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// A child may have ended.
    ChildEnded,
    /// Somebody wants something.
    Wanted(Wanted),
    /// The state of the instance, into the log.
    Statistics,
    /// A signal that other programs die of, and we do not.
    Ignored(&'static str),
}

/// In the order in which they are taken up when several are there at once: the most severe first.
const BY_SEVERITY: [i32; 12] =
    [SIGQUIT, SIGINT, SIGTERM, SIGHUP, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGCHLD, SIGUSR2, SIGALRM, SIGWINCH];

impl Signals {
    /// From here on no signal is lost, and none ends the process by itself.
    pub(super) fn install() -> io::Result<Self> {
        // A log as long as a file may be (RLIMIT_FSIZE) costs its lines and nothing more.
        note(Signal::SIGXFSZ, &Arc::default())?;
        Source::new(BY_SEVERITY).map(Self)
    }

    /// Has the event loop wake up when one has come.
    pub(super) fn watch(&mut self, poll: &Poll) -> io::Result<()> {
        poll.registry().register(&mut self.0, Wake::Signals.token(), Interest::READABLE)
    }

    /// What has come, in order of severity.
    pub(super) fn take(&mut self, config: &Config) -> Vec<Heard> {
        let mut pending: Vec<i32> = self.0.pending().collect();
        pending.sort_by_key(|signal| BY_SEVERITY.iter().position(|other| other == signal));
        pending.into_iter().map(|signal| meaning(signal, config)).collect()
    }
}

fn wanted(order: Order) -> Heard {
    Heard::Wanted(Wanted::Order(order))
}

fn meaning(signal: i32, config: &Config) -> Heard {
    // What a `unix_signal` hook says comes first.
    if let Some(function) = meaning_of_signal(&config.hooks, signal) {
        return wanted(order_of(function));
    }
    match signal {
        SIGCHLD => Heard::ChildEnded,
        SIGQUIT => wanted(Order::StopNow),
        SIGINT => Heard::Wanted(Wanted::Interrupt),
        SIGTERM => wanted(match config.term {
            TermMeaning::GracefulStop => Order::Stop,
            TermMeaning::BrutalReload => Order::Reload(Reload::Brutal),
        }),
        SIGHUP => wanted(Order::Reload(Reload::Graceful)),
        SIGTSTP => wanted(Order::TogglePause),
        SIGTTIN => Heard::Wanted(Wanted::OneMore),
        SIGTTOU => Heard::Wanted(Wanted::OneFewer),
        SIGUSR1 => Heard::Statistics,
        SIGUSR2 => Heard::Ignored("SIGUSR2"),
        SIGALRM => Heard::Ignored("SIGALRM"),
        _ => Heard::Ignored("SIGWINCH"),
    }
}

/// What the functions of `unix_signal` hooks are here.
fn order_of(function: SignalFunction) -> Order {
    match function {
        SignalFunction::GracefullyKillThemAll => Order::Stop,
        SignalFunction::KillThemAll => Order::StopNow,
        SignalFunction::ReapThemAll => Order::Reload(Reload::Brutal),
        SignalFunction::GraceThemAll => Order::Reload(Reload::Graceful),
        SignalFunction::ChainReload => Order::Reload(Reload::Chain),
    }
}
