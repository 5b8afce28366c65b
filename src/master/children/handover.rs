//! The children on their way to the next image of the master. Master only.

use std::collections::BTreeMap;
use std::io;

use mio::Poll;
use serde::{Deserialize, Serialize};
use worker_protocol::ids::Life;
use worker_protocol::scoreboard::{Layout, Scoreboard};

use super::super::machine::{Generation, ProcessId, Seat};
use super::super::passed::Passed;
use super::super::upgrade::own_path;
use super::super::wake::Wake;
use super::ahead::Ahead;
use super::budget::Budget;
use super::executed::{Executed, ExecutedHandover};
use super::mailboxes::{MailboxHandover, Mailboxes};
use super::registry::{Calling, Children, Grown, Member, Zygote};
use super::router_ears::{RouterEars, RouterEarsHandover};
use crate::sys::control::ControlSocket;
use crate::sys::process::PidFd;
use crate::sys::shared_memory::SharedWords;

/// What the next image must know of the children: processes, and descriptors by their numbers.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::master) struct ChildrenHandover {
    scoreboard: Passed,
    /// Seats and threads of the scoreboard. Masters up to 0.2 left them to its header.
    #[serde(default)]
    layout: Option<(u32, u32)>,
    lives: Life,
    zygotes: Vec<ZygoteHandover>,
    members: Vec<MemberHandover>,
    #[serde(default)]
    executed: ExecutedHandover,
    #[serde(default)]
    router_ears: RouterEarsHandover,
    #[serde(default)]
    mailboxes: Vec<MailboxHandover>,
    #[serde(default)]
    no_application: Option<Generation>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ZygoteHandover {
    generation: Generation,
    pid: ProcessId,
    control: Passed,
    /// Of one that was a worker: the generation that it was of, and its pidfd.
    #[serde(default)]
    grown: Option<(Generation, Passed)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct MemberHandover {
    seat: Seat,
    generation: Generation,
    control: Passed,
    pid: Option<ProcessId>,
    /// There when the pid is.
    pidfd: Option<Passed>,
    life: Life,
    ordered_us: u64,
    orphan: bool,
    /// Whether it has said that it is ready. One that has not yet is heard when it does.
    #[serde(default)]
    heard_ready: bool,
    /// Whether it was told to become the mold of others.
    #[serde(default)]
    is_called: bool,
}

impl Children {
    /// Writes everything down for the next image and lets the descriptors pass.
    pub(in crate::master) fn hand_over(&self) -> io::Result<ChildrenHandover> {
        Ok(ChildrenHandover {
            scoreboard: Passed::on(&self.words)?,
            layout: Some((self.layout.seats(), self.layout.threads())),
            lives: self.lives,
            zygotes: self.zygotes.iter().map(ZygoteHandover::of).collect::<io::Result<_>>()?,
            members: self.members.iter().map(MemberHandover::of).collect::<io::Result<_>>()?,
            executed: self.executed.hand_over()?,
            router_ears: self.router_ears.hand_over()?,
            mailboxes: self.mailboxes.hand_over()?,
            no_application: self.no_application,
        })
    }

    /// Takes over the children of the image before.
    pub(in crate::master) fn adopt(handover: ChildrenHandover, poll: &Poll) -> io::Result<Self> {
        let (words, layout) = take_board(handover.scoreboard, handover.layout)?;
        let zygotes = handover.zygotes.into_iter().map(|zygote| zygote.adopt(layout.seats(), poll));
        let members = handover.members.into_iter().map(|member| member.adopt(poll));
        Ok(Self {
            own_path: own_path()?,
            ahead: Ahead::default(),
            words,
            layout,
            zygotes: zygotes.collect::<io::Result<BTreeMap<_, _>>>()?,
            members: members.collect::<io::Result<BTreeMap<_, _>>>()?,
            executed: Executed::adopt(handover.executed, poll)?,
            router_ears: RouterEars::adopt(handover.router_ears)?,
            mailboxes: Mailboxes::adopt(handover.mailboxes, poll)?,
            lives: handover.lives,
            no_application: handover.no_application,
        })
    }
}

/// The scoreboard that was passed, in the layout that the image before tells.
fn take_board(scoreboard: Passed, layout: Option<(u32, u32)>) -> io::Result<(SharedWords, Layout)> {
    let words = SharedWords::map(scoreboard.take()?)?;
    let board = match layout {
        Some((seats, threads)) => {
            let layout = Layout::new(seats, threads).map_err(io::Error::other)?;
            Scoreboard::fit(words.words(), layout)
        }
        None => Scoreboard::attach(words.words()),
    };
    let layout = board.map_err(io::Error::other)?.layout();
    Ok((words, layout))
}

impl Grown {
    fn hand_over(&self) -> io::Result<(Generation, Passed)> {
        Ok((self.root, Passed::on(&self.process)?))
    }
}

impl ZygoteHandover {
    fn of((generation, zygote): (&Generation, &Zygote)) -> io::Result<Self> {
        Ok(Self {
            generation: *generation,
            pid: zygote.pid,
            control: Passed::on(&zygote.control)?,
            grown: zygote.grown.as_ref().map(Grown::hand_over).transpose()?,
        })
    }

    fn adopt(self, seats: u32, poll: &Poll) -> io::Result<(Generation, Zygote)> {
        let control = ControlSocket::from_owned(self.control.take()?);
        Wake::Zygote(self.generation).when_readable(&control, poll)?;
        let grown = |(root, process): (Generation, Passed)| {
            process.take().map(|process| Grown { root, process: PidFd::from_owned(process) })
        };
        let grown = self.grown.map(grown).transpose()?;
        Ok((self.generation, Zygote { grown, ..Zygote::new(self.pid, control, None, seats) }))
    }
}

impl MemberHandover {
    fn of((seat, member): (&Seat, &Member)) -> io::Result<Self> {
        let process = member.process.as_ref();
        Ok(Self {
            seat: *seat,
            generation: member.generation,
            control: Passed::on(&member.control)?,
            pid: process.map(|(pid, _)| *pid),
            pidfd: process.map(|(_, pidfd)| Passed::on(pidfd)).transpose()?,
            life: member.life,
            ordered_us: member.ordered_us,
            orphan: member.orphan,
            heard_ready: member.heard_ready,
            is_called: matches!(member.calling, Calling::Told),
        })
    }

    fn adopt(self, poll: &Poll) -> io::Result<(Seat, Member)> {
        let Self { seat, generation, control, pid, pidfd, life, ordered_us, orphan, heard_ready, is_called } = self;
        let control = ControlSocket::from_owned(control.take()?);
        Wake::Member(seat).when_readable(&control, poll)?;
        let pidfd = pidfd.map(|pidfd| pidfd.take().map(PidFd::from_owned)).transpose()?;
        if let Some(pidfd) = &pidfd {
            Wake::Ended(seat).when_readable(pidfd, poll)?;
        }
        let budget = Budget::of_worker();
        let member = Member {
            generation,
            control,
            process: pid.zip(pidfd),
            life,
            ordered_us,
            heard_ready,
            ended_us: None,
            orphan,
            calling: if is_called { Calling::Told } else { Calling::None },
            missed_log: false,
            budget,
        };
        Ok((seat, member))
    }
}
