//! `rhinod check` beside a real start: what it says would keep an instance from starting does, and what it finds fine
//! starts. As root with another user to become, and as an ordinary user.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::harness::{Launch, program_path};

const WILL_NOT_START: i32 = 2;
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

fn check(ini: &Path, as_nobody: bool) -> Output {
    let mut command = Command::new(crate::harness::example_path("hello"));
    command.arg("check").arg(ini).current_dir(ini.parent().expect("a directory"));
    if as_nobody {
        command.uid(NOBODY).gid(NOBODY);
    }
    command.output().expect("execute check")
}

fn report(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// An instance that is to become another user, in a directory that this user may go through.
fn dropping() -> Launch {
    let launch = Launch::hello().set("uid", "nobody").set("gid", NOBODY).set("chmod-socket", "666");
    fs::set_permissions(launch.dir(), fs::Permissions::from_mode(0o777)).expect("permissions");
    launch
}

/// The configuration is judged by `check` first, and then started.
fn assert_foreseen(launch: Launch, says: &str) {
    fs::write(launch.ini_path(), launch.ini_text()).expect("write the ini file");
    let output = check(&launch.ini_path(), false);
    assert_eq!(output.status.code(), Some(WILL_NOT_START), "{output:?}");
    assert!(report(&output).contains(says), "no {says:?} in {}", report(&output));
    let failed = launch.fails();
    assert!(failed.code >= 64, "{failed:?}");
}

#[test]
fn what_another_user_may_not_do_is_foreseen() {
    if !is_root() {
        return;
    }
    let closed = |name: &str| {
        let launch = dropping();
        fs::create_dir(launch.dir().join(name)).expect("a directory");
        fs::set_permissions(launch.dir().join(name), fs::Permissions::from_mode(0o700)).expect("permissions");
        launch
    };
    let launch = closed("private");
    let directory = launch.dir().join("private").display().to_string();
    assert_foreseen(
        launch.set("chdir", "private"),
        &format!("user nobody may not go through the directory {directory}"),
    );
    assert_foreseen(closed("run").set("socket", "run/app.sock"), "user nobody may not go through the directory");
    let readable = closed("etc");
    fs::set_permissions(readable.dir().join("etc"), fs::Permissions::from_mode(0o755)).expect("permissions");
    assert_foreseen(readable.set("pidfile2", "etc/pid"), "user nobody may not make files in");
    assert_foreseen(dropping().set("socket", "127.0.0.1:7"), "user nobody may not listen on port 7");
}

#[test]
fn what_another_user_may_do_starts() {
    if !is_root() {
        return;
    }
    let launch = dropping().set("pidfile2", "pid");
    fs::write(launch.ini_path(), launch.ini_text()).expect("write the ini file");
    let output = check(&launch.ini_path(), false);
    assert_eq!(output.status.code(), Some(0), "{}", report(&output));
    launch.start();
}

#[test]
fn what_is_missing_or_unknown_is_foreseen() {
    assert_foreseen(Launch::hello().set("chdir", "away"), "/away");
    assert_foreseen(Launch::hello().set("pidfile", "away/pid"), "/away");
    assert_foreseen(Launch::hello().set("uid", "nobody-of-this-name"), "there is no user \"nobody-of-this-name\"");
    assert_foreseen(Launch::hello().set("add-gid", "nobody-of-this-name"), "there is no group");
    assert_foreseen(Launch::hello().set("master-fifo", "away/fifo"), "/away");
    let without = Launch::rhinod();
    fs::write(without.ini_path(), without.ini_text()).expect("write the ini file");
    let output = Command::new(program_path("rhinod")).arg("check").arg(without.ini_path()).output().expect("execute");
    assert_eq!(output.status.code(), Some(WILL_NOT_START), "{output:?}");
    assert!(report(&output).contains("no application is named"), "{}", report(&output));
}

/// It may come later, as what a deployment builds does.
#[test]
fn a_directory_for_files_that_is_not_there_is_told_with_its_line() {
    let launch = Launch::hello().line("static-map = /here=.").line("static-map = /away=away");
    fs::write(launch.ini_path(), launch.ini_text()).expect("write the ini file");
    let output = check(&launch.ini_path(), false);
    let said = report(&output);
    let lines: Vec<&str> = said.lines().collect();
    let at = lines.iter().position(|line| line.contains("/away is not there")).expect("a note");
    assert!(output.status.success() && lines[at - 1].contains("app.ini:5  static-map = /away=away"), "{said}");
    assert_eq!(said.matches("is not there").count(), 1, "{said}");
    let mut server = launch.start();
    server.wait_for_expected("away is not there; what is asked of it goes to the application");
    server.stop();
}

/// An ordinary user hears that only root can become another one.
#[test]
fn an_ordinary_user_cannot_start_what_becomes_another_user() {
    let launch = Launch::hello().set("uid", 1);
    fs::set_permissions(launch.dir(), fs::Permissions::from_mode(0o777)).expect("permissions");
    fs::write(launch.ini_path(), launch.ini_text()).expect("write the ini file");
    let probe = Command::new("true").uid(NOBODY).status();
    let program = crate::harness::example_path("hello");
    let reachable = || Command::new(&program).arg("--version").uid(NOBODY).output().is_ok();
    if is_root() && (probe.is_err() || !reachable()) {
        return;
    }
    let output = check(&launch.ini_path(), is_root());
    assert_eq!(output.status.code(), Some(WILL_NOT_START), "{output:?}");
    assert!(report(&output).contains("uid = 1"), "{}", report(&output));
    assert!(report(&output).contains("only root may change the user"), "{}", report(&output));
    assert!(report(&output).contains("Not tried: what the user of the instance may do"), "{}", report(&output));
}
