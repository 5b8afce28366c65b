//! To whom the instance sends what it tells: a collector of OpenTelemetry's, statsd, carbon.
//!
//! A section of the configuration. Not for those who come for it (`statistics`), and not for sending (`crate::exporter`,
//! `crate::pushing`). Pure; the master and its attendants read it, and workers whether they are to tell of requests.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// To whom the instance sends what it tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Telemetry {
    /// OpenTelemetry.
    pub otlp: Otlp,
    /// `stats-push`.
    pub pushes: Vec<Push>,
    /// `stats-pusher-default-freq`.
    pub push_every: Duration,
    /// Whether figures of single threads are pushed, too (without `metrics-no-cores`).
    pub push_cores: bool,
    /// Carbon.
    pub carbon: Carbon,
}

/// What goes to a collector of OpenTelemetry's, and to which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Otlp {
    /// Whether anything does (`otlp`).
    pub is_wanted: bool,
    /// Where it is; `None`: as the environment says.
    pub collector: Option<Collector>,
    /// The file with the authorities whose certificates it may have (`otlp-certificate`).
    pub certificate: Option<PathBuf>,
    /// What each request to it says as well (`otlp-header`).
    pub headers: Vec<(String, String)>,
    /// What the instance is called (`otlp-service-name`).
    pub service: Option<String>,
    /// What else is said of it (`otlp-attribute`).
    pub attributes: Vec<(String, String)>,
    /// How often metrics go there (`otlp-interval`).
    pub interval: Duration,
    /// Of so many in a hundred traces that begin here it is told (`otlp-sampled`).
    pub percent: u32,
}

/// A collector: where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collector {
    /// Its name and port, as in a `Host` header.
    pub authority: String,
    /// What its paths begin with; empty, or without a slash at its end.
    pub path: String,
    /// Whether TLS is spoken with it.
    #[serde(default)]
    pub is_secure: bool,
}

impl Collector {
    /// Its name, without the port.
    pub fn host(&self) -> &str {
        self.authority.rsplit_once(':').map_or(&self.authority, |(host, _)| host)
    }
}

/// Somebody who is sent figures as datagrams.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// In which form.
    pub form: PushForm,
    /// `HOST:PORT`.
    pub to: String,
    /// What all names begin with.
    pub prefix: String,
}

/// The form of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PushForm {
    /// `PREFIX.NAME:VALUE|c`, counters as what they have grown by.
    Statsd,
    /// `PREFIX.NAME TYPE VALUE`.
    Socket,
}

/// Servers of carbon, and what they are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Carbon {
    /// `HOST:PORT` of each (`carbon`).
    pub servers: Vec<String>,
    /// `carbon-freq`.
    pub every: Duration,
    /// `carbon-timeout`.
    pub patience: Duration,
    /// `carbon-max-retry`.
    pub retries: u32,
    /// `carbon-retry-delay`.
    pub retry_after: Duration,
    /// `carbon-root`.
    pub root: String,
    /// `carbon-id`.
    pub id: Option<String>,
    /// What stands for dots in the name of the machine (`carbon-hostname-dots`).
    pub dots: Option<String>,
    /// Whether single workers are told of (without `carbon-no-workers`).
    pub with_workers: bool,
    /// What is told of the average of a worker without requests (`carbon-idle-avg`).
    pub idle: IdleAverage,
    /// Whether uWSGI's metrics are told of instead (`carbon-use-metrics`).
    pub by_metrics: bool,
}

/// What is told of the average time of requests where there were none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdleAverage {
    /// As it was.
    #[default]
    Last,
    /// 0.
    Zero,
    /// Nothing.
    None,
}

impl Default for Telemetry {
    fn default() -> Self {
        Self {
            otlp: Otlp::default(),
            pushes: Vec::new(),
            push_every: Duration::from_secs(3),
            push_cores: true,
            carbon: Carbon::default(),
        }
    }
}

