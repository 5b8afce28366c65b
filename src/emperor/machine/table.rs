//! What is done about an event, by what the vassal is doing: the table that `mod` carries out. Pure.

/// What a vassal is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::emperor) enum Phase {
    /// It sleeps until somebody connects.
    Asleep,
    /// It is to be started, when its time comes and there is room.
    Waiting,
    /// Its process is there; its workers are not yet.
    Starting,
    /// It serves.
    Running,
    /// It was told to go, or is going by itself.
    Leaving,
}

/// What happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::emperor) enum Kind {
    /// Its file is there.
    Found,
    /// Its file has changed.
    Changed,
    /// Its file is somebody else's now.
    Replaced,
    /// Its file is gone.
    Vanished,
    /// Somebody connects to it.
    Wanted,
    /// It says that it serves.
    Ready,
    /// It says that it has nothing to do.
    Idle,
    /// Its line has ended.
    HungUp,
    /// It has come from the Emperor before.
    Adopted,
    /// Its process has ended.
    Ended,
}

/// What is done then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::emperor) enum Deed {
    /// Nothing.
    Nothing,
    /// It is to be started, now.
    StartNow,
    /// It is told to reload.
    Reload,
    /// It is told to go, and does not come again.
    Dismiss,
    /// It is told to go, and comes again.
    Renew,
    /// It comes again, if it was not to.
    Recall,
    /// It is told to go, and sleeps then.
    LullToSleep,
    /// It goes by itself; what it was good for is seen when it is gone.
    Curse,
    /// It is not there any more.
    Forget,
    /// It is there already.
    Adopt,
    /// It serves.
    Serve,
    /// What comes after it depends on what was wanted and on how it ended.
    Bury,
}

impl Phase {
    /// All of them.
    #[cfg(test)]
    pub(in crate::emperor) const ALL: [Phase; 5] =
        [Phase::Asleep, Phase::Waiting, Phase::Starting, Phase::Running, Phase::Leaving];
}

impl Kind {
    /// All of them.
    #[cfg(test)]
    pub(in crate::emperor) const ALL: [Kind; 10] = [
        Kind::Found,
        Kind::Changed,
        Kind::Replaced,
        Kind::Vanished,
        Kind::Wanted,
        Kind::Ready,
        Kind::Idle,
        Kind::HungUp,
        Kind::Adopted,
        Kind::Ended,
    ];
}

/// The table.
pub(in crate::emperor) fn deed(kind: Kind, phase: Phase) -> Deed {
    use Phase::{Asleep, Leaving, Running, Starting, Waiting};
    match (kind, phase) {
        (Kind::Found | Kind::Changed, Leaving) => Deed::Recall,
        (Kind::Found, _) => Deed::Nothing,
        // Whoever mends a file need not wait for what its last contents came to.
        (Kind::Changed | Kind::Replaced, Waiting) => Deed::StartNow,
        (Kind::Changed, Starting | Running) => Deed::Reload,
        (Kind::Replaced, Starting | Running | Leaving) => Deed::Renew,
        (Kind::Changed | Kind::Replaced, Asleep) => Deed::Nothing,
        (Kind::Vanished, Asleep | Waiting) => Deed::Forget,
        (Kind::Vanished, Starting | Running | Leaving) => Deed::Dismiss,
        (Kind::Wanted, Asleep) => Deed::StartNow,
        (Kind::Wanted, _) => Deed::Nothing,
        (Kind::Ready, Starting | Running) => Deed::Serve,
        (Kind::Idle, Starting | Running) => Deed::LullToSleep,
        (Kind::Ready | Kind::Idle, _) => Deed::Nothing,
        (Kind::HungUp, Starting | Running) => Deed::Curse,
        (Kind::HungUp, _) => Deed::Nothing,
        (Kind::Adopted, Waiting) => Deed::Adopt,
        (Kind::Adopted, _) => Deed::Nothing,
        (Kind::Ended, Starting | Running | Leaving) => Deed::Bury,
        (Kind::Ended, Asleep | Waiting) => Deed::Nothing,
    }
}
