//! Sockets with TLS: HTTPS and the uwsgi protocol, certificates of clients, certificates that change, and those that cannot
//! be used.

use std::fs;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use loadgen::packet::Request;
use nix::sys::signal::Signal;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::harness::{Instance, Launch, PATIENCE};
use crate::reloading::{ask_through_reloads, number_from};

type Connection = StreamOwned<ClientConnection, TcpStream>;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls").join(name)
}

/// A client that trusts the authority of the tests; with a certificate of its own or without.
fn client(with_certificate: bool) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(data("ca.crt")).expect("a certificate")).expect("an authority");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.expect("versions").with_root_certificates(roots);
    Arc::new(match with_certificate {
        false => builder.with_no_client_auth(),
        true => {
            let own = CertificateDer::from_pem_file(data("client.crt")).expect("a certificate");
            let key = PrivateKeyDer::from_pem_file(data("client.key")).expect("a key");
            builder.with_client_auth_cert(vec![own], key).expect("a certificate and its key")
        }
    })
}

fn connect(address: SocketAddr, config: &Arc<ClientConfig>) -> Connection {
    connect_as(address, config, "localhost")
}

fn connect_as(address: SocketAddr, config: &Arc<ClientConfig>, name: &'static str) -> Connection {
    let stream = TcpStream::connect(address).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
    let name = ServerName::try_from(name).expect("a name");
    StreamOwned::new(ClientConnection::new(Arc::clone(config), name).expect("a client"), stream)
}

