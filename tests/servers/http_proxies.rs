//! HTTP sockets behind proxies and load balancers: what is believed of whom, and the PROXY protocol.

use std::collections::BTreeMap;

use crate::dialogue::{Dialogue, Reply, tcp_address, with_http_socket};
use crate::harness::{Instance, Launch};

fn hello() -> Launch {
    with_http_socket(Launch::hello().set("workers", 1).set("disable-logging", true))
}

fn over_tcp() -> Launch {
    Launch::hello().set("workers", 1).set("disable-logging", true).set("http-socket", "127.0.0.1:0")
}

/// The same, by workers and by a router.
fn each_way() -> [Launch; 2] {
    [over_tcp(), over_tcp().without("http-socket").set("http", "127.0.0.1:0").set("http-processes", 1)]
}

fn variables(reply: &Reply) -> BTreeMap<String, String> {
    let text = reply.text();
    text.lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// What becomes of a request with these headers: the client's address and port, and the scheme.
fn seen(server: &Instance, headers: &str) -> (String, String, String) {
    let mut client = Dialogue::over_tcp(tcp_address(server));
    client.send(format!("GET /env HTTP/1.1\r\nHost: a\r\n{headers}\r\n"));
    let found = variables(&client.reply("GET"));
    client.send(format!("GET /scheme HTTP/1.1\r\nHost: a\r\n{headers}\r\n"));
    let scheme = client.reply("GET").text();
    let value = |key: &str| found.get(key).cloned().unwrap_or_default();
    (value("REMOTE_ADDR"), value("REMOTE_PORT"), scheme)
}

const FORWARDED: &str = "X-Forwarded-For: 192.0.2.66, 203.0.113.7, 127.0.0.9\r\nX-Forwarded-Proto: https\r\n";

#[test]
fn a_proxy_is_believed_only_if_it_is_trusted() {
    let mut server = over_tcp().start();
    server.expect_log("X-Forwarded-Proto: https, which is not believed");
    let (address, port, scheme) = seen(&server, FORWARDED);
    assert_eq!((address.as_str(), scheme.as_str()), ("127.0.0.1", "http"));
    assert!(!port.is_empty());
    let server = over_tcp().set("trusted-proxy", "127.0.0.0/8").start();
    let expected = ("203.0.113.7".to_owned(), String::new(), "https".to_owned());
    assert_eq!(seen(&server, FORWARDED), expected, "the first from the right that is no proxy of ours");
    let forwarded = "Forwarded: for=\"[2001:db8::1]:4711\";proto=https\r\n";
    assert_eq!(seen(&server, forwarded), ("2001:db8::1".to_owned(), "4711".to_owned(), "https".to_owned()));
    let (address, _, scheme) = seen(&server, "");
    assert_eq!((address.as_str(), scheme.as_str()), ("127.0.0.1", "http"), "nothing is said");
}

#[test]
fn whoever_connects_to_a_unix_socket_is_trusted_by_word_only() {
    for (trusted, expected) in [(false, ""), (true, "203.0.113.7")] {
        let launch = if trusted { hello().set("trusted-proxy", "unix:") } else { hello() };
        let server = launch.start();
        let mut client = Dialogue::with(&server);
        client.send("GET /env HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n");
        let found = variables(&client.reply("GET"));
        assert_eq!(found["REMOTE_ADDR"], expected);
    }
}

/// A header of version 2 for TCP over IPv4.
fn version_2() -> Vec<u8> {
    let addresses = [203, 0, 113, 7, 198, 51, 100, 1, 0x9c, 0x41, 1, 0xbb];
    [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".as_slice(), &addresses].concat()
}

#[test]
fn the_proxy_protocol_says_who_calls() {
    for launch in each_way() {
        let server = launch.set("enable-proxy-protocol", true).set("trusted-proxy", "127.0.0.1").start();
        for header in [b"PROXY TCP4 203.0.113.7 198.51.100.1 40001 443\r\n".to_vec(), version_2()] {
            let request = b"GET /env HTTP/1.1\r\nHost: a\r\n\r\n";
            let mut client = Dialogue::over_tcp(tcp_address(&server));
            // In pieces, since nothing says that it comes in one.
            header.chunks(7).for_each(|piece| client.send(piece));
            client.send(request);
            for _ in 0..2 {
                let found = variables(&client.reply("GET"));
                let value = |key: &str| found[key].as_str();
                assert_eq!(
                    (value("REMOTE_ADDR"), value("REMOTE_PORT"), value("SERVER_PORT")),
                    ("203.0.113.7", "40001", "443")
                );
                client.send(request);
            }
        }
        // The load balancer's own health check.
        let mut client = Dialogue::over_tcp(tcp_address(&server));
        client.send("PROXY UNKNOWN\r\nGET /env HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(variables(&client.reply("GET"))["REMOTE_ADDR"], "127.0.0.1");
    }
}

#[test]
fn where_the_proxy_protocol_is_spoken_it_is_a_must_and_only_for_the_trusted() {
    for launch in each_way() {
        let mut server = launch.set("enable-proxy-protocol", true).set("trusted-proxy", "127.0.0.1").start();
        server.expect_log("request refused with status 400");
        for (bytes, words) in [
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "does not begin with a PROXY protocol header"),
            ("PROXY TCP4 x y z w\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "PROXY line is not of the form"),
            (
                "PROXY TCP4 203.0.113.7 198.51.100.1 1 2\r\nPROXY TCP4 6.6.6.6 1.1.1.1 1 2\r\n",
                "sends the PROXY protocol",
            ),
        ] {
            let mut client = Dialogue::over_tcp(tcp_address(&server));
            client.send(bytes);
            let reply = client.reply("GET");
            assert!(reply.status == 400 && reply.text().contains(words), "{bytes:?}: {reply:?}");
            client.assert_ends();
        }
    }
    for launch in each_way() {
        let mut server = launch.set("enable-proxy-protocol", true).set("trusted-proxy", "10.0.0.0/8").start();
        server.expect_log("request refused with status 400");
        let mut client = Dialogue::over_tcp(tcp_address(&server));
        client.send("PROXY TCP4 203.0.113.7 198.51.100.1 1 2\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let reply = client.reply("GET");
        assert!(reply.text().contains("from a trusted-proxy only"), "{reply:?}");
    }
}

/// Without trusting anybody it would be an invitation.
#[test]
fn the_proxy_protocol_needs_somebody_to_trust() {
    for option in ["enable-proxy-protocol", "http-enable-proxy-protocol"] {
        let failed = over_tcp().set(option, true).fails();
        assert_eq!(failed.code, 78);
        let expected = format!(": {option} = true: needs a trusted-proxy");
        assert!(failed.line().contains(&expected), "{:?}", failed.lines);
    }
}
