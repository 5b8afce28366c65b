//! `cheaper-schedule`: how a line of it is read, and judged against the bounds of the number of workers. Its row is among
//! ours. Pure.

use super::draft::Draft;
use super::parsed::Parsed;
use crate::config::error::ConfigError;
use crate::config::model::{DAY_MINUTES, Period};

const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

const FORM: &str = "DAYS HH:MM-HH:MM WORKERS, and a time zone if it is not the machine's";
const EXAMPLE: &str = "for example mon-fri 08:00-18:00 8, or daily 22:00-02:00 4 Europe/Berlin";

/// Reads a line.
pub(super) fn period(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match read(value.text) {
        Some(period) => {
            let line = draft.current().origin.to_string();
            draft.config.scaling.schedule.push(Period { line, ..period });
        }
        None => draft.refuse(format!("expected {FORM}"), EXAMPLE),
    }
}

fn read(text: &str) -> Option<Period> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (days, times, workers, zone) = match words[..] {
        [days, times, workers] => (days, times, workers, None),
        [days, times, workers, zone] => (days, times, workers, Some(zone)),
        _ => return None,
    };
    let (from, to) = times.split_once('-')?;
    let (from, to) = (time(from)?, time(to)?);
    let is_zone = |zone: &&str| zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte));
    let zone = match zone {
        Some(zone) => Some(Some(zone).filter(is_zone)?.to_owned()),
        None => None,
    };
    let is_period = from < DAY_MINUTES && from != to;
    let workers = workers.parse().ok().filter(|workers| *workers > 0)?;
    is_period.then_some(Period { days: self::days(days)?, from, to, workers, zone, line: String::new() })
}

/// `mon-fri`, `sat,sun`, `fri-mon,wed`, `daily`.
fn days(text: &str) -> Option<[bool; 7]> {
    if matches!(text, "daily" | "*") {
        return Some([true; 7]);
    }
    let day = |name: &str| DAYS.iter().position(|day| day.eq_ignore_ascii_case(name));
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        let count = (last + 7 - first) % 7;
        (0..=count).for_each(|further| days[(first + further) % 7] = true);
    }
    Some(days)
}

/// Minutes since midnight; 24:00 is the end of the day.
fn time(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| text.parse::<u16>().ok().filter(|_| text.len() <= 2 && !text.starts_with('+'));
    let (hour, minute) = (number(hour)?, number(minute)?);
    let minutes = (hour <= 24 && minute < 60).then_some(hour * 60 + minute)?;
    (minutes <= DAY_MINUTES).then_some(minutes)
}

/// Whether the bounds let a schedule have its way.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let workers = draft.config.workers;
    let too_many = draft.config.scaling.schedule.iter().find(|period| period.workers as usize > workers);
    let (Some(period), Some(directive)) = (too_many, draft.given("cheaper-schedule")) else { return };
    let problem = format!("{}: {} workers are more than there may be ({workers})", period.line, period.workers);
    let suggestion = format!("use processes = {} or more", period.workers);
    draft.error(ConfigError::about(directive, problem).suggest(suggestion));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_days_times_workers_and_perhaps_a_zone() {
        let office = read("mon-fri 08:00-18:00 8").unwrap();
        assert_eq!(office.days, [false, true, true, true, true, true, false]);
        assert_eq!((office.from, office.to, office.workers, office.zone.as_deref()), (480, 1_080, 8, None));
        assert_eq!(office.minutes(), 600);
        let night = read("Fri-Sun,wed 22:00-02:30 4 America/Port-au-Prince").unwrap();
        assert_eq!(night.days, [true, false, false, true, false, true, true]);
        assert_eq!((night.minutes(), night.zone.as_deref()), (270, Some("America/Port-au-Prince")));
        assert_eq!(read("daily 00:00-24:00 1").unwrap().minutes(), DAY_MINUTES);
        assert_eq!(read("* 23:59-00:00 1").unwrap().minutes(), 1);
    }

    #[test]
    fn what_is_no_period_is_none() {
        for line in [
            "",
            "mon",
            "mon 08:00-18:00",
            "mon 08:00 8",
            "mun 08:00-18:00 8",
            "mon 8-18 8",
            "mon 08:00-18:00 0",
            "mon 08:00-18:00 -1",
            "mon 24:00-02:00 1",
            "mon 08:00-08:00 1",
            "mon 08:60-09:00 1",
            "mon 08:00-24:01 1",
            "mon 08:00-18:00 8 ../etc/passwd",
            "mon 08:00-18:00 8 Europe/Berlin x",
            "mon- 08:00-18:00 8",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
