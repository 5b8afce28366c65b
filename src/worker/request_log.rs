//! The request line of the log, in uWSGI's default form (reference/observability.md 3.1). Worker only.
//!
//! Differs from uWSGI where the reference says WART: the number of variables is not doubled, control bytes are escaped,
//! and a long URI is cut instead of hiding the whole line.

use std::fmt::Write as _;
use std::io::Write as _;

use super::connection::Request;
use crate::config::model::Logging;

/// Longest URI in a line, in bytes; the rest is replaced by `...`.
const URI_BYTES_MAX: usize = 2_048;

/// One finished request.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) request: &'a Request<'a>,
    /// Start, in microseconds since the epoch.
    pub(crate) started_epoch_us: u64,
    pub(crate) took_us: u64,
    pub(crate) pid: u32,
    pub(crate) core: usize,
    /// Requests of this worker, and of all workers of the instance.
    pub(crate) requests: (u64, u64),
    /// Resident and virtual size in bytes, with `memory-report`.
    pub(crate) memory: Option<(u64, u64)>,
}

/// Whether a request is logged at all (reference/observability.md 3.3).
pub(crate) fn wanted(logging: &Logging, status: u16, took_us: u64) -> bool {
    logging.requests
        || (logging.status_4xx && (400..500).contains(&status))
        || (logging.status_5xx && (500..600).contains(&status))
        || logging.slow.is_some_and(|slow| took_us >= slow.as_micros() as u64)
}

/// Writes the line, whole, with one write.
pub(crate) fn write(line: &mut String, logging: &Logging, entry: &Entry<'_>) {
    line.clear();
    compose(line, logging, entry);
    // Standard error is where the log is; if it cannot be written, there is nowhere left to say so.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

fn compose(line: &mut String, logging: &Logging, entry: &Entry<'_>) {
    let Request { head, sent, .. } = entry.request;
    if let Some((resident, virtual_size)) = entry.memory {
        let _ = write!(
            line,
            "{{address space usage: {virtual_size} bytes/{}MB}} {{rss usage: {resident} bytes/{}MB}} ",
            virtual_size >> 20,
            resident >> 20
        );
    }
    let address =
        if logging.forwarded_for && !head.forwarded_for.is_empty() { head.forwarded_for } else { head.remote_addr };
    let app = if sent.status == 0 { -1 } else { 0 };
    let _ = write!(line, "[pid: {}|app: {app}|req: {}/{}] ", entry.pid, entry.requests.0, entry.requests.1);
    push_escaped(line, address, URI_BYTES_MAX);
    line.push_str(" (");
    push_escaped(line, head.remote_user, URI_BYTES_MAX);
    let _ = write!(line, ") {{{} vars in {} bytes}} [", entry.request.variables_count, entry.request.block_bytes);
    line.push_str(&crate::logging::ctime(entry.started_epoch_us));
    line.push_str("] ");
    push_escaped(line, head.method.as_bytes(), URI_BYTES_MAX);
    line.push(' ');
    push_escaped(line, head.uri, URI_BYTES_MAX);
    let (time, unit) = if logging.micros { (entry.took_us, "micros") } else { (entry.took_us / 1_000, "msecs") };
    let via = if sent.by_sendfile { " via sendfile() " } else { " " };
    let _ = writeln!(
        line,
        " => generated {} bytes in {time} {unit}{via}({} {}) {} headers in {} bytes ({} switches on core {})",
        sent.body_bytes, head.protocol, sent.status, sent.headers_count, sent.head_bytes, sent.chunks, entry.core
    );
}

/// Appends bytes from outside so that they can forge nothing: control bytes, `"`, `\` and what is no UTF-8 as `\xNN`.
fn push_escaped(line: &mut String, bytes: &[u8], bytes_max: usize) {
    let shown = &bytes[..bytes.len().min(bytes_max)];
    for chunk in shown.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || matches!(character, '"' | '\\') {
                let mut utf8 = [0; 4];
                for byte in character.encode_utf8(&mut utf8).bytes() {
                    let _ = write!(line, "\\x{byte:02x}");
                }
            } else {
                line.push(character);
            }
        }
        for byte in chunk.invalid() {
            let _ = write!(line, "\\x{byte:02x}");
        }
    }
    if shown.len() < bytes.len() {
        line.push_str("...");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(bytes: &[u8]) -> String {
        let mut line = String::new();
        push_escaped(&mut line, bytes, 16);
        line
    }

    #[test]
    fn nothing_from_outside_can_forge_a_line() {
        assert_eq!(escaped(b"/a\nb\x1b[31m"), "/a\\x0ab\\x1b[31m");
        assert_eq!(escaped(b"/\"\\"), "/\\x22\\x5c");
        assert_eq!(escaped("/é".as_bytes()), "/é");
        assert_eq!(escaped(b"/\xff"), "/\\xff");
        assert_eq!(escaped("\u{85}".as_bytes()), "\\xc2\\x85");
    }

    #[test]
    fn a_long_value_is_cut_and_says_so() {
        assert_eq!(escaped(&[b'a'; 17]), format!("{}...", "a".repeat(16)));
    }

    #[test]
    fn only_what_is_asked_for_is_logged() {
        let silent = Logging::default();
        let errors = Logging { status_5xx: true, slow: Some(std::time::Duration::from_millis(5)), ..silent.clone() };
        assert!(!wanted(&silent, 500, 0));
        assert!(wanted(&errors, 503, 0) && !wanted(&errors, 404, 4_999) && wanted(&errors, 200, 5_000));
        assert!(wanted(&Logging { requests: true, ..silent }, 200, 0));
    }
}
