//! What an application tells the master, in words: `GENERATION KIND SIGNAL …` of signals, `GENERATION alarm NAME MESSAGE`. It is
//! written in `python/modules/signals.py`, and in [`Wish::alarm`]. Pure; used in the master and, to write, in workers.

use super::cron::CronTime;

/// One thing that an application wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Raise a signal.
    Raise(u8),
    /// From now on a signal goes there.
    Register(u8, String),
    /// Raise a signal every so many microseconds; so often, or for ever.
    Timer(u8, u64, Option<u32>),
    /// Raise a signal at certain minutes.
    Cron(u8, CronTime),
    /// Raise a signal whenever a file or directory changes.
    File(u8, String),
    /// Raise the alarm of this name, with a message.
    Alarm(String, String),
}

impl Wish {
    /// The generation that wishes, and what; `None` for what is none.
    pub fn read(message: &[u8]) -> Option<(u32, Wish)> {
        let text = std::str::from_utf8(message).ok()?;
        let (generation, said) = text.split_once(' ')?;
        let generation = generation.parse().ok()?;
        if let Some((name, message)) = said.strip_prefix("alarm ").and_then(|rest| rest.split_once(' ')) {
            return Some((generation, Wish::Alarm(name.to_owned(), message.to_owned())));
        }
        let mut words = said.splitn(3, ' ');
        let (kind, signal) = (words.next()?, words.next()?.parse().ok()?);
        let rest = words.next().unwrap_or_default();
        let wish = match kind {
            "raise" => Wish::Raise(signal),
            "register" => Wish::Register(signal, rest.to_owned()),
            "timer" => {
                let (every, times) = rest.split_once(' ').unwrap_or((rest, "0"));
                let times = times.parse().ok()?;
                Wish::Timer(signal, microseconds(every)?, Some(times).filter(|times| *times > 0))
            }
            "cron" => {
                let parts: Vec<i32> = rest.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
                Wish::Cron(signal, CronTime::of(parts.try_into().ok()?))
            }
            "file" => Wish::File(signal, rest.to_owned()),
            _ => return None,
        };
        Some((generation, wish))
    }

    /// The words that raise a signal.
    pub fn raise(generation: u32, signal: u8) -> String {
        format!("{generation} raise {signal}")
    }

    /// The words that raise an alarm.
    pub fn alarm(generation: u32, name: &str, message: &str) -> String {
        format!("{generation} alarm {name} {message}")
    }
}

/// No timer is longer than a clock can bear, and none so short that the master would do nothing else.
const TIMER_US: std::ops::RangeInclusive<u64> = 10_000..=i32::MAX as u64 * 1_000_000;

/// Seconds, which may have a fraction.
fn microseconds(seconds: &str) -> Option<u64> {
    let seconds: f64 = seconds.parse().ok()?;
    Some((seconds * 1e6).round() as u64).filter(|us| TIMER_US.contains(us))
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::mutation::{mutate_with, try_mutants};
    use testkit::seeds::Seeds;

    #[test]
    fn what_is_read_of_mutants_is_in_range() {
        const PIECES: [&str; 14] = [
            " ",
            "-1",
            "0",
            "255",
            "256",
            "4294967296",
            "2147483648",
            "-2147483649",
            "cron",
            "timer",
            "file",
            "raise",
            "\0",
            "é",
        ];
        let originals =
            ["1 raise 7", "2 timer 7 60 3", "3 cron 7 -5 -1 1 2 3", "4 file 7 /srv/a", "5 register 7 farm_a"];
        let originals = originals.map(|text| text.as_bytes().to_vec());
        let seeds = Seeds::of_this_run(4);
        let read = seeds.try_all(|read: &mut u32, seed| {
            let mutate = |random: &mut fastrand::Rng, message: &mut Vec<u8>| mutate_with(random, message, &PIECES);
            let exercise = |message: &[u8]| match Wish::read(message) {
                Some((_, Wish::Timer(_, every_us, times))) => {
                    assert!(TIMER_US.contains(&every_us) && times != Some(0));
                }
                Some((_, Wish::Register(_, text) | Wish::File(_, text))) => assert!(text.len() < message.len()),
                _ => {}
            };
            try_mutants(seed, &originals, mutate, exercise, |message| *read += u32::from(Wish::read(message).is_some()))
        });
        assert!(!seeds.are_usual() || read.iter().sum::<u32>() > 200, "{read:?}: they are all too far off");
    }

    #[test]
    fn wishes_are_read_as_they_were_written_and_nothing_else_is_one() {
        let read = |text: &str| Wish::read(text.as_bytes());
        assert_eq!(read("3 raise 255"), Some((3, Wish::Raise(255))));
        assert_eq!(read("1 register 7 farm_a b"), Some((1, Wish::Register(7, "farm_a b".to_owned()))));
        assert_eq!(read("1 register 7"), Some((1, Wish::Register(7, String::new()))));
        assert_eq!(read("1 timer 7 60"), Some((1, Wish::Timer(7, 60_000_000, None))));
        assert_eq!(read("1 timer 7 60 3"), Some((1, Wish::Timer(7, 60_000_000, Some(3)))));
        assert_eq!(read("1 timer 7 0.0125"), Some((1, Wish::Timer(7, 12_500, None))));
        let every_five = CronTime::of([-5, -1, -1, -1, -1]);
        assert_eq!(read("1 cron 7 -5 -1 -1 -1 -1"), Some((1, Wish::Cron(7, every_five))));
        assert_eq!(read("1 file 7 /srv/a b"), Some((1, Wish::File(7, "/srv/a b".to_owned()))));
        let alarm = Wish::Alarm("mail".to_owned(), "the  disk is full\n".to_owned());
        assert_eq!(read(&Wish::alarm(2, "mail", "the  disk is full\n")), Some((2, alarm)));
        for nonsense in [
            "",
            "1",
            "1 alarm",
            "1 alarm x",
            "1 raise",
            "1 raise 256",
            "x raise 1",
            "1 cron 7 1 2",
            "1 timer 7 0",
            "1 timer 7 0.009",
            "1 timer 7 nan",
            "1 timer 7 1e99",
            "1 sing 7",
        ] {
            assert_eq!(read(nonsense), None, "{nonsense}");
        }
        assert_eq!(Wish::read(b"1 raise \xff"), None);
    }
}
