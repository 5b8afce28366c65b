//! WSGI, row by row (PEP 3333; uWSGI's manual, "Python support"), under every interpreter that there is.
//!
//! The applications are in `tests/python/rows.py`. What uWSGI answers to the same rows is compared in
//! `python_rival.rs`.

use std::collections::BTreeMap;

use crate::harness::Instance;
use crate::pythons::{launch, supported};
use fastrand::Rng;
use loadgen::client::Reply;
use loadgen::packet::Request;

/// The page for a failed application.
const PAGE: &str = "Internal Server Error\n";

/// A row that answers 200 with this body.
const ANSWERED: &[(&str, &str)] = &[
    ("status_int", "TypeError: http status must be a string"),
    ("status_bytes", "TypeError: http status must be a string"),
    ("status_not_latin1", "TypeError: http status string must be encodable in latin1"),
    ("status_short", "ValueError: http status must begin with a code of three digits, not \"20\""),
    ("status_words", "ValueError: http status must begin with a code of three digits, not \"OK 200\""),
    ("status_long", "ValueError: http status must begin with a code of three digits, not \"2000 OK\""),
    ("status_injection", "ValueError: reason phrase of status 200 contains a control character"),
    ("headers_tuple", "TypeError: http headers must be in a python list"),
    ("headers_lists", "TypeError: http header must be defined in a tuple"),
    ("headers_bytes", "TypeError: http header key must be a string"),
    ("headers_int", "TypeError: http header value must be a string"),
    ("headers_not_latin1", "TypeError: http header must be encodable in latin1"),
    ("headers_empty_name", "ValueError: header name \"\" is not a token"),
    ("headers_long", "ValueError: header A makes the response head larger than 65536 bytes"),
    ("headers_injection", "ValueError: value of header A contains the control character 0x0d"),
    ("headers_nul", "ValueError: value of header A contains the control character 0x00"),
    ("length_twice", "ValueError: the Content-Length header is not one decimal number"),
    ("exc_info_after", "first raised again: after the output"),
    ("after_sent", "first OSError: headers already sent"),
    ("late", "late"),
    ("write", "one two [None, None, None]"),
    ("write_str", "TypeError: a piece of the response body must be bytes (PEP 3333), not str"),
    ("generator", "piece 0\npiece 1\npiece 2\n"),
    ("empty_first", "then more"),
    ("tuple", "a tuple"),
    ("empty", ""),
    ("empty_piece", ""),
    ("bytes", "bytes themselves"),
    ("none_piece", "one two"),
    ("bytearray", "a bytearray, a view"),
    ("closing", "to be closed"),
    ("closed", "whole"),
    ("length_long", "exact"),
    ("file", "0123456789"),
    ("file_position", "56789"),
    ("file_length", "012"),
    ("file_memory", "in memory"),
    ("file_closed", "closed"),
    ("closed", "file"),
    ("file_iterated", "a piece at a time"),
    ("file_no_read", "AttributeError"),
    ("file_at?/proc/sys/kernel/ostype", "Linux\n"),
    ("file_of_pipe", "out of a pipe"),
    ("file_of_gzip", "unpacked"),
    ("file_of_bz2", "unpacked"),
    ("file_of_lzma", "unpacked"),
    ("file_buffered_gzip", "unpacked"),
    ("file_part", "0123"),
    ("file_other_read", "another"),
    ("file_passed_on", "0123456789"),
    ("file_written", "written9"),
    ("file_no_size?-1", "0123456789"),
    ("file_no_size?0", "0123456789"),
    ("print", "printed"),
    ("errors", "written"),
];

