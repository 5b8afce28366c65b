//! The kinds of children, each with the rule by which it is kept running, as data.
//!
//! Whoever adds a role writes a line here; the table of what can befall a child does not change for it. Pure; used in
//! the master.

pub use worker_protocol::post::{Post, Role};

/// How children of one role are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Where they come from.
    pub born: Born,
    /// When one is not the one that is wanted any more.
    pub fresh_by: FreshBy,
    /// When the next one comes if one is to be replaced.
    pub successor: Successor,
    /// Whether the instance is there for them: whether it is ready when they are, whether their number is decided on,
    /// whether they are paused with it, and whether the others stay until they are gone.
    pub counts: bool,
    /// How it hears what is wanted of it.
    pub told_by: ToldBy,
    /// One that dies before it is ready, or within this time after, died young: the next one waits.
    pub young_us: u64,
    /// How long the next one waits after the first of several that died young.
    pub first_delay_us: u64,
    /// Whether one that was ready and died of SIGKILL is replaced at once, whatever its age, as long as the
    /// [`Allowance`](super::allowance::Allowance) lasts: nobody does that to itself.
    pub excuses_sigkill: bool,
}

/// Where a child comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Born {
    /// The zygote forks it.
    Forked,
    /// The master executes a program.
    Executed,
}

/// What makes a child one of those that are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreshBy {
    /// It is of the current generation.
    Generation,
    /// It was made by the recipe that its post has.
    Recipe,
}

/// When a successor comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Successor {
    /// Before its predecessor goes, which goes when it is ready.
    Beside,
    /// After its predecessor is gone: there are never two in one post.
    After,
}

/// How a child hears that it is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToldBy {
    /// The word of its seat in the scoreboard, and a knock on its control socket.
    OrderWord,
    /// A signal to its process group.
    Signal,
}

impl Rule {
    /// The rule of a role.
    #[must_use]
    pub const fn of(role: Role) -> Rule {
        match role {
            Role::Worker => Rule {
                born: Born::Forked,
                fresh_by: FreshBy::Generation,
                successor: Successor::Beside,
                counts: true,
                told_by: ToldBy::OrderWord,
                young_us: 1_000_000,
                first_delay_us: 10_000,
                excuses_sigkill: true,
            },
            // Two of them take connections from the same sockets, so that the old one can end those that it has.
            Role::Router => Rule {
                born: Born::Executed,
                fresh_by: FreshBy::Recipe,
                successor: Successor::Beside,
                counts: false,
                told_by: ToldBy::Signal,
                young_us: 1_000_000,
                first_delay_us: 10_000,
                excuses_sigkill: true,
            },
            // Never two at once: what it does may be what is to be done once.
            Role::Mule | Role::Spooler => Rule {
                born: Born::Forked,
                fresh_by: FreshBy::Generation,
                successor: Successor::After,
                counts: false,
                told_by: ToldBy::OrderWord,
                young_us: 1_000_000,
                first_delay_us: 10_000,
                excuses_sigkill: true,
            },
            Role::Daemon => Rule {
                born: Born::Executed,
                fresh_by: FreshBy::Recipe,
                successor: Successor::After,
                counts: false,
                told_by: ToldBy::Signal,
                young_us: 3_000_000,
                first_delay_us: 100_000,
                excuses_sigkill: false,
            },
        }
    }
}
