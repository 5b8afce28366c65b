//! The target of a request (RFC 9112 section 3.2): its form, its bytes, the decoded path. Pure.

use core::net::Ipv6Addr;

use super::Refusal;

/// A target, in parts. Everything as it came, still encoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// Path and query.
    pub(super) uri: &'a [u8],
    /// The path, which `uri` begins with; empty for an absolute URI that ends with its authority, which means `/`.
    pub(super) path: &'a [u8],
    /// The authority of an absolute URI, in the place of `Host`.
    pub(super) authority: Option<&'a [u8]>,
}

impl<'a> Target<'a> {
    /// The query without its question mark.
    pub(super) fn query(&self) -> &'a [u8] {
        self.uri.get(self.path.len() + 1..).unwrap_or_default()
    }

    /// Whether the path has nothing that [`append_decoded`] would change.
    pub(super) fn is_decoded(&self) -> bool {
        memchr::memchr(b'%', self.path).is_none() && !may_have_dot_segments(self.path)
    }

    /// The path, never empty.
    pub(super) fn path(&self) -> &'a [u8] {
        if self.path.is_empty() { b"/" } else { self.path }
    }
}

/// Takes a target apart. `is_secure`: whether a request for `https` may come here.
#[inline(always)]
pub(super) fn read<'a>(method: &str, target: &'a [u8], is_secure: bool) -> Result<Target<'a>, Refusal> {
    if method == "CONNECT" {
        return Err(Refusal::Connect);
    }
    judge_bytes(target)?;
    match target {
        b"*" if method == "OPTIONS" => Ok(Target { uri: target, path: target, authority: None }),
        b"*" => Err(Refusal::Asterisk),
        [b'/', ..] => Ok(split_query(target, None)),
        _ => read_absolute(target, is_secure),
    }
}

fn read_absolute(target: &[u8], is_secure: bool) -> Result<Target<'_>, Refusal> {
    let after = |scheme: &[u8]| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    let rest = match (after(b"http://"), after(b"https://")) {
        (Some(rest), _) => rest,
        (None, Some(_)) if !is_secure => return Err(Refusal::Misdirected),
        (None, Some(rest)) => rest,
        (None, None) => return Err(Refusal::TargetForm),
    };
    let end = rest.iter().position(|&byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if !is_authority(authority) {
        return Err(Refusal::HostInvalid);
    }
    Ok(split_query(path, Some(authority)))
}

#[inline(always)]
fn split_query<'a>(uri: &'a [u8], authority: Option<&'a [u8]>) -> Target<'a> {
    let end = uri.iter().position(|&byte| byte == b'?').unwrap_or(uri.len());
    Target { uri, path: &uri[..end], authority }
}

/// What a byte may be part of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Nowhere,
    Query,
    Anywhere,
}

const PLACES: [Place; 256] = {
    let mut places = [Place::Nowhere; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        places[byte as usize] = match byte {
            b'"' | b'#' | b'<' | b'>' => Place::Nowhere,
            b'\\' => Place::Query,
            _ => Place::Anywhere,
        };
        byte += 1;
    }
    places
};

fn judge_bytes(target: &[u8]) -> Result<(), Refusal> {
    let mut in_query = false;
    for &byte in target {
        match PLACES[usize::from(byte)] {
            Place::Anywhere => in_query |= byte == b'?',
            Place::Query if in_query => {}
            _ => return Err(Refusal::TargetByte(byte)),
        }
    }
    Ok(())
}

/// Whether `text` is a host with an optional port (RFC 3986 section 3.2): a name, an IPv4 address, or an IPv6 address in
/// brackets. No user, and of the bytes that names may have by the grammar only those that names do have.
pub(super) fn is_authority(text: &[u8]) -> bool {
    if let Some(rest) = text.strip_prefix(b"[") {
        let Some(end) = rest.iter().position(|&byte| byte == b']') else { return false };
        let address = std::str::from_utf8(&rest[..end]).ok().and_then(|text| text.parse::<Ipv6Addr>().ok());
        return address.is_some() && is_port(&rest[end + 1..]);
    }
    name_bytes(text).is_some_and(|end| is_port(&text[end..]))
}

