//! What the master shall do next: the closed list of actions, and what it tells the outside.
//!
//! The driver carries them out in order. Pure; used in the master.

use super::event::Reload;
use super::farewell::Farewell;
use super::identity::{Generation, Post, RecipeId, Seat};
use super::note::Note;
use std::fmt;

/// One thing to do. Its success is not assumed: what comes of it arrives as an [`Event`](super::Event).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Read the configuration again, keep it aside, answer with [`Event::ConfigurationRead`](super::Event).
    ReadConfiguration,
    /// Execute a zygote: with the configuration kept aside while a reload is under way, else with the one in force.
    StartZygote {
        /// Which; the number is new.
        generation: Generation,
        /// Whether the configuration kept aside applies.
        candidate: bool,
    },
    /// Tell a zygote to end. It has no workers left.
    StopZygote {
        /// Which.
        generation: Generation,
    },
    /// SIGKILL for a zygote. Workers that it still has go on.
    KillZygote {
        /// Which.
        generation: Generation,
    },
    /// Tell a zygote to fork a child.
    Fork {
        /// The zygote's.
        generation: Generation,
        /// Free until now.
        seat: Seat,
        /// What the child is to be.
        post: Post,
        /// How many children this post has had in this instance, this one included.
        nth: u32,
    },
    /// Execute a program. Answered by the same events as [`Action::Fork`], the first of them at once.
    Execute {
        /// Free until now.
        seat: Seat,
        /// What the child is to be.
        post: Post,
        /// How it is made.
        recipe: RecipeId,
        /// How many children this post has had in this instance, this one included.
        nth: u32,
    },
    /// Take back the order to fork a child that is not known to be there yet: if it is, it takes no work that it does not
    /// have already. Answered as the fork itself.
    CallOff {
        /// Which.
        seat: Seat,
    },
    /// Tell a child to finish what it holds, and exit. Holds for paused ones too.
    Retire {
        /// Which.
        seat: Seat,
        /// What it is.
        post: Post,
        /// Why.
        why: Farewell,
    },
    /// Tell a worker to finish what it holds, and to become the mold of this generation. Answered by
    /// [`Event::Molded`](super::Event::Molded), or by its end if it cannot.
    Mold {
        /// Which.
        seat: Seat,
        /// What it is until then.
        post: Post,
        /// Which; the number is new.
        generation: Generation,
    },
    /// Who was the worker in this seat is the zygote of this generation from now on, and the seat is free.
    TakeMold {
        /// Which.
        seat: Seat,
        /// As told to it.
        generation: Generation,
    },
    /// Tell a worker to stop accepting for now.
    Pause {
        /// Which.
        seat: Seat,
    },
    /// Tell a worker to accept again.
    Resume {
        /// Which.
        seat: Seat,
    },
    /// Take a child back that has not said that it is up: SIGKILL, but if it is up already, it may hold work and is told
    /// to finish.
    Withdraw {
        /// Which.
        seat: Seat,
        /// What it is.
        post: Post,
        /// Why.
        why: Farewell,
    },
    /// SIGKILL for a child.
    Kill {
        /// Which.
        seat: Seat,
        /// What it is.
        post: Post,
    },
    /// Forget a child that its zygote was to fork when it died, and that was not seen since. Should it be there after all, it
    /// is to notice that nobody knows it.
    Release {
        /// Which.
        seat: Seat,
    },
    /// A generation goes on trial: until [`Action::EndTrial`] or [`Action::Abandon`] its workers take this part of all
    /// connections.
    BeginTrial {
        /// Which.
        generation: Generation,
        /// So many of so many.
        share: (u32, u32),
    },
    /// Another number of workers serves: from now on its part is this.
    ShareTrial {
        /// Which.
        generation: Generation,
        /// So many of so many.
        share: (u32, u32),
    },
    /// It has passed: its workers take connections like all others.
    EndTrial {
        /// Which.
        generation: Generation,
    },
    /// The new generation is the current one: the configuration kept aside is in force, sockets that it does not have
    /// may be closed.
    Commit {
        /// Which.
        generation: Generation,
    },
    /// The new generation will not become current: forget the configuration kept aside.
    Abandon {
        /// Which.
        generation: Generation,
        /// Why.
        reason: String,
    },
    /// Re-execute the master with a [`Snapshot`](super::Snapshot). When that fails, go on.
    Upgrade,
    /// A line for the log.
    Note(Note),
    /// Something for the init system and for clients that wait.
    Announce(Announcement),
    /// Clean up and exit. The last action.
    Exit {
        /// With this code.
        code: i32,
    },
}

/// What the world outside is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Announcement {
    /// Workers can serve for the first time.
    Ready,
    /// A reload of any kind is under way.
    Reloading(Reload),
    /// A reload of any kind is over.
    ReloadDone {
        /// Which kind.
        reload: Reload,
        /// What came of it.
        outcome: Outcome,
    },
    /// The instance is stopping.
    Stopping,
    /// The number of workers changed.
    Status(Count),
}

/// What came of a reload. A client that waits for one waits for the next that is not `Superseded`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The new serves.
    Done,
    /// The old goes on serving, and why.
    Failed(String),
    /// A newer order took its place.
    Superseded,
    /// The instance is stopping.
    Stopped,
}

/// How many workers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Count {
    /// Wanted.
    pub target: u32,
    /// Accepting, or paused.
    pub ready: u32,
    /// On their way to being ready.
    pub starting: u32,
    /// On their way out.
    pub leaving: u32,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count { target, ready, starting, leaving } = self;
        write!(f, "{ready} of {target} workers ready, {starting} starting, {leaving} leaving")
    }
}