/// What comes back for some bytes, up to the orderly end.
fn exchange(connection: &mut Connection, bytes: &[u8]) -> io::Result<String> {
    connection.write_all(bytes)?;
    let mut reply = Vec::new();
    connection.read_to_end(&mut reply)?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

fn get(path: &str, last: bool) -> String {
    let connection = if last { "Connection: close\r\n" } else { "" };
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{connection}\r\n")
}

/// Reads one answer of a connection that goes on, whose body is this.
fn await_body(connection: &mut Connection, body: &str) {
    let mut seen = Vec::new();
    while !seen.ends_with(body.as_bytes()) {
        let mut buffer = [0; 4096];
        let count = connection.read(&mut buffer).expect("an answer");
        assert!(count > 0, "the connection ended after {:?}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..count]);
    }
}

/// The certificate and the key of an instance, as files that can be changed.
fn put(directory: &Path, name: &str) {
    for end in ["crt", "key"] {
        put_as(directory, &format!("{name}.{end}"), &format!("site.{end}"));
    }
}

/// A file under another name, which never stands there in part.
fn put_as(directory: &Path, from: &str, name: &str) {
    let fresh = directory.join("fresh");
    fs::copy(data(from), &fresh).expect("copy a file");
    fs::rename(&fresh, directory.join(name)).expect("rename a file");
}

fn address(server: &Instance, number: usize) -> SocketAddr {
    let line = server.log.wait_for(&format!("socket {number} bound to ")).text;
    line.rsplit(' ').next().and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("no address in {line:?}"))
}

fn secure(line: &str) -> Launch {
    let launch = Launch::hello().set("workers", 1).set("disable-logging", true);
    put(launch.dir(), "server");
    launch.line(line)
}

#[test]
fn https_is_answered_request_after_request_and_the_application_knows_who_asks() {
    let server = secure("https = 127.0.0.1:0,site.crt,site.key").start();
    let mut connection = connect(address(&server, 1), &client(false));
    let own = connection.sock.local_addr().expect("an address");
    connection.write_all(get("/scheme", false).as_bytes()).expect("send");
    await_body(&mut connection, "https");
    let shown = exchange(&mut connection, get("/env", true).as_bytes()).expect("an answer and an orderly end");
    for expected in [
        "HTTPS=on".to_owned(),
        "REMOTE_ADDR=127.0.0.1".to_owned(),
        format!("REMOTE_PORT={}", own.port()),
        format!("SERVER_PORT={}", address(&server, 1).port()),
    ] {
        assert!(shown.lines().any(|line| line == expected), "{expected} in {shown}");
    }
    // A body larger than what lies between client and worker.
    let body = vec![b'x'; 300_000];
    let head =
        format!("POST /length HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    let request = [head.as_bytes(), &body].concat();
    let reply = exchange(&mut connect(address(&server, 1), &client(false)), &request).expect("an answer");
    assert!(reply.starts_with("HTTP/1.1 "), "{reply}");
    server.stop();
}

#[test]
fn uwsgi_is_spoken_under_tls() {
    let server = secure("suwsgi-socket = 127.0.0.1:0,site.crt,site.key").start();
    let packet = Request::get("/").to_uwsgi().expect("a small request");
    let reply = exchange(&mut connect(address(&server, 1), &client(false)), &packet).expect("an answer");
    assert!(reply.starts_with("HTTP/1.1 200") && reply.ends_with("Hello, world\n"), "{reply}");
    server.stop();
}

#[test]
fn a_client_without_a_certificate_is_refused_where_one_is_demanded() {
    let authority = data("ca.crt");
    let server = secure(&format!("https-socket = 127.0.0.1:0,site.crt,site.key,,!{}", authority.display())).start();
    let known = exchange(&mut connect(address(&server, 1), &client(true)), get("/", true).as_bytes());
    assert!(known.is_ok_and(|reply| reply.ends_with("Hello, world\n")));
    let unknown = exchange(&mut connect(address(&server, 1), &client(false)), get("/", true).as_bytes());
    let error = unknown.expect_err("no answer");
    assert_ne!(error.kind(), ErrorKind::WouldBlock, "{error}");
    server.stop();
}

/// The certificate that a new connection is shown.
fn shown(server: &Instance) -> Vec<u8> {
    shown_to(server, "localhost")
}

/// The same, to one that asks for a name. Who asks for an address asks for none (RFC 6066, section 3).
fn shown_to(server: &Instance, name: &'static str) -> Vec<u8> {
    let mut connection = connect_as(address(server, 1), &client(false), name);
    exchange(&mut connection, get("/", true).as_bytes()).expect("an answer");
    connection.conn.peer_certificates().expect("certificates")[0].to_vec()
}

#[test]
fn a_client_that_asks_for_a_name_gets_the_certificate_for_it() {
    let certificate = |name| CertificateDer::from_pem_file(data(name)).expect("a certificate").to_vec();
    let named = format!("sni = LocalHost {},{}", data("renewed.crt").display(), data("renewed.key").display());
    let server = secure("https = 127.0.0.1:0,site.crt,site.key").line(named).start();
    assert!(shown_to(&server, "localhost") == certificate("renewed.crt"), "the one for the name");
    assert!(shown_to(&server, "127.0.0.1") == certificate("server.crt"), "the socket's own");
    server.stop();
}

#[test]
fn a_reload_takes_a_renewed_certificate_and_none_that_does_not_fit() {
    let mut server = secure("https = 127.0.0.1:0,site.crt,site.key").start();
    let first = shown(&server);
    put_as(server.dir(), "client.key", "site.key");
    server.signal(Signal::SIGHUP);
    server.wait_for_expected("the key does not belong to the certificate");
    assert!(shown(&server) == first);
    let held = connect(address(&server, 1), &client(false));
    put(server.dir(), "renewed");
    server.signal(Signal::SIGHUP);
    server.log.wait_for("reload done: generation ");
    assert!(crate::harness::wait_until(|| shown(&server) != first));
    // Who had connected before, and had said nothing yet, is answered by the router that it came to.
    let mut held = held;
    assert!(exchange(&mut held, get("/", true).as_bytes()).is_ok_and(|reply| reply.ends_with("Hello, world\n")));
    server.stop();
}

/// Sockets whose requests a router reads, and those whose bytes it passes on.
#[test]
fn a_certificate_that_changes_is_shown_without_a_reload_and_no_connection_ends() {
    let read = secure("https = 127.0.0.1:0,site.crt,site.key").set("http-processes", 2);
    let mut server = read.line("https-socket = 127.0.0.1:0,site.crt,site.key").start();
    assert!(crate::harness::wait_until(|| server.routers().len() == 2));
    let (first, routers) = (shown(&server), server.routers());
    let mut kept = [1, 2].map(|number| connect(address(&server, number), &client(false)));
    let mut all_are_answered = || {
        for connection in &mut kept {
            connection.write_all(get("/", false).as_bytes()).expect("send");
            await_body(connection, "Hello, world\n");
        }
    };
    all_are_answered();
    put_as(server.dir(), "client.key", "site.key");
    server.wait_for_expected("site.key: the key does not belong to the certificate; the certificate stays");
    assert!(shown(&server) == first);
    let told = server.log.lines().iter().filter(|line| line.contains("the certificate stays")).count();
    assert_eq!(told, 1, "it is said once");
    put(server.dir(), "renewed");
    server.log.wait_for("has changed and is shown from now on");
    let renewed = CertificateDer::from_pem_file(data("renewed.crt")).expect("a certificate");
    // Each of both routers takes some of the connections.
    assert!(crate::harness::wait_until(|| (0..4).all(|_| shown(&server) == renewed.to_vec())));
    all_are_answered();
    assert_eq!(server.routers(), routers);
    server.stop();
}

/// Connects, waits for a line of its standard input, connects once more with the session of the first connection, and says
/// whether that was resumed. OpenSSL's client, by way of Python's `ssl`.
const COMES_AGAIN: &str = r#"
import socket, ssl, sys
port, version = int(sys.argv[1]), getattr(ssl.TLSVersion, sys.argv[2])
context = ssl.create_default_context(cafile=sys.argv[3])
context.minimum_version = context.maximum_version = version
def ask(session):
    with socket.create_connection(("127.0.0.1", port), 30) as plain:
        with context.wrap_socket(plain, server_hostname="localhost", session=session) as secure:
            secure.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: secure.recv(4096), b""))
            assert answer.endswith(b"Hello, world\n"), answer
            return secure.session, secure.session_reused, secure.version()
