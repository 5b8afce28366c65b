//! What the options of cron set: when a command runs, and which. Their rows are in `tasks`.
//!
//! Read in the master before anything else, and by the commands.

use super::draft::Draft;
use super::keys::{Key, KeyError, read_keys};
use super::parsed::Parsed;
use crate::config::model::{CronCommand, CronTime};

/// No limit is longer than a clock can bear.
const SECONDS_MAX: u64 = i32::MAX as u64;

/// The parts of a time, and which numbers there are.
const PARTS: [(&str, std::ops::RangeInclusive<i32>); 5] =
    [("minute", 0..=59), ("hour", 0..=23), ("day", 1..=31), ("month", 1..=12), ("weekday", 0..=7)];

/// What the keys of `cron2` say.
#[derive(Default)]
struct Reading {
    cron: CronCommand,
    /// Its own limit; 0: none.
    harakiri_s: Option<u64>,
}

type SetKey = fn(&mut Reading, &Key<'_>) -> Result<(), KeyError>;

/// The keys of `cron2`.
const KEYS: &[(&str, SetKey)] = &[
    ("minute", |reading, key| number(key).map(|number| reading.cron.time.minute = number)),
    ("hour", |reading, key| number(key).map(|number| reading.cron.time.hour = number)),
    ("day", |reading, key| number(key).map(|number| reading.cron.time.day = number)),
    ("month", |reading, key| number(key).map(|number| reading.cron.time.month = number)),
    ("week", |reading, key| number(key).map(|number| reading.cron.time.weekday = number)),
    ("unique", |reading, key| key.switch().map(|on| reading.cron.unique = on)),
    ("harakiri", |reading, key| key.number(0, SECONDS_MAX).map(|seconds| reading.harakiri_s = Some(seconds))),
    ("legion", |_, _| Err(KeyError::new("there are no legions here", "the orchestrator decides"))),
];

fn number(key: &Key<'_>) -> Result<i32, KeyError> {
    let wrong = || KeyError::new(format!("{} is out of all bounds", key.name), "-1 is each, -5 every fifth");
    key.signed().and_then(|number| i32::try_from(number).map_err(|_| wrong()))
}

/// `cron` and `unique-cron`: `MINUTE HOUR DAY MONTH WEEKDAY COMMAND`.
pub(super) fn cron(draft: &mut Draft<'_>, value: &Parsed<'_>, unique: bool) {
    let (words, command) = first_words(value.text);
    let numbers: Vec<i32> = words.iter().map_while(|word| word.parse().ok()).collect();
    let Ok(parts) = <[i32; 5]>::try_from(numbers) else {
        let first = words.iter().find(|word| word.parse::<i32>().is_err());
        let problem = match first {
            Some(word) => {
                format!("expected five numbers (minute, hour, day, month, weekday) and a command, found {word:?}")
            }
            None => "expected five numbers (minute, hour, day, month, weekday) and a command".to_owned(),
        };
        return draft.refuse(problem, meant_by(first.copied().unwrap_or_default()));
    };
    let command = command.to_owned();
    push(draft, CronCommand { time: CronTime::of(parts), command, unique, harakiri_s: None }, None);
}

/// The first five words, and the rest.
fn first_words(text: &str) -> (Vec<&str>, &str) {
    let (mut words, mut rest) = (Vec::new(), text.trim());
    while words.len() < 5 && !rest.is_empty() {
        let (word, behind) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        words.push(word);
        rest = behind.trim_start();
    }
    (words, rest)
}

/// How a word of a crontab is written here.
fn meant_by(word: &str) -> &'static str {
    match word {
        "*" => "-1 is each, as * is in a crontab",
        _ if word.starts_with("*/") => "-5 is every fifth, as */5 is in a crontab",
        _ if word.contains([',', '-']) && word.starts_with(|first: char| first.is_ascii_digit()) => {
            "a number is one minute, hour or day: give each a line of its own"
        }
        _ => "for example 30 2 -1 -1 -1 ./backup.sh, which is 2:30 each night",
    }
}

/// `cron2`: `[KEY=VALUE,... ]COMMAND`. The first word has keys if there is an `=` in it.
pub(super) fn cron2(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let text = value.text.trim();
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let (keys, command) = if first.contains('=') { (first, rest.trim_start()) } else { ("", text) };
    let mut reading = Reading::default();
    let known: Vec<&str> = KEYS.iter().map(|(name, _)| *name).collect();
    let mut good = true;
    for key in read_keys(keys) {
        let outcome = match KEYS.iter().find(|(name, _)| *name == key.name) {
            Some((_, set)) => set(&mut reading, &key),
            None if key.name.starts_with(|first: char| first.is_ascii_uppercase()) => Err(KeyError::new(
                format!("there is no key `{}`", key.name),
                "a variable of the command is set by env, as in env A=1 COMMAND",
            )),
            None => Err(key.unknown(&known)),
        };
        if let Err(KeyError { problem, suggestion }) = outcome {
            good = false;
            draft.refuse(problem, suggestion);
        }
    }
    if good {
        reading.cron.command = command.to_owned();
        push(draft, reading.cron, reading.harakiri_s);
    }
}

fn push(draft: &mut Draft<'_>, cron: CronCommand, harakiri_s: Option<u64>) {
    if cron.command.is_empty() {
        return draft.refuse("a command is missing", "for example 30 2 -1 -1 -1 ./backup.sh");
    }
    let CronTime { minute, hour, day, month, weekday } = cron.time;
    for ((name, bounds), number) in PARTS.iter().zip([minute, hour, day, month, weekday]) {
        if number >= 0 && !bounds.contains(&number) {
            let (first, last) = (bounds.start(), bounds.end());
            draft.warn(format!("it never runs: there is no {name} {number} ({first} to {last}, -1 is each)"));
        }
    }
    draft.crons_harakiri_s.push(harakiri_s);
    draft.config.crons.push(cron);
}

/// `cron-harakiri` holds for those that do not say otherwise.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let common_s = draft.cron_harakiri_s;
    for (cron, own_s) in draft.config.crons.iter_mut().zip(&draft.crons_harakiri_s) {
        cron.harakiri_s = Some(own_s.unwrap_or(common_s)).filter(|seconds| *seconds > 0);
    }
}
