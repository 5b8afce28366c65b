//! A small application for trying things out, and the one that tests and measurements use.
//!
//! `hello --ini hello.ini` serves, behind nginx's `uwsgi_pass`: `/` a greeting, `/sleep?ms=N` the same later,
//! `/burn?ms=N` after N milliseconds of
//! processor time, `/echo` the request body, `/env` the variables of the request, `/scheme` http or https,
//! `/panic` a panic, `/stream?n=N` N chunks without a declared length, `/file` this very source file,
//! `/websocket` sends back what comes on it, `/count` how often it was asked for, `/ignore` an answer without reading the body, `/note?text=T` is logged in any case, T as `%(note)` of `log-format`.

use std::fs::File;
use std::io::{self, Read};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use rhinod::{Body, Request, Response, WebSocketMessage};

fn main() -> ExitCode {
    rhinod::main(|_config| {
        // Stands for an application that takes its time to load.
        let load_ms = std::env::var("LOAD_MS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
        thread::sleep(Duration::from_millis(load_ms));
        Ok(answer)
    })
}

fn answer(request: &mut Request<'_>) -> Response {
    match request.path_bytes() {
        b"/" | b"" => Response::text("Hello, world\n"),
        b"/sleep" => {
            thread::sleep(Duration::from_millis(number(request, "ms")));
            Response::text("Hello, world\n")
        }
        b"/burn" => {
            burn(Duration::from_millis(number(request, "ms")));
            Response::text("Hello, world\n")
        }
        b"/echo" => echo(request),
        b"/env" => Response::text(environment(request)),
        b"/scheme" => Response::text(request.scheme()),
        b"/panic" => panic!("asked for with {}", request.method()),
        b"/stream" => stream(number(request, "n")),
        b"/file" => file(),
        b"/note" => note(request),
        b"/websocket" => websocket(),
        b"/count" => count(request),
        b"/ignore" => Response::text("ignored\n"),
        _ => Response::text("Not found\n").with_status(404),
    }
}

fn number(request: &Request<'_>, name: &str) -> u64 {
    request.query_value(name).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Keeps a processor busy for so much of its time, as an application that computes does.
fn burn(time: Duration) {
    let used = || clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::MAX, Duration::from);
    let end = used().saturating_add(time);
    while used() < end {
        std::hint::spin_loop();
    }
}

/// The whole body is taken in first: a client that sends everything before it reads would wait for us otherwise.
fn echo(request: &mut Request<'_>) -> Response {
    let is_sendable = |value: &&[u8]| value.iter().all(|byte| matches!(byte, b' '..=b'~'));
    let content_type = request.header("Content-Type").filter(is_sendable).map(String::from_utf8_lossy);
    let content_type = content_type.map_or_else(|| "application/octet-stream".to_owned(), |text| text.into_owned());
    let mut body = Vec::new();
    match request.read_to_end(&mut body) {
        Ok(_) => Response::bytes(content_type, body),
        Err(error) => Response::text(format!("the request body broke off: {error}\n")).with_status(400),
    }
}

/// What comes goes back; the text `fail` is an error, `end` the end.
/// How often it was asked for, over all workers.
fn count(request: &Request<'_>) -> Response {
    match request.cache("") {
        Some(cache) if cache.count(b"asked", 1, None) => Response::text(format!("{}\n", cache.number(b"asked"))),
        _ => Response::text("There is no cache.\n").with_status(404),
    }
}

fn websocket() -> Response {
    Response::websocket(|socket| {
        while let Some(message) = socket.receive() {
            match &message {
                WebSocketMessage::Text(text) if text == "fail" => return Err(io::Error::other("as it was told")),
                WebSocketMessage::Text(text) if text == "end" => return socket.send_text("the end"),
                _ => socket.send(&message)?,
            }
        }
        Ok(())
    })
}

fn note(request: &mut Request<'_>) -> Response {
    let text = request.query_value("text").unwrap_or_default();
    request.log_this_request();
    match request.set_log_variable("note", &text) {
        Ok(()) => Response::text("noted\n"),
        Err(error) => Response::text(format!("{error}\n")).with_status(500),
    }
}

fn environment(request: &Request<'_>) -> String {
    let mut lines: Vec<String> = request
        .variables()
        .map(|(key, value)| format!("{}={}\n", String::from_utf8_lossy(key), String::from_utf8_lossy(value)))
        .collect();
    lines.sort();
    lines.concat()
}

fn stream(count: u64) -> Response {
    Response::stream("text/plain", (1..=count).map(|number| Ok(format!("chunk {number}\n").into_bytes())))
}

fn file() -> Response {
    let opened = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/", file!()));
    match opened.and_then(|file| Response::file("text/plain; charset=utf-8", file)) {
        Ok(response) => response,
        Err(error) => not_found(&error),
    }
}

fn not_found(error: &io::Error) -> Response {
    Response::new(404).with_header("Content-Type", "text/plain").with_body(Body::from(format!("{error}\n")))
}
