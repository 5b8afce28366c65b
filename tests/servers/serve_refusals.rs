//! Instances that cannot start: one line that says what is wrong and where, an exit code for the kind of it, and
//! nothing left behind. The codes are those of `failure::StartFailure` (sysexits(3)).

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use crate::harness::{Failed, Instance, Launch};
use loadgen::client::Target;

const NO_INPUT: i32 = 66;
const NO_USER: i32 = 67;
const ADDRESS: i32 = 69;
const SYSTEM: i32 = 71;
const FILE: i32 = 73;
const PERMISSION: i32 = 77;
const CONFIGURATION: i32 = 78;

/// The line that says it, without warnings: those are about what works.
fn refusal(failed: &Failed) -> &str {
    let lines: Vec<&String> = failed.lines.iter().filter(|line| !line.starts_with("[warn]")).collect();
    assert_eq!(lines.len(), 1, "not one line: {:#?}", failed.lines);
    lines[0].strip_prefix("rhinod: ").unwrap_or_else(|| panic!("not ours: {:?}", lines[0]))
}

fn assert_refused(failed: &Failed, code: i32, says: &[&str]) {
    let line = refusal(failed);
    for text in says {
        assert!(line.contains(text), "no {text:?} in {line:?}");
    }
    assert_eq!(failed.code, code, "{line}");
}

/// An instance with pid file and `vacuum`, so that there is something it could leave.
fn hello() -> Launch {
    let launch = Launch::hello();
    let pidfile = launch.dir().join("app.pid");
    launch.set("pidfile", pidfile.display())
}

fn assert_left_nothing(failed: &Failed) {
    assert_eq!(failed.files(), ["app.ini"]);
}

#[test]
fn a_missing_file() {
    let launch = Launch::hello();
    let path = launch.dir().join("none.ini");
    for arguments in [vec![path.display().to_string()], vec!["--ini".to_owned(), path.display().to_string()]] {
        let failed = Launch::hello().arguments(arguments).fails();
        assert_refused(&failed, NO_INPUT, &["none.ini", "No such file or directory"]);
        assert_left_nothing(&failed);
    }
}

#[test]
fn a_file_that_is_no_file() {
    let launch = Launch::hello();
    let directory = launch.dir().display().to_string();
    let failed = launch.arguments(["--ini".to_owned(), directory.clone()]).fails();
    assert_refused(&failed, NO_INPUT, &[&directory, "Is a directory"]);
}

#[test]
fn a_section_that_is_not_there() {
    let launch = Launch::hello();
    let file = format!("{}:other", launch.ini_path().display());
    let failed = launch.arguments([file]).fails();
    let [reason, consequence] = failed.lines.as_slice() else { panic!("not two lines: {:#?}", failed.lines) };
    assert!(reason.contains("app.ini: it has no section [other]; it has [uwsgi]: write "), "{reason}");
    assert!(consequence.contains("nothing to listen on"), "{consequence}");
    assert_eq!(failed.code, CONFIGURATION);
    assert_left_nothing(&failed);
}

#[test]
fn a_section_without_its_bracket_is_named_with_its_line() {
    let launch = Launch::hello();
    fs::write(launch.ini_path(), "# ours\n[uwsgi\nsocket = app.sock\n").expect("write the ini file");
    let failed = launch.fails_as_is();
    let reason = "app.ini: it has no section [uwsgi]; line 2 begins [uwsg], since it does not end with `]`";
    assert!(failed.lines[0].ends_with(reason), "{:#?}", failed.lines);
    assert_eq!(failed.code, CONFIGURATION);
}

#[test]
fn whatever_cannot_be_had_is_told_with_the_line_that_asks_for_it() {
    let cases = [
        ("socket", "", SYSTEM, "cannot listen on"),
        ("http-socket", "", SYSTEM, "cannot listen on"),
        ("logto", "", FILE, "cannot open the log"),
        ("logto2", "", FILE, "cannot open the log"),
        ("daemonize", "", FILE, "cannot open the log"),
        ("cheaper-log", "", FILE, "cannot open the log of decisions"),
        ("pidfile", "", FILE, "cannot write the pid file"),
        ("pidfile2", "", FILE, "cannot write the pid file"),
        ("master-fifo", "", FILE, "cannot make the master fifo"),
        ("touch-reload", "", CONFIGURATION, "cannot watch"),
        ("touch-exec", " date", CONFIGURATION, "cannot watch"),
        ("fs-reload", "", CONFIGURATION, "cannot watch"),
    ];
    for (key, behind, code, says) in cases {
        // Beside one of the same kind that can be had, before and after it.
        let launch = Launch::hello().line("touch-logreopen = touched").line("processes = 1");
        let missing = launch.dir().join("missing/file").display().to_string();
        let launch = launch.line(format!("{key} = {missing}{behind}")).line("touch-chain-reload = touched");
        let failed = launch.fails();
        let place = format!("app.ini:6: {key} = {missing}{behind}: {says}");
        let told = failed.lines.iter().any(|line| line.contains(&place));
        assert!(told && failed.code == code, "no {place:?} in {failed:#?}");
    }
}

