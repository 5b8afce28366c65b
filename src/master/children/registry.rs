//! Who there is below the master: zygotes by their generation, the others by their seat; and the shared memory in which
//! each has its seat. Only the book: nobody is made, told, heard or waited for here. Master only.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use worker_protocol::ids::Life;
use worker_protocol::scoreboard::{Layout, Scoreboard};

use super::super::machine::{Generation, Machine, Plan, ProcessId, Seat};
use super::super::upgrade::own_path;
use super::ahead::Ahead;
use super::budget::Budget;
use super::executed::Executed;
use super::mailboxes::Mailboxes;
use super::orders::ForkOrders;
use super::router_ears::RouterEars;
use crate::config::model::Config;
use crate::sys::clock::monotonic_us;
use crate::sys::control::ControlSocket;
use crate::sys::process::PidFd;
use crate::sys::shared_memory::SharedWords;

/// All processes below the master.
pub(in crate::master) struct Children {
    /// Where this program is; after an upgrade of the file, where the new one is.
    pub(super) own_path: PathBuf,
    /// What was opened before the master became another user.
    pub(in crate::master) ahead: Ahead,
    pub(super) words: SharedWords,
    pub(super) layout: Layout,
    pub(super) zygotes: BTreeMap<Generation, Zygote>,
    pub(super) members: BTreeMap<Seat, Member>,
    /// Those that the master executes itself, in seats behind those of the shared memory.
    pub(in crate::master) executed: Executed,
    /// What is told to the routers among them.
    pub(in crate::master) router_ears: RouterEars,
    /// Queues between them.
    pub(in crate::master) mailboxes: Mailboxes,
    /// Counts every member there ever was, so that an order meant for one is never obeyed by another.
    pub(super) lives: Life,
    /// The newest generation that serves errors in place of an application that could not be loaded.
    pub(in crate::master) no_application: Option<Generation>,
}

/// A process that has loaded the application, or is about to, and forks when told.
pub(super) struct Zygote {
    pub(super) pid: ProcessId,
    /// Of one that was a worker.
    pub(super) grown: Option<Grown>,
    pub(super) control: ControlSocket,
    /// What it is to fork.
    pub(super) orders: ForkOrders,
    /// Its children whose ends the master knows of without its word, which may still come.
    pub(super) untold: BTreeSet<ProcessId>,
    /// Until its first word: what was executed, and what it must be.
    pub(super) unheard: Option<String>,
    /// How much of it is heard.
    pub(super) budget: Budget,
}

/// What is peculiar to a zygote that was a worker (`refork`): it is no child of ours, as long as its own zygote lives.
pub(super) struct Grown {
    /// The generation that it was a worker of.
    pub(super) root: Generation,
    /// Its number may be another's when we hear of its end.
    pub(super) process: PidFd,
}

/// A process with a seat.
pub(super) struct Member {
    /// Of which zygote it is.
    pub(super) generation: Generation,
    pub(super) control: ControlSocket,
    /// Known from the word of whoever made it.
    pub(super) process: Option<(ProcessId, PidFd)>,
    pub(super) life: Life,
    pub(super) ordered_us: u64,
    /// Whether it has said that it is ready.
    pub(super) heard_ready: bool,
    /// When its pidfd said that it has ended, of which its zygote has not told yet.
    pub(super) ended_us: Option<u64>,
    /// Whether its zygote is gone, so that it is ours to reap.
    pub(super) orphan: bool,
    /// How far it is on its way to being the mold of others.
    pub(super) calling: Calling,
    /// Whether the log was moved while it was on that way, and may not have heard.
    pub(super) missed_log: bool,
    /// How much of it is heard.
    pub(super) budget: Budget,
}

/// How far a worker is on its way to being the mold of others.
pub(super) enum Calling {
    /// It is a worker.
    None,
    /// It was told to become it.
    Told,
    /// It has, and hears on this.
    Followed(ControlSocket),
}

impl Calling {
    /// It says that it cannot become the mold; whether it was told to.
    pub(super) fn is_missed(&mut self) -> bool {
        matches!(std::mem::replace(self, Calling::None), Calling::Told)
    }
}

impl Children {
    /// The processes that have loaded the application, or are about to.
    pub(in crate::master) fn zygote_processes(&self) -> impl Iterator<Item = (Generation, ProcessId)> {
        self.zygotes.iter().map(|(generation, zygote)| (*generation, zygote.pid))
    }
}

impl Zygote {
    /// A process of which nothing has been heard.
    pub(super) fn new(pid: ProcessId, control: ControlSocket, unheard: Option<String>, seats: u32) -> Self {
        let (orders, untold) = (ForkOrders::default(), BTreeSet::new());
        Self { pid, grown: None, control, orders, untold, unheard, budget: Budget::of_zygote(seats) }
    }
}

impl Member {
    /// One that was ordered just now.
    pub(super) fn ordered(generation: Generation, control: ControlSocket, life: Life) -> Self {
        Self {
            generation,
            control,
            process: None,
            life,
            ordered_us: monotonic_us(),
            heard_ready: false,
            ended_us: None,
            orphan: false,
            calling: Calling::None,
            missed_log: false,
            budget: Budget::of_worker(),
        }
    }
}

