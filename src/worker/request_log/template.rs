//! `log-format`: request lines of the operator's own form (uWSGI's manual, "Formatting uWSGI requests logs"), taken
//! apart once. Worker only.
//!
//! Differs from uWSGI where that is at fault: values are escaped, and numbers do not wrap.

use std::fmt::Write as _;

use super::entry::{Entry, client_address, strings_count};
use super::pieces;
use crate::config::model::Logging;
use crate::escape::{Escape, push_escaped};
use crate::logging::{CTIME, push_local};

/// The date in the logs of web servers: `23/Nov/2026:08:22:57 +0000`.
const LTIME: &str = "%d/%b/%Y:%H:%M:%S %z";

/// Stands for a value that is missing or empty.
const NOTHING: char = '-';

/// A template: literal text, and what is to be filled in.
#[derive(Debug)]
pub(crate) struct Template {
    parts: Vec<Part>,
    escape: Escape,
    logging: Logging,
}

#[derive(Debug)]
enum Part {
    Literal(String),
    Value(Value),
    /// `ftime`: when the request began, in a pattern of strftime(3).
    Start(String),
    /// `var.NAME`: a variable of the request.
    Variable(String),
    /// `metric.NAME`: a figure of the instance.
    Metric(String),
    /// Any other name: a variable that the application has set.
    LogVariable(String),
}

