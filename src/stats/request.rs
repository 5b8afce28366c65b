//! What is asked over HTTP of an instance that tells of itself, and the head of the answer. Only what this needs: one request
//! on a connection, of which the first line counts. Pure.

/// Most bytes of a request that are read.
pub const HEAD_BYTES_MAX: usize = 4_096;

/// Where that is which `rhinod top` reads.
pub const BRIEF_PATH: &str = "/top.json";

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// Metrics, in one of their forms.
    Metrics {
        /// Whether the newer form is understood.
        open: bool,
    },
    /// Whether the instance lives.
    Live,
    /// Whether it would serve a request.
    Ready,
    /// The page for people.
    People,
    /// What `rhinod top` reads.
    Brief,
    /// Nothing in particular.
    Root,
    /// Anything else.
    Other,
}

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// What is asked for.
    pub page: Page,
    /// Whether only the head of the answer is wanted.
    pub head_only: bool,
}

/// Reads a request; `None` while its head is not whole. What cannot be understood is asked for anything else, as in uWSGI,
/// which answers whatever is sent.
pub fn read(bytes: &[u8]) -> Option<Request> {
    // Whichever comes first: what follows must not matter.
    let ends = [find(bytes, b"\r\n\r\n"), find(bytes, b"\n\n")];
    let end = ends.into_iter().flatten().min();
    let head = match end {
        Some(end) => &bytes[..end],
        None if bytes.len() >= HEAD_BYTES_MAX => bytes,
        None => return None,
    };
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines();
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let page = match path {
        "/metrics" => Page::Metrics { open: lines.any(accepts_open_metrics) },
        "/livez" | "/healthz" => Page::Live,
        "/readyz" => Page::Ready,
        "/top" => Page::People,
        BRIEF_PATH => Page::Brief,
        "/" => Page::Root,
        _ => Page::Other,
    };
    Some(Request { page, head_only: method == "HEAD" })
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Whether a line says that OpenMetrics is understood.
fn accepts_open_metrics(line: &str) -> bool {
    let (name, value) = line.split_once(':').unwrap_or_default();
    name.eq_ignore_ascii_case("accept") && value.contains("application/openmetrics-text")
}

/// The head of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// Its status and reason.
    pub status: &'static str,
    /// What follows.
    pub content_type: &'static str,
    /// How long that is.
    pub length: usize,
}

impl Head {
    /// Its bytes. Nobody but who asked is allowed to read the answer: a browser gives it to no page of another site.
    pub fn bytes(&self) -> Vec<u8> {
        let Self { status, content_type, length } = self;
        format!(
            "HTTP/1.0 {status}\r\nConnection: close\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
             Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n\r\n"
        )
        .into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::mutation::{mutate_with, try_mutants};
    use testkit::seeds::Seeds;

    fn page(text: &str) -> Option<Page> {
        read(text.as_bytes()).map(|request| request.page)
    }

    #[test]
    fn paths_are_what_is_asked_for() {
        assert_eq!(page("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), Some(Page::Metrics { open: false }));
        let open = "GET /metrics?x=1 HTTP/1.1\r\nACCEPT: application/openmetrics-text;version=1.0.0,*/*\r\n\r\n";
        assert_eq!(page(open), Some(Page::Metrics { open: true }));
        assert_eq!(page("GET /livez HTTP/1.0\n\n"), Some(Page::Live));
        assert_eq!(page("GET /readyz HTTP/1.0\r\n\r\n"), Some(Page::Ready));
        assert_eq!(page("GET /top.json HTTP/1.0\r\n\r\n"), Some(Page::Brief));
        assert_eq!(page("GET /top HTTP/1.1\r\n\r\n"), Some(Page::People));
        assert_eq!(page("GET /?x HTTP/1.0\r\n\r\n"), Some(Page::Root));
        for other in ["GET /x HTTP/1.0\r\n\r\n", "\r\n\r\n", "\0\u{7f} \r\n\r\n", "PUT * x\n\n", "GET /metricsx x\n\n"]
        {
            assert_eq!(page(other), Some(Page::Other), "{other:?}");
        }
        assert_eq!(read(b"HEAD /livez HTTP/1.1\r\n\r\n"), Some(Request { page: Page::Live, head_only: true }));
    }

    #[test]
    fn of_mutants_the_answer_is_the_same_however_it_arrives_and_whatever_follows() {
        const PIECES: [&str; 16] = [
            "\r\n\r\n",
            "\n\n",
            "\r\n",
            "\n",
            " ",
            "?",
            ":",
            "\0",
            "é",
            "GET ",
            "HEAD ",
            "/metrics",
            "/readyz",
            "/top",
            "Accept: application/openmetrics-text\r\n",
            "accept:",
        ];
        let originals = [
            "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: application/openmetrics-text\r\n\r\n",
            "HEAD /livez HTTP/1.0\n\n",
        ];
        let originals = originals.map(|text| text.as_bytes().to_vec());
        let mutate = |random: &mut fastrand::Rng, bytes: &mut Vec<u8>| mutate_with(random, bytes, &PIECES);
        Seeds::of_this_run(2).try_all(|(): &mut (), seed| {
            let exercise = |bytes: &[u8]| {
                let whole = read(bytes);
                assert!(whole.is_some() || bytes.len() < HEAD_BYTES_MAX);
                let early = (0..bytes.len()).find_map(|end| read(&bytes[..end]));
                assert!(early.is_none() || early == whole, "{early:?} and then {whole:?}");
            };
            try_mutants(seed, &originals, mutate, exercise, |_| {})
        });
    }

    #[test]
    fn a_head_is_waited_for_until_it_is_whole_or_too_long() {
        let head = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
        assert!((0..head.len()).all(|end| read(&head.as_bytes()[..end]).is_none()));
        assert_eq!(read(&[b'x'; HEAD_BYTES_MAX - 1]), None);
        assert_eq!(read(&[b'x'; HEAD_BYTES_MAX]).map(|request| request.page), Some(Page::Other));
        assert_eq!(read(&[0xff; HEAD_BYTES_MAX]).map(|request| request.page), Some(Page::Other));
    }
}
