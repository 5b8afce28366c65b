//! `route`: what the rules of a configuration make of a request, rule by rule. Nothing is started, nothing is changed: what
//! rules would do to a process is only said. Pure; runs before anything else.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use worker_protocol::head::RequestHead;
use worker_protocol::pairs::{self, Block, PathInfo};

use super::asked::Asked;
use crate::config::world::{Kind, World as Machine};
use crate::routing::{
    CacheChange, Cached, Change, Figure, FileTest, Request, Rules, Stage, Verdict, World, WrittenRule,
};

impl Asked {
    /// The same as a web server sends it.
    fn block(&self) -> Option<Vec<u8>> {
        let (scheme, rest) = self.url.split_once("://").unwrap_or(("http", ""));
        let (host, target) = match rest.find(['/', '?']) {
            _ if !self.url.contains("://") => ("localhost", self.url.as_str()),
            Some(at) => (&rest[..at], &rest[at..]),
            None => (rest, "/"),
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = crate::percent::decoded(path.as_bytes());
        let mut block = Vec::new();
        let mut push = |name: &str, value: &[u8]| pairs::append(&mut block, 0, name.as_bytes(), value).ok();
        push("REQUEST_METHOD", self.method.as_bytes())?;
        push("REQUEST_URI", target.as_bytes())?;
        push("PATH_INFO", &path)?;
        push("QUERY_STRING", query.as_bytes())?;
        push("SERVER_PROTOCOL", b"HTTP/1.1")?;
        push("REMOTE_ADDR", b"127.0.0.1")?;
        if scheme == "https" {
            push("HTTPS", b"on")?;
        }
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            push("HTTP_HOST", host.as_bytes())?;
        }
        for (name, value) in &self.headers {
            push(&format!("HTTP_{}", name.to_ascii_uppercase().replace('-', "_")), value.as_bytes())?;
        }
        Some(block)
    }
}

/// What rules make of a request. An error is what is wrong with the request or the rules.
pub(super) fn route(
    written: &[WrittenRule],
    asked: &Asked,
    directory: &Path,
    machine: &dyn Machine,
    epoch_us: u64,
) -> Result<String, String> {
    let rules = Rules::compile(written).map_err(|errors| {
        errors.iter().map(|(rule, error)| format!("{}: {}\n", rule.place, error.problem)).collect::<String>()
    })?;
    let block = asked.block().ok_or("the request is too large\n")?;
    let head = Block::parse(&block, usize::MAX).map_err(|error| format!("{error}\n"))?;
    let head = RequestHead::read(head, PathInfo::AsSent).map_err(|error| format!("{error}\n"))?;
    let world = Shown { directory, machine, epoch_us, said: RefCell::default() };
    let mut request = Request::new(&head, true);
    let mut text = String::new();
    let mut verdict = run(Stage::Request, &rules, &mut request, &world, &mut text);
    tell_request(&head, &request, &verdict, &mut text);
    let status = match &verdict {
        Verdict::Answer(answer) => answer.status(),
        Verdict::GoOn => 200,
    };
    for stage in [Stage::Error, Stage::Response, Stage::Final].into_iter().filter(|stage| rules.has(*stage)) {
        request.status = status;
        let _ = writeln!(text, "\nif the status of the answer is {status}:");
        verdict = run(stage, &rules, &mut request, &world, &mut text);
        if let Verdict::Answer(answer) = &verdict {
            let _ = writeln!(text, "the answer becomes {answer}");
        }
    }
    tell_answer(&request, &mut text);
    Ok(text)
}

fn run(stage: Stage, rules: &Rules, request: &mut Request<'_>, world: &Shown<'_>, text: &mut String) -> Verdict {
    let verdict = rules.run(stage, request, world);
    for note in request.take_notes().iter().chain(&world.said.take()) {
        let _ = writeln!(text, "{}", crate::escape::lines(note));
    }
    verdict
}

fn tell_request(head: &RequestHead<'_>, request: &Request<'_>, verdict: &Verdict, text: &mut String) {
    let _ = match verdict {
        Verdict::Answer(answer) => writeln!(text, "\nrules answer with {answer}"),
        Verdict::GoOn => writeln!(text, "\nthe request goes on"),
    };
    for (name, value) in request.changes() {
        let was = head.block().get(name.as_bytes()).map(|was| format!(", was {}", crate::escape::value(was)));
        let _ = writeln!(text, "  {name} = {}{}", crate::escape::lines(&value), was.unwrap_or_default());
    }
}

