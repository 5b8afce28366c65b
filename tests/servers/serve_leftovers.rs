//! Files that a start makes: a start that fails touches none of another instance and leaves none of its own, and neither
//! does a reload that fails.

use std::fs;
use std::os::unix::fs::FileTypeExt;

use crate::harness::{Failed, Instance, Launch, wait_until};
use crate::reloading::{RELOAD_FAILED, edit, misdeed, operator, reload, unsteady};

const NO_APPLICATION: i32 = 22;
const ADDRESS: i32 = 69;
const FILE: i32 = 73;

/// One that makes every file that a start may make.
fn with_every_file() -> Launch {
    let launch = unsteady().set("vacuum", true);
    let place = |name: &str| launch.dir().join(name).display().to_string();
    let (second, safe, decisions, log) = (place("pid2"), place("safe"), place("decisions"), place("log"));
    let launch = launch.set("pidfile2", second).set("safe-pidfile", safe).set("cheaper-log", decisions);
    launch.set("logto2", log).set("log-truncate", true)
}

/// The same configuration started once more, by mistake.
fn start_again(server: &Instance) -> Failed {
    let ini = server.dir().join("app.ini").display().to_string();
    Launch::example("unsteady").arguments([ini]).fails()
}

fn text(server: &Instance, name: &str) -> String {
    fs::read_to_string(server.dir().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn a_second_start_by_mistake_leaves_the_files_of_the_first_alone() {
    let launch = with_every_file();
    let dir = launch.dir().to_owned();
    let server = launch.spawn();
    let pid = format!("{}\n", server.pid());
    let ready = || fs::read_to_string(dir.join("safe")).is_ok_and(|text| text == pid);
    assert!(wait_until(ready), "{:?}", fs::read_to_string(dir.join("log")));
    let before = text(&server, "log");
    let failed = start_again(&server);
    assert_eq!(failed.code, ADDRESS, "{failed:?}");
    for name in ["pid", "pid2", "safe"] {
        assert_eq!(text(&server, name), pid, "{name}");
    }
    assert!(text(&server, "log").starts_with(&before), "the log was emptied");
    assert!(fs::metadata(dir.join("fifo")).expect("the fifo").file_type().is_fifo());
    assert!(dir.join("decisions").exists());
    // Whoever operates the first one still finds it.
    reload(&server);
}

#[test]
fn log_truncate_keeps_what_the_start_itself_has_said() {
    let launch = with_every_file();
    let dir = launch.dir().to_owned();
    fs::write(dir.join("log"), "of yesterday\n").expect("write the log");
    let server = launch.spawn();
    assert!(wait_until(|| dir.join("safe").exists()));
    let log = text(&server, "log");
    assert!(!log.contains("of yesterday") && log.contains("spawned uWSGI worker 1"), "{log}");
}

#[test]
fn a_fifo_that_cannot_be_made_leaves_nothing() {
    let launch = with_every_file().without("logto2");
    let file = launch.dir().join("precious");
    fs::write(&file, "precious").expect("write the file");
    let failed = launch.set("master-fifo", file.display()).fails();
    assert_eq!(failed.code, FILE, "{failed:?}");
    assert_eq!(failed.files(), ["app.ini", "precious"]);
    assert_eq!(fs::read_to_string(failed.dir.path().join("precious")).expect("the file"), "precious");
}

/// What root has made where the user that serves may remove nothing is removed all the same. Only root can see that.
#[test]
fn a_start_that_fails_as_another_user_leaves_nothing_in_roots_directory() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let launch = with_every_file().without("logto2").without("pidfile2").without("safe-pidfile");
    let launch = launch.set("uid", 12_345).set("gid", 12_345).set("chown-socket", "12345:12345");
    // The fifo is the user's to make, in a directory that is root's alone.
    let failed = launch.fails();
    assert_eq!(failed.code, FILE, "{failed:?}");
    assert!(failed.lines.iter().any(|line| line.contains("master-fifo = ")), "{failed:?}");
    assert_eq!(failed.files(), ["app.ini"]);
}

#[test]
fn an_application_that_cannot_be_loaded_leaves_no_file() {
    let launch = with_every_file().without("vacuum").without("logto2");
    misdeed(launch.dir(), "load fail");
    let failed = launch.fails();
    assert_eq!(failed.code, NO_APPLICATION, "{failed:?}");
    assert_eq!(failed.files(), ["app.ini", "misdeed"]);
}

#[test]
fn a_reload_that_fails_leaves_no_file_of_the_new_configuration() {
    let mut server = unsteady().start();
    server.expect_log("[warn]");
    server.expect_log("[error]");
    let place = |name: &str| server.dir().join(name);
    let (socket, decisions) = (place("new.sock"), place("decisions"));
    let more = format!("socket = {}\ncheaper-log = {}\n", socket.display(), decisions.display());
    edit(&server, |ini| ini + &more);
    misdeed(server.dir(), "load fail");
    assert_eq!(operator(&server, "--reload").status.code(), Some(RELOAD_FAILED));
    assert!(wait_until(|| !socket.exists() && !decisions.exists()));
    misdeed(server.dir(), "");
    reload(&server);
    assert!(socket.exists() && decisions.exists());
}
