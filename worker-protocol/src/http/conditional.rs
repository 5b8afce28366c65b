//! Conditional requests (RFC 9110 section 13): whether a client has what it asks for already. Pure: the headers and what
//! is known of the file come in.
//!
//! ```
//! use worker_protocol::http::conditional::{Conditions, Validators, Verdict};
//!
//! let known = Validators { etag: "\"7\"", modified_s: 1_700_000_000 };
//! let asked = Conditions { if_none_match: Some(b"\"6\", \"7\""), ..Conditions::default() };
//! assert_eq!(asked.judge(&known), Verdict::NotModified);
//! ```

use std::time::{Duration, UNIX_EPOCH};

/// What a representation is known by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validators<'v> {
    /// A strong entity tag, with its quotes.
    pub etag: &'v str,
    /// When it was last modified, in seconds since the epoch.
    pub modified_s: u64,
}

/// The headers of a request that set conditions, as they were sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Conditions<'r> {
    /// `If-Match`.
    pub if_match: Option<&'r [u8]>,
    /// `If-None-Match`.
    pub if_none_match: Option<&'r [u8]>,
    /// `If-Modified-Since`.
    pub if_modified_since: Option<&'r [u8]>,
    /// `If-Unmodified-Since`.
    pub if_unmodified_since: Option<&'r [u8]>,
    /// `If-Range`.
    pub if_range: Option<&'r [u8]>,
}

/// What conditions come to, for GET and HEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The representation is to be sent.
    Send,
    /// The client has it: 304.
    NotModified,
    /// It is not the one that the client means: 412.
    Failed,
}

impl Conditions<'_> {
    /// Judges the conditions in the order of RFC 9110 section 13.2.2. A date that cannot be read sets no condition, and
    /// entity tags count more than dates.
    pub fn judge(&self, known: &Validators<'_>) -> Verdict {
        let fits = match (self.if_match, self.if_unmodified_since.and_then(date)) {
            (Some(tags), _) => any_tag(tags, |tag| tag == Tag::strong(known.etag)),
            (None, Some(since_s)) => known.modified_s <= since_s,
            (None, None) => true,
        };
        if !fits {
            return Verdict::Failed;
        }
        let has_it = match (self.if_none_match, self.if_modified_since.and_then(date)) {
            (Some(tags), _) => any_tag(tags, |tag| tag.text == known.etag.as_bytes()),
            (None, Some(since_s)) => known.modified_s <= since_s,
            (None, None) => false,
        };
        if has_it { Verdict::NotModified } else { Verdict::Send }
    }

    /// Whether a `Range` counts: what the client has the other parts of must be this very representation (section
    /// 13.1.5). A date must be the exact one.
    pub fn permit_range(&self, known: &Validators<'_>) -> bool {
        match self.if_range {
            None => true,
            Some(value) if value.contains(&b'"') => any_tag(value, |tag| tag == Tag::strong(known.etag)),
            Some(value) => date(value) == Some(known.modified_s),
        }
    }
}

/// An entity tag as it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tag<'r> {
    weak: bool,
    text: &'r [u8],
}

impl<'r> Tag<'r> {
    fn strong(text: &'r str) -> Tag<'r> {
        Tag { weak: false, text: text.as_bytes() }
    }
}

/// Whether one of the tags in a list fits. `*` stands for any; what is no list ends where it is none.
fn any_tag(list: &[u8], fits: impl Fn(Tag<'_>) -> bool) -> bool {
    let mut rest = list.trim_ascii();
    if rest == b"*" {
        return true;
    }
    loop {
        rest = rest.trim_ascii_start();
        rest = match rest.strip_prefix(b",") {
            Some(behind) => behind,
            None => match take_tag(rest) {
                Some((tag, _)) if fits(tag) => return true,
                Some((_, behind)) => behind,
                None => return false,
            },
        };
    }
}

fn take_tag(text: &[u8]) -> Option<(Tag<'_>, &[u8])> {
    let (weak, quoted) = text.strip_prefix(b"W/").map_or((false, text), |quoted| (true, quoted));
    let inner = quoted.strip_prefix(b"\"")?;
    let end = inner.iter().position(|byte| *byte == b'"')? + 2;
    Some((Tag { weak, text: &quoted[..end] }, &quoted[end..]))
}

/// A date in one of the three forms of RFC 9110 section 5.6.7, in seconds since the epoch.
fn date(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let time = httpdate::parse_http_date(text).ok()?;
    Some(time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Validators<'_> = Validators { etag: "\"a1\"", modified_s: 784_111_777 };
    const THEN: &[u8] = b"Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &[u8] = b"Sun, 06 Nov 1994 08:49:36 GMT";

    fn judged(change: impl Fn(&mut Conditions<'static>)) -> Verdict {
        let mut conditions = Conditions::default();
        change(&mut conditions);
        conditions.judge(&KNOWN)
    }

    #[test]
    fn whoever_has_it_is_told_so() {
        assert_eq!(judged(|_| {}), Verdict::Send);
        for (tags, verdict) in [
            (&b"\"a1\""[..], Verdict::NotModified),
            (b"W/\"a1\"", Verdict::NotModified),
            (b" , \"b\" ,\"a1\"", Verdict::NotModified),
            (b"*", Verdict::NotModified),
            (b"\"a\"", Verdict::Send),
            (b"a1", Verdict::Send),
            (b"\"a1", Verdict::Send),
            (b"", Verdict::Send),
        ] {
            assert_eq!(judged(|all| all.if_none_match = Some(tags)), verdict, "{tags:?}");
        }
        for (since, verdict) in [
            (THEN, Verdict::NotModified),
            (b"Sunday, 06-Nov-94 08:49:37 GMT", Verdict::NotModified),
            (b"Sun Nov  6 08:49:37 1994", Verdict::NotModified),
            (BEFORE, Verdict::Send),
            (b"yesterday", Verdict::Send),
            (b"\xff", Verdict::Send),
        ] {
            assert_eq!(judged(|all| all.if_modified_since = Some(since)), verdict, "{since:?}");
        }
        let both = judged(|all| (all.if_none_match, all.if_modified_since) = (Some(&b"\"b\""[..]), Some(THEN)));
        assert_eq!(both, Verdict::Send, "tags count more than dates");
    }

    #[test]
    fn whoever_means_another_one_gets_none() {
        for (tags, verdict) in [
            (&b"\"a1\""[..], Verdict::Send),
            (b"*", Verdict::Send),
            (b"W/\"a1\"", Verdict::Failed),
            (b"\"b\"", Verdict::Failed),
        ] {
            assert_eq!(judged(|all| all.if_match = Some(tags)), verdict, "{tags:?}");
        }
        assert_eq!(judged(|all| all.if_unmodified_since = Some(THEN)), Verdict::Send);
        assert_eq!(judged(|all| all.if_unmodified_since = Some(BEFORE)), Verdict::Failed);
    }

    #[test]
    fn a_range_is_of_the_very_same() {
        let permitted = |if_range| Conditions { if_range, ..Conditions::default() }.permit_range(&KNOWN);
        assert!(permitted(None) && permitted(Some(b"\"a1\"")) && permitted(Some(THEN)));
        assert!(!permitted(Some(b"W/\"a1\"")) && !permitted(Some(b"\"b\"")) && !permitted(Some(BEFORE)));
        assert!(!permitted(Some(b"")));
    }
}
