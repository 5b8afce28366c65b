//! `rhinod top` on a terminal: what it shows of an instance, and what its keys do.

use std::process::Command;

use crate::harness::program_path;
use crate::monitoring::{metrics_path, telling};
use crate::terminal::Terminal;

#[test]
fn top_shows_an_instance_and_its_keys_reload_scale_and_pause_it() {
    let server = telling().set("workers", 3).set("cheaper", 1).set("cheaper-idle", 3_600).start();
    for _ in 0..7 {
        server.get("/");
    }
    let top = |word: &std::path::Path| Terminal::running(Command::new(program_path("rhinod")).arg("top").arg(word));
    let mut terminal = top(&server.dir().join("pid"));
    let pid = server.workers()[0].pid.to_string();
    terminal.wait_for(&["generation 1", "ready", "7 answered", &pid, "idle"]);
    terminal.press("+");
    terminal.wait_for(&["one worker more: done", "up    to    2 workers: "]);
    terminal.press("p");
    terminal.wait_for(&["pause: done", "paused"]);
    terminal.press("p");
    terminal.wait_for(&["resume: done"]);
    terminal.press("r");
    terminal.wait_for(&["reload: ", "generation 2", "ready"]);
    terminal.press("q");
    terminal.ends_well();
    let mut terminal = top(&metrics_path(server.dir()));
    terminal.wait_for(&["generation 2", "7 answered"]);
    terminal.press("p");
    terminal.wait_for(&["takes no orders: give the pid file"]);
    terminal.press("q");
    terminal.ends_well();
    server.stop();
}
