//! Requests through a real nginx: what arrives, what comes back, and that nobody complains in either log.
//!
//! The figures are in `make bench`; here it is all or nothing.

use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;

use crate::harness::{Instance, Launch, Nginx, NginxSetup};
use loadgen::client::{Load, Until, Wire};
use loadgen::packet::Request;
use nix::sys::signal::Signal;

/// A body whose every part can be told from every other.
fn body_of(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn hello() -> Instance {
    Launch::hello().start()
}

#[test]
fn a_get_is_answered_with_its_length() {
    let server = hello();
    let nginx = Nginx::before(&server);
    let reply = nginx.get("/");
    assert_eq!((reply.status, reply.text().as_str()), (200, "Hello, world\n"));
    assert_eq!(reply.header("content-length"), Some("13"));
    assert_eq!(reply.header("content-type"), Some("text/plain"));
    assert_eq!(nginx.get("/nowhere").status, 404);
}

#[test]
fn a_head_has_the_length_and_no_body() {
    let server = hello();
    let nginx = Nginx::before(&server);
    let reply = nginx.request("HEAD", "/", &[], &[]);
    assert_eq!((reply.status, reply.header("content-length"), reply.body.len()), (200, Some("13"), 0));
}

/// nginx drops the body of an answer to HEAD by itself, so that only the socket behind it tells whether there was one.
#[test]
fn a_head_has_no_body_on_the_socket_either() {
    let server = hello();
    let reply = server.ask(&Request::get("/").method("HEAD"));
    assert_eq!((reply.status(), reply.header("content-length").as_deref()), (Some(200), Some("13")));
    assert!(reply.bytes.ends_with(b"\r\n\r\n"), "{reply:?}");
    let reply = server.ask(&Request::get("/stream?n=3").method("HEAD"));
    assert!(reply.bytes.ends_with(b"\r\n\r\n"), "{reply:?}");
}

#[test]
fn posts_of_every_size_come_back_whole_when_nginx_buffers_them() {
    let server = hello();
    let mut nginx = Nginx::before(&server);
    nginx.expect_log("a client request body is buffered to a temporary file");
    nginx.expect_log("an upstream response is buffered to a temporary file");
    assert_posts_come_back(&nginx);
}

#[test]
fn posts_of_every_size_come_back_whole_when_nginx_does_not_buffer_them() {
    let server = hello();
    let mut nginx = NginxSetup::default().location("uwsgi_request_buffering off;").before(&server);
    nginx.expect_log("an upstream response is buffered to a temporary file");
    assert_posts_come_back(&nginx);
}

fn assert_posts_come_back(nginx: &Nginx) {
    for bytes in [0, 1, 64 << 10, 10 << 20] {
        let body = body_of(bytes);
        let reply = nginx.post("/echo", &body);
        assert_eq!((reply.status, reply.body.len()), (200, bytes));
        assert!(reply.body == body, "the body of {bytes} bytes has changed on its way");
    }
}

#[test]
fn a_chunked_upload_arrives_with_its_length() {
    let server = hello();
    let nginx = Nginx::before(&server);
    let headers = [("Transfer-Encoding", "chunked"), ("Content-Type", "text/x-chunks")];
    let reply = nginx.request("PUT", "/echo", &headers, b"5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\n\r\n");
    assert_eq!((reply.status, reply.text().as_str()), (200, "hello, world"));
    assert_eq!(reply.header("content-type"), Some("text/x-chunks"));
}

#[test]
fn a_cookie_of_40_kilobytes_arrives() {
    let server = hello();
    let nginx = NginxSetup::default().server("large_client_header_buffers 4 64k;").before(&server);
    let cookie = format!("session={}", "c".repeat(40 << 10));
    let reply = nginx.request("GET", "/env", &[("Cookie", &cookie)], &[]);
    assert_eq!(reply.status, 200);
    assert!(reply.text().contains(&format!("HTTP_COOKIE={cookie}\n")));
}

#[test]
fn paths_arrive_decoded_and_the_uri_as_it_was_sent() {
    let server = hello();
    let nginx = Nginx::before(&server);
    // The path decides the handler, so that the query and a rewrite carry the encoded parts to /env.
    let reply = nginx.get("/env?n=%E2%82%AC&empty=");
    assert!(reply.text().contains("QUERY_STRING=n=%E2%82%AC&empty=\n"), "{}", reply.text());
    let odd = "/caf%C3%A9/a%2Fb%20c?n=%E2%82%AC";
    assert_eq!(nginx.get(odd).status, 404);
    let logged = server.log.wait_for("GET /caf");
    assert!(logged.text.contains(&format!("GET {odd} => ")), "{}", logged.text);
}

#[test]
fn utf8_and_odd_bytes_of_a_path_reach_the_application() {
    let server = hello();
    let prefix = NginxSetup::default().location("uwsgi_param SCRIPT_NAME /caf\u{e9}; uwsgi_param PATH_INFO /env;");
    let nginx = prefix.location("uwsgi_param X_DOCUMENT $document_uri;").before(&server);
    let text = nginx.get("/caf%C3%A9/a%2Fb%20c%0Ad").text();
    assert!(text.contains("X_DOCUMENT=/caf\u{e9}/a/b c\nd\n"), "{text}");
    assert!(text.contains("SCRIPT_NAME=/caf\u{e9}\n"), "{text}");
}

#[test]
fn empty_values_arrive_as_empty_values() {
    let server = hello();
    let nginx = NginxSetup::default().location("uwsgi_param X_LAST \"\";").before(&server);
    let text = nginx.request("GET", "/env", &[("X-Empty", "")], &[]).text();
    for line in ["QUERY_STRING=\n", "CONTENT_TYPE=\n", "CONTENT_LENGTH=\n", "HTTP_X_EMPTY=\n", "X_LAST=\n"] {
        assert!(text.contains(line), "no {line:?} in {text}");
    }
}

#[test]
fn a_stream_without_a_length_arrives_whole() {
    let server = hello();
    let nginx = Nginx::before(&server);
    let reply = nginx.get("/stream?n=1000");
    let expected = (1..=1000).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "chunk {number}");
        text
    });
    assert_eq!((reply.status, reply.header("transfer-encoding")), (200, Some("chunked")));
    assert!(reply.text() == expected);
}

