//! The rows of the WSGI reference, and applications of Django and Werkzeug, answered by rhinod and by a real uWSGI, byte
//! for byte; and the intended differences.
//!
//! `tests/rivals/*.sh` install uWSGI and the frameworks into the target directory, once. Where that cannot be done (no
//! network, no compiler) the tests say that nothing was compared.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::harness::Instance;
use crate::pythons::launch;
use crate::rivals::{Uwsgi, frameworks, uwsgi};
use loadgen::client::Reply;
use loadgen::packet::Request;

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
    "file_passed_on",
    "file_no_size?-1",
    "file_no_size?0",
    "headers_control",
    "twice",
    "empty_pieces",
    "none",
];

/// Intended differences: the row, the status and body that uWSGI sends, and why ours are others.
const DIFFERENT: &[(&str, Option<u16>, &str, &str)] = &[
    ("status_short", Some(200), "nothing raised", "a body without a head would follow"),
    ("status_injection", Some(200), "nothing raised", "response splitting"),
    ("headers_empty_name", Some(200), "nothing raised", "it ends the head early"),
    ("headers_long", Some(200), "nothing raised", "uWSGI cuts the value to 4,464 bytes"),
    ("headers_injection", Some(200), "nothing raised", "response splitting"),
    ("headers_nul", Some(200), "nothing raised", "response splitting"),
    ("status_long", Some(200), "nothing raised", "nginx would make it 200"),
    ("status_joined", None, "not here", "nginx would make it 200"),
    ("length_invalid?ten", Some(200), "whole", "newer web servers refuse it; it tells nobody anything"),
    ("length_twice", Some(200), "nothing raised", "one of the two would cut the answer"),
    ("write_empty", Some(200), "lost", "a bytearray is bytes"),
    ("none_at_all", None, "", "a cut connection is 502 in nginx"),
    ("exc_info_before", Some(503), "", "uWSGI fails in the call and loses the error page"),
    ("exc_info_after", Some(200), "first ", "PEP 3333: the exception is raised again"),
    ("never", None, "", "a body without a head is no HTTP"),
    ("never_empty", None, "", "a cut connection is 502 in nginx"),
    ("too_late", None, "", "a body without a head is no HTTP"),
    ("write_str", Some(200), "nothing raised", "silent loss of data"),
    ("str_piece", Some(200), "", "silent loss of data"),
    ("int_piece", Some(200), "first last", "silent loss of data"),
    ("bytearray", Some(200), "", "silent loss of data"),
    ("closing_failed", Some(200), "", "a failure is no success"),
    ("length_long", Some(200), "exactly and more", "never more than announced"),
    ("no_content", Some(204), "not to be sent", "RFC 9110 15.3.5"),
    ("not_modified", Some(304), "not to be sent", "RFC 9110 15.4.5"),
    ("raise", None, "", "a cut connection is 502 in nginx"),
    ("raise_after_start", Some(200), "", "a failure is no success"),
    ("file_position", Some(200), "0123456789", "PEP 3333: from the current position"),
    ("file_length", Some(200), "0123456789", "PEP 3333: at most Content-Length"),
    ("file_at?/proc/sys/kernel/ostype", Some(200), "", "it has no size"),
    ("file_of_pipe", Some(200), "", "it has no size"),
    ("file_part", Some(200), "0123456789", "what is read is another thing than the file"),
    ("file_other_read", Some(200), "0123456789", "the same"),
    ("file_write_only", Some(200), "", "a failure is no success"),
    ("file_text", Some(200), "0123456789", "PEP 3333: bytes; what the client gets were to depend on the descriptor"),
];

/// Calls of wsgi.input that give the same.
const SAME_INPUT: &[&str] = &["read", "read:5,read:4", "readline,read", "readlines", "iterate,read", "read:100,read:1"];

