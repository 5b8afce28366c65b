//! The rows of the WSGI reference, answered by rhinod and by a real uWSGI, byte for byte; and the intended differences.
//!
//! Runs where uWSGI is: `tests/rivals/uwsgi.sh` installs it into the target directory. Elsewhere it says that it is not.

mod harness;
mod pythons;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use harness::{PATIENCE, target_directory};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pythons::{applications, launch};
use rhinod_bench::client::{Reply, Target, exchange, wait_for_answer};
use rhinod_bench::packet::Request;
use tempfile::TempDir;

/// Rows that both answer with the same bytes.
const SAME: &[&str] = &[
    "hello",
    "errors",
    "print",
    "status_int",
    "status_bytes",
    "status_not_latin1",
    "status_only_code",
    "status_unknown",
    "headers_tuple",
    "headers_lists",
    "headers_bytes",
    "headers_int",
    "headers_not_latin1",
    "headers_latin1",
    "headers_repeated",
    "after_sent",
    "late",
    "write",
    "generator",
    "empty_first",
    "tuple",
    "empty",
    "empty_piece",
    "bytes",
    "none_piece",
    "closing",
    "closed",
    "length_short",
    "raise_in_generator",
    "file",
    "file_memory",
    "file_closed",
    "closed",
    "file_iterated",
    "file_no_read",
];

/// Intended differences: the row, the status and body that uWSGI sends, and why ours are others.
const DIFFERENT: &[(&str, Option<u16>, &str, &str)] = &[
    ("status_short", Some(200), "nothing raised", "a body without a head would follow"),
    ("status_injection", Some(200), "nothing raised", "response splitting"),
    ("headers_empty_name", Some(200), "nothing raised", "it ends the head early"),
    ("headers_long", Some(200), "nothing raised", "uWSGI cuts the value to 4,464 bytes"),
    ("headers_injection", Some(200), "nothing raised", "response splitting"),
    ("headers_nul", Some(200), "nothing raised", "response splitting"),
    ("length_invalid", Some(200), "nothing raised", "nginx would take it for another length"),
    ("twice", Some(404), "second", "PEP 3333: an error without exc_info"),
    ("exc_info_before", Some(503), "", "uWSGI fails in the call and loses the error page"),
    ("exc_info_after", Some(200), "first ", "PEP 3333: the exception is raised again"),
    ("never", None, "", "a body without a head is no HTTP"),
    ("never_empty", None, "", "a cut connection is 502 in nginx"),
    ("too_late", None, "", "a body without a head is no HTTP"),
    ("write_str", Some(200), "nothing raised", "silent loss of data"),
    ("str_piece", Some(200), "", "silent loss of data"),
    ("int_piece", Some(200), "first last", "silent loss of data"),
    ("bytearray", Some(200), "", "silent loss of data"),
    ("none", Some(200), "", "a failure is no success"),
    ("closing_failed", Some(200), "", "a failure is no success"),
    ("length_long", Some(200), "exactly and more", "never more than announced"),
    ("no_content", Some(204), "not to be sent", "RFC 9110 15.3.5"),
    ("not_modified", Some(304), "not to be sent", "RFC 9110 15.4.5"),
    ("raise", None, "", "a cut connection is 502 in nginx"),
    ("raise_after_start", Some(200), "", "a failure is no success"),
    ("file_position", Some(200), "0123456789", "PEP 3333: from the current position"),
    ("file_length", Some(200), "0123456789", "PEP 3333: at most Content-Length"),
];

/// Calls of wsgi.input that give the same.
const SAME_INPUT: &[&str] = &["read", "read:5,read:4", "readline,read", "readlines", "iterate,read", "read:100,read:1"];

/// A uWSGI that serves the rows. It is ended by its pid.
struct Uwsgi {
    child: Child,
    directory: TempDir,
}

impl Uwsgi {
    fn start(binary: &Path) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new(binary);
        command
            .args(["--module", "rows", "--master", "--workers", "1", "--socket"])
            .arg(directory.path().join("app.sock"));
        command.arg("--chdir").arg(applications()).env("PYTHONDONTWRITEBYTECODE", "1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let rival = Self { child: command.spawn().expect("execute uWSGI"), directory };
        let hello = Request::get("/hello").to_uwsgi().expect("a packet");
        let pause = Duration::from_millis(20);
        wait_for_answer(&rival.target(), &hello, pause, PATIENCE, || Ok(())).expect("uWSGI answers");
        rival
    }

    fn target(&self) -> Target {
        Target::Unix(self.directory.path().join("app.sock"))
    }

    fn ask(&self, request: &Request) -> Reply {
        exchange(&self.target(), &request.to_uwsgi().expect("a packet"), PATIENCE).expect("uWSGI replies or closes")
    }
}

impl Drop for Uwsgi {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).expect("a pid is positive");
        // Not reaped yet, so that the pid is its own. SIGINT ends it with its workers.
        let _ = kill(Pid::from_raw(pid), Signal::SIGINT);
        let _ = self.child.wait();
    }
}

/// uWSGI's binary, if it is installed.
fn rival() -> Option<PathBuf> {
    let own = target_directory().parent()?.join("rivals/uwsgi/bin/uwsgi");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = [own].into_iter().chain(std::env::split_paths(&path).map(|directory| directory.join("uwsgi")));
    places.find(|place| place.exists())
}

#[test]
fn uwsgi_answers_the_same_rows_the_same() {
    let Some(binary) = rival() else {
        eprintln!("uWSGI is not installed (tests/rivals/uwsgi.sh does so): nothing was compared");
        return;
    };
    let uwsgi = Uwsgi::start(&binary);
    let mut rhinod = launch(&pythons::one(), "rows").start();
    rhinod.expect_log("[error] exception in GET /");
    rhinod.expect_log("[warn] the answer to GET /length_short ended before its announced length");
    for name in SAME {
        let request = Request::get(&format!("/{name}"));
        assert_eq!(text(&rhinod.ask(&request)), text(&uwsgi.ask(&request)), "{name}");
    }
    for calls in SAME_INPUT {
        let request = Request::get(&format!("/input?{calls}")).method("POST");
        let request = request.body("text/plain", b"line one\nline two\nrest".to_vec());
        assert_eq!(text(&rhinod.ask(&request)), text(&uwsgi.ask(&request)), "{calls}");
    }
    for (name, status, body, why) in DIFFERENT {
        let request = Request::get(&format!("/{name}"));
        let (ours, theirs) = (rhinod.ask(&request), uwsgi.ask(&request));
        assert_ne!(text(&ours), text(&theirs), "{name} was to differ: {why}");
        assert_eq!(
            (theirs.status(), &*String::from_utf8_lossy(theirs.body())),
            (*status, *body),
            "{name}: uWSGI's answer"
        );
    }
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.bytes).into_owned()
}
