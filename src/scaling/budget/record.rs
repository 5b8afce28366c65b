//! What an instance tells of itself, as bytes: numbers, little-endian, one after the other. Pure; written in the master, read in
//! the Emperor.

use super::Told;

/// Bytes of what is told.
const TOLD: usize = 48;

/// What an instance tells, and how many workers it believes to be allowed.
#[must_use]
pub fn told_bytes(told: &Told, believed: Option<u32>) -> Vec<u8> {
    let long = [told.worker_bytes, told.waited_us, told.boot_us];
    let short = [told.minimum, told.live, told.idle, told.wants, told.waiting, believed.unwrap_or(u32::MAX)];
    let long = long.iter().flat_map(|number| number.to_le_bytes());
    long.chain(short.iter().flat_map(|number| number.to_le_bytes())).collect()
}

/// The same, read. More than is known is from a later version; `None`: it is too short.
#[must_use]
pub fn told(bytes: &[u8]) -> Option<(Told, Option<u32>)> {
    let bytes = bytes.get(..TOLD)?;
    let long = |at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let short = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let told = Told {
        worker_bytes: long(0)?,
        waited_us: long(8)?,
        boot_us: long(16)?,
        minimum: short(24)?,
        live: short(28)?,
        idle: short(32)?,
        wants: short(36)?,
        waiting: short(40)?,
    };
    Some((told, short(44).filter(|believed| *believed != u32::MAX)))
}

/// So many workers are allowed.
#[must_use]
pub fn allowance_bytes(workers: u32) -> [u8; 4] {
    workers.to_le_bytes()
}

/// The same, read.
#[must_use]
pub fn allowance(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(..4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_arrives_whatever_follows_it_and_nothing_arrives_of_a_part() {
        let one = Told {
            worker_bytes: 1 << 40,
            minimum: 1,
            live: 2,
            idle: 3,
            wants: 4,
            waiting: 5,
            waited_us: 6,
            boot_us: 7,
        };
        for believed in [None, Some(8)] {
            let bytes = told_bytes(&one, believed);
            assert_eq!(told(&bytes), Some((one, believed)));
            assert_eq!(told(&[&bytes[..], b"more"].concat()), Some((one, believed)));
            assert!((0..TOLD).all(|length| told(&bytes[..length]).is_none()));
        }
        assert_eq!((allowance(&allowance_bytes(9)), allowance(&[1, 2])), (Some(9), None));
    }
}