/// What a name stands for that needs nothing more.
#[derive(Debug, Clone, Copy)]
enum Value {
    Text(for<'e> fn(&Entry<'e>) -> &'e [u8]),
    Number(fn(&Entry<'_>) -> u64),
    /// A number that is not always known.
    Known(fn(&Entry<'_>) -> Option<u64>),
    ClientAddress,
    /// How long it took, in seconds with six decimals.
    Seconds,
    /// When the request began, in a pattern of strftime(3).
    Start(&'static str),
}

/// The reference's table; `ftime`, `var.` and `metric.` are not in it.
const VALUES: &[(&str, Value)] = &[
    ("uri", Value::Text(|entry| entry.request.head.uri())),
    ("method", Value::Text(|entry| entry.request.head.method.as_bytes())),
    ("user", Value::Text(|entry| entry.request.head.remote_user())),
    ("addr", Value::ClientAddress),
    ("host", Value::Text(|entry| entry.request.head.host())),
    ("proto", Value::Text(|entry| entry.request.head.protocol.as_bytes())),
    ("uagent", Value::Text(|entry| entry.request.head.user_agent())),
    ("referer", Value::Text(|entry| entry.request.head.referer())),
    ("status", Value::Number(|entry| entry.request.outcome.sent.status.into())),
    (
        "size",
        Value::Number(|entry| entry.request.outcome.sent.head_bytes as u64 + entry.request.outcome.sent.body_bytes),
    ),
    ("rsize", Value::Number(|entry| entry.request.outcome.sent.body_bytes)),
    ("hsize", Value::Number(|entry| entry.request.outcome.sent.head_bytes as u64)),
    ("cl", Value::Number(|entry| entry.request.head.content_length().unwrap_or(0))),
    ("pktsize", Value::Number(|entry| entry.request.envelope.block_bytes as u64)),
    ("vars", Value::Number(|entry| strings_count(entry.request) as u64)),
    ("headers", Value::Number(|entry| entry.request.outcome.sent.headers_count as u64)),
    ("micros", Value::Number(|entry| entry.took_us)),
    ("msecs", Value::Number(|entry| entry.took_us / 1_000)),
    ("secs", Value::Seconds),
    ("time", Value::Number(|entry| entry.started_epoch_us / 1_000_000)),
    ("tmsecs", Value::Number(|entry| entry.started_epoch_us / 1_000)),
    ("tmicros", Value::Number(|entry| entry.started_epoch_us)),
    ("epoch", Value::Number(|entry| (entry.started_epoch_us + entry.took_us) / 1_000_000)),
    ("ctime", Value::Start(CTIME)),
    ("ltime", Value::Start(LTIME)),
    ("pid", Value::Number(|entry| entry.pid.into())),
    ("wid", Value::Number(|entry| entry.post.number.into())),
    ("core", Value::Number(|entry| entry.core as u64)),
    ("switches", Value::Number(|entry| entry.request.outcome.sent.chunks)),
    ("rss", Value::Known(|entry| entry.memory.map(|(resident, _)| resident))),
    ("vsz", Value::Known(|entry| entry.memory.map(|(_, virtual_size)| virtual_size))),
    ("rssM", Value::Known(|entry| entry.memory.map(|(resident, _)| resident >> 20))),
    ("vszM", Value::Known(|entry| entry.memory.map(|(_, virtual_size)| virtual_size >> 20))),
    ("modifier1", Value::Number(|entry| entry.request.envelope.modifiers.0.into())),
    ("modifier2", Value::Number(|entry| entry.request.envelope.modifiers.1.into())),
    ("werr", Value::Number(|entry| entry.write_errors.into())),
    ("rerr", Value::Number(|entry| entry.read_errors.into())),
    ("ioerr", Value::Number(|entry| u64::from(entry.write_errors) + u64::from(entry.read_errors))),
];

impl Template {
    /// The template of the configuration, if it has one.
    pub(crate) fn of(logging: &Logging) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = logging.format.as_deref()?;
        while let Some((before, name, after)) = split_at_item(rest) {
            parts.push(Part::Literal(before.to_owned()));
            parts.push(Part::of(name, logging));
            rest = after;
        }
        parts.push(Part::Literal(rest.to_owned()));
        let escape = if logging.format_json { Escape::Json } else { Escape::Bytes };
        Some(Self { parts, escape, logging: logging.clone() })
    }

    /// Appends the line of a request, without its end.
    pub(super) fn fill(&self, line: &mut String, entry: &Entry<'_>) {
        for part in &self.parts {
            match part {
                Part::Literal(text) => line.push_str(text),
                Part::Value(value) => self.push_value(line, *value, entry),
                Part::Start(pattern) => push_start(line, pattern, entry),
                Part::Variable(name) => self.push_text(line, entry.request.head.block().get(name.as_bytes())),
                Part::Metric(name) => push_number(line, (entry.metric)(name)),
                Part::LogVariable(name) => self.push_text(line, entry.request.outcome.notes.get(name.as_bytes())),
            }
        }
    }

    fn push_value(&self, line: &mut String, value: Value, entry: &Entry<'_>) {
        match value {
            Value::Text(text) => self.push_text(line, Some(text(entry))),
            Value::Number(number) => push_number(line, Some(number(entry))),
            Value::Known(number) => push_number(line, number(entry)),
            Value::ClientAddress => self.push_text(line, Some(client_address(&self.logging, entry.request))),
            Value::Seconds => {
                let _ = write!(line, "{}.{:06}", entry.took_us / 1_000_000, entry.took_us % 1_000_000);
            }
            Value::Start(pattern) => push_start(line, pattern, entry),
        }
    }

    fn push_text(&self, line: &mut String, text: Option<&[u8]>) {
        match text {
            None | Some(b"") => line.push(NOTHING),
            Some(text) => push_escaped(line, text, self.escape),
        }
    }
}

impl Part {
    fn of(name: &str, logging: &Logging) -> Self {
        if name == "ftime" {
            let pattern = logging.date.as_deref().filter(|pattern| logging.format_strftime && !pattern.is_empty());
            return Self::Start(pattern.unwrap_or(LTIME).to_owned());
        }
        if let Some((_, value)) = VALUES.iter().find(|(own, _)| *own == name) {
            return Self::Value(*value);
        }
        match name.split_once('.') {
            Some(("var", name)) => Self::Variable(name.to_owned()),
            Some(("metric", name)) => Self::Metric(name.to_owned()),
            _ => Self::LogVariable(name.to_owned()),
        }
    }
}

/// The text before the first `%(name)`, the name, and the rest. An item without an end is none.
fn split_at_item(text: &str) -> Option<(&str, &str, &str)> {
    let (before, item) = text.split_once("%(")?;
    let (name, after) = item.split_once(')')?;
    Some((before, name, after))
}

fn push_number(line: &mut String, number: Option<u64>) {
    match number {
        Some(number) => pieces::push_number(line, number),
        None => line.push(NOTHING),
    }
}

fn push_start(line: &mut String, pattern: &str, entry: &Entry<'_>) {
    push_local(line, pattern, entry.started_epoch_us);
}

#[cfg(test)]
mod tests {
    use testkit::mutation::{mutate_with, try_mutants};
    use testkit::seeds::Seeds;
    use worker_protocol::head::RequestHead;
    use worker_protocol::pairs::{Block, PathInfo, append};
    use worker_protocol::post::Post;
    use worker_protocol::wire::{Asks, Envelope, Form, Message};

    use super::*;
    use crate::handler::LogNotes;
    use crate::logging::format_local;
    use crate::worker::connection::{Answered, Outcome};
    use crate::worker::reply::Sent;

    /// One request, whose figures all differ, through a template.
    fn filled(logging: &Logging, variables: &[(&str, &[u8])]) -> String {
        let mut bytes = Vec::new();
        for (key, value) in variables {
            append(&mut bytes, 0, key.as_bytes(), value).unwrap();
        }
        let block = Block::parse(&bytes, 128).unwrap();
        let asks = Asks::Request(PathInfo::AsSent);
        let mut notes = LogNotes::default();
        notes.set(b"tenant", b"blue\n").unwrap();
        let sent = Sent {
            status: 200,
            headers_count: 3,
            head_bytes: 99,
            body_bytes: 5_000_000_000,
            chunks: 4,
            ..Sent::default()
        };
        let request = Answered {
            head: &RequestHead::read(block, PathInfo::AsSent).unwrap(),
            envelope: Envelope {
                asks,
                modifiers: (0, 7),
                variables_count: block.count(),
                block_bytes: block.bytes(),
                consumed: 0,
                message: Message::single(Form::Plain),
            },
            outcome: &Outcome { sent, notes, ..Outcome::default() },
        };
        let entry = Entry {
            request: &request,
            started_epoch_us: 1_795_420_977_654_321,
            took_us: 3_000_173,
            pid: 4_242,
            post: Post::worker(2),
            core: 6,
            requests: &|| (1, 2),
            memory: logging.memory.then_some((3 << 20, 5 << 20)),
            read_errors: 1,
            write_errors: 10,
            metric: &|name| (name == "worker.0.requests").then_some(77),
        };
        let mut line = String::new();
        Template::of(logging).unwrap().fill(&mut line, &entry);
        line
    }

    fn with(format: &str) -> Logging {
        Logging { format: Some(format.into()), ..Logging::default() }
    }

    const VARIABLES: &[(&str, &[u8])] = &[
        ("REQUEST_METHOD", b"POST"),
        ("REQUEST_URI", b"/a?b"),
        ("REMOTE_ADDR", b"10.0.0.9"),
        ("REMOTE_USER", b"ann"),
        ("CONTENT_LENGTH", b"12"),
        ("SERVER_PROTOCOL", b"HTTP/1.1"),
        ("HTTP_HOST", b"example"),
        ("HTTP_USER_AGENT", b"probe\"1\""),
        ("HTTP_X_FORWARDED_FOR", b"1.2.3.4, 5.6.7.8"),
        ("HTTP_X_TRACE", b"old"),
        ("HTTP_X_TRACE", b"t1"),
    ];

    fn line(format: &str) -> String {
        filled(&with(format), VARIABLES)
    }

    #[test]
    fn every_name_of_the_reference_has_its_value() {
        let block_bytes: usize = VARIABLES.iter().map(|(key, value)| 4 + key.len() + value.len()).sum();
        let block_bytes = block_bytes.to_string();
        let local = |pattern| format_local(pattern, 1_795_420_977_654_321);
        let (ctime, ltime) = (local("%a %b %e %H:%M:%S %Y"), local("%d/%b/%Y:%H:%M:%S %z"));
        let table: &[(&str, &str)] = &[
            ("uri method user addr host proto uagent", "/a?b POST ann 10.0.0.9 example HTTP/1.1 probe\\x221\\x22"),
            ("referer", "-"),
            ("status size rsize hsize", "200 5000000099 5000000000 99"),
            ("cl pktsize vars headers", &format!("12 {block_bytes} 22 3")),
            ("micros msecs secs", "3000173 3000 3.000173"),
            ("time tmsecs tmicros epoch", "1795420977 1795420977654 1795420977654321 1795420980"),
            ("ctime", &ctime),
            ("ltime", &ltime),
            ("ftime", &ltime),
            ("pid wid core switches", "4242 2 6 4"),
            ("vsz rss vszM rssM", "- - - -"),
            ("modifier1 modifier2", "0 7"),
            ("werr rerr ioerr", "10 1 11"),
            ("var.HTTP_X_TRACE var.HTTP_X_OTHER", "t1 -"),
            ("metric.worker.0.requests metric.no.such", "77 -"),
            ("tenant owner", "blue\\x0a -"),
        ];
        for (names, values) in table {
            let names: Vec<String> = names.split(' ').map(|name| format!("%({name})")).collect();
            assert_eq!(line(&names.join(" ")), *values, "{names:?}");
        }
    }

    /// What a client or an application chose is escaped, whatever the form; what is in no item is there as it was written.
    fn exercise(format: &[u8]) {
        let format = String::from_utf8_lossy(format);
        let strange: Vec<(&str, &[u8])> =
            VARIABLES.iter().copied().chain([("REMOTE_USER", &b"\x1b]0;\n\"\\\xff"[..])]).collect();
        for format_json in [false, true] {
            let logging = Logging { format_json, memory: true, ..with(&format) };
            let line = filled(&logging, &strange);
            assert!(line.len() <= 80 * format.len() + 1, "{} bytes of {}", line.len(), format.len());
            let controls = |text: &str| text.chars().filter(|character| character.is_control()).count();
            assert!(controls(&line) <= controls(&format), "{line:?}");
            let mut rest = line.as_str();
            let mut template = &*format;
            while let Some((literal, _, after)) = split_at_item(template) {
                rest = &rest[rest.find(literal).expect("what stands between items")..][literal.len()..];
                template = after;
            }
            assert!(rest.ends_with(template));
        }
        let plain = format.replace(|character: char| matches!(character, '"' | '\\') || character.is_control(), "");
        let quoted = Logging { format_json: true, ..with(&format!("{{\"line\": \"{plain}\"}}")) };
        let json = filled(&quoted, &strange);
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json:?}");
    }

    #[test]
    fn mutants_of_formats_are_filled_in_and_forge_nothing() {
        const PIECES: [&str; 16] = [
            "%(",
            ")",
            "%",
            "(",
            "%(uri)",
            "%(user)",
            "%(tenant)",
            "%(var.",
            "%(metric.",
            "%(ftime)",
            "%(micros)",
            "%(referer)",
            "%()",
            "\u{1b}",
            "ä",
            "{\"a\": ",
        ];
        let originals = [
            "%(addr) - %(user) [%(ltime)] \"%(method) %(uri) %(proto)\" %(status) %(size) \"%(referer)\"",
            "{\"uri\": \"%(uri)\", \"rss\": %(rss), \"trace\": \"%(var.HTTP_X_TRACE)\"} %(metric.worker.0.requests)",
        ];
        let originals = originals.map(|text| text.as_bytes().to_vec());
        let mutate = |random: &mut fastrand::Rng, format: &mut Vec<u8>| mutate_with(random, format, &PIECES);
        Seeds::of_this_run(1).try_all(|(): &mut (), seed| try_mutants(seed, &originals, mutate, exercise, |_| {}));
    }

    #[test]
    fn what_is_no_item_is_printed_as_it_is() {
        for literal in ["", "plain", "%%", "100%", "%Y", "(%d)", "%(uri", "%"] {
            assert_eq!(line(literal), literal);
        }
        assert_eq!(line("%%(status)%"), "%200%");
        assert_eq!(line("[%()]"), "[-]");
        assert_eq!(line("%(status) %(x"), "200 %(x");
    }

    #[test]
    fn the_combined_form_is_apaches() {
        let form = "%(addr) - %(user) [%(ltime)] \"%(method) %(uri) %(proto)\" %(status) %(size) \"%(referer)\"";
        let ltime = format_local(LTIME, 1_795_420_977_654_321);
        let expected = format!("10.0.0.9 - ann [{ltime}] \"POST /a?b HTTP/1.1\" 200 5000000099 \"-\"");
        assert_eq!(line(form), expected);
    }

    #[test]
    fn switches_of_the_configuration_hold_for_templates_too() {
        let forwarded = Logging { forwarded_for: true, ..with("%(addr)") };
        assert_eq!(filled(&forwarded, VARIABLES), "1.2.3.4, 5.6.7.8");
        let memory = Logging { memory: true, ..with("%(rss) %(rssM) %(vsz) %(vszM)") };
        assert_eq!(filled(&memory, VARIABLES), "3145728 3 5242880 5");
        let dated = Logging { date: Some("%Y".into()), ..with("%(ftime)") };
        assert_eq!(filled(&Logging { format_strftime: true, ..dated }, VARIABLES), "2026");
        let undated = Logging { date: Some(String::new()), format_strftime: true, ..with("%(ftime)") };
        assert_eq!(filled(&undated, VARIABLES), line("%(ltime)"));
    }

    #[test]
    fn values_can_be_made_the_insides_of_json_strings() {
        let json = Logging { format_json: true, ..with(r#"{"agent":"%(uagent)","tenant":"%(tenant)","s":%(status)}"#) };
        assert_eq!(filled(&json, VARIABLES), r#"{"agent":"probe\"1\"","tenant":"blue\u000a","s":200}"#);
    }
}