/// A row whose application breaks the rules or fails: the client gets 500, the log says this.
const FAILED: &[(&str, &str)] = &[
    ("never", "RuntimeError: the application returned a body without calling start_response"),
    ("never_empty", "RuntimeError: the application returned a body without calling start_response"),
    ("too_late", "RuntimeError: the application returned a body without calling start_response"),
    ("str_piece", "TypeError: a piece of the response body must be bytes (PEP 3333), not str"),
    ("str", "TypeError: a piece of the response body must be bytes (PEP 3333), not str"),
    ("none_at_all", "TypeError: the application returned NoneType, which cannot be iterated: PEP 3333 wants"),
    ("number", "TypeError: the application returned int, which cannot be iterated: PEP 3333 wants"),
    ("closing_failed", "ValueError: in the iteration"),
    ("file_write_only", "io.UnsupportedOperation: read"),
    ("file_text", "TypeError: a piece of the response body must be bytes (PEP 3333), not str"),
    ("raise", "ValueError: before start_response"),
    ("raise_after_start", "ValueError: after start_response"),
    ("raise_unprintable", "Unprintable"),
    ("interrupt", "KeyboardInterrupt"),
    // uWSGI's master takes some codes for orders (a fault of uWSGI's).
    ("exit?0", "SystemExit: 0"),
    ("exit?15", "SystemExit: 15"),
    ("exit?22", "SystemExit: 22"),
    ("exit?31", "SystemExit: 31"),
];

fn row(instance: &Instance, name: &str) -> Reply {
    instance.get(&format!("/{name}"))
}

fn body(reply: &Reply) -> String {
    String::from_utf8_lossy(reply.body()).into_owned()
}

fn posted(instance: &Instance, target: &str, bytes: &[u8]) -> Reply {
    instance.ask(&Request::get(target).method("POST").body("text/plain", bytes.to_vec()))
}

#[test]
fn every_row_answers_as_the_reference_wants_it() {
    for python in supported() {
        let mut instance = launch(python, "rows").start();
        instance.expect_log("[error] exception in GET /");
        for (name, expected) in ANSWERED {
            let reply = row(&instance, name);
            assert_eq!((reply.status(), &*body(&reply)), (Some(200), *expected), "{name} under {python:?}");
        }
        let worker = body(&row(&instance, "pid"));
        for (name, logged) in FAILED {
            let reply = row(&instance, name);
            assert_eq!((reply.status(), &*body(&reply)), (Some(500), PAGE), "{name} under {python:?}");
            instance.log.wait_for(logged);
        }
        assert_eq!(body(&row(&instance, "pid")), worker, "the worker lives on");
        instance.stop();
    }
}

/// Rows that go against PEP 3333 where nothing is lost: status, body, and what the log says once. Each list has a worker of
/// its own, which says each thing once.
const TOLERATED: [&[(&str, u16, &str, &str)]; 2] = [
    &[
        (
            "empty_pieces",
            200,
            "nothing lost",
            "an empty str is a piece of the answer, where bytes are wanted: it is skipped",
        ),
        ("twice", 404, "second", "start_response was called twice without exc_info: the last call counts"),
        ("none", 200, "", "the application returned None, where an iterable of bytes is wanted: the answer is empty"),
        ("length_invalid?ten", 200, "whole", "Content-Length is \"ten\", which is no number: the header is left out"),
    ],
    &[
        ("write_empty", 200, "nothing lost", "an empty str is a piece of the answer"),
        ("length_invalid?", 200, "whole", "Content-Length is \"\", which is no number"),
    ],
];

#[test]
fn what_costs_nobody_anything_passes_and_is_told_once() {
    for python in supported() {
        for rows in TOLERATED {
            let mut instance = launch(python, "rows").start();
            instance.expect_log("[warn] GET /");
            for (name, status, expected, _) in rows.iter().chain(rows) {
                let reply = row(&instance, name);
                let got = (reply.status(), body(&reply));
                assert_eq!(got, (Some(*status), (*expected).to_owned()), "{name} under {python:?}");
                assert_eq!(reply.header("content-length"), None, "{name}");
            }
            for (_, _, _, told) in rows {
                instance.log.wait_for(told);
            }
            let told = instance.log.lines_with("PEP 3333");
            assert_eq!(told.len(), rows.len(), "each once: {told:?}");
        }
    }
}

