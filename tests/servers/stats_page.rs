//! The page of an instance in a real browser: what it shows is what the instance did, and it asks nobody else.

use std::process::{Child, Command, Stdio};
use std::thread;

use regex_lite::Regex;
use rhinod_bench::packet::Request;

use crate::harness::{Instance, free_address, output_of};
use crate::reloading::{reload, tell_fifo, unsteady};

/// So long is the page looked at, by its own clock.
const LOOKED_MS: u32 = 6_000;

/// A headless Chromium that looks at a page, and prints what has become of it. It finds no other host.
fn browser(server: &Instance, address: &str) -> Child {
    let mut command = Command::new("chromium");
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
    command.arg("--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1");
    command.arg(format!("--user-data-dir={}", server.dir().join("browser").display()));
    // What else it writes goes with the instance, too.
    command.env("HOME", server.dir()).env("TMPDIR", server.dir());
    command.arg(format!("--virtual-time-budget={LOOKED_MS}")).arg("--dump-dom").arg(address);
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
    let browser = browser(&server, &format!("http://{address}/"));
    let looking = thread::spawn(move || output_of(browser));
    while !looking.is_finished() {
        for order in ["+", "-"] {
            tell_fifo(&fifo, order);
            reload(&server);
        }
    }
    let output = looking.join().expect("no panic");
    let page = String::from_utf8(output.stdout).expect("a page is text");
    assert!(output.status.success() && page.contains(r#"<span class="state" id="state">ready</span>"#), "{page}");
    let summary = Regex::new(r"generation (\d+), 1 to 4 workers, (\d+) requests so far").expect("a pattern");
    let summary = summary.captures(&page).unwrap_or_else(|| panic!("no summary in {page}"));
    assert!(summary[1].parse::<u32>().is_ok_and(|generation| generation > 1), "{page}");
    assert!(summary[2].parse::<u32>().is_ok_and(|requests| requests >= 20), "{page}");
    let workers = rows(&page, "table");
    assert!(workers.iter().any(|worker| worker[0] == "1" && worker.len() == 6), "{workers:?}");
    let told: Vec<String> = rows(&page, "events").into_iter().flatten().collect();
    for wanted in ["reload graceful: done", "worker ended: replaced", "workers up: asked", "workers down: asked"] {
        assert!(told.iter().any(|told| told.starts_with(wanted)), "no {wanted} in {told:?}");
    }
    server.stop();
}