/// Whose process a number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Zygote(Generation),
    Member(Seat),
    Program(Seat),
    /// A process of the application's that has come to us, or one that the master has executed for a moment.
    Stranger,
}

impl Children {
    /// Nobody yet, and a scoreboard with a seat for everybody whom a plan allows.
    pub(in crate::master) fn new(plan: &Plan, config: &Config) -> io::Result<Self> {
        let threads = u32::try_from(config.threads.max(1)).map_err(io::Error::other)?;
        let layout = Layout::new(plan.seats, threads).map_err(io::Error::other)?;
        let words = SharedWords::new(layout.words())?;
        Scoreboard::create(words.words(), layout).map_err(io::Error::other)?;
        Ok(Self {
            own_path: own_path()?,
            ahead: Ahead::default(),
            words,
            layout,
            zygotes: BTreeMap::new(),
            members: BTreeMap::new(),
            executed: Executed::default(),
            router_ears: RouterEars::default(),
            mailboxes: Mailboxes::default(),
            lives: Life(0),
            no_application: None,
        })
    }

    /// Where this program is; after an upgrade of the file, where the new one is.
    pub(in crate::master) fn own_path(&self) -> &Path {
        &self.own_path
    }

    /// Number of seats in the scoreboard.
    pub(in crate::master) fn seats(&self) -> u32 {
        self.layout.seats()
    }

    /// Whether a new configuration fits into the scoreboard that there is.
    pub(in crate::master) fn fits(&self, config: &Config) -> Result<(), String> {
        let needed = Plan::of(config).seats;
        if needed > self.seats() {
            let most = (self.seats() - 2) / 2;
            let beside = config.mules.list.len() + config.spoolers.processes().count();
            return Err(format!(
                "workers = {} and {beside} beside them need a restart: this instance has room for {most}",
                config.workers
            ));
        }
        let threads = self.layout.threads();
        if config.threads.max(1) != threads as usize {
            return Err(format!("threads = {} needs a restart: this instance has {threads}", config.threads));
        }
        Ok(())
    }

    /// Whether all are there whom the machine counts, and the scoreboard is such as the configuration needs: what the
    /// image before has handed over may be of another version.
    ///
    /// # Errors
    /// What does not fit.
    pub(in crate::master) fn judge(&self, machine: &Machine, config: &Config) -> Result<(), String> {
        self.fits(config)?;
        if self.seats() < machine.plan().seats {
            return Err(format!("{} seats are counted on, the scoreboard has {}", machine.plan().seats, self.seats()));
        }
        let missing = |seat: &Seat| !self.members.contains_key(seat);
        match machine.workers().map(|worker| worker.seat).find(missing) {
            Some(seat) => Err(format!("the worker in seat {seat} was not handed over")),
            None => Ok(()),
        }
    }

    /// The scoreboard, laid out as the master knows it: its header is in memory that applications can write to. There
    /// always is one, since the memory's size was compared with the layout when that was settled.
    pub(in crate::master) fn board(&self) -> Option<Scoreboard<'_>> {
        Scoreboard::fit(self.words.words(), self.layout).ok()
    }

    /// The process that holds the application's lock on a byte of the shared memory; 0 if nobody does.
    pub(in crate::master) fn lock_holder(&self, byte: i64) -> i32 {
        self.words.lock_holder(byte)
    }

    /// Counts the busy cores anew, where the counter and what the cores say differ: the dead do not count themselves
    /// out, and an application may have written anything into the counter.
    pub(in crate::master) fn recount(&self) {
        if let Some(board) = self.board() {
            board.resync(self.members.iter().map(|(seat, member)| (*seat, member.life)));
        }
    }

    /// Generation and pid of the child in a seat, if it has said that it is ready and its pid is known.
    pub(in crate::master) fn accepting(&self, seat: Seat) -> Option<(Generation, ProcessId)> {
        let member = self.members.get(&seat).filter(|member| member.heard_ready)?;
        member.process.as_ref().map(|(pid, _)| (member.generation, *pid))
    }

    /// How long ago the child in a seat was ordered, in microseconds.
    pub(in crate::master) fn age_us(&self, seat: Seat) -> Option<u64> {
        self.members.get(&seat).map(|member| monotonic_us().saturating_sub(member.ordered_us))
    }

    /// The pid of the child in a seat, once it is known.
    pub(super) fn pid(&self, seat: Seat) -> Option<ProcessId> {
        self.members.get(&seat)?.process.as_ref().map(|(pid, _)| *pid)
    }

    /// Whose process this is.
    pub(super) fn owner(&self, pid: ProcessId) -> Owner {
        let zygote = self.zygotes.iter().find(|(_, zygote)| zygote.pid == pid);
        let is_its = |member: &Member| member.process.as_ref().is_some_and(|(own, _)| *own == pid);
        match (zygote, self.members.iter().find(|(_, member)| is_its(member))) {
            (Some((generation, _)), _) => Owner::Zygote(*generation),
            (None, Some((seat, _))) => Owner::Member(*seat),
            (None, None) => self.executed.seat_of(pid).map_or(Owner::Stranger, Owner::Program),
        }
    }

    /// Frees a seat.
    pub(in crate::master) fn strike_off(&mut self, seat: Seat) {
        self.members.remove(&seat);
        self.recount();
    }
}
