//! Policies against each other on one load: the plane of worker-seconds against the share of late requests, who beats
//! whom on it, and what to suggest. Pure; the command prints it, the benchmark judges it.

use super::picture::Family;
use super::{Load, Outcome, Scaler, World, run};
use crate::config::model::Policy;
use crate::scaling::settings::TARGET_WAIT_US;
use crate::scaling::{Busyness, Pace, Settings};

/// Target waits that the curve of `adaptive` is drawn over, in microseconds.
pub const TARGETS_US: [u64; 13] =
    [2_000, 5_000, 10_000, 14_000, 20_000, 28_000, 35_000, 50_000, 100_000, 200_000, 400_000, 700_000, 1_000_000];

/// One policy's result on one load.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The policy and its settings.
    pub name: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// Everybody's results on one load.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    /// `adaptive` over its target waits, [`TARGETS_US`] in order.
    pub adaptive: Vec<Point>,
    /// Everybody else, by family.
    pub rivals: Vec<(&'static str, Vec<Point>)>,
    /// An oracle that knows the future: late as seldom as the maximum number of workers allows, paying only for the time
    /// that they are busy. No policy with the same maximum can be better on either axis.
    pub oracle: (f64, u64),
}

/// A rival's point below and left of the curve of `adaptive`.
#[derive(Debug, Clone, PartialEq)]
pub struct Beaten {
    /// The rival.
    pub rival: String,
    /// Its worker-seconds.
    pub worker_s: f64,
    /// Its late share, in parts of a million.
    pub late_ppm: u64,
    /// What the curve has at the same worker-seconds, in parts of a million.
    pub curve_ppm: f64,
}

impl Point {
    /// The abscissa.
    pub fn worker_s(&self) -> f64 {
        self.outcome.worker_us as f64 / 1e6
    }
}

/// Runs `adaptive` (with `settings`' bounds) over its targets, and every rival over its settings.
pub fn plane(world: &World, load: &Load, settings: &Settings) -> Plane {
    let adaptive = TARGETS_US
        .iter()
        .map(|&target_wait_us| {
            let settings =
                Settings { policy: Policy::Adaptive, target_wait_us, pace: Pace::Events, ..settings.clone() };
            measured(world, load, Scaler::policy(settings))
        })
        .collect();
    let rivals = rivals(settings)
        .into_iter()
        .map(|(family, scalers)| (family, scalers.into_iter().map(|scaler| measured(world, load, scaler)).collect()))
        .collect();
    let most = measured(world, load, Scaler::Fixed(settings.maximum)).outcome;
    Plane { adaptive, rivals, oracle: (most.busy_us as f64 / 1e6, most.late_ppm()) }
}

/// The default settings with these bounds, and uWSGI's defaults for its policies.
pub fn settings(minimum: u32, maximum: u32) -> Settings {
    Settings {
        policy: Policy::Adaptive,
        minimum,
        initial: minimum,
        maximum,
        step: 1,
        overload: 3,
        idle: 10,
        rss_soft_bytes: None,
        rss_hard_bytes: None,
        target_wait_us: TARGET_WAIT_US,
        check_interval_us: 1_000_000,
        cheap: false,
        idle_after_us: None,
        die_on_idle: false,
        threads: 1,
        busyness: Busyness {
            max_percent: 50,
            min_percent: 25,
            multiplier: 10,
            penalty: 2,
            backlog_alert: 33,
            backlog_step: 1,
            backlog_multiplier: 3,
            backlog_nonzero_s: 60,
        },
        pace: Pace::Events,
    }
}

/// One run.
pub fn measured(world: &World, load: &Load, mut scaler: Scaler) -> Point {
    let outcome = run(world, &mut scaler, load, &mut |_, _| {});
    Point { name: scaler.name(), outcome }
}

/// Every rival, each over the settings that an operator would try.
fn rivals(settings: &Settings) -> Vec<(&'static str, Vec<Scaler>)> {
    vec![
        ("uWSGI spare", spare(settings)),
        ("uWSGI spare2, backlog, busyness", other_uwsgi(settings)),
        ("php-fpm dynamic", php_fpm(settings.maximum)),
        ("FrankenPHP", franken_php(settings)),
        ("fixed pool", fixed(settings.maximum)),
    ]
}

fn letter(settings: &Settings, policy: Policy) -> Settings {
    Settings { policy, pace: Pace::Ticks, ..settings.clone() }
}

fn spare(settings: &Settings) -> Vec<Scaler> {
    let each = |overload| {
        [1, 2, 4, 8].map(|step| Scaler::policy(Settings { overload, step, ..letter(settings, Policy::Spare) }))
    };
    [1, 2, 3, 5].into_iter().flat_map(each).collect()
}

fn other_uwsgi(settings: &Settings) -> Vec<Scaler> {
    let maximum = settings.maximum;
    let mut scalers = Vec::new();
    for minimum in [1, 2, 4, 6, 8, 12].into_iter().filter(|&minimum| minimum < maximum) {
        let initial = minimum;
        let spare2 = Settings { minimum, initial, step: 8, ..letter(settings, Policy::Spare2) };
        scalers.push(Scaler::policy(spare2));
    }
    for (overload, step) in [(1, 1), (1, 4), (3, 1), (3, 4), (10, 4)] {
        scalers.push(Scaler::policy(Settings { overload, step, ..letter(settings, Policy::Backlog) }));
    }
    for (overload, step, max_percent) in [(3, 1, 50), (3, 4, 50), (10, 2, 50), (3, 2, 70), (10, 4, 30)] {
        let mut busyness = Settings { overload, step, ..letter(settings, Policy::Busyness) };
        busyness.busyness.max_percent = max_percent;
        busyness.busyness.min_percent = max_percent / 2;
        scalers.push(Scaler::policy(busyness));
    }
    scalers
}

