//! Whether it is worth forking workers from one that has served (`refork`), and what it has saved. Only figures and what
//! follows from them; who asks is `reforking`. Master only.

use super::machine::Generation;

/// So much must be saved, and such a part of what workers hold of their own.
const WORTH_BYTES: u64 = 8 << 20;
const WORTH_PART: u64 = 4;

/// What is known of it.
#[derive(Debug, Default)]
pub(super) struct Reforking {
    /// The newest generation of which a worker was weighed when it was ready, and what that one held of its own.
    pub(super) fresh: Option<(Generation, u64)>,
    /// The loading of the application from which a mold came, or could not.
    pub(super) tried: Option<Generation>,
    /// When all workers were weighed last.
    pub(super) weighed_us: Option<u64>,
    /// What a worker held of its own on the average when the last mold was made.
    pub(super) before_bytes: Option<u64>,
}

/// Whether so many workers, of which each holds so much of its own, would save enough if they were forked from one of them: then
/// each holds about as much as one that is fresh.
pub(super) fn pays(fresh_bytes: u64, held_bytes: u64, workers: u32) -> bool {
    let each = held_bytes.saturating_sub(fresh_bytes);
    // The mold holds what they share.
    let all = each.saturating_mul(u64::from(workers.saturating_sub(1)));
    all >= WORTH_BYTES && each >= held_bytes / WORTH_PART
}

/// What a mold has saved: by so much less do its workers hold than those before.
pub(super) fn saved(before_bytes: u64, held: &[u64]) -> u64 {
    held.iter().map(|bytes| before_bytes.saturating_sub(*bytes)).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_pays_where_many_have_come_to_hold_much() {
        const MIB: u64 = 1 << 20;
        for (fresh, held, workers, expected) in [
            (10 * MIB, 30 * MIB, 8, true),
            (10 * MIB, 11 * MIB, 8, false),
            (10 * MIB, 30 * MIB, 1, false),
            (MIB, 3 * MIB, 4, false),
            (200 * MIB, 230 * MIB, 8, false),
            (30 * MIB, 10 * MIB, 8, false),
        ] {
            assert_eq!(pays(fresh, held, workers), expected, "{fresh} {held} {workers}");
        }
    }

    #[test]
    fn what_is_saved_is_what_each_holds_less() {
        assert_eq!(saved(30, &[10, 12, 40]), 38);
        assert_eq!(saved(0, &[10]), 0);
    }
}
