//! A span as a collector reads it: the message `Span` of OTLP, with names of attributes by the semantic conventions of HTTP
//! (<https://opentelemetry.io/docs/specs/semconv/http/http-spans/>). Pure; the exporter.

use super::protobuf::Message;
use super::span::Span;

/// Methods that are told by their names (RFC 9110 and RFC 5789); others may be anything.
const METHODS: [&str; 9] = ["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"];

/// `SPAN_KIND_SERVER`.
const SERVER: u64 = 2;

/// `STATUS_CODE_ERROR`.
const ERROR: u64 = 2;

/// The field with the attributes of a span.
const ATTRIBUTES: u64 = 9;

/// Flags of a span: that it is sampled, and that it is known whether its parent is another process's, which it is.
const SAMPLED: u32 = 1;
const REMOTE_IS_KNOWN: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// The message of a span.
pub fn written(span: &Span<'_>) -> Message {
    let method = String::from_utf8_lossy(span.method);
    let known = METHODS.into_iter().find(|known| *known == method);
    let mut out = Message::new();
    out.bytes(1, &span.place.own.trace).bytes(2, &span.place.own.span);
    if !span.state.is_empty() {
        out.text(3, &String::from_utf8_lossy(span.state));
    }
    if let Some(parent) = &span.place.parent {
        out.bytes(4, parent);
    }
    out.text(5, known.unwrap_or("HTTP"));
    out.number(6, SERVER).fixed64(7, span.began_ns).fixed64(8, span.ended_ns);
    let text = |out: &mut Message, name: &str, value: &[u8]| {
        if !value.is_empty() {
            out.attribute(ATTRIBUTES, name, &String::from_utf8_lossy(value));
        }
    };
    out.attribute(ATTRIBUTES, "http.request.method", known.unwrap_or("_OTHER"));
    if known.is_none() {
        text(&mut out, "http.request.method_original", span.method);
    }
    text(&mut out, "url.path", span.path);
    text(&mut out, "url.scheme", span.scheme);
    let (host, port) = address(span);
    text(&mut out, "server.address", host);
    if let Some(port) = port {
        out.attribute_number(ATTRIBUTES, "server.port", port.into());
    }
    text(&mut out, "network.protocol.version", span.protocol.strip_prefix(b"HTTP/").unwrap_or_default());
    text(&mut out, "user_agent.original", span.agent);
    text(&mut out, "client.address", span.client);
    if span.status != 0 {
        out.attribute_number(ATTRIBUTES, "http.response.status_code", span.status.into());
    }
    let error = error(span);
    if let Some(error) = &error {
        out.attribute(ATTRIBUTES, "error.type", error);
    }
    if let Some(waited_us) = span.waited_us {
        out.attribute_double(ATTRIBUTES, "rhinod.queue_wait_seconds", waited_us as f64 / 1e6);
    }
    out.attribute_number(ATTRIBUTES, "rhinod.worker", span.worker.into());
    out.attribute_number(ATTRIBUTES, "rhinod.thread", span.thread.into());
    out.attribute_number(ATTRIBUTES, "rhinod.generation", span.generation.into());
    if error.is_some() {
        let mut status = Message::new();
        status.number(3, ERROR);
        out.message(15, &status);
    }
    let remote = if span.place.parent.is_some() { IS_REMOTE } else { 0 };
    out.fixed32(16, SAMPLED | REMOTE_IS_KNOWN | remote);
    out
}

/// Why the request failed, if that was our side's fault.
fn error(span: &Span<'_>) -> Option<String> {
    match span.status {
        0 => Some("no_answer".to_owned()),
        status @ 500.. => Some(status.to_string()),
        _ if span.has_failed => Some("exception".to_owned()),
        _ => None,
    }
}

/// Host and port that the client has asked for.
fn address<'a>(span: &Span<'a>) -> (&'a [u8], Option<u16>) {
    let number = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse().ok();
    let colon = span.host.iter().rposition(|byte| *byte == b':');
    // The colons of an IPv6 address are within brackets.
    let named = colon.and_then(|at| Some((&span.host[..at], number(&span.host[at + 1..])?)));
    match named {
        Some((host, port)) if !host.is_empty() => (host, Some(port)),
        _ => (span.host, number(span.port)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::example::example;
    use super::*;

    fn parts(host: &'static [u8]) -> (&'static [u8], Option<u16>) {
        address(&Span { host, ..example() })
    }

    #[test]
    fn the_port_is_that_of_the_host_or_the_one_that_it_came_to() {
        assert_eq!(parts(b"shop.example:8443"), (&b"shop.example"[..], Some(8_443)));
        assert_eq!(parts(b"shop.example"), (&b"shop.example"[..], Some(443)));
        assert_eq!(parts(b"[::1]:80"), (&b"[::1]"[..], Some(80)));
        assert_eq!(parts(b"[::1]"), (&b"[::1]"[..], Some(443)));
        assert_eq!(parts(b":80"), (&b":80"[..], Some(443)));
        assert_eq!(parts(b""), (&b""[..], Some(443)));
    }

    #[test]
    fn faults_of_our_side_are_errors_and_those_of_clients_are_not() {
        let of = |status, has_failed| error(&Span { status, has_failed, ..example() });
        assert_eq!((of(200, false), of(404, false)), (None, None));
        assert_eq!(of(503, false).as_deref(), Some("503"));
        assert_eq!(of(200, true).as_deref(), Some("exception"));
        assert_eq!(of(0, false).as_deref(), Some("no_answer"));
    }
}