#[test]
fn an_ini_file_without_the_section_says_what_to_write() {
    for (text, says) in [
        ("socket = /tmp/x\n", "app.ini: it has no section [uwsgi]; put a line [uwsgi] before its options"),
        ("[app]\nsocket = /tmp/x\n", "app.ini: it has no section [uwsgi]; it has [app]: write "),
    ] {
        let launch = Launch::hello();
        fs::write(launch.ini_path(), text).expect("write the ini file");
        let failed = launch.fails_as_is();
        assert!(failed.lines[0].contains(says), "{failed:?}");
        assert_eq!(failed.code, CONFIGURATION);
    }
}

#[test]
fn a_bad_number() {
    let failed = hello().set("workers", "many").fails();
    assert_refused(&failed, CONFIGURATION, &["app.ini:3: workers = many: expected a whole number"]);
    assert_left_nothing(&failed);
}

#[test]
fn a_key_that_does_not_exist() {
    let failed = hello().line("wrokers = 2").fails();
    assert_refused(&failed, CONFIGURATION, &["app.ini:5: wrokers = 2: not an option", "did you mean `workers`?"]);
    assert_left_nothing(&failed);
}

#[test]
fn several_errors_are_all_told_each_in_its_line() {
    let failed = hello().set("workers", "0").set("threads", "-1").line("vaccum = true").fails();
    assert_eq!(failed.code, CONFIGURATION);
    for place in ["app.ini:3: workers", "app.ini:5: threads", "app.ini:6: vaccum"] {
        assert!(failed.lines.iter().any(|line| line.contains(place)), "{place}: {:#?}", failed.lines);
    }
    assert_eq!(failed.lines.iter().filter(|line| line.starts_with("rhinod: ")).count(), 3);
}

#[test]
fn an_option_of_the_command_line() {
    for option in [&["--workers", "none"][..], &["--workers=none"]] {
        let launch = hello();
        let ini = launch.ini_path().display().to_string();
        let failed = launch.arguments([ini.as_str()].into_iter().chain(option.iter().copied())).fails();
        assert_refused(&failed, CONFIGURATION, &["command line: workers = none: expected a whole number"]);
        assert_left_nothing(&failed);
    }
}

#[test]
fn nothing_to_listen_on() {
    let failed = hello().without("socket").fails();
    assert_refused(&failed, CONFIGURATION, &["nothing to listen on"]);
    assert_left_nothing(&failed);
}

#[test]
fn a_living_server_on_the_path_is_left_alone() {
    let living = Launch::hello().start();
    let failed = hello().set("socket", living.socket().display()).fails();
    assert_refused(&failed, ADDRESS, &[&living.socket().display().to_string(), "in use", "left alone"]);
    assert_left_nothing(&failed);
    assert_serves(&living);
}

#[test]
fn a_living_server_on_an_abstract_name_is_left_alone() {
    let name = format!("@rhinod-test-{}-refused", std::process::id());
    let living = Launch::hello().line(format!("socket = {name}")).start();
    let failed = hello().set("socket", &name).fails();
    assert_refused(&failed, ADDRESS, &[&name, "in use"]);
    assert_serves(&living);
}

/// A server whose queue is full is alive, although nobody can connect.
#[test]
fn a_living_server_with_a_full_queue_is_left_alone() {
    let launch = hello();
    let path = launch.socket_path();
    let full = UnixListener::bind(&path).expect("a socket");
    nix::sys::socket::listen(&full, nix::sys::socket::Backlog::new(0).expect("a backlog")).expect("listen");
    let _waiting = std::os::unix::net::UnixStream::connect(&path).expect("the one place there is");
    let failed = launch.fails();
    assert_refused(&failed, ADDRESS, &["in use"]);
    assert!(path.exists());
}

#[test]
fn a_file_that_is_no_socket_is_left_alone() {
    let launch = hello();
    let path = launch.socket_path();
    fs::write(&path, "precious").expect("a file");
    let failed = launch.fails();
    assert_refused(&failed, ADDRESS, &[&path.display().to_string(), "not a socket"]);
    assert_eq!(fs::read_to_string(&path).expect("the file"), "precious");
}