#[test]
fn status_lines_and_headers_go_out_as_they_are() {
    let instance = launch(&crate::pythons::one(), "rows").start();
    let head = |name: &str| {
        let reply = row(&instance, name);
        let text = String::from_utf8_lossy(&reply.bytes).into_owned();
        text.split("\r\n\r\n").next().unwrap_or_default().to_owned()
    };
    assert_eq!(head("status_only_code"), "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain");
    assert_eq!(head("status_joined"), "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain");
    assert_eq!(head("headers_control"), "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Name: a\u{b}\u{1b}\u{7f}b");
    assert_eq!(head("status_unknown"), "HTTP/1.1 299 Unknown\r\nContent-Type: text/plain");
    assert_eq!(
        head("headers_repeated"),
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2"
    );
    let latin1 = row(&instance, "headers_latin1");
    assert!(latin1.bytes.windows(14).any(|bytes| bytes == b"X-Name: caf\xe9\r\n"));
    assert_eq!(
        head("exc_info_before"),
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 10"
    );
    assert_eq!(body(&row(&instance, "exc_info_before")), "error page");
}

#[test]
fn nothing_that_a_client_sends_makes_a_line_of_the_log_endless() {
    let mut instance = launch(&crate::pythons::one(), "rows").start();
    instance.expect_log("exception in MMM");
    instance.expect_log("the answer to MMM");
    let method = "M".repeat(50_000);
    for target in ["/raise", "/length_short"] {
        instance.ask(&Request::get(target).method(&method));
        instance.log.wait_for(&format!("... {target} =>"));
    }
    let lines = instance.log.lines();
    assert!(lines.iter().all(|line| line.len() < 8_192), "{:?} bytes", lines.iter().map(String::len).max());
}

#[test]
fn no_body_goes_where_none_may_be() {
    let instance = launch(&crate::pythons::one(), "rows").start();
    for name in ["no_content", "not_modified"] {
        assert_eq!(row(&instance, name).body(), b"", "{name}");
    }
    let reply = instance.ask(&Request::get("/hello").method("HEAD"));
    assert_eq!((reply.header("content-length").as_deref(), reply.body()), (Some("6"), &b""[..]));
    // The head goes out with the first piece, and nobody waits for the last one.
    let reply = instance.ask(&Request::get("/stream?1000000000000").method("HEAD"));
    assert_eq!((reply.status(), reply.body()), (Some(200), &b""[..]));
    assert_eq!(body(&row(&instance, "closed")), "generator");
}

#[test]
fn a_failure_in_the_middle_keeps_what_was_sent() {
    let mut instance = launch(&crate::pythons::one(), "rows").start();
    instance.expect_log("[error] exception in GET /");
    instance.expect_log("[error] the application's close() failed");
    for (name, sent) in [("raise_in_generator", "first"), ("int_piece", "first ")] {
        let reply = row(&instance, name);
        assert_eq!((reply.status(), &*body(&reply)), (Some(200), sent), "{name}");
    }
    assert_eq!(body(&row(&instance, "closing_fails")), "close fails");
    instance.log.wait_for("ValueError: in close");
    assert_eq!(row(&instance, "closing_failed").status(), Some(500));
    assert_eq!(body(&row(&instance, "closed")), "fails failed", "close() is called after a failure too");
}