session, reused, _ = ask(None)
assert not reused
print("once", flush=True)
sys.stdin.readline()
print(*ask(session)[1:], flush=True)
"#;

/// With requests that the router reads, and with those whose bytes it passes on; while nothing happens, and over a reload.
#[test]
fn a_client_that_comes_again_resumes_its_session_also_after_a_reload() {
    let launch = secure("https = 127.0.0.1:0,site.crt,site.key").set("http-processes", 1);
    let server = launch.line("https-socket = 127.0.0.1:0,site.crt,site.key").start();
    let mut generation = 1;
    for (number, version, told, reloads) in [
        (1, "TLSv1_2", "True TLSv1.2", false),
        (1, "TLSv1_3", "True TLSv1.3", true),
        (2, "TLSv1_2", "True TLSv1.2", true),
        (2, "TLSv1_3", "True TLSv1.3", false),
    ] {
        let mut python = Command::new(crate::pythons::one().path);
        python.args(["-c", COMES_AGAIN, &address(&server, number).port().to_string(), version]).arg(data("ca.crt"));
        let mut python = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("execute Python");
        let mut said = BufReader::new(python.stdout.take().expect("its output")).lines().map_while(Result::ok);
        assert_eq!(said.next().as_deref(), Some("once"), "{version}");
        if reloads {
            generation += 1;
            server.signal(Signal::SIGHUP);
            server.log.wait_for(&format!("reload done: generation {generation} serves"));
        }
        python.stdin.take().expect("its input").write_all(b"\n").expect("a line");
        assert_eq!(said.next().as_deref(), Some(told), "socket {number}, {version}");
        assert!(python.wait().expect("its end").success());
    }
    server.stop();
}

/// As many clients as CLIENTS says.
#[test]
fn clients_that_keep_their_connections_with_tls_notice_no_reload() {
    let server = secure("https = 127.0.0.1:0,site.crt,site.key").set("http-processes", 1).start();
    let (address, config) = (address(&server, 1), client(false));
    let clients = (0..number_from("CLIENTS", 4)).map(|_| {
        let mut connection = connect(address, &config);
        move || {
            connection.write_all(get("/", false).as_bytes()).expect("send");
            await_body(&mut connection, "Hello, world\n");
        }
    });
    ask_through_reloads(&server, clients);
    server.stop();
}

#[test]
fn what_cannot_be_used_is_told_at_the_start_with_its_line_and_what_has_expired_is_served() {
    for (line, expected) in [
        ("https = 127.0.0.1:0,site.crt,other.key", "the key does not belong to the certificate"),
        ("https = 127.0.0.1:0,site.crt,none.key", "none.key: No such file or directory"),
        ("https = 127.0.0.1:0,site.key,site.key", "site.key: it has no certificate"),
        (
            "https = 127.0.0.1:0,site.crt,site.key\nsni = a.example site.crt,other.key",
            "other.key: the key does not belong",
        ),
        ("sni = a.example site.crt,site.key", "there is no socket with TLS"),
        ("https = 127.0.0.1:0,site.crt", "expected ADDRESS,CERTIFICATE,KEY[,CIPHERS[,CA]]"),
    ] {
        let launch = secure(line);
        fs::copy(data("client.key"), launch.dir().join("other.key")).expect("copy a key");
        let failed = launch.fails();
        let said = failed.lines.last().expect("a line");
        assert!(said.contains(expected) && said.contains("app.ini:"), "{said}");
    }
    let launch = secure("https = 127.0.0.1:0,site.crt,site.key");
    fs::copy(data("expired.crt"), launch.dir().join("site.crt")).expect("copy a certificate");
    let mut server = launch.start();
    server.expect_log("site.crt: the certificate has expired on 2021-01-01");
    server.stop();
}
