//! What is due when of a request that has a deadline. Decides and does nothing: the time comes in as an argument, and the
//! `supervisor` acts. Worker only.

/// How long a thread whose request was struck may take to come back before its worker is replaced: an exception, or the
/// end of the connection, may free it.
pub(super) const COMING_BACK_US: u64 = 2_000_000;

/// How long a request is spared, because too few others wait (`harakiri-queue-threshold`).
pub(super) const SPARED_US: u64 = 1_000_000;

/// The time of one request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Term {
    /// By the configuration.
    due_us: Option<u64>,
    /// By the application.
    own_due_us: Option<u64>,
    spared_until_us: u64,
    stage: Stage,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Stage {
    /// It is in time, or nobody has looked yet.
    #[default]
    Running,
    /// It was late and the worker got a signal; it is struck then.
    Warned { until_us: u64 },
    /// It was struck then, and its thread may come back.
    Struck { at_us: u64 },
    /// Its thread does not come back.
    GivenUp,
}

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing, as far as can be known now.
    Nothing,
    /// Nothing before then.
    At(u64),
    /// The request is over its time.
    Strike(Blow),
    /// Its thread has not come back after that.
    GiveUp,
}

/// How it is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blow {
    /// Whether the application itself has set the deadline.
    pub(super) by_application: bool,
    /// Whether this is the signal that comes first.
    pub(super) is_warning: bool,
    /// The how many-th blow it is, from 1.
    pub(super) attempt: u32,
}

impl Term {
    /// A request that may take so long from now on, if there is a limit.
    pub(super) fn begin(now_us: u64, limit_us: Option<u64>) -> Self {
        Self { due_us: limit_us.map(|limit_us| now_us.saturating_add(limit_us)), ..Self::default() }
    }

    /// The application says how long it may take from now on; `None` takes that back. What it was warned of is forgotten.
    pub(super) fn set_own(&mut self, now_us: u64, limit_us: Option<u64>) {
        self.own_due_us = limit_us.map(|limit_us| now_us.saturating_add(limit_us));
        if matches!(self.stage, Stage::Warned { .. }) {
            self.stage = Stage::Running;
        }
    }

    /// Nothing of it is due any more, unless it was struck already.
    pub(super) fn lift(&mut self) {
        if !self.is_struck() {
            *self = Self::default();
        }
    }

    /// Whether its end is out of its thread's hands.
    pub(super) fn is_struck(&self) -> bool {
        matches!(self.stage, Stage::Struck { .. } | Stage::GivenUp)
    }

    /// Whether its thread was given up.
    pub(super) fn is_given_up(&self) -> bool {
        self.stage == Stage::GivenUp
    }

    /// Spares it for a while.
    pub(super) fn spare(&mut self, now_us: u64) {
        self.spared_until_us = now_us.saturating_add(SPARED_US);
    }

    /// What there is to do now. `grace_us`: whether there is a signal first, and how long after it.
    pub(super) fn due(&self, now_us: u64, grace_us: Option<u64>) -> Due {
        let at = |at_us: u64, due: Due| if now_us < at_us { Due::At(at_us) } else { due };
        match self.stage {
            Stage::Running => match self.earliest() {
                None => Due::Nothing,
                Some((due_us, by_application)) => {
                    let blow = Blow { by_application, is_warning: grace_us.is_some(), attempt: 1 };
                    at(due_us.max(self.spared_until_us), Due::Strike(blow))
                }
            },
            Stage::Warned { until_us } => {
                let by_application = self.earliest().is_some_and(|(_, by_application)| by_application);
                let blow = Blow { by_application, is_warning: false, attempt: 2 };
                at(until_us.max(self.spared_until_us), Due::Strike(blow))
            }
            Stage::Struck { at_us } => at(at_us.saturating_add(COMING_BACK_US), Due::GiveUp),
            Stage::GivenUp => Due::Nothing,
        }
    }

