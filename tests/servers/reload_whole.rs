//! A reload is all or nothing: whatever of the new configuration cannot be had, the reload fails and says why, and the old
//! one goes on in every respect; and what was made for the new one is gone again.

use std::fs;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::harness::{Instance, Launch, wait_until};
use crate::reloading::{
    RELOAD_FAILED, complaint, edit, misdeed, operator, reload, tell, tell_fifo, unsteady, wait_for_generation, who,
};

/// An instance that watches a file, records decisions and scales by hand.
fn equipped() -> Launch {
    let launch = unsteady().set("cheaper-algo", "manual").set("cheaper", 1);
    let touched = launch.dir().join("touched");
    fs::write(&touched, "").expect("a file to touch");
    let decisions = launch.dir().join("decisions");
    launch.set("touch-chain-reload", touched.display()).set("cheaper-log", decisions.display())
}

/// The files in the instance's directory, without those that the test changes.
fn files(server: &Instance) -> Vec<String> {
    let entries = fs::read_dir(server.dir()).expect("its directory").flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name != "misdeed");
    names.sort();
    names
}

/// Everything that was in force works as before: the fifo, the number of workers and its record, the watched file.
fn goes_on_as_before(server: &Instance, round: usize) {
    let seen = server.log.position();
    tell(server, "+");
    server.log.wait_for_after(seen, "scaling: grow by 1 to 2 workers: asked for +1 by the operator");
    let recorded = || fs::read_to_string(server.dir().join("decisions")).expect("the record").lines().count();
    assert!(wait_until(|| recorded() == 2 * round + 1), "{} decisions", recorded());
    assert!(wait_until(|| server.workers().len() == 2));
    tell(server, "-");
    server.log.wait_for_after(seen, "scaling: shrink by 1 to 1 workers");
    fs::write(server.dir().join("touched"), "again").expect("touch it");
    server.log.wait_for_after(seen, "has been touched... chain reload");
    server.log.wait_for_after(seen, "chain reloading complete");
    assert!(who(server).ends_with("of generation 1"), "{}", who(server));
}

/// Adds lines to the configuration, in the place of those with the same keys.
fn with(text: &str, lines: &[String]) -> String {
    let key = |line: &str| line.split('=').next().unwrap_or_default().trim().to_owned();
    let keys: Vec<String> = lines.iter().map(|line| key(line)).collect();
    let kept = text.lines().filter(|line| !keys.contains(&key(line)));
    kept.map(str::to_owned).chain(lines.iter().cloned()).collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn whatever_of_a_configuration_cannot_be_had_the_old_one_goes_on_whole() {
    let mut server = equipped().start();
    server.expect_log("reload failed, the old goes on serving");
    let place = |name: &str| server.dir().join(name).display().to_string();
    let before = files(&server);
    // All of these can be had, and must not be there when something else cannot.
    let good = ["master-fifo = ", "touch-chain-reload = ", "socket = "].map(|key| format!("{key}{}", place("other")));
    let missing = place("missing/file");
    let nowhere = "No such file or directory";
    let cases: [(String, &[&str]); 6] = [
        (format!("master-fifo = {missing}"), &["app.ini:", "cannot make the master fifo", &missing, nowhere]),
        (format!("touch-reload = {missing}"), &["app.ini:", "cannot watch", &missing, nowhere]),
        (format!("logto = {missing}"), &["app.ini:", "cannot open the log", &missing, nowhere]),
        (format!("cheaper-log = {missing}"), &["app.ini:", "cannot open the log of decisions", &missing, nowhere]),
        (format!("socket = {missing}"), &["app.ini:", "cannot listen on", &missing, nowhere]),
        ("cheaper = 9".to_owned(), &["cheaper", "9"]),
    ];
    let original = fs::read_to_string(server.dir().join("app.ini")).expect("its configuration");
    for (round, (line, words)) in cases.iter().enumerate() {
        let fifo = [format!("master-fifo = {}", place("other-fifo"))];
        let socket = [format!("socket = {}", place("other.sock")), good[1].clone()];
        edit(&server, |_| with(&with(&with(&original, &fifo), &socket), std::slice::from_ref(line)));
        let output = operator(&server, "--reload");
        assert_eq!(output.status.code(), Some(RELOAD_FAILED), "{line}: {output:?}");
        let said = complaint(&output);
        assert!(words.iter().all(|word| said.contains(word)), "{line}: {said}");
        assert_eq!(files(&server), before, "{line}: something is left behind");
        goes_on_as_before(&server, round);
    }
    edit(&server, |_| original);
    reload(&server);
    wait_for_generation(&server, 2);
}

#[test]
fn what_was_made_for_code_that_does_not_load_is_gone_again() {
    let mut server = equipped().start();
    server.expect_log("load");
    let before = files(&server);
    let original = fs::read_to_string(server.dir().join("app.ini")).expect("its configuration");
    let place = |name: &str| server.dir().join(name).display().to_string();
    let (fifo, socket) =
        (format!("master-fifo = {}", place("other-fifo")), format!("socket = {}", place("other.sock")));
    edit(&server, |text| with(&text, &[fifo, socket]));
    misdeed(server.dir(), "load fail");
    let output = operator(&server, "--reload");
    assert_eq!(output.status.code(), Some(RELOAD_FAILED), "{output:?}");
    assert!(wait_until(|| files(&server) == before), "{:?} is left behind", files(&server));
    goes_on_as_before(&server, 0);
    misdeed(server.dir(), "");
    edit(&server, |_| original);
    reload(&server);
}

fn is_fifo(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_fifo())
}

