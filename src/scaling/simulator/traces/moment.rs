//! Moments as logs write them, as microseconds since 1970. Integers only.

pub(super) const SECOND_US: u64 = 1_000_000;

/// `[10/Oct/2000:13:55:36 -0700]`.
pub(super) fn time_local(row: &str) -> Option<u64> {
    let start = row.find('[')? + 1;
    let text = row.get(start..start + 26)?;
    let (stamp, zone) = text.split_once(' ')?;
    let mut parts = stamp.split(['/', ':']);
    let day: u64 = parts.next()?.parse().ok()?;
    let month = month(parts.next()?)?;
    let year: u64 = parts.next()?.parse().ok()?;
    let (hour, minute, second) = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    let local = days(year, month, day)? * 86_400 + hour * 3_600 + minute * 60 + second;
    Some(utc(local, zone)? * SECOND_US)
}

/// `2000-10-10T13:55:36-07:00`.
pub(super) fn time_iso8601(row: &str) -> Option<u64> {
    let place = row.match_indices('T').find_map(|(place, _)| {
        let text = row.get(place.checked_sub(10)?..place + 15)?;
        (text.as_bytes()[4] == b'-' && text.as_bytes()[13] == b':').then_some(text)
    })?;
    let (stamp, zone) = (place.get(..19)?, place.get(19..)?);
    Some(utc(date_time(stamp)? / SECOND_US, zone)? * SECOND_US)
}

/// Seconds of the world's time of a local one and its zone, `+0700` or `+07:00`.
fn utc(local: u64, zone: &str) -> Option<u64> {
    let minutes = zone.get(3..)?.trim_start_matches(':').get(..2)?;
    let offset = number(zone.get(1..3)?)? * 3_600 + number(minutes)? * 60;
    match zone.as_bytes().first()? {
        b'-' => Some(local + offset),
        b'+' => local.checked_sub(offset),
        _ => None,
    }
}

fn month(name: &str) -> Option<u64> {
    const NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    (1..).zip(NAMES).find(|(_, known)| *known == name).map(|(number, _)| number)
}

/// `2023-11-16 18:17:03.9799600`.
pub(super) fn date_time(text: &str) -> Option<u64> {
    let (date, time) = text.trim().split_once([' ', 'T'])?;
    let mut date = date.split('-').map(number);
    let mut time = time.trim_end_matches('Z').splitn(3, ':');
    let days = days(date.next()??, date.next()??, date.next()??)?;
    let (hour, minute) = (number(time.next()?)?, number(time.next()?)?);
    Some((days * 86_400 + hour * 3_600 + minute * 60) * SECOND_US + seconds(time.next()?)?)
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|&value| value < 10_000)
}

/// Days since 1970-01-01 (Howard Hinnant's days_from_civil, for years from 1970).
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..10_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let of_era = of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some(era * 146_097 + of_era - 719_468)
}

/// Decimal seconds to microseconds; further digits are cut.
pub(super) fn seconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() || whole.len() > 12 || !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let digits = fraction.len().min(6);
    let part: u64 = if digits == 0 { 0 } else { fraction.get(..digits)?.parse().ok()? };
    Some(whole * SECOND_US + part * 10u64.pow(6 - digits as u32))
}

#[cfg(test)]
mod tests {
    use super::days;

    #[test]
    fn days_count_from_1970() {
        assert_eq!((days(1970, 1, 1), days(2000, 3, 1), days(2024, 2, 29)), (Some(0), Some(11_017), Some(19_782)));
        assert_eq!(days(1969, 12, 31), None);
    }
}