/// How long the name is that `text` begins with; `None` for none.
fn name_bytes(text: &[u8]) -> Option<usize> {
    let mut end = 0;
    loop {
        let rest = &text[end..];
        end += rest.iter().position(|byte| !NAME_BYTES[usize::from(*byte)]).unwrap_or(rest.len());
        match &text[end..] {
            [b'%', first, second, ..] if first.is_ascii_hexdigit() && second.is_ascii_hexdigit() => end += 3,
            _ => return (end > 0).then_some(end),
        }
    }
}

/// What names are made of, escapes apart.
const NAME_BYTES: [bool; 256] = {
    let mut names = [false; 256];
    let mut byte = 0;
    while byte < names.len() {
        names[byte] = matches!(
            byte as u8,
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'~'
        );
        byte += 1;
    }
    names
};

/// Nothing, or a colon and a port, which may be empty.
fn is_port(text: &[u8]) -> bool {
    match text.split_first() {
        None => true,
        Some((b':', digits)) => {
            digits.len() <= 5 && crate::decimal::parse(digits).is_some_and(|port| port <= u64::from(u16::MAX))
        }
        Some(_) => false,
    }
}

/// Appends a path to `out`, decoded once, its dot segments resolved. After an error `out` may hold some of it.
pub(super) fn append_decoded(path: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let start = out.len();
    let mut rest = path;
    while let Some(percent) = memchr::memchr(b'%', rest) {
        out.extend_from_slice(&rest[..percent]);
        rest = match &rest[percent + 1..] {
            [high, low, after @ ..] => {
                out.push(decoded(*high, *low)?);
                after
            }
            _ => return Err(Refusal::TargetEscape),
        };
    }
    out.extend_from_slice(rest);
    if may_have_dot_segments(&out[start..]) {
        resolve_dot_segments(out, start)?;
    }
    Ok(())
}

fn may_have_dot_segments(path: &[u8]) -> bool {
    path.windows(2).any(|pair| pair == b"/.")
}

fn decoded(high: u8, low: u8) -> Result<u8, Refusal> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8).ok_or(Refusal::TargetEscape);
    match digit(high)? << 4 | digit(low)? {
        0 => Err(Refusal::TargetNul),
        byte => Ok(byte),
    }
}