#[test]
fn a_reload_that_succeeds_moves_everything_at_once() {
    let server = equipped().start();
    let place = |name: &str| -> PathBuf { server.dir().join(name) };
    let [fifo, touched, decisions, log] = ["other-fifo", "other-touched", "other-decisions", "other.log"].map(place);
    let lines = [
        format!("master-fifo = {}", fifo.display()),
        format!("touch-chain-reload = {}", touched.display()),
        format!("cheaper-log = {}", decisions.display()),
        format!("logto = {}", log.display()),
    ];
    edit(&server, |text| with(&text, &lines));
    reload(&server);
    assert!(is_fifo(&fifo) && !is_fifo(&server.dir().join("fifo")), "{:?}", files(&server));
    tell_fifo(&fifo, "+");
    crate::harness::wait_for_text(&log, "scaling: grow by 1 to 2 workers: asked for +1 by the operator");
    assert_eq!(fs::read_to_string(&decisions).expect("the record").lines().count(), 1);
    fs::write(&touched, "").expect("touch it");
    crate::harness::wait_for_text(&log, "other-touched has been touched... chain reload");
    crate::harness::wait_for_text(&log, "chain reloading complete");
}

/// What an operator writes into the new fifo while the new code still loads is for the new configuration.
#[test]
fn what_is_written_into_a_new_fifo_during_the_load_is_heard_after_it() {
    let server = equipped().start();
    let fifo = server.dir().join("other-fifo");
    edit(&server, |text| with(&text, &[format!("master-fifo = {}", fifo.display())]));
    misdeed(server.dir(), "load slow 200");
    tell(&server, "r");
    assert!(wait_until(|| is_fifo(&fifo)), "{:?}", files(&server));
    tell_fifo(&fifo, "s");
    server.log.wait_for("reload done: generation 2 serves");
    server.log.wait_for("generation 2, ");
}

#[test]
fn a_number_of_a_fifo_that_cannot_be_made_leaves_the_one_that_is_heard() {
    let launch = unsteady();
    let missing = launch.dir().join("missing/fifo").display().to_string();
    let mut server = launch.line(format!("master-fifo = {missing}")).start();
    server.expect_log("cannot listen to master fifo 1");
    tell(&server, "1");
    server.log.wait_for("cannot listen to master fifo 1");
    tell(&server, "s");
    server.log.wait_for("generation 1, ");
}

#[test]
fn a_start_that_cannot_watch_a_file_leaves_nothing_behind() {
    let launch = equipped();
    let missing = launch.dir().join("missing/file").display().to_string();
    let failed = launch.set("touch-reload", &missing).fails();
    let line = failed.lines.last().expect("a reason");
    assert!(line.contains("cannot watch") && line.contains(&missing), "{line}");
    assert_eq!(failed.files(), ["app.ini", "touched"]);
}
