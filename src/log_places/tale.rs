//! What is told of a place that does not take lines: that it does not, and how many were lost when it does again; seldom
//! enough that the log is not flooded by it. Pure; wherever lines are written.

/// Least time between two lines about one place.
const BETWEEN_US: u64 = 1_000_000;

/// What there is to tell of one place.
#[derive(Debug)]
pub(super) struct Tale {
    name: String,
    lost: u64,
    /// Whether it was told that lines are lost.
    is_told: bool,
    told_us: Option<u64>,
}

impl Tale {
    pub(super) fn of(name: String) -> Self {
        Self { name, lost: 0, is_told: false, told_us: None }
    }

    /// Notes what came of a line: lost for this reason, or written. What is to be told now.
    pub(super) fn note(&mut self, lost: Option<String>, now_us: u64) -> Option<String> {
        if lost.is_some() {
            self.lost = self.lost.saturating_add(1);
        }
        if self.lost == 0 || self.told_us.is_some_and(|told_us| now_us.saturating_sub(told_us) < BETWEEN_US) {
            return None;
        }
        let Self { name, lost: count, is_told, .. } = self;
        let told = match lost {
            Some(_) if *is_told => return None,
            Some(reason) => {
                *is_told = true;
                format!("{name} does not take lines, which are lost until it does: {reason}")
            }
            None => {
                let told = format!("{name} takes lines again; {count} were lost here");
                (*is_told, *count) = (false, 0);
                told
            }
        };
        self.told_us = Some(now_us);
        Some(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_is_told_once_and_counted_until_it_is_over() {
        let mut tale = Tale::of("udp:1".into());
        let full = || Some("full".to_owned());
        assert_eq!(tale.note(None, 0), None);
        let told = tale.note(full(), 5).expect("a line");
        assert!(told.contains("udp:1 does not take lines") && told.ends_with(": full"), "{told}");
        assert_eq!((tale.note(full(), 6), tale.note(full(), 9_000_000)), (None, None));
        let over = tale.note(None, 9_000_001).expect("a line");
        assert!(over.ends_with("takes lines again; 3 were lost here"), "{over}");
        assert_eq!(tale.note(None, 20_000_000), None);
    }

    #[test]
    fn a_place_that_is_full_again_and_again_is_told_of_once_a_second() {
        let mut tale = Tale::of("x".into());
        let told = (0..3_000_u64).filter(|ms| {
            let lost = (ms % 2 == 0).then(|| "full".to_owned());
            tale.note(lost, ms * 1_000).is_some()
        });
        assert!(told.count() <= 4);
    }
}
