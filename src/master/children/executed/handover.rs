//! Programs on their way to the next image of the master, of which they remain children. Master only.

use std::io;

use mio::Poll;
use serde::{Deserialize, Serialize};

use super::super::super::machine::{ExitStatus, ProcessId, RecipeId, Seat};
use super::super::super::passed::Passed;
use super::book::{Executed, Process, Program, Stage, Told};
use super::starting::watch;
use crate::config::model::Daemon;
use crate::sys::process::PidFd;

/// What the next image must know of the programs. The machine upgrades only while none of them is just beginning.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::master) struct ExecutedHandover(Vec<ProgramHandover>);

#[derive(Debug, Serialize, Deserialize)]
struct ProgramHandover {
    seat: Seat,
    recipe: RecipeId,
    daemon: Daemon,
    pid: ProcessId,
    #[serde(default)]
    group: Option<ProcessId>,
    #[serde(default)]
    told: Told,
    /// There unless it has ended and only others of its group are left.
    #[serde(default)]
    pidfd: Option<Passed>,
    /// How it ended, if it has.
    #[serde(default)]
    status: Option<ExitStatus>,
}

impl Executed {
    /// Writes everything down for the next image and lets the descriptors pass.
    pub(in crate::master) fn hand_over(&self) -> io::Result<ExecutedHandover> {
        let programs = self.programs.iter().map(|(seat, program)| ProgramHandover::of(*seat, program));
        Ok(ExecutedHandover(programs.collect::<io::Result<_>>()?))
    }

    /// Takes over the programs of the image before.
    pub(in crate::master) fn adopt(handover: ExecutedHandover, poll: &Poll) -> io::Result<Executed> {
        let programs = handover.0.into_iter().map(|program| program.adopt(poll));
        Ok(Executed { programs: programs.collect::<io::Result<_>>()? })
    }
}

impl ProgramHandover {
    fn of(seat: Seat, program: &Program) -> io::Result<ProgramHandover> {
        let (pidfd, group, status) = match &program.stage {
            Stage::Becoming { process, .. } | Stage::Up { process } | Stage::Launching { launcher: process, .. } => {
                (Some(Passed::on(&process.pidfd)?), process.group, None)
            }
            Stage::Lingering { group, status, .. } => (None, Some(*group), Some(*status)),
        };
        let Program { recipe, daemon, told, .. } = program;
        let (recipe, daemon, told) = (*recipe, daemon.clone(), *told);
        Ok(ProgramHandover { seat, recipe, daemon, pid: program.pid(), group, told, pidfd, status })
    }

    fn adopt(self, poll: &Poll) -> io::Result<(Seat, Program)> {
        let ProgramHandover { seat, recipe, daemon, pid, group, told, pidfd, status } = self;
        let stage = match (pidfd, group, status) {
            (Some(pidfd), group, _) => {
                let pidfd = PidFd::from_owned(pidfd.take()?);
                if daemon.outlives() {
                    watch(seat, pid, &pidfd, poll);
                }
                Stage::Up { process: Process { pid, pidfd, group } }
            }
            (None, Some(group), Some(status)) => Stage::Lingering { leader: pid, group, status },
            (None, _, _) => return Err(io::Error::other(format!("daemon process {pid} came without its descriptor"))),
        };
        Ok((seat, Program { told, ..Program::new(recipe, &daemon, stage) }))
    }
}
