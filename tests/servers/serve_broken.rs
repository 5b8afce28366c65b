//! Bodies of Rust applications that break off: nobody on the way takes what came for the whole.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use loadgen::packet::Request;

use crate::dialogue::tcp_address;
use crate::harness::{Instance, Launch, Nginx, NginxSetup, PATIENCE};

/// The application, to be stopped with warnings in its log that are meant.
fn unsteady(launch: Launch) -> Instance {
    let mut server = launch.start();
    server.expect_log("broke off after 6 bytes: ");
    server.expect_log("the application panicked at ");
    server
}

/// An instance on TCP, and nginx before it.
fn over_tcp() -> (Instance, Nginx) {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
    let server = unsteady(Launch::example("unsteady").line(format!("socket = {address}")));
    let mut nginx = NginxSetup::default().start(&address.to_string());
    nginx.expect_log("Connection reset by peer");
    (server, nginx)
}

#[test]
fn a_stream_that_breaks_off_resets_the_connection_over_tcp() {
    let (server, nginx) = over_tcp();
    for how in ["error", "writer"] {
        let error = nginx.get_broken(&format!("/break?how={how}"));
        assert!(error.to_string().contains("not a whole reply"), "{error}");
        server
            .log
            .wait_for(&format!("[warn] the answer to GET /break?how={how} broke off after 6 bytes: told to break"));
    }
    assert_eq!(nginx.get("/").status, 200);
}

#[test]
fn a_panic_in_mid_stream_is_no_end_of_the_body_either() {
    let (server, nginx) = over_tcp();
    nginx.get_broken("/break?how=panic");
    server.log.wait_for("broke off after 6 bytes: the application panicked");
}

/// A unix socket knows no reset: the connection stays silent until nginx has waited long enough.
#[test]
fn a_stream_that_breaks_off_on_a_unix_socket_ends_with_nginxs_patience() {
    let server = unsteady(Launch::example("unsteady"));
    let mut nginx = NginxSetup::default().location("uwsgi_buffering off; uwsgi_read_timeout 3s;").before(&server);
    nginx.expect_log("upstream timed out");
    let error = nginx.get_broken("/break?how=error");
    assert!(error.to_string().contains("begun"), "what came has arrived: {error}");
    assert_eq!(server.get("/").status(), Some(200));
}

/// What of the request was not read resets a unix socket, at once.
#[test]
fn an_unread_request_body_resets_a_unix_socket_when_the_answer_breaks_off() {
    let server = unsteady(Launch::example("unsteady"));
    let request = Request::get("/break?how=error").method("POST");
    let packet = request.body("text/plain", vec![b'x'; 64 << 10]).to_uwsgi().expect("a small head");
    let mut client = UnixStream::connect(server.socket()).expect("connect");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    client.write_all(&packet).expect("the request");
    let mut answer = Vec::new();
    let error = client.read_to_end(&mut answer).expect_err("an end of the body");
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn with_a_length_nginx_sees_at_once_that_a_body_breaks_off() {
    let server = unsteady(Launch::example("unsteady"));
    let mut nginx = Nginx::before(&server);
    nginx.expect_log("upstream prematurely closed connection");
    let error = nginx.get_broken("/break?how=length");
    assert!(
        error.to_string().contains("content-length: 12") || error.to_string().contains("Content-Length: 12"),
        "{error}"
    );
    assert_eq!(nginx.get("/").status, 200);
}

#[test]
fn a_body_that_breaks_before_its_first_byte_is_a_500() {
    let mut server = Launch::example("unsteady").start();
    server.expect_log("broke off after 0 bytes: told to break");
    assert_eq!(server.get("/break?how=early").status(), Some(500));
}

/// HTTP's own clients can tell: chunks have no end without the last one, and without chunks the connection is reset.
#[test]
fn a_client_of_an_http_socket_sees_that_a_stream_breaks_off() {
    let server = unsteady(Launch::example("unsteady").set("http-socket", "127.0.0.1:0"));
    for how in ["error", "panic"] {
        let (came, end) = read_broken(&server, "1.1", how);
        assert!(end.is_ok() && came.contains("begun") && !came.ends_with("0\r\n\r\n"), "{came:?}");
        let (came, end) = read_broken(&server, "1.0", how);
        assert_eq!(end.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset), "{came:?}");
    }
}

/// What comes until the end of the connection, and how it ends.
fn read_broken(server: &Instance, version: &str, how: &str) -> (String, io::Result<usize>) {
    let mut client = TcpStream::connect(tcp_address(server)).expect("connect");
    client.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    write!(client, "GET /break?how={how} HTTP/{version}\r\nHost: a\r\n\r\n").expect("the request");
    let mut came = Vec::new();
    let end = client.read_to_end(&mut came);
    (String::from_utf8_lossy(&came).into_owned(), end)
}
