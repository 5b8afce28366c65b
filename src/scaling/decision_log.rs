//! Decisions as lines: one for people, one for machines that replays. Not the place that writes them (the master's
//! driver logs, `simulate --replay` reads).
//!
//! A record holds the settings, the policy's memory before the look, the sample and the outcome, so each line replays by
//! itself: looks that changed nothing need not be recorded.

use super::{Decided, Decision, Memory, Sample, Settings, step};
use serde::{Deserialize, Serialize};

/// Longest line that is read.
const LINE_MAX: usize = 4 << 20;

/// One look of the master, complete.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What the policy was configured to do.
    pub settings: Settings,
    /// What it remembered before.
    pub memory: Memory,
    /// What it saw.
    pub sample: Sample,
    /// What came of it.
    pub decided: Decided,
}

/// What a replay found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replay {
    /// Records read.
    pub records: usize,
    /// Lines whose outcome was not reached again: line number from 1, what was recorded, what came out now.
    pub different: Vec<(usize, Decided, Decided)>,
}

/// A log that cannot be replayed. The line is at fault.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Not one of our records.
    #[error("line {line}: not a recorded decision: {source}")]
    Format {
        /// From 1.
        line: usize,
        /// What the JSON reader says.
        source: serde_json::Error,
    },
    /// Longer than any record.
    #[error("line {line}: longer than {LINE_MAX} bytes")]
    TooLong {
        /// From 1.
        line: usize,
    },
    /// Numbers that no server has.
    #[error("line {line}: {what} is out of range")]
    Range {
        /// From 1.
        line: usize,
        /// The field.
        what: &'static str,
    },
    /// Nothing to replay.
    #[error("no recorded decision (is this the log of decisions in JSON?)")]
    Empty,
}

/// The line for people: what is done, why, and what was seen.
///
/// `scaling: grow by 14 to 16 workers: 16 requests on 2 workers, … [busy 2 idle 0 starting 0 queue 14]`
pub fn text_line(sample: &Sample, decided: &Decided) -> String {
    let live = sample.live();
    let done = match decided.decision {
        Decision::Hold => format!("hold {live} workers"),
        Decision::Grow(count) => format!("grow by {count} to {} workers", live.saturating_add(count)),
        Decision::Shrink(count) => format!("shrink by {count} to {} workers", live.saturating_sub(count)),
    };
    let bound = decided.bound.map(|bound| format!(" (wished {:+}, but {bound})", decided.wished)).unwrap_or_default();
    let queue = sample.queue.map_or_else(|| "unknown".to_owned(), |queue| queue.to_string());
    format!(
        "scaling: {done}{bound}: {} [busy {} idle {} starting {} queue {queue}]",
        decided.reason, sample.busy, sample.idle, sample.starting
    )
}

/// The line for machines: one JSON object, without the newline.
///
/// # Errors
/// None in practice: the record holds nothing that JSON cannot express.
pub fn json_line(record: &Record) -> serde_json::Result<String> {
    serde_json::to_string(record)
}

/// Decides anew for every record and compares, bit for bit. Empty lines, and whatever a log prefix puts before the
/// object, are skipped; a line without an object is not a record and is skipped too.
///
/// # Errors
/// [`ReplayError`] for an object that is not a record, and for a log without any.
pub fn replay<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Replay, ReplayError> {
    let mut replay = Replay::default();
    for (number, text) in (1..).zip(lines) {
        let Some(start) = text.find('{') else { continue };
        if text.len() > LINE_MAX {
            return Err(ReplayError::TooLong { line: number });
        }
        let record: Record = serde_json::from_str(text[start..].trim_end())
            .map_err(|source| ReplayError::Format { line: number, source })?;
        check(&record).map_err(|what| ReplayError::Range { line: number, what })?;
        replay.records += 1;
        let (_, decided) = step(&record.settings, record.memory, &record.sample);
        if decided != record.decided {
            replay.different.push((number, record.decided, decided));
        }
    }
    if replay.records == 0 { Err(ReplayError::Empty) } else { Ok(replay) }
}

