//! Policies against each other on one load: the plane of worker-seconds against the share of late requests, and who
//! beats whom on it.

use rhinod::config::model::Policy;
use rhinod::scaling::simulator::{Load, Scaler, Trial, World};
use rhinod::scaling::{Pace, Settings};

use crate::rivals::{TARGET_WAIT_US, rivals};

/// Target waits that the curve of `adaptive` is drawn over, in microseconds.
pub(crate) const TARGETS_US: [u64; 13] =
    [2_000, 5_000, 10_000, 14_000, 20_000, 28_000, 35_000, 50_000, 100_000, 200_000, 400_000, 700_000, 1_000_000];

/// Everybody's results on one load.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plane {
    /// `adaptive` over its target waits, [`TARGETS_US`] in order.
    pub(crate) adaptive: Vec<Trial>,
    /// Everybody else, by family.
    pub(crate) rivals: Vec<(&'static str, Vec<Trial>)>,
    /// An oracle that knows the future: late as seldom as the maximum number of workers allows, paying only for the time
    /// that they are busy. No policy with the same maximum can be better on either axis.
    pub(crate) oracle: (f64, u64),
}

/// A rival's point below and left of the curve of `adaptive`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Beaten {
    /// The rival.
    pub(crate) rival: String,
    /// Its worker-seconds.
    pub(crate) worker_s: f64,
    /// Its late share, in parts of a million.
    pub(crate) late_ppm: u64,
    /// What the curve has at the same worker-seconds, in parts of a million.
    pub(crate) curve_ppm: f64,
}

impl Plane {
    /// Runs `adaptive` (with `settings`' bounds) over its targets, and every rival over its settings.
    pub(crate) fn of(world: &World, load: &Load, settings: &Settings) -> Self {
        let adaptive = TARGETS_US
            .iter()
            .map(|&target_wait_us| {
                let settings =
                    Settings { policy: Policy::Adaptive, target_wait_us, pace: Pace::Events, ..settings.clone() };
                Trial::of(Scaler::policy(settings), world, load)
            })
            .collect();
        let rivals = rivals(settings)
            .into_iter()
            .map(|(family, scalers)| {
                (family, scalers.into_iter().map(|scaler| Trial::of(scaler, world, load)).collect())
            })
            .collect();
        let most = Trial::of(Scaler::Fixed(settings.maximum), world, load).outcome;
        Plane { adaptive, rivals, oracle: (most.busy_us as f64 / 1e6, most.late_ppm()) }
    }

    /// The point of the default settings.
    pub(crate) fn default_point(&self) -> Option<&Trial> {
        self.adaptive.iter().zip(TARGETS_US).find(|&(_, target_us)| target_us == TARGET_WAIT_US).map(|(point, _)| point)
    }

    /// The points of rivals that lie below and left of the curve: at their worker-seconds the curve (straight between
    /// its points on the logarithmic scale of the picture) is later. Beyond its ends nothing is compared: to the right of
    /// the last point somebody pays more to be late more seldom, to the left of the first one less to be late more often.
    pub(crate) fn beaten(&self) -> Vec<Beaten> {
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

    /// One row of the manual's table: Markdown, without the newline.
    pub(crate) fn row(&self, name: &str) -> String {
        let beaten = self.beaten();
        let rivals: usize = self.rivals.iter().map(|(_, points)| points.len()).sum();
        let default = self.default_point().map_or_else(String::new, |trial| {
            format!("{:.0} | {:.4}", trial.worker_s(), trial.outcome.late_ppm() as f64 / 1e4)
        });
        let worst = beaten.iter().max_by(|one, other| {
            (one.curve_ppm - one.late_ppm as f64).total_cmp(&(other.curve_ppm - other.late_ppm as f64))
        });
        let named = worst.map_or_else(
            || "none".to_owned(),
            |worst| {
                format!(
                    "{} of {rivals}, most: {} at {:.0} worker-s, {:.3} % (curve {:.3} %)",
                    beaten.len(),
                    worst.rival,
                    worst.worker_s,
                    worst.late_ppm as f64 / 1e4,
                    worst.curve_ppm / 1e4
                )
            },
        );
        format!("| {name} | {default} | {:.0} | {:.4} | {named} |", self.oracle.0, self.oracle.1 as f64 / 1e4)
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
    use super::{Plane, at};
    use crate::rivals::settings;
    use rhinod::scaling::simulator::{World, load};

    #[test]
    fn the_curve_is_straight_on_a_logarithmic_scale_between_its_ends() {
        let curve = [(10.0, 999.0), (20.0, 0.0)];
        assert_eq!(at(&curve, 5.0), None);
        assert_eq!(at(&curve, 30.0), None);
        assert!((at(&curve, 15.0).unwrap_or(0.0) - 30.6).abs() < 0.1);
    }

    #[test]
    fn no_rival_beats_adaptive_on_a_flash_crowd_and_the_oracle_is_hardly_better() {
        let mut loads = load::catalogue(7).into_iter();
        let load = loads.find(|load| load.name.starts_with("flash")).expect("in the catalogue");
        let plane = Plane::of(&World::default(), &load, &settings(2, 40));
        assert_eq!(plane.beaten(), []);
        let default = plane.default_point().expect("the default is a target");
        // the oracle is never late here; three requests of 30,000 are within what a start takes
        assert_eq!(plane.oracle.1, 0);
        assert!(default.outcome.late_ppm() <= 100, "{} ppm", default.outcome.late_ppm());
    }
}
