//! Where in a block the variables stand that have a meaning, noted in the same walk in which the block is made or validated.
//! Pure; one for each head.

use super::Pair;

/// A variable with a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Method,
    Uri,
    Path,
    ScriptName,
    Query,
    Protocol,
    ContentType,
    ContentLength,
    Host,
    ServerName,
    ServerPort,
    RemoteAddr,
    RemotePort,
    RemoteUser,
    UserAgent,
    Referer,
    Cookie,
    ForwardedFor,
    /// `UWSGI_SCHEME`.
    Scheme,
    Https,
    /// The later of `HTTPS` and `HTTP_X_FORWARDED_SSL`, which share it.
    HttpsOrForwardedSsl,
    ForwardedProto,
    RequestMsec,
    RequestStart,
}

const FIELDS: usize = Field::RequestStart as usize + 1;

impl Field {
    /// What a key means. Its length and last byte leave one or two that it can be.
    #[inline(always)]
    fn of(key: &[u8]) -> Option<Field> {
        let last = key.last()?;
        Some(match (key.len(), last) {
            (5, b'S') if key == b"HTTPS" => Field::Https,
            (9, b'O') if key == b"PATH_INFO" => Field::Path,
            (9, b'T') if key == b"HTTP_HOST" => Field::Host,
            (11, b'E') if key == b"SCRIPT_NAME" => Field::ScriptName,
            (11, b'E') if key == b"SERVER_NAME" => Field::ServerName,
            (11, b'E') if key == b"HTTP_COOKIE" => Field::Cookie,
            (11, b'I') if key == b"REQUEST_URI" => Field::Uri,
            (11, b'R') if key == b"REMOTE_ADDR" => Field::RemoteAddr,
            (11, b'R') if key == b"REMOTE_USER" => Field::RemoteUser,
            (11, b'T') if key == b"REMOTE_PORT" => Field::RemotePort,
            (11, b'T') if key == b"SERVER_PORT" => Field::ServerPort,
            (12, b'C') if key == b"REQUEST_MSEC" => Field::RequestMsec,
            (12, b'E') if key == b"CONTENT_TYPE" => Field::ContentType,
            (12, b'E') if key == b"UWSGI_SCHEME" => Field::Scheme,
            (12, b'G') if key == b"QUERY_STRING" => Field::Query,
            (12, b'R') if key == b"HTTP_REFERER" => Field::Referer,
            (14, b'D') if key == b"REQUEST_METHOD" => Field::Method,
            (14, b'H') if key == b"CONTENT_LENGTH" => Field::ContentLength,
            (15, b'L') if key == b"SERVER_PROTOCOL" => Field::Protocol,
            (15, b'T') if key == b"HTTP_USER_AGENT" => Field::UserAgent,
            (20, b'L') if key == b"HTTP_X_FORWARDED_SSL" => Field::HttpsOrForwardedSsl,
            (20, b'R') if key == b"HTTP_X_FORWARDED_FOR" => Field::ForwardedFor,
            (20, b'T') if key == b"HTTP_X_REQUEST_START" => Field::RequestStart,
            (22, b'O') if key == b"HTTP_X_FORWARDED_PROTO" => Field::ForwardedProto,
            _ => return None,
        })
    }
}

/// Where a value stands in the block. None begins at 0, where the length of the first key is.
#[derive(Debug, Clone, Copy, Default)]
struct Span {
    start: u16,
    bytes: u16,
}

/// The places of all fields: of each key the last one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Marks {
    spans: [Span; FIELDS],
    /// Whether there is more than one `CONTENT_LENGTH`.
    pub(crate) repeats_length: bool,
}