#[test]
fn a_port_in_use() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = other.local_addr().expect("its address").to_string();
    let failed = hello().line(format!("socket = {address}")).fails();
    let holder = format!("; process {} (", std::process::id());
    assert_refused(&failed, ADDRESS, &["app.ini:5: socket = ", &address, "in use", &holder]);
    assert_left_nothing(&failed);
}

/// Of an instance of ours it says how to reload it: most often the same one is started twice.
#[test]
fn a_second_start_is_told_of_the_first() {
    let living = Launch::hello().start();
    let failed = hello().set("socket", living.socket().display()).fails();
    let pid = living.pid();
    assert_refused(&failed, ADDRESS, &[&format!("process {pid} (rhinod master) has it: rhinod reload {pid}")]);
}

/// What stands in the way is named: the directory, and the user who may not.
#[test]
fn what_a_user_may_not_do_is_told_with_the_user() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let launch = || {
        let launch = hello().without("pidfile").set("uid", "nobody").set("gid", 65_534);
        fs::set_permissions(launch.dir(), fs::Permissions::from_mode(0o755)).expect("permissions");
        let (closed, open) = (launch.dir().join("closed"), launch.dir().join("open"));
        fs::create_dir(&closed).expect("a directory");
        fs::create_dir(&open).expect("a directory");
        fs::set_permissions(closed, fs::Permissions::from_mode(0o700)).expect("permissions");
        launch.set("socket", format!("@rhinod-test-{}-{:?}", std::process::id(), std::thread::current().id()))
    };
    let failed = launch().set("chdir", "closed").fails();
    assert_refused(&failed, SYSTEM, &["chdir = closed: ", "user nobody may not go through the directory ", "/closed"]);
    let failed = launch().line("socket = closed/app.sock").fails();
    assert_refused(&failed, PERMISSION, &["socket = closed/app.sock: ", "user nobody may not go through"]);
    let failed = launch().line("socket = open/app.sock").fails();
    assert_refused(
        &failed,
        PERMISSION,
        &["socket = open/app.sock: ", "user nobody may not make files in", "/open; chown"],
    );
    let failed = launch().set("pidfile2", "open/pid").fails();
    assert_refused(&failed, FILE, &["pidfile2 = open/pid: ", "user nobody may not make files in"]);
    let failed = launch().set("master-fifo", "open/fifo").fails();
    let line = failed.lines.iter().find(|line| line.contains("master-fifo = open/fifo: ")).expect("the reason");
    assert!(failed.code == FILE && line.contains("user nobody may not make files in"), "{failed:?}");
    let failed = launch().line("socket = 127.0.0.1:7").fails();
    assert_refused(&failed, PERMISSION, &["socket = 127.0.0.1:7: ", "ports below 1024 are root's"]);
    let failed = launch().set("rust-app", "closed/app").fails();
    let line = failed.lines.iter().find(|line| line.contains("cannot execute the zygote")).expect("the reason");
    assert!(line.contains("user nobody may not go through the directory") && line.contains("/closed"), "{line}");
}

/// Who starts an instance by hand sees what is wrong although the log goes elsewhere, and so does the log.
#[test]
fn with_a_log_of_its_own_a_failing_start_says_so_to_who_started_it() {
    let launch = hello().set("pidfile", "/nonexistent/app.pid");
    let log = launch.dir().join("log");
    let failed = launch.set("logto", log.display()).fails();
    assert_refused(&failed, FILE, &["app.ini:4: pidfile = /nonexistent/app.pid: ", "there is no /nonexistent"]);
    assert!(fs::read_to_string(&log).expect("the log").contains("rhinod: "), "{failed:?}");
    let launch = Launch::rhinod().set("need-app", true);
    let log = launch.dir().join("log");
    let failed = launch.set("logto", log.display()).fails();
    assert_eq!(failed.code, 22, "{failed:?}");
    let reason = |line: &str| line.contains("write `module = wsgi:app`");
    assert!(failed.lines.iter().any(|line| reason(line)), "{failed:?}");
    assert!(fs::read_to_string(&log).expect("the log").lines().any(reason), "{failed:?}");
}

