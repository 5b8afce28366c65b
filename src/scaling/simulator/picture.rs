//! Pictures of simulated runs: SVG for the manual, characters for the terminal. Text out, no files.

use super::Outcome;
use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 44.0;
/// Told apart by people with the common colour blindnesses (Okabe and Ito).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555"];
/// Late shares below this are drawn on the axis, in parts of a million.
const FLOOR_PPM: f64 = 10.0;

/// A family of points on the plane of worker-seconds against late share.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// For the legend.
    pub name: String,
    /// Worker-seconds and parts of a million late.
    pub points: Vec<(f64, f64)>,
    /// Whether a line joins the points.
    pub joined: bool,
}

/// Workers over time, one step line an outcome.
pub fn workers_svg(title: &str, runs: &[(String, &Outcome)]) -> String {
    let end_us = runs.iter().map(|(_, run)| run.ended_us).max().unwrap_or(1).max(1);
    let most = f64::from(runs.iter().map(|(_, run)| run.workers_max()).max().unwrap_or(1).max(1));
    let x = |when_us: u64| LEFT + (WIDTH - LEFT - RIGHT) * when_us as f64 / end_us as f64;
    let y = |count: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * count / most;
    let mut svg = opened(title);
    for part in 0..=4 {
        let count = most * f64::from(part) / 4.0;
        horizontal(&mut svg, y(count), &format!("{count:.0}"));
        let when_us = end_us * part as u64 / 4;
        vertical(&mut svg, x(when_us), &format!("{:.0}", when_us as f64 / 1e6));
    }
    axes(&mut svg, "seconds", "workers");
    for ((name, run), (index, colour)) in runs.iter().zip(COLOURS.iter().enumerate()) {
        let mut path = String::new();
        for (across, count) in thinned(run.workers.iter().map(|&(when_us, count)| (x(when_us), count))) {
            let height = y(f64::from(count));
            let _ = match path.is_empty() {
                true => write!(path, "M{across:.1} {height:.1}"),
                false => write!(path, "H{across:.1}V{height:.1}"),
            };
        }
        let _ = write!(path, "H{:.1}", x(run.ended_us));
        let _ = writeln!(svg, r#"<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.4"/>"#);
        legend(&mut svg, index, colour, name);
    }
    svg + "</svg>\n"
}

/// The plane of worker-seconds (linear) against the share of late requests (logarithmic).
pub fn plane_svg(title: &str, families: &[Family]) -> String {
    let points = || families.iter().flat_map(|family| family.points.iter());
    let most = points().map(|point| point.0).fold(1.0, f64::max) * 1.03;
    let decades = (1e6f64 / FLOOR_PPM).log10();
    let x = |worker_s: f64| LEFT + (WIDTH - LEFT - RIGHT) * worker_s / most;
    let y = |ppm: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1e6f64.log10() - ppm.max(FLOOR_PPM).log10()) / decades;
    let mut svg = opened(title);
    for (ppm, label) in [(1e6, "100 %"), (1e5, "10 %"), (1e4, "1 %"), (1e3, "0.1 %"), (1e2, "0.01 %"), (1e1, "none")] {
        horizontal(&mut svg, y(ppm), label);
    }
    for part in 0..=4 {
        let worker_s = most * f64::from(part) / 4.0;
        vertical(&mut svg, x(worker_s), &format!("{worker_s:.0}"));
    }
    axes(&mut svg, "worker-seconds", "late");
    for (family, (index, colour)) in families.iter().zip(COLOURS.iter().enumerate()) {
        if family.joined {
            let mut sorted = family.points.clone();
            sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
            let path: Vec<String> = sorted.iter().map(|&(s, ppm)| format!("{:.1},{:.1}", x(s), y(ppm))).collect();
            let line = path.join(" ");
            let _ = writeln!(svg, r#"<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.8"/>"#);
        }
        for &(worker_s, ppm) in &family.points {
            let (cx, cy) = (x(worker_s), y(ppm));
            let _ = writeln!(svg, r#"<circle cx="{cx:.1}" cy="{cy:.1}" r="2.6" fill="{colour}" fill-opacity="0.75"/>"#);
        }
        legend(&mut svg, index, colour, &family.name);
    }
    svg + "</svg>\n"
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

fn opened(title: &str) -> String {
    let title = escaped(title);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">
<title>{title}</title>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>
<text x="{LEFT}" y="14" font-size="13" font-weight="bold" fill="#222222">{title}</text>
"##
    )
}

fn horizontal(svg: &mut String, y: f64, label: &str) {
    let (right, text) = (WIDTH - RIGHT, y + 4.0);
    let _ = writeln!(
        svg,
        r##"<path d="M{LEFT} {y:.1}H{right}" stroke="#dddddd"/><text x="{:.0}" y="{text:.1}" text-anchor="end" fill="#444444">{label}</text>"##,
        LEFT - 6.0
    );
}

fn vertical(svg: &mut String, x: f64, label: &str) {
    let bottom = HEIGHT - BOTTOM;
    let _ = writeln!(
        svg,
        r##"<path d="M{x:.1} {TOP}V{bottom}" stroke="#eeeeee"/><text x="{x:.1}" y="{:.0}" text-anchor="middle" fill="#444444">{label}</text>"##,
        bottom + 15.0
    );
}

fn axes(svg: &mut String, below: &str, left: &str) {
    let (middle, low) = ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 10.0);
    let _ = writeln!(svg, r##"<text x="{middle:.0}" y="{low:.0}" text-anchor="middle" fill="#222222">{below}</text>"##);
    let _ = writeln!(svg, r##"<text x="6" y="{:.0}" fill="#222222">{left}</text>"##, TOP - 8.0);
}

fn legend(svg: &mut String, index: usize, colour: &str, name: &str) {
    let y = TOP + 12.0 + 14.0 * index as f64;
    let (x, name) = (WIDTH - RIGHT - 196.0, escaped(name));
    // whatever is drawn below stays visible, the words stay legible
    let _ = writeln!(
        svg,
        r##"<rect x="{:.0}" y="{:.0}" width="200" height="14" fill="#ffffff" fill-opacity="0.8"/>"##,
        x - 4.0,
        y - 10.0
    );
    let _ = writeln!(
        svg,
        r##"<rect x="{x:.0}" y="{:.0}" width="10" height="4" fill="{colour}"/><text x="{:.0}" y="{y:.0}" fill="#222222">{name}</text>"##,
        y - 6.0,
        x + 15.0
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{Family, plane_svg, workers_svg, workers_text};
    use crate::scaling::simulator::load::{Job, Load};
    use crate::scaling::simulator::{Outcome, Scaler, World, run};

    fn outcome() -> Outcome {
        let job = Job { at_us: 0, compute_us: 0, wait_us: 10_000 };
        let load = Load::closed("test", 2, job, 100, 0, 1_000_000);
        run(&World::default(), &mut Scaler::Fixed(4), &load, &mut |_, _| {})
    }

    #[test]
    fn a_constant_pool_fills_the_terminal_picture() {
        let text = workers_text(&outcome(), 10, 2);
        assert_eq!(text, "    4 ┤██████████\n    0 ┤██████████\n      0 s     1 s\n");
    }

    #[test]
    fn svg_is_closed_and_escapes_names() {
        let run = outcome();
        let svg = workers_svg("a < b", &[("x & y".to_owned(), &run)]);
        assert!(svg.contains("a &lt; b") && svg.contains("x &amp; y") && svg.ends_with("</svg>\n"));
        let family = Family { name: "fixed".to_owned(), points: vec![(10.0, 0.0), (5.0, 1e6)], joined: true };
        let plane = plane_svg("plane", &[family]);
        assert_eq!(plane.matches("<circle").count(), 2);
        assert!(!plane.contains("NaN") && !plane.contains("inf"));
    }
}