/// Files of the kernel's are sent without a copy; of whatever else has a descriptor, what `read` gives is sent.
#[test]
fn the_kernel_sends_a_file_only_where_read_gives_the_same() {
    // A file whose size is a page, whatever is in it.
    const OF_SYS: &str = "/sys/class/net/lo/mtu";
    let by_kernel = ["file", "file_position", "file_length", "file_passed_on", "file_written"];
    let by_reading =
        ["file_memory", "file_of_pipe", "file_of_gzip", "file_buffered_gzip", "file_part", "file_other_read"];
    for python in supported() {
        let instance = launch(python, "rows").start();
        let asked = by_kernel.iter().map(|name| (name, true)).chain(by_reading.iter().map(|name| (name, false)));
        for (name, by_kernel) in asked {
            let seen = instance.log.position();
            row(&instance, name);
            let line = instance.log.wait_for_after(seen, &format!("GET /{name} =>")).text;
            assert_eq!(line.contains("via sendfile()"), by_kernel, "{line} under {python:?}");
        }
        if let Ok(there) = std::fs::read_to_string(OF_SYS) {
            assert_eq!(body(&row(&instance, &format!("file_at?{OF_SYS}"))), there);
        }
    }
}

#[test]
fn an_answer_that_is_too_short_is_told() {
    let mut instance = launch(&crate::pythons::one(), "rows").start();
    assert_eq!(body(&row(&instance, "length_short")), "short");
    instance.wait_for_expected("[warn] the answer to GET /length_short ended before its announced length");
}

#[test]
fn applications_that_keep_the_rules_pass_the_validator() {
    // What the validator itself refuses in these applications is not served behind it.
    const LAWFUL: &[&str] = &["hello", "generator", "late", "tuple", "closing", "headers_repeated", "status_unknown"];
    for python in supported() {
        let plain = launch(python, "rows").start();
        let validated = launch(python, "rows_validated").start();
        for name in LAWFUL {
            assert_eq!(row(&validated, name), row(&plain, name), "{name} under {python:?}");
        }
        for target in ["/input?read:5,readline:3,readline,readlines:4,read:100", "/input?iterate"] {
            let text = b"line one\nline two\nrest";
            assert_eq!(posted(&validated, target, text), posted(&plain, target, text), "{target} under {python:?}");
        }
    }
}

#[test]
fn the_environ_has_the_keys_and_types_of_the_reference() {
    for python in supported() {
        let instance = launch(python, "rows").set("workers", 2).start();
        let request = Request::get("/environ?q=1").var("HTTP_X_TEST", b"caf\xc3\xa9").var("EMPTY", b"");
        let environ: serde_json::Value = serde_json::from_slice(instance.ask(&request).body()).expect("JSON");
        let entry = |key: &str| (environ[key][0].as_str().unwrap_or_default(), environ[key][1].to_string());
        let expected = [
            ("REQUEST_METHOD", "str", "\"GET\""),
            ("PATH_INFO", "str", "\"/environ\""),
            ("QUERY_STRING", "str", "\"q=1\""),
            ("SCRIPT_NAME", "str", "\"\""),
            ("CONTENT_LENGTH", "str", "\"\""),
            ("EMPTY", "str", "\"\""),
            // The bytes of UTF-8, seen through Latin-1.
            ("HTTP_X_TEST", "str", "\"cafÃ©\""),
            ("wsgi.version", "tuple", "[1,0]"),
            ("wsgi.url_scheme", "str", "\"http\""),
            ("wsgi.multithread", "bool", "false"),
            ("wsgi.multiprocess", "bool", "true"),
            ("wsgi.run_once", "bool", "false"),
            ("uwsgi.version", "bytes", "\"b'2.0.31'\""),
            ("rhinod.generation", "int", "1"),
        ];
        for (key, kind, value) in expected {
            assert_eq!(entry(key), (kind, value.to_owned()), "{key} under {python:?}");
        }
        assert_eq!(entry("wsgi.errors").0, "TextIOWrapper");
        assert_eq!(entry("uwsgi.node").0, "bytes");
        assert!(environ.get("uwsgi.core").is_none() && environ.get("HTTP_PROXY").is_none());
        assert!(environ.get("wsgi.input").is_some() && environ.get("wsgi.file_wrapper").is_some());
    }
}

