//! The documents that visitors are told, made once for all who ask at the same moment; and of which moment they may be for who asks
//! very often. Pure but for being kept; master only.

use std::rc::Rc;

use crate::stats::{Form, Report, Style};

/// The documents of one moment, as far as anybody has asked for them.
#[derive(Default)]
pub(in crate::master) struct Documents {
    pub(super) report: Option<Report>,
    pub(super) made: Vec<(Document, Rc<[u8]>)>,
    /// Which moment.
    made_us: u64,
    /// How often somebody has asked in this second, since when that is, and whether it was very often in the one before.
    asked: u32,
    since_us: u64,
    was_often: bool,
}

/// Who asks when others have asked so often within a second is told what was so a moment ago.
const OFTEN: u32 = 100;

/// How long ago that is at most.
const A_MOMENT_US: u64 = 20_000;

impl Documents {
    /// Has none that are older than they may be.
    pub(super) fn be_of(&mut self, now_us: u64) {
        let since_us = now_us.saturating_sub(self.since_us);
        if since_us >= 1_000_000 {
            self.was_often = self.asked > OFTEN && since_us < 2_000_000;
            (self.since_us, self.asked) = (now_us, 0);
        }
        self.asked = self.asked.saturating_add(1);
        let is_often = self.was_often || self.asked > OFTEN;
        if !is_often || now_us.saturating_sub(self.made_us) >= A_MOMENT_US {
            self.made.clear();
            self.made_us = now_us;
        }
    }
}

/// Which document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Document {
    Uwsgi(Style),
    Metrics(Form),
    Brief,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_very_often_is_told_what_was_so_a_moment_ago() {
        let mut documents = Documents::default();
        let mut is_kept = |now_us| {
            documents.be_of(now_us);
            let kept = !documents.made.is_empty();
            documents.made = vec![(Document::Brief, Rc::from([].as_slice()))];
            kept
        };
        assert!((0..100).all(|number| !is_kept(5_000_000 + number)));
        assert!((100..1_000).all(|number| is_kept(5_000_000 + number)));
        assert!(!is_kept(5_020_100), "it is too old");
        assert!(is_kept(5_020_101));
        assert!(!is_kept(6_000_000), "it is much too old");
        assert!(is_kept(6_000_001), "they have asked very often in the second before");
        assert!(!is_kept(7_000_002) && !is_kept(7_000_003), "nobody has asked so often in that second");
        assert!((0..200).any(|number| is_kept(7_000_004 + number)));
        assert!(!is_kept(9_500_000) && !is_kept(9_500_001), "that was long ago");
    }
}