/// RFC 3986 section 5.2.4, but that nothing leads out of the root. The path is what follows `start`, which is a slash.
fn resolve_dot_segments(out: &mut Vec<u8>, start: usize) -> Result<(), Refusal> {
    // What is kept ends before `kept`, which never overtakes `read`; both are at a slash or at the end.
    let (mut kept, mut read) = (start, start);
    while read < out.len() {
        let end = out[read + 1..].iter().position(|&byte| byte == b'/').map_or(out.len(), |length| read + 1 + length);
        let is_last = end == out.len();
        match &out[read + 1..end] {
            b"." => {}
            b".." => {
                let parent = out[start..kept].iter().rposition(|&byte| byte == b'/').ok_or(Refusal::AboveRoot)?;
                kept = start + parent;
            }
            _ => {
                out.copy_within(read..end, kept);
                kept += end - read;
                read = end;
                continue;
            }
        }
        read = end;
        if is_last {
            // `/a/.` and `/a/b/..` are directories.
            out[kept] = b'/';
            kept += 1;
        }
    }
    out.truncate(kept);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(encoded: &str) -> Result<String, Refusal> {
        let mut out = b"before/..".to_vec();
        append_decoded(encoded.as_bytes(), &mut out)?;
        Ok(String::from_utf8_lossy(&out[b"before/..".len()..]).into_owned())
    }

    #[test]
    fn paths_are_decoded_once() {
        for (encoded, decoded) in [
            ("/", "/"),
            ("/caf%C3%A9/a%2Fb%20c", "/café/a/b c"),
            ("/%2541", "/%41"),
            ("/a%2fb", "/a/b"),
            ("//a//b/", "//a//b/"),
            ("/a+b;c=d", "/a+b;c=d"),
            ("/%7e", "/~"),
        ] {
            assert_eq!(path(encoded).as_deref(), Ok(decoded), "{encoded}");
        }
    }

    #[test]
    fn dot_segments_are_resolved_after_decoding() {
        for (encoded, resolved) in [
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/b/..", "/a/"),
            ("/a/b/.", "/a/b/"),
            ("/.", "/"),
            ("/a/..", "/"),
            ("/a%2F..%2Fb", "/b"),
            ("/a//../b", "/a/b"),
            ("/.a/..b/...", "/.a/..b/..."),
            ("/a/b/c/../../d/./e/", "/a/d/e/"),
        ] {
            assert_eq!(path(encoded).as_deref(), Ok(resolved), "{encoded}");
        }
    }

    #[test]
    fn paths_that_cannot_be_meant_are_refused() {
        for (encoded, refusal) in [
            ("/%", Refusal::TargetEscape),
            ("/%4", Refusal::TargetEscape),
            ("/%zz", Refusal::TargetEscape),
            ("/%+1", Refusal::TargetEscape),
            ("/%00", Refusal::TargetNul),
            ("/a%00.txt", Refusal::TargetNul),
            ("/..", Refusal::AboveRoot),
            ("/a/../..", Refusal::AboveRoot),
            ("/%2e%2e/etc", Refusal::AboveRoot),
            ("/..%2fetc", Refusal::AboveRoot),
        ] {
            assert_eq!(path(encoded), Err(refusal), "{encoded}");
        }
    }

    #[test]
    fn hosts_are_names_and_addresses() {
        for text in ["a", "a:", "a:80", "a.example", "127.0.0.1:65535", "[::1]", "[::1]:8080", "a_b", "xn--a", "%41"] {
            assert!(is_authority(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            ":",
            ":80",
            "a:b",
            "a:65536",
            "a:000080",
            "a:80:90",
            "a b",
            "a/b",
            "u@a",
            "a,b",
            "[::1",
            "::1",
            "[::1]a",
            "[1.2.3.4]",
            "[fe80::1%25lo]",
            "a?",
            "a#",
            "%4",
            "%zz",
            "é",
            "a\t",
            "<a>",
        ] {
            assert!(!is_authority(text.as_bytes()), "{text}");
        }
    }

    /// RFC 3986 section 5.2.4 as it is written there, for paths that stay inside.
    fn by_the_book(path: &str) -> String {
        let (mut input, mut output) = (path.to_owned(), String::new());
        while !input.is_empty() {
            if input.starts_with("/./") {
                input.drain(..2);
            } else if input == "/." {
                input = "/".to_owned();
            } else if input.starts_with("/../") || input == "/.." {
                input.replace_range(..if input == "/.." { 3 } else { 4 }, "/");
                output.truncate(output.rfind('/').unwrap_or(0));
            } else {
                let end = input[1..].find('/').map_or(input.len(), |at| at + 1);
                output.extend(input.drain(..end));
            }
        }
        output
    }

    proptest! {
        #[test]
        fn a_path_that_is_decoded_stays_as_it_is(text in "(/(\\.|\\.\\.|%41|[ab.]{0,3}))+") {
            let target = read("GET", text.as_bytes(), false).expect("a target");
            prop_assert_eq!(target.is_decoded(), !text.contains('%') && !text.contains("/."));
            if target.is_decoded() {
                prop_assert_eq!(path(&text), Ok(text));
            }
        }

        #[test]
        fn dot_segments_are_resolved_by_the_book(text in "(/(\\.|\\.\\.|[ab.]{0,3}))+") {
            if let Ok(resolved) = path(&text) {
                prop_assert_eq!(&resolved, &by_the_book(&text));
                prop_assert!(resolved.starts_with('/'));
                prop_assert!(!resolved.split('/').any(|segment| segment == "." || segment == ".."));
            }
        }
    }
}
