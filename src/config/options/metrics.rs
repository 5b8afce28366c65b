//! How metrics of the application and their bounds are written (uWSGI's manual, "The Metrics subsystem").
//!
//! Setters of rows in `statistics`. Pure; runs wherever a configuration is read.

use std::time::Duration;

use super::draft::Draft;
use super::keys::{KeyError, read_keys};
use super::parsed::Parsed;
use crate::config::error::ConfigError;
use crate::config::model::{Metric, MetricKind, Threshold};

/// Keys of metrics that are computed from something else than the application's calls.
const COMPUTED: [&str; 11] =
    ["collector", "children", "alias", "arg1", "arg2", "arg3", "arg1n", "arg2n", "arg3n", "freq", "reset_after_push"];

/// Most metrics: each is told of in every document.
const METRICS_MAX: usize = 10_000;

/// `metric`: a name, or keys.
pub(super) fn metric(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match read_metric(value.text) {
        Ok((metric, computed)) => {
            if let Some(key) = computed {
                draft.does_nothing(format!("`{key}`: the application alone changes its metrics (uwsgi.metric_set)"));
            } else if draft.config.metrics.list.iter().any(|other| other.name == metric.name) {
                draft.refuse(format!("there is a metric {} already", metric.name), "give each a name of its own");
            } else if draft.config.metrics.list.len() == METRICS_MAX {
                draft.refuse(format!("there are {METRICS_MAX} metrics already"), "leave some out");
            } else {
                draft.config.metrics.list.push(metric);
            }
        }
        Err(KeyError { problem, suggestion }) => draft.refuse(problem, suggestion),
    }
}

fn read_metric(text: &str) -> Result<(Metric, Option<String>), KeyError> {
    let mut metric = Metric::default();
    let mut computed = None;
    if !text.contains(['=', ',']) {
        metric.name = text.to_owned();
    } else {
        for key in read_keys(text) {
            match key.name {
                "name" => metric.name = key.text()?,
                "oid" => metric.oid = key.text()?,
                "initial_value" => metric.initial = key.signed()?,
                "type" => metric.kind = kind(&key.text()?)?,
                "collector" if key.value == Some("manual") => {}
                name if COMPUTED.contains(&name) => computed = Some(name.to_owned()),
                _ => return Err(key.unknown(&["name", "type", "oid", "initial_value", "collector"])),
            }
        }
    }
    let fits = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
    let is_directory = matches!(metric.name.as_str(), "." | "..");
    if metric.name.is_empty() || is_directory || !metric.name.chars().all(fits) {
        return Err(KeyError::new(
            "expected a name of letters, digits, `.`, `-` and `_`",
            "name=shop.orders,type=counter",
        ));
    }
    if !metric.oid.chars().all(|digit| digit.is_ascii_digit() || digit == '.') {
        return Err(KeyError::new("expected an oid of digits and dots", "oid=100.1"));
    }
    Ok((metric, computed))
}

fn kind(word: &str) -> Result<MetricKind, KeyError> {
    match word {
        "counter" => Ok(MetricKind::Counter),
        "gauge" => Ok(MetricKind::Gauge),
        "absolute" => Ok(MetricKind::Absolute),
        _ => Err(KeyError::new(format!("there is no type `{word}` of metrics"), "counter, gauge or absolute")),
    }
}

/// `metric-threshold`: keys.
pub(super) fn threshold(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match read_threshold(value.text) {
        Ok(threshold) => draft.config.metrics.thresholds.push(threshold),
        Err(KeyError { problem, suggestion }) => draft.refuse(problem, suggestion),
    }
}

fn read_threshold(text: &str) -> Result<Threshold, KeyError> {
    const SECONDS_MAX: u64 = i32::MAX as u64;
    let (mut metric, mut bound) = (None, None);
    let (mut alarm, mut message, mut between, mut reset) = (None, None, Duration::ZERO, None);
    for key in read_keys(text) {
        match key.name {
            "key" => metric = Some(key.text()?),
            "value" => bound = Some(key.signed()?),
            "alarm" => alarm = Some(key.text()?),
            "msg" => message = Some(key.text()?),
            "rate" => between = Duration::from_secs(key.number(0, SECONDS_MAX)?),
            "reset" => reset = Some(key.signed()?),
            _ => return Err(key.unknown(&["key", "value", "alarm", "rate", "msg", "reset"])),
        }
    }
    match (metric, bound) {
        (Some(metric), Some(value)) => Ok(Threshold { metric, value, alarm, message, between, reset }),
        _ => Err(KeyError::new("expected the name of a metric and a bound", "key=shop.failures,value=10,alarm=mail")),
    }
}

/// Whether there is what thresholds are about.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let (metrics, alarms) = (&draft.config.metrics, &draft.config.logging.alarms);
    let problem = metrics.thresholds.iter().find_map(|threshold| {
        let Threshold { metric, alarm, .. } = threshold;
        if !metrics.list.iter().any(|one| one.name == *metric) {
            return Some((format!("has no effect: there is no metric {metric} of the application's"), "metric = NAME"));
        }
        let missing = alarm.as_ref().filter(|name| !alarms.list.iter().any(|one| one.name == **name))?;
        Some((format!("raises no alarm: there is none with the name `{missing}`"), "alarm = NAME cmd:COMMAND"))
    });
    let told = problem.and_then(|(problem, instead)| {
        Some(ConfigError::about(draft.given("metric-threshold")?, problem).suggest(instead))
    });
    if let Some(told) = told {
        draft.idle(told);
    }
    let metrics = &draft.config.metrics;
    let idle = match (&metrics.directory, metrics.restore) {
        (Some(_), _) if metrics.list.is_empty() => {
            Some(("metrics-dir", "has no effect: the application has no metrics", "metric = NAME"))
        }
        (None, true) => Some(("metrics-dir-restore", "has no effect without metrics-dir", "metrics-dir = DIRECTORY")),
        _ => None,
    };
    let told = idle.and_then(|(option, problem, instead)| {
        Some(ConfigError::about(draft.given(option)?, problem).suggest(instead))
    });
    if let Some(told) = told {
        draft.idle(told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_names_or_keys() {
        let read = |text: &str| {
            read_metric(text).map(|(metric, computed)| (metric.name, metric.kind, metric.initial, computed))
        };
        assert_eq!(read("shop.orders"), Ok(("shop.orders".into(), MetricKind::Counter, 0, None)));
        assert_eq!(read("name=a,type=gauge,initial_value=-3,oid=1.2"), Ok(("a".into(), MetricKind::Gauge, -3, None)));
        assert_eq!(read("name=a,collector=file,arg1=/x").unwrap().3.as_deref(), Some("arg1"));
        for wrong in [
            "a b",
            "",
            "..",
            "type=gauge",
            "name=a,type=big",
            "name=a,oid=x",
            "name=a,initial_value=1.5",
            "name=a,tipe=gauge",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn thresholds_have_a_metric_and_a_bound() {
        let threshold = read_threshold("key=a,value=-5,alarm=mail,rate=10,msg=too many\\, now,reset=0").unwrap();
        assert_eq!((threshold.value, threshold.between.as_secs(), threshold.reset), (-5, 10, Some(0)));
        assert_eq!(threshold.message.as_deref(), Some("too many, now"));
        assert!(read_threshold("key=a").is_err() && read_threshold("value=1").is_err());
    }
}
