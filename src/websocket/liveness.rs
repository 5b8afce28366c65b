//! Whether the other side is still there: when to ask, and how long to wait for an answer. Whatever it sends is one.

/// What is known of the other side.
#[derive(Debug)]
pub struct Liveness {
    /// After how much silence it is asked; `None`: never.
    ask_after_us: Option<u64>,
    answer_within_us: u64,
    heard_us: u64,
    asked_us: Option<u64>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Nothing until then; `None`: for ever.
    Nothing(Option<u64>),
    /// It is to be asked.
    Ask,
    /// It has not answered.
    Gone,
}

impl Liveness {
    /// Of somebody who has just been heard.
    pub fn new(ask_after_us: Option<u64>, answer_within_us: u64, now_us: u64) -> Self {
        Self { ask_after_us, answer_within_us, heard_us: now_us, asked_us: None }
    }

    /// Something came.
    pub fn heard(&mut self, now_us: u64) {
        (self.heard_us, self.asked_us) = (now_us, None);
    }

    /// What is to be done now. Only for who has read all that is there.
    pub fn due(&mut self, now_us: u64) -> Due {
        let Some(ask_after_us) = self.ask_after_us else { return Due::Nothing(None) };
        let (end_us, then) = match self.asked_us {
            None => (self.heard_us.saturating_add(ask_after_us), Due::Ask),
            Some(asked_us) => (asked_us.saturating_add(self.answer_within_us), Due::Gone),
        };
        if now_us < end_us {
            return Due::Nothing(Some(end_us));
        }
        if then == Due::Ask {
            self.asked_us = Some(now_us);
        }
        then
    }
}