impl Default for Otlp {
    fn default() -> Self {
        Self {
            is_wanted: false,
            collector: None,
            certificate: None,
            headers: Vec::new(),
            service: None,
            attributes: Vec::new(),
            interval: Duration::from_secs(60),
            percent: 100,
        }
    }
}

impl Default for Carbon {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            every: Duration::from_secs(60),
            patience: Duration::from_secs(3),
            retries: 1,
            retry_after: Duration::from_secs(7),
            root: "uwsgi".to_owned(),
            id: None,
            dots: None,
            with_workers: true,
            idle: IdleAverage::default(),
            by_metrics: false,
        }
    }
}

impl IdleAverage {
    /// The words of the option, in the order of the variants.
    pub const NAMES: &'static [&'static str] = &["last", "zero", "none"];

    /// The variant of a word.
    pub fn of(word: &str) -> Self {
        match word {
            "zero" => Self::Zero,
            "none" => Self::None,
            _ => Self::Last,
        }
    }
}

/// Why a text is no address of a collector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCollector {
    /// TLS is not spoken here.
    #[error("TLS is not built into this program (rhinod's feature `tls`)")]
    Secure,
    /// gRPC, or a mistake.
    #[error("expected http://HOST:PORT or https://HOST:PORT, perhaps with a path")]
    Other,
}

impl NoCollector {
    /// What to do instead.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Secure => "have a collector on this machine take it at http://127.0.0.1:4318 and pass it on with TLS",
            Self::Other => "for example http://127.0.0.1:4318",
        }
    }
}

impl FromStr for Collector {
    type Err = NoCollector;

    fn from_str(text: &str) -> Result<Self, NoCollector> {
        let (scheme, rest) = text.trim().split_once("://").ok_or(NoCollector::Other)?;
        let (is_secure, usual_port) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (false, "80"),
            "https" if cfg!(feature = "tls") => (true, "443"),
            "https" => return Err(NoCollector::Secure),
            _ => return Err(NoCollector::Other),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, port),
            _ => (authority, usual_port),
        };
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && !b"@?#\"<>\\".contains(&byte));
        let is_host = !host.is_empty() && (!host.contains(':') || host.starts_with('[') && host.ends_with(']'));
        if !is_host || !is_plain(rest) || port.parse::<u16>().is_err() {
            return Err(NoCollector::Other);
        }
        Ok(Self { authority: format!("{host}:{port}"), path: path.trim_end_matches('/').to_owned(), is_secure })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_an_address_of_http_and_nothing_else() {
        let read = |text: &str| text.parse::<Collector>().map(|one| (one.authority, one.path));
        let is = |authority: &str, path: &str| Ok((authority.to_owned(), path.to_owned()));
        assert_eq!(read("http://127.0.0.1:4318"), is("127.0.0.1:4318", ""));
        assert_eq!(read("HTTP://collector/"), is("collector:80", ""));
        assert_eq!(read("http://[::1]:4318/a/b/"), is("[::1]:4318", "/a/b"));
        assert_eq!(read("http://[::1]"), is("[::1]:80", ""));
        let secure =
            |text: &str| text.parse().map(|one: Collector| (one.is_secure, one.host().to_owned(), one.authority));
        let collector = "collector".to_owned();
        let expected = if cfg!(feature = "tls") {
            Ok((true, collector, "collector:443".to_owned()))
        } else {
            Err(NoCollector::Secure)
        };
        assert_eq!(secure("https://collector/base"), expected);
        assert_eq!(secure("http://[::1]"), Ok((false, "[::1]".to_owned(), "[::1]:80".to_owned())));
        for wrong in [
            "",
            "127.0.0.1:4318",
            "grpc://x:4317",
            "http://",
            "http://:80",
            "http://a:b",
            "http://a:70000",
            "http://u@h:1",
            "http://a b",
            "http://a\r\nx",
            "http://::1",
            "http://a/?b",
        ] {
            assert_eq!(read(wrong), Err(NoCollector::Other), "{wrong}");
        }
    }
}
