//! Which programs there are, and how far each has come. Only the book: nobody is made, told or waited for here. Master
//! only.

use std::collections::BTreeMap;
use std::fs::File;

use super::super::super::machine::{ExitStatus, ProcessId, RecipeId, Seat};
use serde::{Deserialize, Serialize};

use crate::config::model::Daemon;
use crate::sys::clock::monotonic_us;
use crate::sys::process::PidFd;

/// The programs that there are.
#[derive(Default)]
pub(in crate::master) struct Executed {
    pub(super) programs: BTreeMap<Seat, Program>,
}

/// One of them.
pub(super) struct Program {
    pub(super) recipe: RecipeId,
    /// As the configuration in force has it.
    pub(super) daemon: Daemon,
    pub(super) stage: Stage,
    /// When it was begun.
    pub(super) begun_us: u64,
    /// Who was told to go.
    pub(super) told: Told,
    /// Whether it is to go because one of its files was touched.
    pub(super) touched: bool,
}

/// Who of a program was told to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) enum Told {
    /// Nobody.
    #[default]
    Nobody,
    /// Its process, by this signal; it tells the others of its group as it sees fit.
    Leader(i32),
    /// All of its group.
    Everyone,
}

/// How far it has come.
pub(super) enum Stage {
    /// Forked, and not the program yet; the pipe says what comes of it. Without the pipe, nothing did, and it ends.
    Becoming { process: Process, report: Option<File> },
    /// The program runs, or has left to the background, but its pid file does not name it yet.
    Launching { launcher: Process, ended: bool, look_us: u64, until_us: u64 },
    /// It is up.
    Up { process: Process },
    /// It has ended, but not all of its group.
    Lingering { leader: ProcessId, group: ProcessId, status: ExitStatus },
}

/// A process, and the group of which it is.
pub(super) struct Process {
    pub(super) pid: ProcessId,
    pub(super) pidfd: PidFd,
    /// The group that is signalled with it; `None` if it is in one with others.
    pub(super) group: Option<ProcessId>,
}

impl Program {
    /// One that begins at this moment.
    pub(super) fn new(recipe: RecipeId, daemon: &Daemon, stage: Stage) -> Program {
        let daemon = daemon.clone();
        Program { recipe, daemon, stage, begun_us: monotonic_us(), told: Told::Nobody, touched: false }
    }

    /// The process that the machine knows it by.
    pub(super) fn pid(&self) -> ProcessId {
        match &self.stage {
            Stage::Becoming { process, .. } | Stage::Up { process } => process.pid,
            Stage::Launching { launcher, .. } => launcher.pid,
            Stage::Lingering { leader, .. } => *leader,
        }
    }

    pub(super) fn title(&self) -> String {
        self.daemon.title()
    }
}

impl Executed {
    /// The seat of the program that this process is.
    pub(in crate::master::children) fn seat_of(&self, pid: ProcessId) -> Option<Seat> {
        let is_its = |program: &Program| match &program.stage {
            Stage::Lingering { .. } => false,
            Stage::Becoming { .. } | Stage::Launching { .. } | Stage::Up { .. } => program.pid() == pid,
        };
        self.programs.iter().find(|(_, program)| is_its(program)).map(|(seat, _)| *seat)
    }

    /// The process that a recipe has made, if there is one.
    pub(in crate::master) fn pid_of(&self, recipe: RecipeId) -> Option<ProcessId> {
        self.programs.values().find(|program| program.recipe == recipe).map(Program::pid)
    }

    /// How many are up.
    pub(in crate::master) fn up_count(&self) -> usize {
        self.programs
            .values()
            .filter(|program| matches!(program.stage, Stage::Up { .. }) && program.told == Told::Nobody)
            .count()
    }

    /// When something is to be looked at though nothing wakes the master.
    pub(in crate::master) fn due_us(&self) -> Option<u64> {
        let due = |program: &Program| match &program.stage {
            Stage::Launching { look_us, .. } => Some(*look_us),
            Stage::Becoming { .. } | Stage::Up { .. } | Stage::Lingering { .. } => None,
        };
        self.programs.values().filter_map(due).min()
    }
}
