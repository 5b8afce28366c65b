//! How often it is said that an announcement is not believed: anybody can send some, and nobody may fill the log with that. Pure;
//! used in the router.

/// So many lines are said in so long a time.
const LINES_MAX: u32 = 10;
const PERIOD_US: u64 = 10_000_000;

/// What was said lately.
#[derive(Debug, Default)]
pub(in crate::router) struct Complaints {
    since_us: u64,
    said: u32,
    unsaid: u32,
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::router) enum Said {
    /// It is said, after so many that were not.
    After(u32),
    /// It is not said.
    No,
}

impl Complaints {
    pub(in crate::router) fn add(&mut self, now_us: u64) -> Said {
        if now_us.saturating_sub(self.since_us) >= PERIOD_US {
            (self.since_us, self.said) = (now_us, 0);
        }
        if self.said == LINES_MAX {
            self.unsaid = self.unsaid.saturating_add(1);
            return Said::No;
        }
        self.said += 1;
        Said::After(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_a_few_lines_and_the_number_of_the_rest() {
        let mut complaints = Complaints::default();
        let said = |complaints: &mut Complaints, now_us: u64, count: u32| {
            (0..count).filter(|_| complaints.add(now_us) != Said::No).count()
        };
        assert_eq!(said(&mut complaints, PERIOD_US, 1_000), 10);
        assert_eq!(complaints.add(2 * PERIOD_US), Said::After(990));
        assert_eq!(complaints.add(2 * PERIOD_US), Said::After(0));
    }
}