fn check(record: &Record) -> Result<(), &'static str> {
    record.sample.check()?;
    record.settings.check()
}

#[cfg(test)]
mod tests {
    use super::{Record, ReplayError, json_line, replay, text_line};
    use crate::config::model::Policy;
    use crate::scaling::fixture::{sample, settings};
    use crate::scaling::simulator::load::steady;
    use crate::scaling::simulator::{Scaler, World, run};
    use crate::scaling::{Decision, Memory, Pace, Sample, step};

    const POLICIES: [Policy; 6] =
        [Policy::Adaptive, Policy::Spare, Policy::Spare2, Policy::Backlog, Policy::Busyness, Policy::Manual];

    /// The looks of the first minute of a simulated load, each with the memory that it began with.
    fn recorded(policy: Policy) -> Vec<Record> {
        let settings = settings(policy, Pace::Events, 2, 30);
        let mut load = steady(11);
        load.until_us = 60_000_000;
        let mut memory = Memory::default();
        let mut records = Vec::new();
        run(&World::default(), &Scaler::policy(settings.clone()), &load, &mut |sample, decided| {
            let before = std::mem::take(&mut memory);
            (memory, _) = step(&settings, before.clone(), sample);
            records.push(Record {
                settings: settings.clone(),
                memory: before,
                sample: sample.clone(),
                decided: decided.clone(),
            });
        });
        records
    }

    #[test]
    fn a_recorded_run_replays_bit_for_bit_under_every_policy() {
        for policy in POLICIES {
            let records = recorded(policy);
            let lines: Vec<String> = records.iter().filter_map(|record| json_line(record).ok()).collect();
            let replayed = replay(lines.iter().map(String::as_str)).expect("our own log");
            assert_eq!((replayed.records, replayed.different.len()), (records.len(), 0), "{policy:?}");
            let moved = records.iter().any(|record| record.decided.decision != Decision::Hold);
            assert!(moved || policy == Policy::Manual, "{policy:?} decided nothing");
        }
    }

    #[test]
    fn a_changed_input_is_noticed() {
        let mut record = recorded(Policy::Adaptive)
            .into_iter()
            .find(|record| matches!(record.decided.decision, Decision::Grow(_)))
            .expect("it grew");
        record.sample.queue = Some(record.sample.queue.unwrap_or(0) + 7);
        let line = json_line(&record).expect("json");
        let replayed = replay([line.as_str()]).expect("a record");
        assert_eq!(replayed.different.len(), 1);
    }

    #[test]
    fn prefixes_and_other_lines_are_skipped_but_foreign_objects_are_an_error() {
        let record = recorded(Policy::Spare).swap_remove(0);
        let line = format!("[info] scaling {}\n", json_line(&record).expect("json"));
        assert_eq!(replay(["started", &line, ""]).map(|replayed| replayed.records).ok(), Some(1));
        assert!(matches!(replay(["{\"a\":1}"]), Err(ReplayError::Format { line: 1, .. })));
        assert!(matches!(replay(["nothing here"]), Err(ReplayError::Empty)));
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        let mut record = recorded(Policy::Spare).swap_remove(0);
        record.sample.now_us = u64::MAX;
        let line = json_line(&record).expect("json");
        assert!(matches!(replay([line.as_str()]), Err(ReplayError::Range { line: 1, .. })));
    }

    #[test]
    fn the_line_for_people_names_action_reason_and_inputs() {
        let settings = settings(Policy::Spare2, Pace::Events, 2, 4);
        let seen = Sample { queue: Some(3), ..sample(1, 3, 0) };
        let (_, decided) = step(&settings, Memory::default(), &seen);
        assert_eq!(
            text_line(&seen, &decided),
            "scaling: grow by 1 to 4 workers: only 0 idle workers, 2 are kept [busy 3 idle 0 starting 0 queue 3]"
        );
    }
}
