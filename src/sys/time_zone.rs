//! Time zones by their names, from the machine's tz database (tzfile(5)). Master only.

use std::io;

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A time zone.
#[derive(Debug, Clone)]
pub struct Zone(Option<TimeZone>);

impl Zone {
    /// The machine's own (`TZ`, `/etc/localtime`).
    pub fn local() -> Self {
        Self(None)
    }

    /// The zone of a name, such as `Europe/Berlin`.
    ///
    /// # Errors
    /// When the database has none, or is not there.
    pub fn named(name: &str) -> io::Result<Self> {
        if name == "UTC" {
            return Ok(Self(Some(TimeZone::UTC)));
        }
        TimeZone::get(name).map(|zone| Self(Some(zone))).map_err(io::Error::other)
    }

    /// The seconds since 1970 that its clocks show at a moment.
    pub fn local_s(&self, epoch_s: i64) -> i64 {
        let offset_s = match &self.0 {
            Some(zone) => Timestamp::from_second(epoch_s).map_or(0, |moment| zone.to_offset(moment).seconds().into()),
            None => super::clock::utc_offset_s(epoch_s),
        };
        epoch_s.saturating_add(offset_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_knows_summer_time() {
        let Ok(zone) = Zone::named("Europe/Berlin") else {
            return eprintln!("skipped: this machine has no tz database");
        };
        let ahead_s = |epoch_s| zone.local_s(epoch_s) - epoch_s;
        // 2026-10-25, 01:00 UTC: summer time ends.
        assert_eq!([ahead_s(1_792_890_000 - 1), ahead_s(1_792_890_000)], [7_200, 3_600]);
        assert!(Zone::named("Europe/Berlim").is_err());
    }
}
