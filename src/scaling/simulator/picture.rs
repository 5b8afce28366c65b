//! Workers over time in a simulated run: as SVG for a file, in characters for the terminal. Text out, no files.

use super::Outcome;
use super::chart::{Chart, across, up};
use std::fmt::Write;

/// Workers over time, one step line an outcome; as many outcomes as there are colours.
pub fn workers_svg(title: &str, runs: &[(String, &Outcome)]) -> String {
    let lines: Vec<Steps> =
        runs.iter().map(|(name, run)| Steps { name, counts: &run.workers, end_us: run.ended_us }).collect();
    steps_svg(title, "workers", &lines)
}

/// A number over time.
#[derive(Debug, Clone, Copy)]
pub struct Steps<'a> {
    /// For the legend.
    pub name: &'a str,
    /// The number from each time on, in microseconds.
    pub counts: &'a [(u64, u32)],
    /// Where the line ends.
    pub end_us: u64,
}

/// Numbers over time, one step line each; as many as there are colours.
pub fn steps_svg(title: &str, left: &str, lines: &[Steps]) -> String {
    let end_us = lines.iter().map(|line| line.end_us).max().unwrap_or(1).max(1);
    let counts = lines.iter().flat_map(|line| line.counts);
    let most = f64::from(counts.map(|&(_, count)| count).max().unwrap_or(1).max(1));
    let x = |when_us: u64| across(when_us as f64, end_us as f64);
    let y = |count: f64| up(count, most);
    let mut chart = Chart::new(title);
    for part in 0..=4 {
        let count = most * f64::from(part) / 4.0;
        chart.level(y(count), &format!("{count:.0}"));
        let when_us = end_us * part as u64 / 4;
        chart.upright(x(when_us), &format!("{:.0}", when_us as f64 / 1e6));
    }
    chart.axes("seconds", left);
    for Steps { name, counts, end_us } in lines {
        let Some(colour) = chart.colour() else { break };
        let mut path = String::new();
        for (right, count) in thinned(counts.iter().map(|&(when_us, count)| (x(when_us), count))) {
            let height = y(f64::from(count));
            let _ = match path.is_empty() {
                true => write!(path, "M{right:.1} {height:.1}"),
                false => write!(path, "H{right:.1}V{height:.1}"),
            };
        }
        let _ = write!(path, "H{:.1}", x(*end_us));
        chart.draw(&format!(r#"<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.4"/>"#));
        chart.name(name);
    }
    chart.finish()
}

/// Workers over time in characters: `height` rows, one column for each of `width` equal parts of the time.
pub fn workers_text(run: &Outcome, width: usize, height: usize) -> String {
    const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = u64::from(run.workers_max().max(1));
    let (width, height) = (width.clamp(1, 400) as u64, (height.clamp(1, 50) as u64).min(most));
    let columns: Vec<u64> = (0..width)
        .map(|column| {
            let from = run.ended_us * column / width;
            let to = run.ended_us * (column + 1) / width;
            let inside = run.workers.iter().filter(|&&(when, _)| when > from && when < to).map(|&(_, count)| count);
            u64::from(inside.chain([run.workers_at(from)]).max().unwrap_or(0))
        })
        .collect();
    let mut text = String::new();
    for row in (0..height).rev() {
        let label = if row == height - 1 { most } else { most * row / height };
        let _ = write!(text, "{label:>5} ┤");
        for &count in &columns {
            let eighths = (count * height * 8 / most).saturating_sub(row * 8).min(8);
            text.push(BARS[eighths as usize]);
        }
        text.push('\n');
    }
    let _ = writeln!(text, "      0 s{:>1$}", format!("{:.0} s", run.ended_us as f64 / 1e6), width as usize - 2);
    text
}

/// Of all points within half a pixel only the highest, so that a long run does not make a large file.
fn thinned(points: impl Iterator<Item = (f64, u32)>) -> Vec<(f64, u32)> {
    let mut kept: Vec<(f64, u32)> = Vec::new();
    for (across, count) in points {
        match kept.last_mut() {
            Some(last) if across - last.0 < 0.5 => last.1 = last.1.max(count),
            _ => kept.push((across, count)),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::{workers_svg, workers_text};
    use crate::scaling::simulator::load::{Job, Load};
    use crate::scaling::simulator::{Outcome, Scaler, World, run};

    fn outcome() -> Outcome {
        let job = Job { at_us: 0, compute_us: 0, wait_us: 10_000 };
        let load = Load::closed("test", 2, job, 100, 0, 1_000_000);
        run(&World::default(), &Scaler::Fixed(4), &load, &mut |_, _| {})
    }

    #[test]
    fn a_constant_pool_fills_the_terminal_picture() {
        let text = workers_text(&outcome(), 10, 2);
        assert_eq!(text, "    4 ┤██████████\n    0 ┤██████████\n      0 s     1 s\n");
    }

    #[test]
    fn every_run_has_its_line_and_its_name() {
        let run = outcome();
        let svg = workers_svg("pools", &[("one".to_owned(), &run), ("other".to_owned(), &run)]);
        assert_eq!((svg.matches("stroke-width").count(), svg.matches("other").count()), (2, 1));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }
}
