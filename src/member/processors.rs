//! On which processors a process runs (`cpu-affinity`): so many for each, one after the other of those that the instance may
//! use, which in a container are not the machine's. Every process below a zygote.

use crate::sys::resources;

/// Keeps this process to its share: `each` processors, by its number in its role.
pub(super) fn keep_to_share(each: usize, number: u32) {
    if each == 0 {
        return;
    }
    let kept = resources::processors().and_then(|all| resources::keep_to_processors(&share(&all, each, number)));
    if let Err(error) = kept {
        log::warn!("cpu-affinity: worker {number} runs on all processors: {error}");
    }
}

/// The processors of a number; those behind the last one are the first ones again.
fn share(all: &[usize], each: usize, number: u32) -> Vec<usize> {
    let before = (number as usize).saturating_sub(1).wrapping_mul(each);
    let places = (before..before.saturating_add(each.min(all.len()))).map(|place| place % all.len().max(1));
    places.filter_map(|place| all.get(place).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_one_another_among_those_that_are_allowed() {
        let all = [2, 3, 6, 7];
        let shares = |each| (1..=5).map(|number| share(&all, each, number)).collect::<Vec<_>>();
        assert_eq!(shares(1), [vec![2], vec![3], vec![6], vec![7], vec![2]]);
        assert_eq!(shares(2), [vec![2, 3], vec![6, 7], vec![2, 3], vec![6, 7], vec![2, 3]]);
        assert_eq!(shares(3)[1], [7, 2, 3]);
        assert_eq!(shares(9)[0], all, "no more than there are");
        assert_eq!(share(&[], 1, 1), [0; 0]);
    }
}
