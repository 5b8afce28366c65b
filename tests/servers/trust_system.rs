//! What the system does to a master, or lets others do: files at their limit, a standard error that takes nothing, and
//! processes of the same user that would look into it.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::process::{Command, Stdio};

use crate::harness::{Launch, example_path};
use crate::reloading::{complaint, operator, tell, unsteady};

#[test]
fn a_log_as_long_as_a_file_may_be_ends_nobody() {
    // In units of 512 or of 1,024 bytes, as the shell likes.
    let launch = Launch::hello().through(["sh", "-c", "ulimit -f 4096; exec \"$0\" \"$@\""]);
    let log = launch.dir().join("full.log");
    let pid_file = launch.dir().join("pid").display().to_string();
    let server = launch.set("logto", log.display()).set("pidfile", pid_file).spawn();
    let began = || fs::read_to_string(&log).is_ok_and(|text| text.contains("ready to serve"));
    assert!(crate::harness::wait_until(began), "it does not start");
    // Without blocks, so that nothing is written for it.
    OpenOptions::new().write(true).open(&log).expect("the log").set_len(4_096 * 1_024).expect("a longer log");
    for _ in 0..4 {
        // Each is a line of a worker's and of the master's that cannot be written.
        assert_eq!(server.get("/").status(), Some(200));
        server.signal(nix::sys::signal::Signal::SIGUSR1);
        assert!(operator(&server, "status").status.success(), "the master does not answer");
    }
}

#[test]
fn a_start_that_fails_has_its_exit_code_also_where_it_cannot_say_why() {
    let directory = tempfile::tempdir().expect("a directory");
    let ini = directory.path().join("app.ini");
    fs::write(&ini, "[uwsgi]\nsocket = app.sock\nworkers = many\n").expect("an ini file");
    let code = |stderr: Stdio| {
        let mut command = Command::new(example_path("hello"));
        command.arg(&ini).stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        command.status().expect("it is executed").code()
    };
    let heard = code(Stdio::null());
    assert_eq!(heard, Some(78));
    assert_eq!(code(File::options().write(true).open("/dev/full").expect("a full device").into()), heard);
    let (reader, closed) = std::io::pipe().expect("a pipe");
    drop(reader);
    assert_eq!(code(closed.into()), heard);
}

#[test]
fn a_master_that_has_changed_its_user_stays_closed_to_that_user_over_an_upgrade() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let launch = unsteady();
    fs::set_permissions(launch.dir(), fs::Permissions::from_mode(0o777)).expect("a directory for everybody");
    let server = launch.set("uid", "nobody").start();
    // Whose files these are is how the kernel shows it (proc(5)).
    let owner = || fs::metadata(format!("/proc/{}/environ", server.pid())).expect("it lives").uid();
    assert_eq!(owner(), 0, "at the start");
    let seen = server.log.position();
    tell(&server, "u");
    server.log.wait_for_after(seen, "the master (pid");
    assert_eq!(owner(), 0, "after the upgrade");
}

#[test]
fn what_an_application_says_while_it_fails_to_load_moves_no_cursor_and_forges_no_line() {
    let directory = tempfile::tempdir().expect("a directory");
    let module = directory.path().join("turns.py");
    fs::write(&module, "def application(environ, start_response): pass\n").expect("a module");
    let launch = crate::pythons::launch_in(&crate::pythons::one(), directory.path()).set("module", "turns");
    let pid_file = launch.dir().join("pid").display().to_string();
    let mut server = launch.set("pidfile", pid_file).start();
    for told in ["[error]", "[warn]", "rhinod: "] {
        server.expect_log(told);
    }
    fs::write(&module, "raise RuntimeError('\\x1b[2J\\r\\n[pid: 1|app: 0] forged')\n").expect("a module");
    let reload = operator(&server, "--reload");
    let status = operator(&server, "status");
    server.log.wait_for("\\x1b[2J\\x0d");
    let log = server.log.lines().join("\n");
    let status = String::from_utf8_lossy(&status.stdout).into_owned();
    for text in [&complaint(&reload), &log] {
        assert!(text.contains("\\x1b[2J\\x0d"), "{text:?}");
    }
    for text in [&complaint(&reload), &log, &status] {
        assert!(!text.contains(['\x1b', '\r']) && !text.contains("\n[pid: 1|app: 0] forged"), "{text:?}");
    }
}

#[test]
fn no_configuration_listens_on_a_descriptor_of_the_masters_own() {
    let mut server = unsteady().start();
    server.expect_log("needs a restart");
    let ini = fs::read_to_string(server.dir().join("app.ini")).expect("the ini file");
    let own = fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("its descriptors").flatten();
    let own: Vec<String> = own.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert!(own.len() > 8, "{own:?}");
    for number in own.iter().filter(|number| number.parse::<u32>().is_ok_and(|number| number > 2)) {
        fs::write(server.dir().join("app.ini"), format!("{ini}socket = fd://{number}\n")).expect("the ini file");
        let refused = operator(&server, "--reload");
        assert_eq!(refused.status.code(), Some(75), "{number}: {refused:?}");
        assert!(complaint(&refused).contains("needs a restart"), "{number}: {refused:?}");
        assert_eq!(server.get("/").status(), Some(200), "{number}");
    }
    fs::write(server.dir().join("app.ini"), ini).expect("the ini file");
    crate::reloading::reload(&server);
}

