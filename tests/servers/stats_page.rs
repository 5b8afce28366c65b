//! The page of an instance in a real browser: what it shows is what the instance did, and it asks nobody else.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

use crossbeam_channel::{Receiver, Sender, unbounded};
use loadgen::packet::Request;
use regex_lite::Regex;

use crate::harness::{Instance, PATIENCE, free_address, output_of};
use crate::reloading::{reload, tell_fifo, unsteady};

/// Stands between the browser and the instance, and keeps a picture of the page waiting: the browser prints the page when all
/// of it is there.
struct Between {
    address: SocketAddr,
    /// Each look of the page at the metrics.
    looks: Receiver<()>,
    /// Dropped: the picture comes.
    held: Sender<()>,
}

impl Between {
    fn begin(instance: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let ((looked, looks), (held, release)) = (unbounded(), unbounded());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (looked, release) = (looked.clone(), release.clone());
                // A browser that has gone takes nothing.
                thread::spawn(move || pass_on(stream, instance, &looked, &release));
            }
        });
        Self { address, looks, held }
    }

    /// Waits until the page has looked so often from now on.
    fn wait_for_looks(&self, count: usize) {
        self.looks.try_iter().for_each(drop);
        (0..count).for_each(|_| self.looks.recv_timeout(PATIENCE).expect("a look"));
    }
}

fn pass_on(mut stream: TcpStream, instance: SocketAddr, looked: &Sender<()>, release: &Receiver<()>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    if path == "/picture" {
        // Until the other end is dropped.
        let _ = release.recv();
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    let mut there = TcpStream::connect(instance)?;
    write!(there, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    there.read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let kind = if path == "/" { "text/html; charset=utf-8" } else { "text/plain" };
    let body = body.replace("</main>", "</main><img src=picture hidden>");
    let length = body.len();
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
    if path == "/metrics" {
        let _ = looked.send(());
    }
    Ok(())
}

/// A headless Chromium that looks at a page, and prints what has become of it. It finds no other host.
fn browser(server: &Instance, address: SocketAddr) -> Child {
    let mut command = Command::new("chromium");
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
    command.arg("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1");
    command.arg(format!("--user-data-dir={}", server.dir().join("browser").display()));
    // What else it writes goes with the instance, too.
    command.env("HOME", server.dir()).env("TMPDIR", server.dir());
    command.arg("--dump-dom").arg(format!("http://{address}/"));
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().expect("chromium, which `make test` installs")
}

/// Rows of the table with this id, their cells after each other.
fn rows(page: &str, id: &str) -> Vec<Vec<String>> {
    let table = Regex::new(&format!(r#"(?s)<table id="{id}">(.*?)</table>"#)).expect("a pattern");
    let (row, cell) = ("(?s)<tr>(.*?)</tr>", "<td[^>]*>(.*?)</td>");
    let (row, cell) = (Regex::new(row).expect("a pattern"), Regex::new(cell).expect("a pattern"));
    let table = table.captures(page).unwrap_or_else(|| panic!("no table {id} in {page}"));
    let cells = |row: &str| cell.captures_iter(row).map(|cell| cell[1].to_owned()).collect();
    row.captures_iter(&table[1]).map(|row| cells(&row[1])).filter(|row: &Vec<String>| !row.is_empty()).collect()
}

#[test]
fn a_browser_shows_workers_requests_reloads_and_decisions() {
    let address = free_address();
    let server = unsteady().set("cheaper", 1).set("metrics", address).start();
    let fifo = server.dir().join("fifo");
    for number in 0..20 {
        assert_eq!(server.ask(&Request::get(&format!("/?n={number}"))).status(), Some(200));
    }
    let between = Between::begin(address);
    let browser = browser(&server, between.address);
    between.wait_for_looks(1);
    for order in ["+", "-"] {
        tell_fifo(&fifo, order);
        reload(&server);
        // The first one may have been under way.
        between.wait_for_looks(2);
    }
    drop(between.held);
    let output = output_of(browser);
    let page = String::from_utf8(output.stdout).expect("a page is text");
    assert!(output.status.success() && page.contains(r#"<span class="state" id="state">ready</span>"#), "{page}");
    assert!(page.contains("generation 3, 1 to 4 workers, 20 requests so far"), "{page}");
    let workers = rows(&page, "table");
    assert!(workers.iter().any(|worker| worker[0] == "1" && worker.len() == 6), "{workers:?}");
    let told: Vec<String> = rows(&page, "events").into_iter().flatten().collect();
    for wanted in ["reload graceful: done", "worker ended: replaced", "workers up: asked", "workers down: asked"] {
        assert!(told.iter().any(|told| told.starts_with(wanted)), "no {wanted} in {told:?}");
    }
    server.stop();
}