#[test]
fn what_a_client_may_not_say_does_not_reach_the_application() {
    let mut instance = launch(&crate::pythons::one(), "rows").start();
    for (key, sent) in [("HTTP_PROXY", "http://evil"), ("UWSGI_FILE", "/etc/passwd"), ("HTTP_CONTENT_LENGTH", "5")] {
        let reply = instance.ask(&Request::get(&format!("/variable?{key}")).var(key, sent.as_bytes()));
        assert_eq!(body(&reply), "None", "{key}");
    }
    // Only a proxy that is configured may say that the client came by TLS.
    instance.expect_log("no trusted-proxy is set");
    let forwarded = Request::get("/variable?wsgi.url_scheme").var("HTTP_X_FORWARDED_PROTO", b"https");
    assert_eq!(body(&instance.ask(&forwarded)), "'http'");
    for (key, value) in [("HTTPS", "on"), ("UWSGI_SCHEME", "https")] {
        assert_eq!(body(&instance.ask(&forwarded.clone().var(key, value.as_bytes()))), "'https'", "{key}");
    }
    drop(instance);
    let instance = launch(&crate::pythons::one(), "rows").set("trusted-proxy", "10.1.0.0/16").start();
    let forwarded = Request::get("/variable?wsgi.url_scheme").var("HTTP_X_FORWARDED_PROTO", b"https");
    for (address, scheme) in [("10.1.2.3", "'https'"), ("10.2.0.1", "'http'")] {
        let reply = instance.ask(&forwarded.clone().var("REMOTE_ADDR", address.as_bytes()));
        assert_eq!(body(&reply), scheme, "{address}");
    }
}

/// The strings of one request are remembered for the next: whatever order and length, each gets its own.
#[test]
fn requests_in_a_row_see_their_own_variables_only() {
    let instance = launch(&crate::pythons::one(), "rows").start();
    let long = vec![b'x'; 1000];
    let requests = [
        vec![("HTTP_A", b"1".to_vec()), ("HTTP_B", b"2".to_vec()), ("HTTP_C", b"3".to_vec())],
        vec![("HTTP_B", b"two".to_vec()), ("HTTP_C", long.clone())],
        vec![("HTTP_C", b"3".to_vec()), ("HTTP_A", b"one".to_vec())],
        vec![],
        vec![("HTTP_A", long), ("HTTP_B", b"2".to_vec())],
        vec![("HTTP_A", b"1".to_vec()), ("HTTP_B", b"2".to_vec()), ("HTTP_C", b"3".to_vec())],
    ];
    for variables in requests.iter().cycle().take(20) {
        for key in ["HTTP_A", "HTTP_B", "HTTP_C"] {
            let target = format!("/variable?{key}");
            let request = variables.iter().fold(Request::get(&target), |request, (key, value)| request.var(key, value));
            let sent = variables.iter().find(|(known, _)| *known == key);
            let expected = sent.map_or("None".to_owned(), |(_, value)| format!("'{}'", String::from_utf8_lossy(value)));
            assert_eq!(body(&instance.ask(&request)), expected);
        }
    }
}

/// What a thread remembers of its last request (`python/src/environ.rs`) is seen by no other: variables come, go,
/// change places and values, short and long.
#[test]
fn every_environ_is_that_of_its_own_request() {
    let instance = launch(&crate::pythons::one(), "rows").start();
    let mut random = Rng::with_seed(11);
    let (mut shape, long) = (Vec::new(), "long ".repeat(200));
    for number in 0..600 {
        // Some shapes come twice and more in a row, as a web server's do.
        if random.usize(..3) == 0 {
            shape = (0..random.usize(..6)).map(|_| random.usize(..8)).collect();
        }
        let values = ["", "one", "two", &long];
        let mine: BTreeMap<_, _> =
            shape.iter().map(|key| (format!("HTTP_MINE_{key}"), values[random.usize(..values.len())])).collect();
        let mut request = Request::get("/mine");
        for key in &shape {
            let key = format!("HTTP_MINE_{key}");
            request = request.var(&key, mine[&key].as_bytes());
        }
        let seen: BTreeMap<String, String> = serde_json::from_slice(instance.ask(&request).body()).expect("JSON");
        let seen: BTreeMap<_, _> = seen.iter().map(|(key, value)| (key.clone(), value.as_str())).collect();
        assert_eq!(seen, mine, "request {number}");
    }
}

