//! HTTP, FastCGI and SCGI sockets behind a real nginx: the same requests through each, with connections that nginx keeps
//! and with those that it does not.

use std::collections::BTreeMap;

use crate::dialogue::with_http_socket;
use crate::harness::{Instance, Launch, Nginx, NginxSetup};

/// A way from nginx to the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Http,
    HttpKept,
    Fastcgi,
    FastcgiKept,
    Scgi,
    ScgiNph,
}

/// Not fastcgi-nph-socket: nginx's fastcgi_pass knows no status line.
const WAYS: [Way; 6] = [Way::Http, Way::HttpKept, Way::Fastcgi, Way::FastcgiKept, Way::Scgi, Way::ScgiNph];

impl Way {
    fn option(self) -> &'static str {
        match self {
            Way::Http | Way::HttpKept => "http-socket",
            Way::Fastcgi | Way::FastcgiKept => "fastcgi-socket",
            Way::Scgi => "scgi-socket",
            Way::ScgiNph => "scgi-nph-socket",
        }
    }

    fn launch(self) -> Launch {
        let launch = Launch::hello().set("workers", 1);
        let path = launch.dir().join("way.sock");
        launch.set(self.option(), path.display())
    }

    /// nginx in front of the instance's `way.sock`.
    fn nginx(self, server: &Instance) -> NginxSetup {
        let socket = format!("unix:{}", server.dir().join("way.sock").display());
        let setup = NginxSetup::default();
        let upstream = format!("upstream kept {{ server {socket}; keepalive 4; }}");
        match self {
            Way::Http => setup.passing(format!("proxy_pass http://{socket}:; proxy_set_header Host $host;")),
            Way::HttpKept => setup.http(&upstream).passing(
                "proxy_pass http://kept; proxy_http_version 1.1; proxy_set_header Connection \"\";
                 proxy_set_header Host $host;",
            ),
            Way::Fastcgi => {
                let parameters = setup.parameters("fastcgi_param");
                setup.passing(format!("{parameters} fastcgi_pass {socket};"))
            }
            Way::FastcgiKept => {
                let parameters = setup.parameters("fastcgi_param");
                setup.http(&upstream).passing(format!("{parameters} fastcgi_pass kept; fastcgi_keep_conn on;"))
            }
            Way::Scgi | Way::ScgiNph => {
                let parameters = setup.parameters("scgi_param");
                setup.passing(format!("{parameters} scgi_pass {socket};"))
            }
        }
    }

    fn start(self) -> (Instance, Nginx) {
        let server = self.launch().start();
        let nginx = self.nginx(&server).before(&server);
        (server, nginx)
    }
}

fn variables(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once('=')).collect()
}

#[test]
fn requests_come_through_each_way() {
    for way in WAYS {
        let (server, nginx) = way.start();
        assert_eq!(nginx.get("/").text(), "Hello, world\n", "{way:?}");
        let reply = nginx.request("GET", "/env/../env?a=%20b", &[("Cookie", "c=1"), ("X-Empty", "")], b"");
        let text = reply.text();
        let found = variables(&text);
        for (key, value) in [
            ("REQUEST_METHOD", "GET"),
            ("PATH_INFO", "/env"),
            ("QUERY_STRING", "a=%20b"),
            ("HTTP_HOST", "app.example"),
            ("HTTP_COOKIE", "c=1"),
            ("HTTP_X_EMPTY", ""),
        ] {
            assert_eq!(found.get(key), Some(&value), "{way:?}: {key} in {text}");
        }
        assert_eq!(nginx.get("/nothing").status, 404, "{way:?}");
        let head = nginx.request("HEAD", "/", &[], b"");
        assert_eq!((head.status, head.header("content-length")), (200, Some("13")), "{way:?}");
        assert_eq!(nginx.get("/stream?n=100").text().lines().count(), 100, "{way:?}");
        assert!(nginx.get("/file").text().contains("fn main() -> ExitCode"), "{way:?}");
        server.log.wait_for("GET /file");
    }
}