#[test]
fn a_file_arrives_whole_and_the_log_says_how_it_was_sent() {
    let server = hello();
    let nginx = Nginx::before(&server);
    let expected = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/hello.rs")).expect("the example");
    let reply = nginx.get("/file");
    assert_eq!((reply.status, reply.header("content-length")), (200, Some(expected.len().to_string().as_str())));
    assert!(reply.body == expected);
    server.log.wait_for(" via sendfile() (HTTP/1.1 200)");
}

#[test]
fn a_panic_answers_500_is_logged_with_its_place_and_costs_no_worker() {
    let mut server = hello();
    let nginx = Nginx::before(&server);
    let workers = server.workers();
    for _ in 0..4 {
        let reply = nginx.get("/panic");
        assert_eq!((reply.status, reply.text().as_str()), (500, "Internal Server Error\n"));
    }
    let logged = server.wait_for_expected("the application panicked at ");
    assert!(
        logged.text.contains("examples/hello.rs:") && logged.text.contains("asked for with GET"),
        "{}",
        logged.text
    );
    assert_eq!(nginx.get("/").status, 200);
    assert_eq!(server.workers(), workers);
}

/// uWSGI's manual, "Nginx support": whoever closes without reading the body gets nginx to answer 502.
#[test]
fn a_body_that_nobody_reads_never_becomes_a_502() {
    let server = Launch::hello().line("socket = 127.0.0.1:0").start();
    let tcp = server.log.wait_for("socket 1 bound to ");
    let tcp = tcp.text.rsplit(' ').next().expect("an address").to_owned();
    let unix = format!("unix:{}", server.socket().display());
    for buffering in ["on", "off"] {
        for upstream in [&unix, &tcp] {
            let setup = NginxSetup::default().location(&format!("uwsgi_request_buffering {buffering};"));
            let mut nginx = setup.start(upstream);
            nginx.expect_log("a client request body is buffered to a temporary file");
            assert_ignored_bodies_are_no_fault(&nginx);
        }
    }
}

