//! What `rhinod top` draws: lines of text with their styles, for a screen of a size. Pure; the operator's process only.

use super::history::{History, Interval};
use crate::escape;
use crate::stats::{Brief, BriefWorker};

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Strong,
    Faint,
    Good,
    Bad,
    Title,
}

/// Pieces of one line.
pub(super) type Line = Vec<(Style, String)>;

/// What is between the plots' labels and their bars.
const LABEL_COLUMNS: usize = 28;

/// Most decisions that are shown.
const DECISIONS_MAX: usize = 8;

/// Rows of everything but workers and decisions.
const FRAME_ROWS: usize = 11;

/// The rows of a screen. `clock` tells a moment of the epoch as people do.
pub(super) fn draw(history: &History, rows: usize, columns: usize, clock: &dyn Fn(u64) -> String) -> Vec<Line> {
    let mut lines = vec![head(history)];
    if let Some(brief) = &history.last {
        lines.push(summary(brief));
        lines.push(Vec::new());
        lines.extend(plots(history, columns));
        lines.push(Vec::new());
        let decisions = decisions(brief, clock);
        let room = rows.saturating_sub(FRAME_ROWS + decisions.len());
        lines.extend(workers(brief, room));
        if !decisions.is_empty() {
            lines.push(Vec::new());
            lines.extend(decisions);
        }
    }
    lines.truncate(rows.saturating_sub(1));
    lines.resize(rows.saturating_sub(1), Vec::new());
    lines.push(foot(history));
    lines.into_iter().map(|line| cut(line, columns)).collect()
}

fn head(history: &History) -> Line {
    let Some(brief) = &history.last else {
        return vec![(Style::Strong, "rhinod top".to_owned()), (Style::Bad, reason(history, "  looking"))];
    };
    let state = match &history.lost {
        Some(_) => (Style::Bad, reason(history, "  gone")),
        None if brief.readiness == "ready" => (Style::Good, "  ready".to_owned()),
        None => (Style::Bad, format!("  {}", brief.readiness)),
    };
    let name = format!("rhinod {}  pid {}  generation {}", brief.version, brief.pid, brief.generation);
    vec![(Style::Strong, name), state]
}

fn reason(history: &History, otherwise: &str) -> String {
    history.lost.as_ref().map_or_else(|| otherwise.to_owned(), |why| format!("  {}", escape::value(why.as_bytes())))
}

fn summary(brief: &Brief) -> Line {
    let Brief { wanted, fewest, most, threads, running, queued, requests, exceptions, .. } = brief;
    let bounds = if fewest == most { fewest.to_string() } else { format!("{fewest} to {most}") };
    let each = if *threads > 1 { format!(" of {threads} threads") } else { String::new() };
    let failed = if *exceptions > 0 { Style::Bad } else { Style::Plain };
    vec![
        (Style::Plain, format!("{bounds} workers{each}, {wanted} wanted; {running} requests running, ")),
        (if *queued > 0 { Style::Bad } else { Style::Plain }, format!("{queued} queued")),
        (Style::Plain, format!(", {requests} answered, ")),
        (failed, format!("{exceptions} failed")),
    ]
}

fn plots(history: &History, columns: usize) -> Vec<Line> {
    let last = history.intervals.back().copied().unwrap_or_default();
    let all = |value: fn(&Interval) -> Option<f64>| history.intervals.iter().map(value).collect::<Vec<_>>();
    let of_us = |us: Option<u64>| us.map_or_else(|| "-".to_owned(), duration);
    let plot = |label: &str, now: String, values: Vec<Option<f64>>| {
        let text = format!("{label:<17}{now:>9}  ");
        vec![(Style::Plain, text), (Style::Good, bars(&values, columns.saturating_sub(LABEL_COLUMNS)))]
    };
    vec![
        plot("requests/s", format!("{:.0}", last.rate), all(|one| Some(one.rate))),
        plot("duration, median", of_us(last.median_us), all(|one| one.median_us.map(|us| us as f64))),
        plot("duration, 99 %", of_us(last.slowest_us), all(|one| one.slowest_us.map(|us| us as f64))),
        plot("queue wait, 99 %", of_us(last.wait_us), all(|one| one.wait_us.map(|us| us as f64))),
        plot("workers", last.workers.to_string(), all(|one| Some(f64::from(one.workers)))),
    ]
}

/// The newest values as bars, the newest at the right; the largest of them is a whole one.
fn bars(values: &[Option<f64>], columns: usize) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let shown = &values[values.len().saturating_sub(columns)..];
    let most = shown.iter().flatten().fold(0.0_f64, |most, value| most.max(*value));
    let bar = |value: &Option<f64>| match value {
        None => ' ',
        Some(value) if most <= 0.0 || *value <= 0.0 => BARS[0],
        Some(value) => BARS[((value / most * 8.0).ceil() as usize).clamp(1, 8) - 1],
    };
    shown.iter().map(bar).collect()
}

fn duration(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} us"),
        1_000..10_000 => format!("{:.1} ms", us as f64 / 1e3),
        10_000..1_000_000 => format!("{} ms", us / 1_000),
        _ => format!("{:.1} s", us as f64 / 1e6),
    }
}

fn workers(brief: &Brief, room: usize) -> Vec<Line> {
    let title = format!(
        "{:>6} {:>8} {:<6} {:>10} {:>8} {:>8}  {}",
        "worker", "pid", "state", "requests", "failed", "MiB", "request"
    );
    let mut lines = vec![vec![(Style::Title, title)]];
    lines.extend(brief.workers.iter().map(worker));
    if lines.len() > room.max(2) {
        lines.truncate(room.max(2) - 1);
        let more = brief.workers.len() + 1 - lines.len();
        lines.push(vec![(Style::Faint, format!("{more} more"))]);
    }
    lines
}