#[test]
fn bodies_come_through_each_way_buffered_and_as_they_arrive() {
    let large: Vec<u8> = (0..500_000u32).flat_map(u32::to_le_bytes).collect();
    let coded = |body: &[u8]| -> Vec<u8> {
        let chunks =
            body.chunks(100_000).map(|part| [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat());
        [chunks.collect::<Vec<_>>().concat(), b"0\r\n\r\n".to_vec()].concat()
    };
    for way in WAYS {
        for buffering in ["on", "off"] {
            // nginx 1.22 announces only what it has read so far as the length of an SCGI request that it does not buffer.
            if buffering == "off" && matches!(way, Way::Scgi | Way::ScgiNph) {
                continue;
            }
            let server = way.launch().start();
            let module = match way {
                Way::Http | Way::HttpKept => "proxy",
                Way::Fastcgi | Way::FastcgiKept => "fastcgi",
                Way::Scgi | Way::ScgiNph => "scgi",
            };
            let mut setup = way.nginx(&server).location(&format!("{module}_request_buffering {buffering};"));
            if way == Way::Http {
                setup = setup.location("proxy_http_version 1.1;");
            }
            let mut nginx = setup.before(&server);
            nginx.expect_log("is buffered to a temporary file");
            for body in [&b""[..], b"a=1&b=2", &large] {
                assert!(nginx.post("/echo", body).body == body, "{way:?}, buffering {buffering}, {} bytes", body.len());
            }
            let reply = nginx.request("POST", "/echo", &[("Transfer-Encoding", "chunked")], &coded(&large));
            assert!(reply.body == large, "{way:?}, buffering {buffering}, chunked: {}", reply.body.len());
            // An answer that does not wait for the body.
            assert_eq!(nginx.post("/ignore", &large).text(), "ignored\n", "{way:?}, buffering {buffering}");
            assert_eq!(nginx.get("/").text(), "Hello, world\n", "{way:?}, buffering {buffering}");
        }
    }
}

/// nginx keeps its connections, and a reload or a worker that has done enough does not show. FastCGI has no word for the last answer
/// of a connection: nginx may ask on one that is just being closed, says so, and asks again.
#[test]
fn kept_connections_survive_everything_that_ends_a_worker() {
    for way in [Way::HttpKept, Way::FastcgiKept] {
        let server = way.launch().set("workers", 2).set("max-requests", 50).set("disable-logging", true).start();
        let mut nginx = way.nginx(&server).before(&server);
        if way == Way::FastcgiKept {
            nginx.expect_log("upstream prematurely closed connection while reading response header");
        }
        for number in 0..400 {
            if number % 100 == 50 {
                server.signal(nix::sys::signal::Signal::SIGHUP);
            }
            assert_eq!(nginx.get("/").status, 200, "{way:?}: request {number}");
        }
    }
}

#[test]
fn connections_are_kept_where_nginx_wants_them() {
    for way in [Way::HttpKept, Way::FastcgiKept] {
        let server = way.launch().start();
        let nginx = way.nginx(&server).before(&server);
        (0..20).for_each(|_| assert_eq!(nginx.get("/").status, 200));
        // Each connection of the worker's is one of nginx's; the one that it keeps serves them all.
        let worker = server.workers()[0].pid;
        let descriptors = std::fs::read_dir(format!("/proc/{worker}/fd")).expect("descriptors");
        let sockets = descriptors.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
        let sockets = sockets.filter(|target| target.to_string_lossy().starts_with("socket:")).count();
        let plain = {
            let server = way.launch().start();
            let worker = server.workers()[0].pid;
            let descriptors = std::fs::read_dir(format!("/proc/{worker}/fd")).expect("descriptors");
            let targets = descriptors.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
            targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
        };
        assert_eq!(sockets, plain + 1, "{way:?}: one connection more than a worker without requests has");
    }
}

/// Another protocol than the socket's: the peer learns which directive belongs there.
#[test]
fn another_protocol_is_named() {
    let launch = Launch::hello().set("workers", 1);
    let dir = launch.dir().display().to_string();
    let launch = with_http_socket(launch)
        .set("fastcgi-socket", format!("{dir}/fastcgi.sock"))
        .set("scgi-socket", format!("{dir}/scgi.sock"));
    let mut server = launch.start();
    for (socket, bytes, words) in [
        ("http.sock", &b"\0\x06\0\0\x02\0AB\0\0"[..], "nginx needs proxy_pass here, not uwsgi_pass"),
        ("http.sock", b"\x16\x03\x01\x02\0\x01\0", "the peer speaks TLS to a plain HTTP socket"),
        ("scgi.sock", b"GET / HTTP/1.1\r\n\r\n", "nginx needs scgi_pass here, not proxy_pass"),
        ("scgi.sock", b"\0\x06\0\0\x02\0AB\0\0", "nginx needs scgi_pass here, not uwsgi_pass"),
    ] {
        let mut client = crate::dialogue::Dialogue::over_unix(&server.dir().join(socket));
        client.send(bytes);
        let answer = String::from_utf8_lossy(&client.rest()).into_owned();
        assert!(answer.contains(words), "{socket}: {answer}");
        server.wait_for_expected(words);
    }
    // FastCGI has no answer for what is none of its records; the log tells.
    let mut client = crate::dialogue::Dialogue::over_unix(&server.dir().join("fastcgi.sock"));
    client.send("GET / HTTP/1.1\r\n\r\n");
    client.assert_ends();
    server.wait_for_expected("nginx needs fastcgi_pass here, not proxy_pass");
}