fn php_fpm(maximum: u32) -> Vec<Scaler> {
    let spares = [(1, 2), (1, 3), (2, 4), (2, 5), (3, 6), (4, 8), (5, 10), (6, 12), (8, 16), (12, 20)];
    let fitting = spares.into_iter().filter(|&(_, most)| most <= maximum);
    // pm.start_servers by default lies in the middle between the two
    fitting.map(|(least, most)| Scaler::php_fpm(least + (most - least) / 2, least, most, maximum)).collect()
}

fn franken_php(settings: &Settings) -> Vec<Scaler> {
    let threads = [settings.minimum.max(1), 4, 8, 12, 16, 24];
    threads.into_iter().filter(|&n| n <= settings.maximum).map(|n| Scaler::franken_php(n, settings.maximum)).collect()
}

fn fixed(maximum: u32) -> Vec<Scaler> {
    let step = maximum.div_ceil(40) as usize;
    (1..=maximum).step_by(step).map(Scaler::Fixed).collect()
}

impl Plane {
    /// The point of the default settings.
    pub fn default_point(&self) -> Option<&Point> {
        self.adaptive.iter().zip(TARGETS_US).find(|&(_, target_us)| target_us == TARGET_WAIT_US).map(|(point, _)| point)
    }

    /// The points of rivals that lie below and left of the curve: at their worker-seconds the curve (straight between
    /// its points on the logarithmic scale of the picture) is later. Beyond its ends nothing is compared: to the right of
    /// the last point somebody pays more to be late more seldom, to the left of the first one less to be late more often.
    pub fn beaten(&self) -> Vec<Beaten> {
        let curve = self.curve();
        let all = self.rivals.iter().flat_map(|(_, points)| points);
        all.filter_map(|point| {
            let (worker_s, late_ppm) = (point.worker_s(), point.outcome.late_ppm());
            let curve_ppm = at(&curve, worker_s)?;
            let beaten = (late_ppm as f64) < curve_ppm - 1.0;
            beaten.then(|| Beaten { rival: point.name.clone(), worker_s, late_ppm, curve_ppm })
        })
        .collect()
    }

    /// The curve by worker-seconds, without the points that another point of it beats on both axes.
    fn curve(&self) -> Vec<(f64, f64)> {
        let mut points: Vec<(f64, f64)> =
            self.adaptive.iter().map(|point| (point.worker_s(), point.outcome.late_ppm() as f64)).collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1)));
        let mut best = f64::INFINITY;
        points.retain(|&(_, late)| {
            let better = late < best;
            best = best.min(late);
            better
        });
        points
    }

    /// For the picture.
    pub fn families(&self) -> Vec<Family> {
        let family = |name: &str, points: &[Point], joined| Family {
            name: name.to_owned(),
            points: points.iter().map(|point| (point.worker_s(), point.outcome.late_ppm() as f64)).collect(),
            joined,
        };
        let rivals = self.rivals.iter().map(|(name, points)| family(name, points, *name == "fixed pool"));
        let oracle = Family {
            name: "oracle (knows the future)".to_owned(),
            points: vec![(self.oracle.0, self.oracle.1 as f64)],
            joined: false,
        };
        [family("adaptive", &self.adaptive, true)].into_iter().chain(rivals).chain([oracle]).collect()
    }
}

/// The height of a falling curve at `x`; `None` beyond its ends.
fn at(curve: &[(f64, f64)], x: f64) -> Option<f64> {
    let right = curve.iter().position(|&(worker_s, _)| worker_s > x).unwrap_or(curve.len());
    let left = curve.get(right.checked_sub(1)?)?;
    let right = curve.get(right)?;
    let (low, high) = ((right.1 + 1.0).ln(), (left.1 + 1.0).ln());
    Some((high + (low - high) * (x - left.0) / (right.0 - left.0)).exp() - 1.0)
}

#[cfg(test)]
mod tests {
    use super::settings;
    use super::{at, plane};
    use crate::config::model::{Config, Scaling};
    use crate::scaling::Settings;
    use crate::scaling::simulator::{World, load};

    #[test]
    fn the_curve_is_straight_on_a_logarithmic_scale_between_its_ends() {
        let curve = [(10.0, 999.0), (20.0, 0.0)];
        assert_eq!(at(&curve, 5.0), None);
        assert_eq!(at(&curve, 30.0), None);
        assert!((at(&curve, 15.0).unwrap_or(0.0) - 30.6).abs() < 0.1);
    }

    #[test]
    fn the_comparison_is_of_the_default_settings() {
        let scaling = Scaling { enabled: true, minimum: 2, initial: 2, ..Scaling::default() };
        let given = Config { workers: 40, scaling, ..Config::default() };
        assert_eq!(Settings::of(&given), settings(2, 40));
    }

    #[test]
    fn no_rival_beats_adaptive_on_a_flash_crowd_and_the_oracle_is_hardly_better() {
        let settings = settings(2, 40);
        let load =
            load::catalogue(7).into_iter().find(|load| load.name.starts_with("flash")).expect("in the catalogue");
        let plane = plane(&World::default(), &load, &settings);
        assert_eq!(plane.beaten(), []);
        let default = plane.default_point().expect("the default is a target");
        // the oracle is never late here; three requests of 30,000 are within what a start takes
        assert_eq!(plane.oracle.1, 0);
        assert!(default.outcome.late_ppm() <= 100, "{} ppm", default.outcome.late_ppm());
    }
}