fn assert_ignored_bodies_are_no_fault(nginx: &Nginx) {
    for bytes in [20 << 10, 200 << 10, 8 << 20] {
        let body = body_of(bytes);
        for _ in 0..10 {
            let reply = nginx.post("/ignore", &body);
            assert_eq!((reply.status, reply.text().as_str()), (200, "ignored\n"), "{bytes} bytes");
        }
    }
}

#[test]
fn ten_thousand_requests_of_fifty_clients_are_all_answered() {
    assert_all_are_answered("threads = 1", Wire::Http { keep_alive: true }, &Request::get("/"));
}

#[test]
fn ten_thousand_posts_with_as_many_connections_are_all_answered() {
    let post = Request::get("/echo").method("POST").body("text/plain", body_of(3_000));
    assert_all_are_answered("threads = 2", Wire::Http { keep_alive: false }, &post);
}

fn assert_all_are_answered(line: &str, wire: Wire, request: &Request) {
    let server = Launch::hello().line(line).set("disable-logging", true).set("listen", 512).start();
    let nginx = Nginx::before(&server);
    let load = Load::new(nginx.target(), wire, request, 50, Until::Requests(10_000)).expect("a small request");
    let counts = load.run(&AtomicBool::new(false)).expect("sockets and epoll").counts;
    assert_eq!((counts.ok, counts.failed()), (10_000, 0), "{counts:?}");
}

/// The same rule as for Python (`python_wsgi.rs`): only a proxy that is configured may say that the client came by TLS.
#[test]
fn forwarded_headers_count_from_a_trusted_proxy_only() {
    let launch = Launch::hello().set("trusted-proxy", "10.1.0.0/16").line("trusted-proxy = 2001:db8::7");
    let server = launch.line("trusted-proxy = unix:").start();
    let forwarded = Request::get("/scheme").var("HTTP_X_FORWARDED_PROTO", b"https");
    let peers =
        [("10.1.2.3", "https"), ("10.2.0.1", "http"), ("2001:db8::7", "https"), ("unix:", "https"), ("", "http")];
    for (address, scheme) in peers {
        let reply = server.ask(&forwarded.clone().var("REMOTE_ADDR", address.as_bytes()));
        assert_eq!(String::from_utf8_lossy(reply.body()), scheme, "{address}");
    }
    for (key, value) in [("HTTPS", "on"), ("UWSGI_SCHEME", "https")] {
        let direct = server.ask(&Request::get("/scheme").var(key, value.as_bytes()));
        assert_eq!(String::from_utf8_lossy(direct.body()), "https", "{key}");
    }
}

/// uWSGI believes everybody, so that a site behind a proxy for TLS would stop working without a word.
#[test]
fn who_says_https_in_vain_is_told_of_once_in_an_instance() {
    let mut server = Launch::hello().set("workers", 1).start();
    server.expect_log("killed by signal 9");
    let forwarded = Request::get("/scheme").var("HTTP_X_FORWARDED_PROTO", b"https");
    for told in [b"on", b"on"] {
        server.ask(&forwarded.clone().var("HTTPS", told));
    }
    assert!(server.log.lines_with("trusted-proxy").is_empty(), "it makes no difference");
    assert_eq!(String::from_utf8_lossy(server.ask(&forwarded).body()), "http");
    server.wait_for_expected(
        "[warn] a request says X-Forwarded-Proto: https, which is not believed, as no trusted-proxy",
    );
    server.workers()[0].signal(Signal::SIGKILL);
    server.log.wait_for("Respawned uWSGI worker 1 ");
    server.ask(&forwarded);
    assert_eq!(server.log.lines_with("trusted-proxy").len(), 1, "also when another worker sees it");
}