#[test]
fn nothing_of_a_request_outlives_it() {
    // Reused environs and surviving inputs, two faults of uWSGI's.
    let instance = launch(&crate::pythons::one(), "rows").start();
    for _ in 0..5 {
        assert_eq!(body(&row(&instance, "environ_kept")), "0 changed, same: False");
    }
    assert_eq!(body(&posted(&instance, "/input_kept", b"mine")), "nothing was kept");
    for secret in ["another client's", "and a third one's"] {
        let reply = posted(&instance, "/input_kept", secret.as_bytes());
        assert_eq!(body(&reply), "OSError: read() on wsgi.input: the request is over");
    }
}

#[test]
fn the_input_reads_as_a_file() {
    const TEXT: &[u8] = b"line one\nline two\nrest";
    let calls = [
        ("read", r"[b'line one\nline two\nrest']"),
        ("read:-1,read", r"[b'line one\nline two\nrest', b'']"),
        // uWSGI returns the whole rest for 0, and fails for -1 after the first bytes.
        ("read:5,read:0,read:-1,read:9", r"[b'line ', b'', b'one\nline two\nrest', b'']"),
        ("readline,readline:3,tell,read", r"[b'line one\n', b'lin', 12, b'e two\nrest']"),
        ("readline,readline,readline,readline", r"[b'line one\n', b'line two\n', b'rest', b'']"),
        ("readlines", r"[[b'line one\n', b'line two\n', b'rest']]"),
        ("readlines:10,read", r"[[b'line one\n', b'line two\n'], b'rest']"),
        ("iterate,read", r"[[b'line one\n', b'line two\n', b'rest'], b'']"),
        ("readline,read:4,readline,iterate,tell", r"[b'line one\n', b'line', b' two\n', [b'rest'], 22]"),
        ("read:100,read:1,close", r"[b'line one\nline two\nrest', b'', None]"),
        (
            "seek:0",
            r"['OSError: seeking wsgi.input is impossible: the body is read from the connection as it comes (post-buffering)']",
        ),
    ];
    for python in supported() {
        let instance = launch(python, "rows").start();
        for (calls, expected) in calls {
            let reply = posted(&instance, &format!("/input?{calls}"), TEXT);
            assert_eq!(body(&reply), expected, "{calls} under {python:?}");
        }
        assert_eq!(body(&instance.get("/input?read,readline,readlines,read:5,iterate")), "[b'', b'', [], b'', []]");
    }
}

#[test]
fn prints_and_error_streams_reach_the_log_at_once() {
    let instance = launch(&crate::pythons::one(), "rows").start();
    row(&instance, "print");
    instance.log.wait_for("printed by the application");
    row(&instance, "errors");
    instance.log.wait_for("a line for the log: €");
}

#[test]
fn tracebacks_go_to_the_client_only_on_demand() {
    let mut instance = launch(&crate::pythons::one(), "rows").set("catch-exceptions", true).start();
    let reply = row(&instance, "raise");
    assert_eq!(reply.status(), Some(500));
    assert!(body(&reply).contains("ValueError: before start_response"), "{}", body(&reply));
    instance.wait_for_expected("[error] exception in GET /raise");
}

#[test]
fn several_threads_use_one_input_without_loss() {
    let instance = launch(&crate::pythons::one(), "rows").start();
    let bytes: Vec<u8> = (0..=250).cycle().take(300_000).collect();
    let sum: u64 = bytes.iter().map(|byte| u64::from(*byte)).sum();
    let reply = posted(&instance, "/input_threads", &bytes);
    assert_eq!(body(&reply), format!("300000 bytes, sum {sum}"));
}
