//! What a line is as a datagram: itself, or as the daemons of syslog (RFC 3164, RFC 5424) and systemd's journal ("Native
//! Journal Protocol") take it. Pure; wherever lines are written.

use crate::logging::format_local;

/// Most bytes of a datagram: what UDP takes, less a little.
const BYTES_MAX: usize = 60_000;

/// Facility daemon, as uWSGI's lines have (RFC 3164, section 4.1.1).
const FACILITY: u8 = 3;

/// How a line is wrapped up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wrapping {
    /// As it is.
    Bare,
    /// RFC 3164, with a tag.
    Syslog(String),
    /// RFC 5424, from this host, with a tag.
    Syslog5424 { host: String, tag: String },
    /// Fields of the journal, with an identifier.
    Journal(String),
}

impl Wrapping {
    /// The datagram of a line, cut where it is too long for one.
    pub(super) fn of(&self, line: &str, now_us: u64) -> Vec<u8> {
        let line = line.trim_end_matches('\n');
        let priority = FACILITY * 8 + severity(line);
        let mut bytes = match self {
            Self::Bare => return ended(line),
            Self::Syslog(tag) => {
                format!("<{priority}>{} {tag}: {line}", format_local("%b %e %H:%M:%S", now_us)).into_bytes()
            }
            Self::Syslog5424 { host, tag } => {
                let time = format_local("%Y-%m-%dT%H:%M:%S", now_us);
                let zone = format_local("%:z", now_us);
                let micros = now_us % 1_000_000;
                let own = std::process::id();
                format!("<{priority}>1 {time}.{micros:06}{zone} {host} {tag} {own} - - {line}").into_bytes()
            }
            Self::Journal(tag) => return journal(line, tag),
        };
        bytes.truncate(BYTES_MAX);
        bytes
    }
}

fn ended(line: &str) -> Vec<u8> {
    let mut bytes = line.as_bytes()[..line.len().min(BYTES_MAX)].to_vec();
    bytes.push(b'\n');
    bytes
}

/// Fields, one a line. What spans lines (an encoder may do that) has its length before it.
fn journal(line: &str, tag: &str) -> Vec<u8> {
    let message = &line.as_bytes()[..line.len().min(BYTES_MAX)];
    let mut bytes =
        format!("PRIORITY={}\nSYSLOG_FACILITY={FACILITY}\nSYSLOG_IDENTIFIER={tag}\nMESSAGE", severity(line))
            .into_bytes();
    if message.contains(&b'\n') {
        bytes.push(b'\n');
        bytes.extend((message.len() as u64).to_le_bytes());
    } else {
        bytes.push(b'=');
    }
    bytes.extend(message);
    bytes.push(b'\n');
    bytes
}

/// How severe a line is (RFC 5424, section 6.2.1): as it says itself near its beginning, where a date may be; else a notice.
fn severity(line: &str) -> u8 {
    const WITHIN: usize = 80;
    let cut = line.len().min(WITHIN);
    let start = &line.as_bytes()[..cut];
    let says = |word: &[u8]| start.windows(word.len()).any(|window| window == word);
    match () {
        () if says(b"[error] ") => 3,
        () if says(b"[warn] ") => 4,
        () => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(wrapping: &Wrapping, line: &str) -> String {
        String::from_utf8(wrapping.of(line, 1_500_000_000_123_456)).unwrap()
    }

    #[test]
    fn syslog_gets_a_priority_a_time_and_a_tag() {
        let line = text(&Wrapping::Syslog("shop".into()), "GET /");
        assert!(line.starts_with("<29>") && line.ends_with(" shop: GET /") && !line.contains('\n'), "{line}");
        assert_eq!(line.len(), "<29>Jan  1 00:00:00 shop: GET /".len(), "{line}");
    }

    #[test]
    fn the_newer_syslog_gets_a_time_with_its_zone_and_the_host() {
        let wrapping = Wrapping::Syslog5424 { host: "box".into(), tag: "shop".into() };
        let line = text(&wrapping, "[error] broken");
        let own = std::process::id();
        assert!(line.starts_with("<27>1 2017-07-1"), "{line}");
        assert!(line.ends_with(&format!(" box shop {own} - - [error] broken")), "{line}");
        let stamp = line.split(' ').nth(1).unwrap();
        let moment: jiff::Timestamp = stamp.parse().unwrap_or_else(|error| panic!("{error}: {stamp}"));
        assert_eq!(moment.as_microsecond(), 1_500_000_000_123_456);
    }

    #[test]
    fn the_journal_gets_fields_and_no_line_becomes_a_field_of_its_own() {
        let journal = Wrapping::Journal("shop".into());
        let fields = "SYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=shop\n";
        assert_eq!(text(&journal, "GET /\n"), format!("PRIORITY=5\n{fields}MESSAGE=GET /\n"));
        let forged = journal.of("a\nPRIORITY=0", 0);
        let expected = [b"MESSAGE\n".as_slice(), &12_u64.to_le_bytes(), b"a\nPRIORITY=0\n"].concat();
        assert!(forged.ends_with(&expected), "{forged:?}");
    }

    #[test]
    fn what_a_line_says_of_itself_is_its_severity() {
        let dated = "Mon Nov 23 07:58:15 2026 - [warn] x";
        let far = format!("{} [error] x", "y".repeat(200));
        assert_eq!(["[error] x", dated, "x", &far].map(severity), [3, 4, 5, 5]);
    }

    #[test]
    fn no_datagram_is_longer_than_one_may_be() {
        let long = "é".repeat(100_000);
        for wrapping in [Wrapping::Bare, Wrapping::Syslog("t".into()), Wrapping::Journal("t".into())] {
            assert!(wrapping.of(&long, 0).len() <= BYTES_MAX + 100);
        }
    }
}