/// Intended differences in the answers of Django and Werkzeug, and why. Besides, uWSGI sends a body to a HEAD.
const UNEQUAL: &[(&str, &str)] = &[
    ("unread body", "uWSGI resets the connection, and the answer is lost"),
    ("whole body, too large for Django", "the same"),
    ("TLS by another word", "UWSGI_SCHEME is for the server, and no variable of the application's"),
    ("behind TLS", "X-Forwarded-Proto is believed if it comes from a trusted-proxy"),
];

#[test]
fn uwsgi_answers_the_same_rows_the_same() {
    let Some(binary) = uwsgi() else { return };
    let uwsgi = Uwsgi::start(binary, "rows", None, "/hello");
    let mut rhinod = launch(&crate::pythons::one(), "rows").start();
    rhinod.expect_log("[error] exception in GET /");
    rhinod.expect_log("(PEP 3333; this worker will not say so again)");
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

/// Both servers with a module of the frameworks' virtualenv; `None` where they are not.
fn both(module: &str, ready: &str) -> Option<(Instance, Uwsgi)> {
    let (binary, home) = (uwsgi()?, frameworks()?);
    let rhinod = launch(&crate::pythons::one(), module).without("python-executable").set("home", home.display());
    Some((rhinod.start(), Uwsgi::start(binary, module, Some(home), ready)))
}

/// Does something again if a second ended meanwhile: answers tell the time (`Date`, `Expires`).
fn within_a_second<T>(ask: impl Fn() -> T) -> T {
    /// Then they differ because they are slow.
    const ATTEMPTS_MAX: usize = 5;
    let second = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    for _ in 1..ATTEMPTS_MAX {
        let began = second();
        let asked = ask();
        if began == second() {
            return asked;
        }
    }
    ask()
}

/// Asks both; every request that they answer with different bytes is in the message.
fn compare(rhinod: &Instance, uwsgi: &Uwsgi, requests: &[(&str, Request)]) {
    let mut differences = String::new();
    for (name, request) in requests {
        let (ours, mut theirs) = within_a_second(|| {
            let theirs = uwsgi.try_ask(request).map_or_else(|error| error.to_string(), |reply| text(&reply));
            (text(&rhinod.ask(request)), theirs)
        });
        if request.expects_no_body() {
            theirs.truncate(theirs.find("\r\n\r\n").map_or(0, |at| at + 4));
        }
        let intended = UNEQUAL.iter().find(|(unequal, _)| unequal == name);
        if let Some((_, why)) = intended {
            assert_ne!(ours, theirs, "{name} was to differ: {why}");
        } else if ours != theirs {
            let _written = writeln!(differences, "{name}\n  rhinod: {ours:?}\n  uWSGI:  {theirs:?}");
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

fn get(target: &str) -> Request {
    Request::get(target)
}

fn post(target: &str, kind: &str, body: &[u8]) -> Request {
    Request::get(target).method("POST").body(kind, body.to_vec())
}

/// A form in parts, with two files, one of them large enough for Django to put it into a file of its own.
fn parts(target: &str) -> Request {
    let mut body = b"--edge\r\nContent-Disposition: form-data; name=\"field\"\r\n\r\nvalue \xc3\xa9\r\n".to_vec();
    body.extend(b"--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a \xe2\x82\xac.txt\"\r\n");
    body.extend(b"Content-Type: text/plain\r\n\r\nsmall\r\n");
    body.extend(b"--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"large.bin\"\r\n");
    body.extend(b"Content-Type: application/octet-stream\r\n\r\n");
    body.extend((0..3_000_000_u32).map(|number| number.to_le_bytes()[1]));
    body.extend(b"\r\n--edge--\r\n");
    post(target, "multipart/form-data; boundary=edge", &body)
}

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn django_answers_the_same_under_both() {
    let Some((mut rhinod, uwsgi)) = both("django_views", "/host") else { return };
    rhinod.expect_log("exception in GET /failing_stream");
    rhinod.expect_log("no trusted-proxy is set");
    let mut requests = vec![
        ("cookies", get("/cookies").var("HTTP_COOKIE", b"plain=1; quoted=\"a b\"; empty=")),
        ("conditional, same tag", get("/conditional").var("HTTP_IF_NONE_MATCH", b"\"a tag\"")),
        ("conditional, other tag", get("/conditional").var("HTTP_IF_NONE_MATCH", b"\"another\"")),
        ("conditional, no match", get("/conditional").var("HTTP_IF_MATCH", b"\"another\"")),
        ("conditional, newer", get("/conditional").var("HTTP_IF_MODIFIED_SINCE", b"Sat, 03 Jan 2026 00:00:00 GMT")),
        ("conditional, older", get("/conditional").var("HTTP_IF_MODIFIED_SINCE", b"Thu, 01 Jan 2026 00:00:00 GMT")),
        ("body", post("/body", "text/plain", b"one line\nanother line\nand the rest")),
        ("body, short", post("/body", "text/plain", b"ab")),
        ("body, empty", post("/body", "text/plain", b"")),
        ("whole body", post("/whole_body", "text/plain", &vec![b'x'; 2_000_000])),
        ("whole body, too large for Django", post("/whole_body", "text/plain", &vec![b'x'; 3_000_000])),
        ("unread body", post("/unread", "text/plain", &vec![b'x'; 100_000])),
        ("form", post("/form", FORM, b"a=1&a=2&b=%C3%A9&c=")),
        ("form in parts", parts("/form")),
        ("form in parts, broken", post("/form", "multipart/form-data; boundary=edge", b"--edge\r\nnothing")),
        ("only post, posted", post("/only_post", FORM, b"a=1")),
        ("a host that is not served", get("/host").var("HTTP_HOST", b"other.example")),
        ("behind TLS", get("/meta/").var("HTTP_X_FORWARDED_PROTO", b"https")),
        ("TLS by another word", get("/meta/").var("UWSGI_SCHEME", b"https")),
        ("TLS itself", get("/meta/").var("HTTPS", b"on").var("REQUEST_SCHEME", b"https")),
        ("headers of all kinds", get("/meta/").var("HTTP_X_LATIN", b"caf\xe9").var("HTTP_X_EMPTY", b"")),
        ("a query", get("/meta/?a=1&a=2&b=%C3%A9&c=a+b&empty=")),
        ("a form for meta", post("/meta/", FORM, b"a=1")),
        ("delete", get("/meta/").method("DELETE")),
        ("options", get("/host").method("OPTIONS")),
        ("text, UTF-8", get("/text/caf%C3%A9/%E2%82%AC")),
        ("text, not UTF-8", get("/text/caf%E9")),
        ("text, escaped", get("/text/a%2Fb%3Fc%20d")),
        ("a status with a reason of its own", get("/status/299")),
        ("a status without a reason", get("/status/599")),
    ];
    // `missing` and `failing` are Django's own pages; `/meta` is sent on to `/meta/`.
    for page in [
        "/meta/",
        "/meta",
        "/stream",
        "/file",
        "/memory_file",
        "/conditional",
        "/tagged",
        "/cookies",
        "/moved",
        "/moved_for_good",
        "/missing",
        "/nowhere",
        "/forbidden",
        "/suspicious",
        "/failing",
        "/only_post",
        "/nothing",
        "/not_modified",
        "/status/200",
        "/headers",
        "/host",
        "/failing_stream",
    ] {
        requests.push((page, get(page)));
        requests.push((page, get(page).method("HEAD")));
    }
    compare(&rhinod, &uwsgi, &requests);
}

#[test]
fn werkzeug_answers_the_same_under_both() {
    let Some((rhinod, uwsgi)) = both("werkzeug_views", "/asked") else { return };
    let mut requests = vec![
        ("asked", get("/asked?a=1&a=2&b=%C3%A9&c=").var("HTTP_ACCEPT_LANGUAGE", b"de,en;q=0.5")),
        ("authorization", get("/asked").var("HTTP_AUTHORIZATION", b"Basic dXNlcjpwYXNz")),
        ("cookies sent", get("/asked").var("HTTP_COOKIE", b"a=1; b=\"2 3\"; a=4")),
        ("form", post("/form", FORM, b"a=1&a=2&b=%C3%A9")),
        ("form in parts", parts("/form")),
        ("data", post("/data", "text/plain", &vec![b'x'; 1_000_000])),
        ("data, none", get("/data")),
        ("lines", post("/lines", "text/plain", b"one\ntwo\n\nlast")),
        ("json", post("/read_json", "application/json", b"{\"a\": [1, null]}")),
        ("json, broken", post("/read_json", "application/json", b"{")),
        ("json, of another type", post("/read_json", "text/plain", b"{}")),
        ("unread body", post("/early", "text/plain", &vec![b'x'; 100_000])),
        ("file, same tag", get("/file").var("HTTP_IF_NONE_MATCH", b"\"a-tag\"")),
        ("file, a part", get("/file").var("HTTP_RANGE", b"bytes=10-99")),
        ("memory, a part", get("/file_of_memory").var("HTTP_RANGE", b"bytes=-10")),
        ("memory, no such part", get("/file_of_memory").var("HTTP_RANGE", b"bytes=5000-")),
        ("conditional, a part", get("/conditional").var("HTTP_RANGE", b"bytes=3-5")),
        ("conditional, newer", get("/conditional").var("HTTP_IF_MODIFIED_SINCE", b"Sat, 03 Jan 2026 00:00:00 GMT")),
        ("a slash that is missing", get("/slash?a=1")),
        ("a method that is not allowed", get("/aborted/404").method("DELETE")),
    ];
    for page in [
        "/asked",
        "/streamed",
        "/with_stream",
        "/file",
        "/file_of_memory",
        "/wrapped",
        "/own_wrapper",
        "/conditional",
        "/cookies",
        "/moved",
        "/closing",
        "/early",
        "/aborted/400",
        "/aborted/404",
        "/aborted/418",
        "/nowhere",
    ] {
        requests.push((page, get(page)));
        requests.push((page, get(page).method("HEAD")));
    }
    compare(&rhinod, &uwsgi, &requests);
}

/// What Werkzeug's test application shows otherwise, and why.
const SHOWN_OTHERWISE: &[(&str, &str)] = &[
    ("<li class=\"exp\">", "uWSGI has the directory on sys.path twice, as . and as an empty entry"),
    ("<tr><th>SCRIPT_NAME", "uWSGI has it only when the web server sends it; PEP 3333 allows that"),
    ("<tr><th>rhinod.generation", "uWSGI has no generations"),
    ("<tr><th>wsgi.errors", "another object"),
    ("<tr><th>wsgi.file_wrapper", "another object"),
    ("<tr><th>wsgi.input", "another object"),
];

#[test]
fn werkzeugs_test_application_shows_the_same_under_both() {
    let Some((rhinod, uwsgi)) = both("werkzeug_views", "/asked") else { return };
    let request = get("/testapp?a=1").var("HTTP_ACCEPT_LANGUAGE", b"de");
    let page = |reply: Reply| String::from_utf8_lossy(reply.body()).into_owned();
    let (ours, theirs) = (page(rhinod.ask(&request)), page(uwsgi.ask(&request)));
    assert!(theirs.contains("<h2 id=\"wsgi-environment\">"), "{theirs}");
    // A row of a table or an entry of a list is a line.
    let differing: Vec<&str> = different_lines(&ours, &theirs).chain(different_lines(&theirs, &ours)).collect();
    let unlisted: Vec<&&str> =
        differing.iter().filter(|line| !SHOWN_OTHERWISE.iter().any(|(start, _)| line.starts_with(start))).collect();
    assert!(unlisted.is_empty(), "{unlisted:#?}");
    for (start, why) in SHOWN_OTHERWISE {
        assert!(differing.iter().any(|line| line.starts_with(start)), "{start} was to differ: {why}");
    }
}

fn different_lines<'a>(one: &'a str, other: &'a str) -> impl Iterator<Item = &'a str> {
    one.lines().filter(|line| !other.lines().any(|theirs| theirs == *line))
}