impl Marks {
    /// Of pairs that have been walked over before.
    pub(crate) fn of<'a>(pairs: impl Iterator<Item = Pair<'a>>) -> Marks {
        let (mut marks, mut at) = (Marks::default(), 0);
        for (key, value) in pairs {
            at += 2 + key.len() + 2;
            marks.note(key, at, value.len());
            at += value.len();
        }
        marks
    }

    /// A pair whose value begins at `start` in the block. Both numbers fit a block, or nobody reads it.
    #[inline(always)]
    pub(crate) fn note(&mut self, key: &[u8], start: usize, bytes: usize) {
        let Some(field) = Field::of(key) else { return };
        let span = Span { start: start as u16, bytes: bytes as u16 };
        match field {
            Field::Https => self.spans[Field::HttpsOrForwardedSsl as usize] = span,
            Field::ContentLength => self.repeats_length |= self.spans[field as usize].start > 0,
            _ => {}
        }
        self.spans[field as usize] = span;
    }

    /// Where the value of a field stands: its start and its end. `None` when it is absent.
    #[inline]
    pub(super) fn find(&self, field: Field) -> Option<(usize, usize)> {
        let Span { start, bytes } = self.spans[field as usize];
        (start > 0).then(|| (usize::from(start), usize::from(start) + usize::from(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Block, Limits, Writer, append, validate};
    use super::*;

    const KEYS: &[(Field, &str)] = &[
        (Field::Method, "REQUEST_METHOD"),
        (Field::Uri, "REQUEST_URI"),
        (Field::Path, "PATH_INFO"),
        (Field::ScriptName, "SCRIPT_NAME"),
        (Field::Query, "QUERY_STRING"),
        (Field::Protocol, "SERVER_PROTOCOL"),
        (Field::ContentType, "CONTENT_TYPE"),
        (Field::ContentLength, "CONTENT_LENGTH"),
        (Field::Host, "HTTP_HOST"),
        (Field::ServerName, "SERVER_NAME"),
        (Field::ServerPort, "SERVER_PORT"),
        (Field::RemoteAddr, "REMOTE_ADDR"),
        (Field::RemotePort, "REMOTE_PORT"),
        (Field::RemoteUser, "REMOTE_USER"),
        (Field::UserAgent, "HTTP_USER_AGENT"),
        (Field::Referer, "HTTP_REFERER"),
        (Field::Cookie, "HTTP_COOKIE"),
        (Field::ForwardedFor, "HTTP_X_FORWARDED_FOR"),
        (Field::Scheme, "UWSGI_SCHEME"),
        (Field::Https, "HTTPS"),
        (Field::ForwardedProto, "HTTP_X_FORWARDED_PROTO"),
        (Field::RequestMsec, "REQUEST_MSEC"),
        (Field::RequestStart, "HTTP_X_REQUEST_START"),
    ];

    /// Keys with a meaning, some that are nearly such, and any others.
    fn key() -> impl Strategy<Value = String> {
        let known = proptest::sample::select(KEYS).prop_map(|(_, key)| key.to_owned());
        let near = proptest::sample::select(KEYS).prop_map(|(_, key)| format!("X{}", &key[1..]));
        prop_oneof![4 => known, 1 => near, 1 => Just("HTTP_X_FORWARDED_SSL".to_owned()), 1 => "[A-Z_]{1,20}"]
    }

    #[test]
    fn each_field_has_its_key() {
        for (field, key) in KEYS {
            assert_eq!(Field::of(key.as_bytes()), Some(*field), "{key}");
        }
        assert_eq!(Field::of(b"HTTP_X_FORWARDED_SSL"), Some(Field::HttpsOrForwardedSsl));
        assert_eq!(KEYS.len() + 1, FIELDS);
    }

    proptest! {
        #[test]
        fn marks_are_where_the_last_value_of_each_key_is(
            pairs in proptest::collection::vec((key(), "[ -~]{0,8}"), 0..12),
        ) {
            let mut block = Vec::new();
            for (key, value) in &pairs {
                append(&mut block, 0, key.as_bytes(), value.as_bytes()).expect("they fit");
            }
            let parsed = Block::parse(&block, pairs.len()).expect("a block");
            let mut validated = Marks::default();
            prop_assert_eq!(validate(&block, pairs.len(), &mut validated), Ok(pairs.len()));
            let (mut written, mut noted) = (b"before".to_vec(), Marks::default());
            let mut writer = Writer::new(&mut written, &mut noted, Limits::default(), 0);
            pairs.iter().for_each(|(key, value)| match (key.strip_prefix("HTTP_"), value.len() % 2) {
                (Some(name), _) => assert!(writer.header(name.replace('_', "-").as_bytes(), value.as_bytes())),
                (None, 0) => writer.pair(key.as_bytes(), value.as_bytes()),
                (None, _) => writer
                    .made(key.as_bytes(), |out| {
                        out.extend_from_slice(value.as_bytes());
                        Ok::<(), ()>(())
                    })
                    .expect("nothing fails"),
            });
            prop_assert_eq!(writer.finish(), Ok(pairs.len()));
            prop_assert_eq!(&written[b"before".len()..], &block);
            for marks in [parsed.marks(), validated, noted] {
                for (field, key) in KEYS {
                    prop_assert_eq!(parsed.find(&marks, *field), parsed.get(key.as_bytes()), "{}", key);
                }
                let is_switch = |key: &str| matches!(key, "HTTPS" | "HTTP_X_FORWARDED_SSL");
                let switch = pairs.iter().rfind(|(key, _)| is_switch(key)).map(|(_, value)| value.as_bytes());
                prop_assert_eq!(parsed.find(&marks, Field::HttpsOrForwardedSsl), switch);
                let lengths = pairs.iter().filter(|(key, _)| key == "CONTENT_LENGTH").count();
                prop_assert_eq!(marks.repeats_length, lengths > 1);
            }
        }
    }
}
