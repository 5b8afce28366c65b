//! The schedule of workers with the clocks that it goes by (`cheaper-schedule`). What it asks for at a moment is decided in
//! `scaling`. Master only.

use crate::config::model::{Period, Scaling};
use crate::failure::StartFailure;
use crate::scaling::Baseline;
use crate::sys::time_zone::Zone;

/// Periods, each with the zone of its clock.
#[derive(Debug, Default)]
pub(super) struct Schedule(Vec<(Period, Zone)>);

impl Schedule {
    /// The schedule of a configuration.
    ///
    /// # Errors
    /// A time zone that this machine does not know.
    pub(super) fn of(scaling: &Scaling) -> Result<Self, StartFailure> {
        let zoned = |period: &Period| {
            let zone = period.zone.as_deref().map_or_else(|| Ok(Zone::local()), Zone::named);
            zone.map(|zone| (period.clone(), zone)).map_err(|error| {
                StartFailure::configuration(format!("{error}; the machine's tz database has their names"))
                    .about("cheaper-schedule")
            })
        };
        scaling.schedule.iter().map(zoned).collect::<Result<_, _>>().map(Self)
    }

    /// What it asks for now.
    pub(super) fn baseline(&self, epoch_s: i64) -> Option<Baseline> {
        Baseline::of(self.0.iter().map(|(period, zone)| (period, zone.local_s(epoch_s))))
    }
}
