//! How those are written to whom the instance sends what it tells: collectors of OpenTelemetry's, statsd, carbon.
//!
//! Setters of rows in `ours` and `statistics`. Pure; runs wherever a configuration is read.

use super::draft::Draft;
use super::header;
use super::parsed::Parsed;
use crate::config::error::ConfigError;
use crate::config::model::{Collector, Push, PushForm};

/// Rows that say more of `otlp`.
const OF_OTLP: &[&str] =
    &["otlp-certificate", "otlp-header", "otlp-service-name", "otlp-attribute", "otlp-interval", "otlp-sampled"];

/// Rows that say more of `carbon`.
const OF_CARBON: &[&str] = &[
    "carbon-freq",
    "carbon-timeout",
    "carbon-max-retry",
    "carbon-retry-delay",
    "carbon-root",
    "carbon-id",
    "carbon-hostname-dots",
    "carbon-no-workers",
    "carbon-idle-avg",
    "carbon-use-metrics",
];

/// Most characters of what names begin with.
const PREFIX_MAX: usize = 128;

/// `otlp`: an address, or a word that says as much as "as the environment says".
pub(super) fn otlp(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let otlp = &mut draft.config.telemetry.otlp;
    (otlp.is_wanted, otlp.collector) = match value.text {
        "" | "true" | "on" | "yes" | "1" => (true, None),
        "false" | "off" | "no" | "0" => (false, None),
        text => match text.parse::<Collector>() {
            Ok(collector) => (true, Some(collector)),
            Err(wrong) => return draft.refuse(wrong.to_string(), wrong.advice()),
        },
    };
}

/// `otlp-header`: a name and a value, as in HTTP.
pub(super) fn header(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let Some((name, text)) = header::pair(value.text) else {
        return draft.refuse("expected NAME: VALUE", "for example Authorization: Bearer TOKEN");
    };
    draft.config.telemetry.otlp.headers.push((name.to_owned(), text.to_owned()));
}

/// `stats-push`: whom in which form.
pub(super) fn push(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let (kind, rest) = value.text.split_once(':').unwrap_or((value.text, ""));
    let form = match kind {
        "statsd" => PushForm::Statsd,
        "socket" => PushForm::Socket,
        "mongodb" | "zabbix" | "rrdtool" | "file" => {
            return draft.refuse(
                format!("rhinod does not push to {kind}"),
                "statsd:HOST:PORT, carbon, otlp, or a reader of `metrics`",
            );
        }
        _ => {
            return draft.refuse(
                "expected statsd:HOST:PORT[,PREFIX] or socket:HOST:PORT[,PREFIX]",
                "for example statsd:127.0.0.1:8125,shop",
            );
        }
    };
    let (to, prefix) = rest.split_once(',').unwrap_or((rest, "uwsgi"));
    if !is_host_and_port(to) {
        return draft.refuse("expected HOST:PORT behind the kind", "for example statsd:127.0.0.1:8125,shop");
    }
    if !is_name(prefix) {
        return draft.refuse("expected a prefix of letters, digits, `.`, `-` and `_`", "for example shop.web");
    }
    draft.config.telemetry.pushes.push(Push { form, to: to.to_owned(), prefix: prefix.to_owned() });
}

/// `carbon`: a server.
pub(super) fn carbon(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    if is_host_and_port(value.text) {
        draft.config.telemetry.carbon.servers.push(value.string());
    } else {
        draft.refuse("expected HOST:PORT", "for example 127.0.0.1:2003");
    }
}

/// A part of the names that carbon is told: what is no letter of a name becomes `_`, as spaces would end it.
pub(super) fn part(draft: &mut Draft<'_>, value: &Parsed<'_>, set: fn(&mut Draft<'_>, String)) {
    match is_name(value.text) {
        true => set(draft, value.string()),
        false => draft.refuse("expected letters, digits, `.`, `-` and `_`", "for example shop"),
    }
}

fn is_host_and_port(text: &str) -> bool {
    // The same as of a collector, without a path.
    format!("http://{text}").parse().is_ok_and(|one: Collector| one.authority == text)
}

fn is_name(text: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
    !text.is_empty() && text.len() <= PREFIX_MAX && text.chars().all(fits)
}

/// What has no effect without what it belongs to.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let telemetry = &draft.config.telemetry;
    let of = |is_there: bool, names: &'static [&'static str], lacks: &'static str| {
        names.iter().filter(move |_| !is_there).map(move |name| (*name, lacks))
    };
    let idle = of(telemetry.otlp.is_wanted, OF_OTLP, "otlp")
        .chain(of(!telemetry.carbon.servers.is_empty(), OF_CARBON, "carbon"))
        .chain(of(!telemetry.pushes.is_empty(), &["stats-pusher-default-freq"], "stats-push"))
        .find_map(|(name, lacks)| Some((draft.given(name)?, lacks)));
    let told = idle.map(|(directive, lacks)| {
        ConfigError::about(directive, format!("has no effect without {lacks}"))
            .suggest(format!("add {lacks}, or leave it out"))
    });
    if let Some(told) = told {
        draft.idle(told);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_a_host_and_a_port() {
        for right in ["127.0.0.1:8125", "[::1]:8125", "statsd.example:1"] {
            assert!(is_host_and_port(right), "{right}");
        }
        for wrong in ["", "127.0.0.1", ":8125", "a:b", "a:1/x", "a b:1"] {
            assert!(!is_host_and_port(wrong), "{wrong}");
        }
        assert!(
            is_name("shop.web-1_a") && !is_name("") && !is_name("a b") && !is_name("a|c") && !is_name(&"a".repeat(200))
        );
    }
}