#[test]
fn with_a_log_of_its_own_only_the_start_is_told_elsewhere() {
    let launch = Launch::hello();
    let log = launch.dir().join("log");
    let server = launch.set("logto", log.display()).spawn();
    assert!(crate::harness::wait_until(|| fs::read_to_string(&log).is_ok_and(|text| text.contains("ready to serve"))));
    let text = fs::read_to_string(&log).expect("the log");
    let (_, rest) = text.split_once("worker 1 (pid: ").expect("the line of the worker");
    let worker: i32 = rest.split(',').next().and_then(|pid| pid.parse().ok()).expect("its number");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(worker), nix::sys::signal::Signal::SIGKILL).expect("kill");
    assert!(crate::harness::wait_until(|| fs::read_to_string(&log).is_ok_and(|text| text.contains("Respawned"))));
    assert!(server.log.lines().iter().all(|line| line.starts_with("[warn]")), "{:?}", server.log.lines());
}

#[test]
fn an_address_that_is_not_of_this_machine() {
    let failed = hello().line("socket = 192.0.2.1:3031").fails();
    assert_refused(&failed, SYSTEM, &["192.0.2.1:3031", "Cannot assign requested address"]);
    assert_left_nothing(&failed);
}

#[test]
fn a_directory_that_does_not_exist() {
    let failed = hello().set("socket", "/nonexistent/directory/app.sock").fails();
    let place = "app.ini:2: socket = /nonexistent/directory/app.sock: cannot listen on";
    assert_refused(
        &failed,
        SYSTEM,
        &[place, "No such file or directory", "there is no /nonexistent; make it (mkdir -p"],
    );
    assert_left_nothing(&failed);
    let failed = hello().set("chdir", "/nonexistent/directory").fails();
    assert_refused(&failed, SYSTEM, &["app.ini:5: chdir = /nonexistent/directory: ", "No such file or directory"]);
    assert_left_nothing(&failed);
}

#[test]
fn a_path_that_is_too_long_for_a_socket() {
    let launch = hello();
    let path = launch.dir().join("s".repeat(150));
    let failed = launch.set("socket", path.display()).fails();
    assert!(matches!(failed.code, SYSTEM | CONFIGURATION), "{failed:?}");
    assert!(refusal(&failed).contains("sssss"), "{failed:?}");
    assert_left_nothing(&failed);
}

#[test]
fn a_user_or_group_that_does_not_exist() {
    for (key, kind) in [("uid", "user"), ("gid", "group"), ("add-gid", "group"), ("chown-socket", "user")] {
        let failed = hello().set(key, "nobody-of-this-name").fails();
        let place = format!("app.ini:5: {key} = nobody-of-this-name: there is no {kind}");
        assert_refused(&failed, NO_USER, &[&place]);
        assert_left_nothing(&failed);
    }
}

#[test]
fn a_pid_file_that_cannot_be_written() {
    let failed = hello().set("pidfile", "/nonexistent/app.pid").fails();
    assert_refused(&failed, FILE, &["app.ini:4: pidfile = /nonexistent/app.pid: ", "No such file or directory"]);
    assert_left_nothing(&failed);
}

#[test]
fn a_log_of_decisions_that_cannot_be_opened() {
    let failed = hello().set("cheaper-log", "/nonexistent/decisions").fails();
    let place = "app.ini:5: cheaper-log = /nonexistent/decisions: cannot open the log of decisions";
    assert_refused(&failed, FILE, &[place, "No such file or directory"]);
    assert_left_nothing(&failed);
}

/// What a worker takes is known once there is one: the start fails late, but it fails, and leaves nothing, with or
/// without `vacuum`.
#[test]
fn a_memory_limit_that_the_fewest_workers_break() {
    let launch = hello().set("workers", 4).set("cheaper", 2).set("cheaper-rss-limit-soft", 100_000);
    let fifo = launch.dir().join("fifo").display().to_string();
    let failed = launch.set("master-fifo", fifo).fails();
    let why = failed.lines.iter().find(|line| line.contains("cheaper-rss-limit-soft = 100000")).expect("the reason");
    assert!(why.contains("app.ini:6: ") && why.contains("`cheaper = 2` workers of "), "{why}");
    assert!(!failed.lines.iter().any(|line| line.contains("ready to serve")), "{:?}", failed.lines);
    assert_eq!(failed.code, CONFIGURATION, "{:?}", failed.lines);
    assert_left_nothing(&failed);
}

#[test]
fn a_descriptor_that_is_not_open_or_no_socket() {
    let failed = hello().set("socket", "fd://99").fails();
    assert_refused(&failed, SYSTEM, &["fd://99", "Bad file descriptor"]);
    assert_left_nothing(&failed);
    let failed = hello().set("socket", "fd://9").through(["sh", "-c", "exec \"$@\" 9</dev/null", "sh"]).fails();
    assert_eq!(failed.code, SYSTEM, "{failed:?}");
    assert_left_nothing(&failed);
}