#[test]
fn a_descriptor_that_was_not_inherited_is_no_socket_at_the_start_either() {
    for number in [3, 4, 5, 7, 9] {
        let failed = Launch::hello().set("socket", format!("fd://{number}")).fails();
        assert_eq!(failed.code, 71, "{failed:?}");
        let said = format!("fd://{number}: Bad file descriptor");
        assert!(failed.lines.iter().any(|line| line.contains(&said)), "{failed:?}");
    }
}

#[test]
fn a_master_that_is_root_writes_through_no_link_that_another_user_has_made() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    for option in ["pidfile", "logto", "cheaper-log"] {
        let launch = Launch::hello();
        let (theirs, victim) = (launch.dir().join("theirs"), launch.dir().join("victim"));
        fs::create_dir(&theirs).expect("a directory");
        fs::write(&victim, "precious").expect("a file");
        symlink(&victim, theirs.join("link")).expect("a link");
        lchown(theirs.join("link"), Some(65_534), None).expect("another owner");
        chown(&theirs, Some(65_534), None).expect("another owner");
        let link = theirs.join("link").display().to_string();
        let failed = launch.set(option, link).fails();
        assert_eq!(failed.code, 73, "{option}: {failed:?}");
        assert!(failed.lines.iter().any(|line| line.contains("which root does not follow")), "{failed:?}");
        let victim = failed.dir.path().join("victim");
        let kept = fs::read_to_string(&victim);
        assert!(kept.is_ok_and(|text| text == "precious"), "{option}");
    }
}

#[test]
fn a_master_that_is_root_makes_nothing_by_way_of_a_link_that_another_user_has_made() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    for (option, code) in [("socket", 71), ("master-fifo", 73)] {
        let launch = Launch::hello();
        let (theirs, private) = (launch.dir().join("theirs"), launch.dir().join("private"));
        fs::create_dir(&theirs).expect("a directory");
        fs::create_dir(&private).expect("a directory");
        symlink(&private, theirs.join("way")).expect("a link");
        lchown(theirs.join("way"), Some(65_534), None).expect("another owner");
        chown(&theirs, Some(65_534), None).expect("another owner");
        let failed = launch.set(option, theirs.join("way/made").display()).fails();
        assert_eq!(failed.code, code, "{option}: {failed:?}");
        assert!(failed.lines.iter().any(|line| line.contains("which root does not follow")), "{failed:?}");
        let made = fs::read_dir(failed.dir.path().join("private")).expect("the directory").count();
        assert_eq!(made, 0, "{option}");
    }
}

#[test]
fn a_fifo_that_another_user_has_made_is_not_obeyed() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let theirs = |launch: &Launch| {
        let fifo = launch.dir().join("theirs");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
        chown(&fifo, Some(65_534), None).expect("another owner");
        fifo.display().to_string()
    };
    let launch = unsteady();
    let fifo = theirs(&launch);
    let failed = launch.set("master-fifo", &fifo).fails();
    assert_eq!(failed.code, 73, "{failed:?}");
    let said = failed.lines.iter().any(|line| line.contains("app.ini:") && line.contains("does not obey"));
    assert!(said && failed.dir.path().join("theirs").exists(), "{failed:?}");

    let launch = unsteady();
    let fifo = theirs(&launch);
    let mut server = launch.start();
    server.expect_log("reload failed, the old goes on serving");
    let ini = fs::read_to_string(server.dir().join("app.ini")).expect("the ini file");
    let (kept, _) = ini.split_once("master-fifo").expect("its fifo");
    fs::write(server.dir().join("app.ini"), format!("{kept}master-fifo = {fifo}\n")).expect("the ini file");
    let refused = operator(&server, "--reload");
    assert!(complaint(&refused).contains("belongs to user 65534"), "{refused:?}");
    tell(&server, "w");
    server.log.wait_for("workers' reload done");
}

#[test]
fn a_fifo_in_the_place_of_the_pid_file_does_not_hold_up_the_end() {
    let server = unsteady().set("vacuum", true).start();
    let pid_file = server.dir().join("pid");
    fs::remove_file(&pid_file).expect("a pid file");
    nix::unistd::mkfifo(&pid_file, nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
    server.signal(nix::sys::signal::Signal::SIGTERM);
    server.ends_with(0);
}

#[test]
fn pid_file_and_fifo_are_their_owners_to_write_whatever_the_umask_is() {
    let server = unsteady().set("umask", "000").start();
    let mode = |name: &str| fs::metadata(server.dir().join(name)).expect("a file").permissions().mode() & 0o777;
    assert_eq!((mode("pid"), mode("fifo")), (0o644, 0o600));
}