fn worker(worker: &BriefWorker) -> Line {
    let BriefWorker { number, pid, state, requests, exceptions, rss_bytes, busy } = worker;
    let style = match state.as_str() {
        "busy" => Style::Good,
        "idle" => Style::Plain,
        _ => Style::Faint,
    };
    let mebibytes = *rss_bytes as f64 / 1_048_576.0;
    let figures = format!(" {requests:>10} {exceptions:>8} {mebibytes:>8.1}  ");
    let requests: Vec<String> =
        busy.iter().map(|one| format!("{} s {}", one.since_s, escape::value(one.request.as_bytes()))).collect();
    vec![
        (Style::Plain, format!("{number:>6} {pid:>8} ")),
        (style, format!("{state:<6}")),
        (Style::Plain, figures + requests.join(" | ").trim_end()),
    ]
}

fn decisions(brief: &Brief, clock: &dyn Fn(u64) -> String) -> Vec<Line> {
    let newest = brief.decisions.iter().rev().take(DECISIONS_MAX).map(|decision| {
        let told = format!("  {:<5} to {:>4} workers: {}", decision.direction, decision.workers, decision.reason);
        vec![(Style::Faint, clock(decision.at_us)), (Style::Plain, told)]
    });
    newest.collect()
}

fn foot(history: &History) -> Line {
    let keys = "r reload   + - workers   p pause or go on   q quit";
    match history.note.is_empty() {
        true => vec![(Style::Faint, keys.to_owned())],
        false => vec![(Style::Faint, format!("{keys}   ")), (Style::Strong, escape::value(history.note.as_bytes()))],
    }
}

/// As much of a line as there are columns.
fn cut(line: Line, columns: usize) -> Line {
    let mut left = columns;
    let mut piece = |(style, text): (Style, String)| {
        let text: String = text.chars().take(left).collect();
        left -= text.chars().count();
        (style, text)
    };
    line.into_iter().map(&mut piece).filter(|(_, text)| !text.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{BriefRequest, Decision};

    fn text(history: &History, rows: usize, columns: usize) -> Vec<String> {
        let lines = draw(history, rows, columns, &|us| format!("at {us}"));
        lines.iter().map(|line| line.iter().map(|(_, text)| text.as_str()).collect()).collect()
    }

    fn brief(workers: u32) -> Brief {
        let one = |number| BriefWorker { number, pid: 100, state: "idle".to_owned(), ..BriefWorker::default() };
        Brief {
            version: "1.2.3".to_owned(),
            pid: 7,
            readiness: "ready".to_owned(),
            fewest: 2,
            most: 16,
            threads: 1,
            workers: (1..=workers).map(one).collect(),
            ..Brief::default()
        }
    }

    #[test]
    fn a_screen_is_as_large_as_it_is_whatever_there_is_to_show() {
        let mut history = History::default();
        for (rows, columns) in [(24, 80), (1, 1), (5, 20), (60, 200)] {
            let shown = text(&history, rows, columns);
            assert_eq!(shown.len(), rows);
            assert!(shown.iter().all(|line| line.chars().count() <= columns), "{shown:?}");
            history.take(Brief { now_us: history.last.as_ref().map_or(1, |last| last.now_us + 1), ..brief(500) });
        }
    }

    #[test]
    fn what_each_worker_does_and_why_their_number_changed_is_there() {
        let mut history = History::default();
        let mut now = brief(3);
        now.workers[1] = BriefWorker {
            state: "busy".to_owned(),
            busy: vec![BriefRequest { since_s: 4, request: "GET /\u{1b}[2J".to_owned() }],
            ..now.workers[1].clone()
        };
        let decision = |at_us, workers| Decision { at_us, direction: "up".into(), reason: "queue".into(), workers };
        now.decisions = vec![decision(5, 8), decision(9, 16)];
        history.take(now);
        history.note = "reload done".to_owned();
        let shown = text(&history, 24, 100).join("\n");
        for part in ["pid 7", "ready", "2 to 16 workers, ", "busy", "4 s GET /\\x1b[2J", "reload done"] {
            assert!(shown.contains(part), "{part} is not in\n{shown}");
        }
        let (newest, oldest) = (shown.find("at 9  up    to   16 workers: queue"), shown.find("at 5  up"));
        assert!(newest.is_some() && newest < oldest, "{shown}");
        history.lose("process 7 does not answer".to_owned());
        assert!(text(&history, 24, 100)[0].contains("does not answer"));
    }

    #[test]
    fn bars_are_relative_to_the_largest_and_the_newest_is_at_the_right() {
        assert_eq!(bars(&[Some(9.0), Some(0.0), None, Some(1.0), Some(8.0)], 4), "▁ ▁█");
        assert_eq!(bars(&[Some(0.0); 3], 10), "▁▁▁");
        assert_eq!(
            (duration(999), duration(2_500), duration(42_000), duration(1_500_000)),
            ("999 us".into(), "2.5 ms".into(), "42 ms".into(), "1.5 s".into())
        );
    }

    #[test]
    fn workers_that_have_no_room_are_counted() {
        let mut history = History::default();
        history.take(brief(50));
        let shown = text(&history, 20, 100);
        assert!(shown.iter().any(|line| line == "43 more"), "{shown:#?}");
    }
}