fn tell_answer(request: &Request<'_>, text: &mut String) {
    let shown = String::from_utf8_lossy;
    for (name, value) in &request.added {
        let _ = writeln!(text, "  the answer gets {}: {}", shown(name), shown(value));
    }
    for name in &request.removed {
        let _ = writeln!(text, "  the answer of the application loses {}", shown(name));
    }
    for (name, value) in &request.log_variables {
        let _ = writeln!(text, "  the log gets {} = {}", shown(name), crate::escape::value(value));
    }
    if request.is_silent {
        let _ = writeln!(text, "  the log gets no line");
    }
    if let Some(seconds) = request.deadline_s {
        let _ = writeln!(text, "  the application has {seconds} s");
    }
}

/// The machine that the command runs on, as rules see it; what they would do to a process is only said.
struct Shown<'m> {
    directory: &'m Path,
    machine: &'m dyn Machine,
    epoch_us: u64,
    said: RefCell<Vec<String>>,
}

impl Shown<'_> {
    fn path(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }

    fn say(&self, told: String) {
        self.said.borrow_mut().push(told);
    }
}

impl World for Shown<'_> {
    fn epoch_us(&self) -> u64 {
        self.epoch_us
    }

    /// What can be executed is taken for what is there.
    fn is(&self, test: FileTest, path: &[u8]) -> bool {
        let path = self.path(&String::from_utf8_lossy(path));
        let sight = self.machine.look(&path);
        match test {
            FileTest::Exists => sight.is_some_and(|sight| sight.readable),
            FileTest::IsExecutable => sight.is_some(),
            FileTest::IsFile => sight.is_some_and(|sight| sight.kind == Kind::File),
            FileTest::IsDirectory => sight.is_some_and(|sight| sight.kind == Kind::Directory),
            FileTest::IsLink => self.machine.is_link(&path),
        }
    }

    fn read(&self, path: &str) -> Result<String, String> {
        let bytes = self.machine.read(&self.path(path)).map_err(|error| error.to_string())?;
        String::from_utf8(bytes).map_err(|error| error.to_string())
    }

    fn modified_s(&self, _: &[u8]) -> Option<u64> {
        None
    }

    fn media_type(&self, _: &[u8]) -> Option<String> {
        None
    }

    fn figure(&self, _: Figure) -> u64 {
        0
    }

    fn metric(&self, _: &str) -> Option<u64> {
        None
    }

    fn cached(&self, _: &str, _: &[u8]) -> Option<Cached> {
        None
    }

    fn change_cache(&self, cache: &str, key: &[u8], change: CacheChange<'_>) {
        let which = if cache.is_empty() { "the first cache".to_owned() } else { format!("the cache {cache}") };
        let key = crate::escape::value(key);
        self.say(match change.what {
            Change::Add(value) => format!("  {which} gets {} bytes for {key}, unless it has some", value.len()),
            Change::Put(value) => format!("  {which} gets {} bytes for {key}", value.len()),
            Change::Calculate(..) => format!("  {which} calculates with the number of {key}"),
        });
    }

    fn call(&self, address: &str, function: &[u8], _: &[&[u8]]) -> Option<Vec<u8>> {
        let at = if address.is_empty() { String::new() } else { format!(" at {}", crate::escape::lines(address)) };
        self.say(format!(
            "  the function {}{at} is called, and taken to give no result",
            crate::escape::value(function)
        ));
        None
    }

    fn raise(&self, signal: u8) {
        self.say(format!("  the signal {signal} is raised"));
    }

    fn random(&self) -> [u8; 16] {
        [0; 16]
    }

    fn log(&self, line: &str) {
        self.say(format!("  the log gets: {line}"));
    }

    fn alarm(&self, name: &str, message: &str) {
        self.say(format!("  the alarm {name} is raised: {message}"));
    }

    fn change_directory(&self, path: &[u8]) -> Result<(), String> {
        self.say(format!("  the worker changes to {}", crate::escape::value(path)));
        Ok(())
    }

    fn set_title(&self, title: &str) {
        self.say(format!("  the worker is called {title}"));
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    #[test]
    fn a_url_becomes_what_a_web_server_sends() {
        let words = ["GET", "https://app.example/a%20b?c=d", "Accept: text/html"].map(OsString::from);
        let block = Asked::read(&words).unwrap().block().unwrap();
        let block = Block::parse(&block, 100).unwrap();
        for (name, value) in [
            ("PATH_INFO", "/a b"),
            ("QUERY_STRING", "c=d"),
            ("REQUEST_URI", "/a%20b?c=d"),
            ("HTTP_HOST", "app.example"),
            ("HTTPS", "on"),
            ("HTTP_ACCEPT", "text/html"),
        ] {
            assert_eq!(block.get(name.as_bytes()), Some(value.as_bytes()), "{name}");
        }
        assert!(Asked::read(&words[..1]).is_err());
        assert!(Asked::read(&["GET", "/", "none"].map(OsString::from)).is_err());
    }
}
