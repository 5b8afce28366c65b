//! Whose spans and metrics they are: the resource that goes with each message to a collector, and who says what it is called
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>). Pure; the exporter.

use super::protobuf::Message;
use crate::percent;

/// What is put around spans and metrics.
#[derive(Debug, Clone)]
pub struct Envelope {
    resource: Message,
    scope: Message,
}

impl Envelope {
    /// Of an instance with these attributes; the last of a name holds.
    pub fn of(attributes: &[(String, String)], version: &str) -> Self {
        let mut resource = Message::new();
        for (at, (name, value)) in attributes.iter().enumerate() {
            if !attributes[at + 1..].iter().any(|(later, _)| later == name) {
                resource.attribute(1, name, value);
            }
        }
        let mut scope = Message::new();
        scope.text(1, "rhinod").text(2, version);
        Self { resource, scope }
    }

    /// `ExportTraceServiceRequest` with these spans.
    pub fn traces(&self, spans: &[Message]) -> Vec<u8> {
        let mut of_scope = Message::new();
        for span in spans {
            of_scope.message(2, span);
        }
        self.around(of_scope)
    }

    /// `ExportMetricsServiceRequest` with these metrics.
    pub fn metrics(&self, metrics: Message) -> Vec<u8> {
        self.around(metrics)
    }

    /// Both have the same form: a resource, and in it what one scope has to tell.
    fn around(&self, mut of_scope: Message) -> Vec<u8> {
        of_scope.message(1, &self.scope);
        let mut of_resource = Message::new();
        of_resource.message(1, &self.resource).message(2, &of_scope);
        let mut request = Message::new();
        request.message(1, &of_resource);
        request.into_bytes()
    }
}

/// The pairs of `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_EXPORTER_OTLP_HEADERS`: `name=value,name=value`, with `%20` for a space.
/// What is no pair is left out.
pub fn pairs_of_environment(text: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        Some((decoded(name.trim()), decoded(value.trim()))).filter(|(name, _)| !name.is_empty())
    };
    text.split(',').filter_map(pair).collect()
}

fn decoded(text: &str) -> String {
    String::from_utf8_lossy(&percent::decoded(text.as_bytes())).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_of_the_environment_are_decoded_and_what_is_none_is_left_out() {
        let pairs = pairs_of_environment("a=b%20c, d = e=f ,nothing,=x,g=%zz%2");
        let expected = [("a", "b c"), ("d", "e=f"), ("g", "%zz%2")];
        assert_eq!(pairs, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(pairs_of_environment(""), []);
    }

    #[test]
    fn the_last_word_on_a_name_holds() {
        let attributes = [("n", "first"), ("m", "other"), ("n", "last")];
        let attributes = attributes.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let bytes = Envelope::of(&attributes, "1").traces(&[]);
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.contains("last") && text.contains("other") && !text.contains("first"));
    }
}
