//! Why `rhinod simulate` failed, and the status that it then ends with.

use super::usage::USAGE;
use crate::exit::Exit;
use crate::scaling::decision_log::ReplayError;
use crate::scaling::simulator::traces::TraceError;
use std::io;
use std::path::PathBuf;

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// The command line is at fault.
    #[error("{0}\n\n{USAGE}")]
    Usage(String),
    /// A file could not be read.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A picture could not be written.
    #[error("cannot write {path}: {source}")]
    Picture {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The configuration is at fault, or is not there.
    #[error("{text}")]
    Configuration {
        /// What is wrong, and where.
        text: String,
        /// The status to end with, as a start would.
        exit: Exit,
    },
    /// The trace is at fault.
    #[error("{path}: {source}")]
    Trace {
        /// Which.
        path: PathBuf,
        /// Why.
        source: TraceError,
    },
    /// The decision log is at fault.
    #[error("{path}: {source}")]
    Replay {
        /// Which.
        path: PathBuf,
        /// Why.
        source: ReplayError,
    },
    /// The decisions of a log were not reached again.
    #[error("{0} decisions differ")]
    Different(usize),
    /// The result could not be printed.
    #[error("cannot write the result: {0}")]
    Output(#[from] io::Error),
}

impl SimulateError {
    /// The status to end with.
    pub fn exit(&self) -> Exit {
        match self {
            SimulateError::Usage(_) => Exit::Usage,
            SimulateError::Configuration { exit, .. } => *exit,
            SimulateError::File { .. } | SimulateError::Trace { .. } | SimulateError::Replay { .. } => Exit::Input,
            SimulateError::Output(_) | SimulateError::Picture { .. } => Exit::Create,
            SimulateError::Different(_) => Exit::Fault,
        }
    }
}
