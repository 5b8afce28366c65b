//! The command as it is run: what it prints and how it exits.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::process::{Command, Output};
use std::thread;

const REQUESTS: usize = 50;

fn loadgen(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadgen")).args(arguments).output().expect("loadgen")
}

#[test]
fn it_prints_json_and_tells_success_from_failure_by_its_exit_code() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).expect("bind");
    let server = thread::spawn(move || {
        for connection in listener.incoming().take(REQUESTS) {
            let mut connection = connection.expect("a client");
            // A packet: a header whose second and third byte count what follows (uWSGI's manual, "The uwsgi Protocol").
            let mut header = [0; 4];
            connection.read_exact(&mut header).expect("a header");
            let mut block = vec![0; usize::from(u16::from_le_bytes([header[1], header[2]]))];
            connection.read_exact(&mut block).expect("a block");
            connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").expect("a client that listens");
        }
    });
    let socket = path.to_str().expect("a path in UTF-8");
    let count = REQUESTS.to_string();
    let output = loadgen(&["--socket", socket, "--clients", "3", "--requests", &count, "--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    server.join().expect("every request was answered");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["counts"]["ok"], REQUESTS);
    assert!(report["latency"]["p99_us"].as_f64().is_some_and(|p99| p99 > 0.0));

    let nobody = directory.path().join("nobody");
    let output = loadgen(&["--socket", nobody.to_str().expect("a path in UTF-8"), "--seconds", "0.05"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("ok 0  refused "));
}

#[test]
fn a_wrong_command_line_is_refused_with_the_usage() {
    for arguments in [&["--socket"][..], &["--socket", "/s", "--clients", "many"], &["--nonsense"], &[]] {
        let output = loadgen(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("usage: loadgen"), "{arguments:?}");
    }
}
