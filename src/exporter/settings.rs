//! Where spans and metrics go, with which headers, and what is said of whose they are: from the configuration, and where that
//! says nothing from the environment, by OpenTelemetry's names
//! (<https://opentelemetry.io/docs/specs/otel/protocol/exporter/>). The exporter.

use std::path::PathBuf;

use crate::config::model::{Collector, Otlp};
use crate::otlp::pairs_of_environment;

/// Where a collector is if nobody says anything else.
const USUAL: &str = "http://localhost:4318";

/// What the exporter goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) collector: Collector,
    /// The file with the authorities whose certificates it may have; the system's without.
    pub(super) authorities: Vec<PathBuf>,
    pub(super) headers: Vec<(String, String)>,
    /// Attributes of the resource; the last of a name holds.
    pub(super) attributes: Vec<(String, String)>,
}

impl Settings {
    /// What the configuration and the environment say, on this host, of the instance of this master.
    ///
    /// # Errors
    /// When the environment names no collector that can be spoken to.
    pub(super) fn of(
        otlp: &Otlp,
        environment: &dyn Fn(&str) -> Option<String>,
        host: &str,
        master: u32,
    ) -> Result<Self, String> {
        let given = |name: &str| environment(name).filter(|value| !value.is_empty());
        let pairs = |name: &str| given(name).map(|text| pairs_of_environment(&text)).unwrap_or_default();
        let collector = match &otlp.collector {
            Some(collector) => collector.clone(),
            None => {
                const NAME: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
                let text = given(NAME).unwrap_or_else(|| USUAL.to_owned());
                text.parse().map_err(|wrong: crate::config::model::NoCollector| {
                    format!("{NAME} is {text:?}: {wrong}; {}", wrong.advice())
                })?
            }
        };
        const CERTIFICATE: &str = "OTEL_EXPORTER_OTLP_CERTIFICATE";
        let authorities = otlp.certificate.clone().or_else(|| given(CERTIFICATE).map(PathBuf::from));
        let headers = match otlp.headers.as_slice() {
            [] => pairs("OTEL_EXPORTER_OTLP_HEADERS").into_iter().filter(is_header).collect(),
            given => given.to_vec(),
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut attributes = vec![
            pair("service.name", "unknown_service:rhinod"),
            pair("service.instance.id", &format!("{host}:{master}")),
            pair("host.name", host),
            pair("process.pid", &master.to_string()),
            pair("telemetry.sdk.name", "rhinod"),
            pair("telemetry.sdk.language", "rust"),
            pair("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
        ];
        attributes.extend(pairs("OTEL_RESOURCE_ATTRIBUTES"));
        attributes.extend(otlp.attributes.iter().cloned());
        let service = otlp.service.clone().or_else(|| given("OTEL_SERVICE_NAME"));
        attributes.extend(service.map(|service| pair("service.name", &service)));
        Ok(Self { collector, authorities: authorities.into_iter().collect(), headers, attributes })
    }
}

/// Whether a pair can be a header, and no more than one.
fn is_header((name, value): &(String, String)) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    name.bytes().all(is_token) && !value.bytes().any(|byte| byte.is_ascii_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(otlp: &Otlp, environment: &[(&str, &str)]) -> Result<Settings, String> {
        let look_up =
            |name: &str| environment.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned());
        Settings::of(otlp, &look_up, "host", 7)
    }

    fn value<'s>(settings: &'s Settings, name: &str) -> &'s str {
        &settings.attributes.iter().rfind(|(own, _)| own == name).expect("an attribute").1
    }

    #[test]
    fn the_configuration_has_the_last_word_and_the_environment_the_one_before() {
        let environment = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://there:1/base"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=a%20b,bad header=x,evil=a%0d%0ab"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=first,deployment.environment.name=test"),
            ("OTEL_SERVICE_NAME", "second"),
        ];
        let plain = settings(&Otlp::default(), &[]).unwrap();
        assert_eq!(
            (plain.collector.authority.as_str(), value(&plain, "service.name")),
            ("localhost:4318", "unknown_service:rhinod")
        );
        let by_environment = settings(&Otlp::default(), &environment).unwrap();
        assert_eq!(by_environment.collector.path, "/base");
        assert_eq!(by_environment.headers, [("api-key".to_owned(), "a b".to_owned())]);
        assert_eq!(value(&by_environment, "service.name"), "second");
        assert_eq!(value(&by_environment, "deployment.environment.name"), "test");
        let own = Otlp {
            collector: "http://here:2".parse().ok(),
            headers: vec![("x".to_owned(), "y".to_owned())],
            service: Some("third".to_owned()),
            ..Otlp::default()
        };
        let own = settings(&own, &environment).unwrap();
        assert_eq!(
            (own.collector.authority.as_str(), own.headers.len(), value(&own, "service.name")),
            ("here:2", 1, "third")
        );
    }

    #[test]
    fn an_environment_that_names_no_collector_is_told_of_with_advice() {
        let why = settings(&Otlp::default(), &[("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://far:4317")]).unwrap_err();
        assert!(why.contains("OTEL_EXPORTER_OTLP_ENDPOINT") && why.contains("127.0.0.1"), "{why}");
    }

    #[test]
    fn authorities_are_those_of_the_configuration_or_of_the_environment_or_the_systems() {
        let environment = [("OTEL_EXPORTER_OTLP_CERTIFICATE", "/env.pem")];
        let of = |otlp: &Otlp, environment: &[(&str, &str)]| settings(otlp, environment).unwrap().authorities;
        assert!(of(&Otlp::default(), &[]).is_empty());
        assert_eq!(of(&Otlp::default(), &environment), [PathBuf::from("/env.pem")]);
        let own = Otlp { certificate: Some("/own.pem".into()), ..Otlp::default() };
        assert_eq!(of(&own, &environment), [PathBuf::from("/own.pem")]);
    }
}