/// Root itself is not held to the limit, but the user that it becomes is.
#[test]
fn more_workers_than_the_process_limit_allows() {
    let launch = hello().set("workers", 60);
    let is_root = nix::unistd::Uid::effective().is_root();
    let launch = if is_root { launch.set("uid", 12345).set("gid", 12345) } else { launch };
    let failed = launch.through(["prlimit", "--nproc=50", "--"]).fails();
    assert_refused(&failed, CONFIGURATION, &["app.ini", "workers = 60", "50"]);
    assert_left_nothing(&failed);
}

#[test]
fn a_queue_longer_than_the_kernel_allows() {
    let somaxconn = fs::read_to_string("/proc/sys/net/core/somaxconn").expect("the limit");
    let somaxconn: u32 = somaxconn.trim().parse().expect("a number");
    let failed = hello().set("listen", somaxconn + 1).fails();
    assert_refused(&failed, CONFIGURATION, &["app.ini:5: listen = ", "somaxconn"]);
    assert_left_nothing(&failed);
}

/// The command without an application has nothing to serve.
#[test]
fn a_command_without_an_application() {
    let failed = Launch::rhinod().fails();
    let told = failed.lines.iter().any(|line| line.contains("no application is configured"));
    assert!(told && failed.code == 22, "{failed:?}");
}

/// The forms in which a configuration can be given; what the language can do beyond is tested without a server.
#[test]
fn every_form_of_the_command_line_starts_an_instance() {
    let forms: [fn(&str) -> Vec<String>; 5] = [
        |ini| vec![ini.to_owned()],
        |ini| vec!["--ini".to_owned(), ini.to_owned()],
        |ini| vec![format!("--ini={ini}")],
        |ini| vec![format!("{ini}:uwsgi")],
        |ini| vec![ini.to_owned(), "--threads".to_owned(), "2".to_owned(), "--vacuum".to_owned()],
    ];
    for form in forms {
        let launch = Launch::hello().set("workers", 1);
        let arguments = form(&launch.ini_path().display().to_string());
        let server = launch.arguments(arguments).start();
        assert_serves(&server);
    }
    let launch = Launch::hello();
    let arguments = ["--socket".to_owned(), launch.socket_path().display().to_string(), "--workers=1".to_owned()];
    let server = launch.set("workers", 1).arguments(arguments).start();
    assert_serves(&server);
}

#[test]
fn another_section_of_a_file_can_be_named() {
    let launch = Launch::hello().set("workers", 1);
    let socket = launch.socket_path();
    let text = format!("[uwsgi]\nsocket = /nonexistent/x.sock\n[other]\nsocket = {}\nworkers = 1\n", socket.display());
    let path = launch.dir().join("two.ini");
    fs::write(&path, text).expect("write the ini file");
    let server = launch.arguments([format!("{}:other", path.display())]).start();
    assert_serves(&server);
}

fn assert_serves(server: &Instance) {
    assert_eq!(server.target(), Target::Unix(server.socket().to_owned()));
    assert_eq!(server.get("/").body(), b"Hello, world\n");
}

#[test]
fn a_proxy_that_is_no_address() {
    let failed = hello().set("trusted-proxy", "10.0.0.0/33").fails();
    assert_refused(&failed, CONFIGURATION, &["app.ini:5: trusted-proxy = 10.0.0.0/33: ", "ADDRESS/BITS", "10.0.0.0/8"]);
    assert_left_nothing(&failed);
}

/// Forbids pidfd_open, as a filter of an old container does, and executes what follows.
const FILTER: &str = "\
import ctypes, os, sys

class Filter(ctypes.Structure):
    _fields_ = [('code', ctypes.c_ushort), ('jt', ctypes.c_ubyte), ('jf', ctypes.c_ubyte), ('k', ctypes.c_uint)]

class Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('filters', ctypes.POINTER(Filter))]

steps = [(0x20, 0, 0, 0), (0x15, 0, 1, 434), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7fff0000)]
filters = (Filter * len(steps))(*steps)
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.byref(Program(len(steps), filters)), 0, 0) == 0, ctypes.get_errno()
os.execv(sys.argv[1], sys.argv[1:])
";

#[test]
fn where_the_system_forbids_to_watch_processes_the_start_says_so() {
    let failed = Launch::hello().through(["python3", "-c", FILTER]).fails();
    assert_eq!(failed.code, SYSTEM, "{:#?}", failed.lines);
    assert!(failed.lines.iter().any(|line| line.contains("pidfd_open(2)")), "{:#?}", failed.lines);
}