    /// What was due was done.
    pub(super) fn done(&mut self, due: Due, now_us: u64, grace_us: Option<u64>) {
        self.stage = match due {
            Due::Strike(Blow { is_warning: true, .. }) => {
                Stage::Warned { until_us: now_us.saturating_add(grace_us.unwrap_or(0)) }
            }
            Due::Strike(_) => Stage::Struck { at_us: now_us },
            Due::GiveUp => Stage::GivenUp,
            Due::Nothing | Due::At(_) => self.stage,
        };
    }

    /// When it is due first, and whether by the application's word.
    fn earliest(&self) -> Option<(u64, bool)> {
        match (self.due_us, self.own_due_us) {
            (Some(due_us), Some(own_us)) if own_us >= due_us => Some((due_us, false)),
            (_, Some(own_us)) => Some((own_us, true)),
            (due_us, None) => due_us.map(|due_us| (due_us, false)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strike(by_application: bool, is_warning: bool, attempt: u32) -> Due {
        Due::Strike(Blow { by_application, is_warning, attempt })
    }

    /// Does what is due at each of these moments, and says what that was.
    fn life(term: &mut Term, grace_us: Option<u64>, moments: &[u64]) -> Vec<Due> {
        let step = |now_us: &u64| {
            let due = term.due(*now_us, grace_us);
            term.done(due, *now_us, grace_us);
            due
        };
        moments.iter().map(step).collect()
    }

    #[test]
    fn a_request_is_struck_when_its_time_is_over_and_not_before_and_given_up_later() {
        let mut term = Term::begin(100, Some(50));
        let given_up = 150 + COMING_BACK_US;
        let all = life(&mut term, None, &[100, 149, 150, 151, given_up, given_up + 1]);
        let expected =
            [Due::At(150), Due::At(150), strike(false, false, 1), Due::At(given_up), Due::GiveUp, Due::Nothing];
        assert_eq!(all, expected);
        assert!(term.is_struck() && term.is_given_up());
        assert_eq!(Term::begin(100, None).due(u64::MAX, None), Due::Nothing);
    }

    #[test]
    fn with_grace_there_is_a_warning_first_whoever_set_the_deadline() {
        let mut term = Term::begin(0, Some(50));
        let all = life(&mut term, Some(20), &[50, 60, 70]);
        assert_eq!(all, [strike(false, true, 1), Due::At(70), strike(false, false, 2)]);
        let mut own = Term::begin(0, None);
        own.set_own(10, Some(5));
        assert_eq!(
            life(&mut own, Some(20), &[15, 34, 35]),
            [strike(true, true, 1), Due::At(35), strike(true, false, 2)]
        );
    }

    #[test]
    fn the_earlier_deadline_counts_and_the_applications_can_be_taken_back() {
        let mut term = Term::begin(0, Some(50));
        term.set_own(0, Some(10));
        assert_eq!(term.due(10, None), strike(true, false, 1));
        term.set_own(10, Some(100));
        assert_eq!((term.due(10, None), term.due(50, None)), (Due::At(50), strike(false, false, 1)));
        term.set_own(20, None);
        assert_eq!(term.due(49, None), Due::At(50));
        let mut warned = Term::begin(0, None);
        warned.set_own(0, Some(10));
        warned.done(strike(true, true, 1), 10, Some(5));
        warned.set_own(12, Some(10));
        assert_eq!(warned.due(21, Some(5)), Due::At(22), "who gives itself more time has it");
    }

    #[test]
    fn who_is_spared_is_looked_at_again_and_who_is_over_stays_over() {
        let mut term = Term::begin(0, Some(50));
        term.spare(60);
        assert_eq!(term.due(61, None), Due::At(60 + SPARED_US));
        assert_eq!(term.due(60 + SPARED_US, None), strike(false, false, 1));
        term.lift();
        assert_eq!(term.due(u64::MAX, None), Due::Nothing);
        let mut struck = Term::begin(0, Some(1));
        struck.done(strike(false, false, 1), 1, None);
        struck.lift();
        assert!(struck.is_struck(), "what was begun is brought to its end");
    }
}
