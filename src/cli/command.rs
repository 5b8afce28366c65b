//! What a command line can ask for, once it is understood. Not for understanding it (`cli`, `cli::word_arguments`). Pure; runs
//! before anything else.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::asked::Asked;
use super::shell::Shell;

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Serve what the arguments and the files among them describe.
    Serve,
    /// `check`: say what each line does. The arguments are those of serving.
    Check {
        /// What to check.
        arguments: Vec<OsString>,
        /// How to say it.
        format: Format,
    },
    /// `show`: print the values that hold. The arguments are those of serving.
    Show {
        /// What to show.
        arguments: Vec<OsString>,
        /// How to print it.
        format: Format,
        /// Whether values that stand at their default are left out.
        changed: bool,
    },
    /// `route`: say what routing rules make of a request.
    Route {
        /// The configuration.
        file: OsString,
        /// The request.
        asked: Asked,
    },
    /// `simulate`: try scaling rules on a recorded load.
    Simulate {
        /// Everything behind the word.
        arguments: Vec<OsString>,
    },
    /// `status`: say how an instance is doing.
    Status {
        /// How it is named, or its statistics socket.
        instance: OsString,
        /// Whether only the exit status is asked for.
        quiet: bool,
        /// How to say it.
        format: Format,
    },
    /// `top`: show an instance on the terminal.
    Top {
        /// How it is named, or its statistics socket.
        instance: OsString,
    },
    /// `stacks`: say where each thread of each worker is.
    Stacks {
        /// How the instance is named.
        instance: OsString,
    },
    /// `profile`: see for a time where the workers are.
    Profile {
        /// How the instance is named.
        instance: OsString,
        /// For how long.
        time: Duration,
        /// The file to draw into; without one the stacks are printed.
        picture: Option<PathBuf>,
    },
    /// `stop` and `--stop`.
    Stop {
        /// How the instance is named.
        instance: OsString,
        /// Whether to wait for its end.
        wait: bool,
    },
    /// `reload` and `--reload`.
    Reload {
        /// How the instance is named.
        instance: OsString,
    },
    /// `canary`: a verdict on the generation that is on trial.
    Canary {
        /// How the instance is named.
        instance: OsString,
        /// Whether it shall take over; else it goes.
        passes: bool,
    },
    /// `pause`, `--pause` and `--suspend`.
    Pause {
        /// How the instance is named.
        instance: OsString,
    },
    /// `resume` and `--resume`.
    Resume {
        /// How the instance is named.
        instance: OsString,
    },
    /// `--ping`: whether a worker answers.
    Ping {
        /// The address, as `socket` takes them.
        address: String,
        /// How long to wait (`--ping-timeout`).
        timeout: Duration,
    },
    /// `--connect-and-read`: print what an address sends.
    ConnectAndRead {
        /// The address, as `socket` takes them.
        address: String,
    },
    /// `--help`.
    Help {
        /// What to explain; the command line as a whole without it.
        word: Option<String>,
    },
    /// `help` or `--help` of one of the words.
    HelpOf {
        /// Which.
        word: &'static str,
    },
    /// `--version`, also by the environment variable `UWSGI_VERSION` (uWSGI's manual, "Configuring uWSGI").
    Version,
    /// `--cheaper-algo-list`.
    Policies,
    /// `--get`: print the value of one option or placeholder.
    Get {
        /// Its name.
        name: String,
    },
    /// `--dump-options`: print every name.
    Names,
    /// `completions`.
    Completions {
        /// For which shell.
        shell: Shell,
    },
    /// `man`.
    Manual,
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Why a command line asks for nothing that rhinod can do; one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; rhinod --help lists what there is")]
pub struct Misuse(pub(super) String);
