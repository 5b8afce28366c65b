//! What runs at which moment of the life cycle (uWSGI's manual, "Hooks").
//!
//! Part of the configuration. Not for running it (`crate::hooks`). Pure; every process reads it.

use serde::{Deserialize, Serialize};

use super::word::words;

/// Something to run at a moment of the life cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// The moment.
    pub phase: HookPhase,
    /// What is done.
    pub action: HookAction,
    /// What follows the colon.
    pub argument: String,
    /// Whether the log keeps silent about the argument (`!exec:…`).
    #[serde(default)]
    pub hidden: bool,
    /// Where it was written.
    #[serde(default)]
    pub origin: String,
}

words! {
    /// A moment of the life cycle, as it stands in the option's name (`hook-asap`).
    HookPhase, "moment of hooks" {
        /// In the master, once the configuration is read.
        Asap = "asap",
        /// In the master, before it drops its privileges.
        AsRoot = "as-root",
        /// In the master, once it has dropped them.
        AsUser = "as-user",
        /// In the master, when the instance ends.
        AsUserAtexit = "as-user-atexit",
        /// In the master, before its loop.
        MasterStart = "master-start",
        /// In the process that becomes a vassal, before it does.
        AsVassal = "as-vassal",
        /// In the Emperor, before it looks for vassals.
        EmperorStart = "emperor-start",
        /// Beside the Emperor, when a vassal has been started.
        AsEmperor = "as-emperor",
        /// Beside the master of a vassal that its Emperor tells to stop.
        EmperorStop = "emperor-stop",
        /// Beside the master of a vassal that its Emperor tells to reload.
        EmperorReload = "emperor-reload",
        /// Beside the master of a vassal whose Emperor is gone.
        EmperorLost = "emperor-lost",
        /// In the process that loads the application, before it does.
        PreApp = "pre-app",
        /// There as well, afterwards.
        PostApp = "post-app",
        /// In each worker, at the beginning of its life.
        PostFork = "post-fork",
        /// In each worker, before it accepts.
        Accepting = "accepting",
        /// In the first worker, before it accepts.
        Accepting1 = "accepting1",
        /// In each worker, before the first of its number accepts.
        AcceptingOnce = "accepting-once",
        /// In the first worker, before the first of its number accepts.
        Accepting1Once = "accepting1-once",
    }
}

words! {
    /// What a hook does, by the word before the colon.
    HookAction, "hook action" {
        /// A command for the shell, which must succeed.
        Exec = "exec",
        /// A command for the shell, which may fail.
        Safeexec = "safeexec",
        /// A line of the log.
        Print = "print",
        /// The same.
        Log = "log",
        /// A file's new contents.
        Write = "write",
        /// The same and a line's end.
        Writen = "writen",
        /// More at a file's end.
        Append = "append",
        /// The same and a line's end.
        Appendn = "appendn",
        /// Text for whoever reads a fifo.
        Writefifo = "writefifo",
        /// The same, tried until there is the fifo.
        Spinningfifo = "spinningfifo",
        /// A file removed.
        Unlink = "unlink",
        /// A file made, or its time stamp set.
        Create = "create",
        /// The same.
        Creat = "creat",
        /// The same.
        Touch = "touch",
        /// A directory made.
        Mkdir = "mkdir",
        /// Another working directory.
        Cd = "cd",
        /// The same.
        Chdir = "chdir",
        /// Other permissions of a file.
        Chmod = "chmod",
        /// Another meaning of a signal, see [`SignalFunction`].
        UnixSignal = "unix_signal",
        /// The end of the process.
        Exit = "exit",
        /// Waiting for anything at a path.
        WaitForFs = "wait_for_fs",
        /// Waiting for a file.
        WaitForFile = "wait_for_file",
        /// Waiting for a directory.
        WaitForDir = "wait_for_dir",
        /// Waiting for a socket that accepts.
        WaitForSocket = "wait_for_socket",
    }
}

words! {
    /// A function of uWSGI that a `unix_signal` hook may name.
    SignalFunction, "function of a signal" {
        /// Stop gracefully.
        GracefullyKillThemAll = "gracefully_kill_them_all",
        /// Stop at once.
        KillThemAll = "kill_them_all",
        /// Reload brutally.
        ReapThemAll = "reap_them_all",
        /// Reload gracefully.
        GraceThemAll = "grace_them_all",
        /// Reload one worker after the other.
        ChainReload = "uwsgi_chain_reload",
    }
}

impl SignalFunction {
    /// Reads what follows `unix_signal:`, the number of a signal, a blank and a function.
    pub fn of_argument(argument: &str) -> Option<(u8, SignalFunction)> {
        let (number, function) = argument.trim().split_once(char::is_whitespace)?;
        let number = number.parse().ok().filter(|number| *number > 0)?;
        Some((number, SignalFunction::of_name(function.trim())?))
    }
}
