//! The picture of a plane: worker-seconds (linear) against the share of late requests (logarithmic). Text out, no files.

use rhinod::scaling::simulator::Trial;
use rhinod::scaling::simulator::chart::{Chart, across, up};

use crate::plane::Plane;

/// Late shares below this are drawn on the axis, in parts of a million.
const FLOOR_PPM: f64 = 10.0;

/// A family of points.
struct Family {
    /// For the legend.
    name: String,
    /// Worker-seconds and parts of a million late.
    points: Vec<(f64, f64)>,
    /// Whether a line joins the points.
    joined: bool,
}

/// The plane as SVG.
pub(crate) fn plane_svg(title: &str, plane: &Plane) -> String {
    drawn(title, &families(plane))
}

/// The curve of `adaptive`, everybody else, and who knows the future.
fn families(plane: &Plane) -> Vec<Family> {
    let family = |name: &str, trials: &[Trial], joined| Family {
        name: name.to_owned(),
        points: trials.iter().map(|trial| (trial.worker_s(), trial.outcome.late_ppm() as f64)).collect(),
        joined,
    };
    let rivals = plane.rivals.iter().map(|(name, trials)| family(name, trials, *name == "fixed pool"));
    let (worker_s, late_ppm) = plane.oracle;
    let oracle = Family {
        name: "oracle (knows the future)".to_owned(),
        points: vec![(worker_s, late_ppm as f64)],
        joined: false,
    };
    [family("adaptive", &plane.adaptive, true)].into_iter().chain(rivals).chain([oracle]).collect()
}

fn drawn(title: &str, families: &[Family]) -> String {
    let points = || families.iter().flat_map(|family| family.points.iter());
    let most = points().map(|point| point.0).fold(1.0, f64::max) * 1.03;
    let decades = (1e6f64 / FLOOR_PPM).log10();
    let x = |worker_s: f64| across(worker_s, most);
    let y = |ppm: f64| up((ppm.max(FLOOR_PPM) / FLOOR_PPM).log10(), decades);
    let mut chart = Chart::new(title);
    for (ppm, label) in [(1e6, "100 %"), (1e5, "10 %"), (1e4, "1 %"), (1e3, "0.1 %"), (1e2, "0.01 %"), (1e1, "none")] {
        chart.level(y(ppm), label);
    }
    for part in 0..=4 {
        let worker_s = most * f64::from(part) / 4.0;
        chart.upright(x(worker_s), &format!("{worker_s:.0}"));
    }
    chart.axes("worker-seconds", "late");
    for family in families {
        let Some(colour) = chart.colour() else { break };
        if family.joined {
            let mut sorted = family.points.clone();
            sorted.sort_by(|one, other| one.0.total_cmp(&other.0));
            let path: Vec<String> = sorted.iter().map(|&(s, ppm)| format!("{:.1},{:.1}", x(s), y(ppm))).collect();
            let line = path.join(" ");
            chart.draw(&format!(r#"<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.8"/>"#));
        }
        for &(worker_s, ppm) in &family.points {
            let (cx, cy) = (x(worker_s), y(ppm));
            chart.draw(&format!(r#"<circle cx="{cx:.1}" cy="{cy:.1}" r="2.6" fill="{colour}" fill-opacity="0.75"/>"#));
        }
        chart.name(&family.name);
    }
    chart.finish()
}

#[cfg(test)]
mod tests {
    use super::{Family, drawn};

    #[test]
    fn each_point_is_on_the_plane_even_where_nobody_is_late() {
        let family = Family { name: "fixed".to_owned(), points: vec![(10.0, 0.0), (5.0, 1e6)], joined: true };
        let plane = drawn("plane", &[family]);
        assert_eq!((plane.matches("<circle").count(), plane.matches("<polyline").count()), (2, 1));
        assert!(!plane.contains("NaN") && !plane.contains("inf"));
    }
}
