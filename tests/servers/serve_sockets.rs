//! Where an instance listens and what its files look like: unix, abstract and TCP sockets, inherited descriptors,
//! permissions, pid files, `vacuum`.

use std::fs;
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr as UnixAddress, UnixListener, UnixStream};
use std::path::Path;
use std::process::Stdio;

use crate::harness::{Instance, Launch, PATIENCE, Process, example_path, program_path, wait_until};
use crate::reloading::{complaint, edit, operator, reload};
use loadgen::client::{Reply, Target, exchange};
use loadgen::packet::Request;
use nix::sys::signal::Signal;

fn greet(target: &Target) -> Reply {
    let packet = Request::get("/").to_uwsgi().expect("a small request");
    exchange(target, &packet, PATIENCE).unwrap_or_else(|error| panic!("{target}: {error}"))
}

fn assert_greets(target: &Target) {
    assert_eq!(greet(target).body(), b"Hello, world\n", "{target}");
}

/// The address after `bound to` in the log.
fn bound_address(server: &Instance, number: usize) -> SocketAddr {
    let line = server.log.wait_for(&format!("socket {number} bound to ")).text;
    line.rsplit(' ').next().and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("no address in {line:?}"))
}

#[test]
fn every_kind_of_socket_serves_at_once() {
    let name = format!("rhinod-test-{}-abstract", std::process::id());
    let mut launch = Launch::hello().line("socket = 127.0.0.1:0").line(format!("socket = @{name}"));
    let has_v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if has_v6 {
        launch = launch.line("socket = [::1]:0");
    }
    let server = launch.start();
    for _ in 0..20 {
        assert_greets(&server.target());
        assert_greets(&Target::Tcp(bound_address(&server, 1)));
        if has_v6 {
            let address = bound_address(&server, 3);
            assert!(address.is_ipv6());
            assert_greets(&Target::Tcp(address));
        }
    }
    let address = UnixAddress::from_abstract_name(name).expect("a short name");
    let stream = UnixStream::connect_addr(&address).expect("connect to the abstract name");
    assert_eq!(ask_on(stream), "Hello, world\n");
}

/// More than fit beside one control record, whatever their number: none is bound and then left without anyone to accept.
#[test]
fn three_hundred_sockets_are_answered_each_of_them_and_after_a_reload_too() {
    const SOCKETS: usize = 300;
    let launch = Launch::hello().set("workers", 1);
    let path = launch.dir().to_owned();
    let socket = |number: usize| path.join(format!("{number}.sock"));
    let launch =
        (0..SOCKETS).fold(launch, |launch, number| launch.line(format!("socket = {}", socket(number).display())));
    let server = launch.start();
    for round in 0..2 {
        for number in 0..SOCKETS {
            assert_greets(&Target::Unix(socket(number)));
        }
        if round == 0 {
            server.signal(Signal::SIGHUP);
            server.log.wait_for("reload done: generation 2 serves");
        }
    }
    server.stop();
}

/// The state of the server's end of a connection on 127.0.0.1, in the numbers of the kernel's table of TCP sockets; `None`
/// while there is none.
fn state_at_server(server: SocketAddr, client: &TcpStream) -> Option<String> {
    let client = client.local_addr().expect("a connected socket");
    let is_end = |text: &str, port: u16| text.ends_with(&format!(":{port:04X}"));
    let table = fs::read_to_string("/proc/net/tcp").expect("the table of TCP sockets");
    table.lines().find_map(|line| {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [_, local, remote, state, ..] = cells[..] else { return None };
        (is_end(local, server.port()) && is_end(remote, client.port())).then(|| state.to_owned())
    })
}

/// A client that connects and says nothing: held back, its connection is not set up at the server's end.
#[test]
fn silent_connections_are_held_back_unless_no_defer_accept_says_otherwise() {
    const ESTABLISHED: &str = "01";
    const BEING_SET_UP: &str = "03";
    let launch = Launch::hello().line("socket = 127.0.0.1:0").set("socket-timeout", 60);
    let pid_file = launch.dir().join("pid");
    let server = launch.set("pidfile", pid_file.display()).start();
    let address = bound_address(&server, 1);
    let connect = || TcpStream::connect(address).expect("connect");
    let becomes = |state: &str| {
        let client = connect();
        wait_until(|| state_at_server(address, &client).as_deref() == Some(state))
    };
    assert!(becomes(BEING_SET_UP), "it was not held back");
    edit(&server, |text| format!("{text}no-defer-accept = true\n"));
    reload(&server);
    assert!(becomes(ESTABLISHED), "it was held back");
    assert_greets(&Target::Tcp(address));
}

fn ask_on(mut stream: UnixStream) -> String {
    use std::io::{Read, Write};
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(&Request::get("/").to_uwsgi().expect("a small request")).expect("send");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("a reply");
    String::from_utf8_lossy(Reply { bytes }.body()).into_owned()
}

#[test]
fn a_relative_path_is_meant_from_chdir() {
    let launch = Launch::hello();
    fs::create_dir(launch.dir().join("sub")).expect("a directory");
    let directory = launch.dir().join("sub");
    let server = launch.set("chdir", directory.display()).set("socket", "relative.sock").start();
    assert_greets(&Target::Unix(directory.join("relative.sock")));
    server.stop();
}

#[test]
fn an_inherited_socket_serves_and_its_file_is_not_ours_to_remove() {
    let launch = Launch::hello().set("vacuum", true).set("socket", "fd://7");
    let path = launch.dir().join("inherited.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    // Standard input carries the socket to the shell, which moves it to its number.
    let script = "exec 7<&0 0</dev/null; exec \"$@\"";
    let server =
        launch.stdin(Stdio::from(std::os::fd::OwnedFd::from(listener))).through(["sh", "-c", script, "sh"]).start();
    assert_greets(&Target::Unix(path.clone()));
    server.signal(Signal::SIGTERM);
    server.log.wait_for("goodbye");
    assert!(path.exists());
    server.ends_with(0);
}

#[test]
fn the_socket_has_the_mode_and_the_owner_that_are_asked_for() {
    for (given, mode) in [("660", 0o660), ("600", 0o600), ("666", 0o666)] {
        let server = Launch::hello().set("chmod-socket", given).start();
        assert_eq!(mode_of(&server), mode);
    }
    let launch = Launch::hello();
    let ini = launch.ini_path().display().to_string();
    let server = launch.arguments([ini.as_str(), "--chmod-socket"]).start();
    assert_eq!(mode_of(&server), 0o666, "without a value, as in uWSGI");
}

fn mode_of(server: &Instance) -> u32 {
    fs::metadata(server.socket()).expect("the socket").permissions().mode() & 0o7777
}

#[test]
fn the_socket_can_belong_to_someone_else_and_only_root_can_do_that() {
    let owned = Launch::hello().set("chown-socket", "12345:23456");
    if nix::unistd::Uid::effective().is_root() {
        let server = owned.start();
        let found = fs::metadata(server.socket()).expect("the socket");
        assert_eq!((found.uid(), found.gid()), (12345, 23456));
    } else {
        let failed = owned.fails();
        assert!(failed.line().contains("chown-socket") || failed.line().contains("cannot listen"), "{failed:?}");
        assert_eq!(failed.files(), ["app.ini"]);
    }
}

/// With `uid`, everything below the master runs as that user, and so does the master.
#[test]
fn an_instance_started_by_root_becomes_the_user_it_is_told() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let launch = Launch::hello().set("uid", "12345").set("gid", "23456").set("chmod-socket", "666");
    fs::set_permissions(launch.dir(), fs::Permissions::from_mode(0o777)).expect("a directory for everyone");
    let server = launch.start();
    assert_greets(&server.target());
    server.processes().iter().for_each(|process| assert_is(process, 12_345, 23_456, "23456 "));
}

/// All of them, real, effective, saved and for files, so that there is no way back.
#[track_caller]
fn assert_is(process: &Process, user: u32, group: u32, groups: &str) {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid)).expect("its status");
    assert!(status.contains(&format!("Uid:\t{user}\t{user}\t{user}\t{user}\n")), "{process:?}: {status}");
    assert!(status.contains(&format!("Gid:\t{group}\t{group}\t{group}\t{group}\n")), "{process:?}: {status}");
    assert!(status.contains(&format!("Groups:\t{groups}\n")), "{process:?}: {status}");
}

/// Only the master stays root, and a reload executes the next zygote as the same user, whatever it says.
#[test]
fn with_master_as_root_zygote_and_workers_are_the_user_it_is_told() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let launch = Launch::hello().set("uid", "12345").set("gid", "23456").set("add-gid", "34567");
    let pidfile = launch.dir().join("pid");
    let launch = launch.set("pidfile", pidfile.display()).set("master-as-root", true).set("workers", 2);
    let mut server = launch.start();
    let assert_only_the_master_is_root = |server: &Instance| {
        for process in server.processes().iter().filter(|process| process.pid != server.pid()) {
            assert_is(process, 12_345, 23_456, "23456 34567 ");
        }
        let master = fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("its status");
        assert!(master.contains("Uid:\t0\t0\t0\t0\n"), "{master}");
    };
    assert_eq!(server.processes().len(), 4);
    assert_only_the_master_is_root(&server);
    edit(&server, |text| text.replace("uid = 12345", "uid = 54321"));
    server.expect_log("uid changes only with a restart");
    reload(&server);
    assert!(wait_until(|| server.processes().len() == 4), "those of the old generation go");
    assert_only_the_master_is_root(&server);
    assert_greets(&server.target());
}

/// A directory that only root may go to, with what was built in it, as a checkout in root's home.
fn closed_to_all_but_root(names: &[&Path]) -> tempfile::TempDir {
    let closed = tempfile::Builder::new().prefix("rhinod-test-closed-").tempdir().expect("a directory");
    for built in names {
        bring(built, &closed.path().join(built.file_name().expect("a name")));
    }
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).expect("permissions");
    closed
}

fn bring(built: &Path, place: &Path) {
    if fs::hard_link(built, place).is_err() {
        fs::copy(built, place).expect("a copy");
    }
}

/// As another user than root, in a directory that everybody may write to.
fn as_a_user(launch: Launch) -> Launch {
    fs::set_permissions(launch.dir(), fs::Permissions::from_mode(0o777)).expect("a directory for everyone");
    let pidfile = launch.dir().join("pid");
    let launch = launch.set("pidfile", pidfile.display()).set("chmod-socket", "666").set("workers", 1);
    launch.set("uid", "12345").set("gid", "23456")
}

/// What was opened as root is executed by its descriptor, for as long as it is what lies there.
#[test]
fn a_program_that_only_root_may_go_to_serves_as_the_user_it_is_told() {
    if !nix::unistd::Uid::effective().is_root() {
        println!("skipped: only root can become another user");
        return;
    }
    let hello = example_path("hello");
    let closed = closed_to_all_but_root(&[&hello]);
    let program = closed.path().join("hello");
    let start = |master_as_root: bool| {
        as_a_user(Launch::program(program.clone())).set("master-as-root", master_as_root).start()
    };
    let (mut server, rooted) = (start(false), start(true));
    for server in [&server, &rooted] {
        assert_greets(&server.target());
        reload(server);
        assert_greets(&server.target());
    }
    fs::rename(&program, closed.path().join("old")).expect("the old one aside");
    bring(&hello, &program);
    reload(&rooted);
    let refused = operator(&server, "--reload");
    let directory = format!("may not go through the directory {}; let the user in", closed.path().display());
    assert!(complaint(&refused).contains(&directory), "{refused:?}");
    server.expect_log(directory);
    server.expect_log("reload");
    assert_greets(&server.target());
}

#[test]
fn the_extension_module_that_only_root_may_go_to_is_loaded_by_the_user() {
    if !nix::unistd::Uid::effective().is_root() {
        println!("skipped: only root can become another user");
        return;
    }
    let closed = closed_to_all_but_root(&[&program_path("rhinod"), &program_path("lib_rhinod.so")]);
    for master_as_root in [false, true] {
        let launch = as_a_user(Launch::program(closed.path().join("rhinod"))).set("wsgi-file", "greet.py");
        let text = "def application(environ, start):\n    start('200 OK', [])\n    return [b'Hello, world\\n']\n";
        fs::write(launch.dir().join("greet.py"), text).expect("an application");
        assert_greets(&launch.set("master-as-root", master_as_root).start().target());
    }
}

#[test]
fn pid_files_hold_the_master_and_vacuum_removes_them_and_the_socket() {
    for vacuum in [true, false] {
        let launch = Launch::hello().set("vacuum", vacuum);
        let files = ["pidfile", "pidfile2", "safe-pidfile"].map(|key| (key, launch.dir().join(format!("{key}.pid"))));
        let launch = files.iter().fold(launch, |launch, (key, path)| launch.set(key, path.display()));
        let mut server = launch.start();
        let pid = format!("{}\n", server.pid());
        for (key, path) in &files {
            // The safe one appears when all workers serve, which no line of the log tells.
            assert!(wait_until(|| fs::read_to_string(path).is_ok_and(|text| text == pid)), "no {key}");
        }
        server.signal(Signal::SIGTERM);
        assert_eq!(server.wait_exit(), 0);
        for path in files.iter().map(|(_, path)| path.as_path()).chain([server.socket()]) {
            assert_eq!(path.exists(), !vacuum, "{}", path.display());
        }
        server.ends_with(0);
    }
}

/// Someone else's file in our place is someone else's.
#[test]
fn vacuum_removes_nothing_that_was_replaced() {
    let mut server = Launch::hello().set("vacuum", true).start();
    fs::remove_file(server.socket()).expect("the socket");
    let _other = UnixListener::bind(server.socket()).expect("another one");
    server.signal(Signal::SIGTERM);
    assert_eq!(server.wait_exit(), 0);
    assert!(fs::metadata(server.socket()).expect("the other one").file_type().is_socket());
    server.ends_with(0);
}

#[test]
fn a_stale_socket_is_taken_over() {
    let launch = Launch::hello();
    drop(UnixListener::bind(launch.socket_path()).expect("a socket"));
    assert!(launch.socket_path().exists());
    let server = launch.start();
    assert_greets(&server.target());
}

#[test]
fn the_socket_of_a_killed_instance_is_taken_over_by_the_next_one() {
    let mut first = Launch::hello().start();
    first.expect_log("the master is gone");
    let socket = first.socket().to_owned();
    first.signal(Signal::SIGKILL);
    assert!(first.wait_gone(PATIENCE));
    let second = Launch::hello().set("socket", socket.display()).start();
    assert_greets(&Target::Unix(socket));
    second.stop();
    first.ends_with(137);
}

#[test]
fn the_queue_is_as_long_as_asked_for() {
    let server = Launch::hello().set("listen", 7).line("socket = 127.0.0.1:0").start();
    let port = bound_address(&server, 1).port();
    // In /proc/net/tcp a listening socket's receive queue limit is not shown; `ss` asks for it. What the kernel does
    // is simpler: with nobody accepting, one more than the backlog connects to a unix socket, and then no more. Beside
    // the seven that may wait there is room for what two generations of two workers take at once.
    server.signal(Signal::SIGTSTP);
    server.log.wait_for("PAUSE");
    assert!(port > 0);
    let mut waiting = Vec::new();
    // A worker that has not heard of the pause yet may have accepted one, whose place is filled again.
    let is_full = wait_until(|| {
        while waiting.len() < 100 {
            match nonblocking_connect(&server) {
                Ok(stream) => waiting.push(stream),
                Err(nix::errno::Errno::EAGAIN) => break,
                Err(error) => panic!("connect: {error}"),
            }
        }
        server.queued() == 7 + 4 + 1
    });
    assert!(is_full, "{} wait of {} that connected", server.queued(), waiting.len());
    server.signal(Signal::SIGTSTP);
    server.log.wait_for("resuming");
    drop(waiting);
    assert_greets(&server.target());
}

fn nonblocking_connect(server: &Instance) -> nix::Result<std::os::fd::OwnedFd> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
    use std::os::fd::AsRawFd;
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let stream = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(stream.as_raw_fd(), &UnixAddr::new(server.socket())?)?;
    Ok(stream)
}

/// Each of two workers has a socket of its own, one of them a shared one, and none answers on the other's; also the
/// workers of the next generation.
#[test]
fn a_mapped_socket_is_served_by_its_workers_only() {
    let launch = Launch::hello().without("socket").set("workers", 2).line("shared-socket = 127.0.0.1:0");
    let launch = launch.line("socket = =0").line("socket = 127.0.0.2:0");
    let server = launch.line("map-socket = 0:1").line("map-socket = 1:2").start();
    let targets = [0, 1].map(|number| Target::Tcp(bound_address(&server, number)));
    for generation in [1, 2] {
        for round in 0..4 {
            for (number, target) in targets.iter().enumerate() {
                let packet =
                    Request::get(&format!("/{generation}-{number}-{round}")).to_uwsgi().expect("a small request");
                exchange(target, &packet, PATIENCE).unwrap_or_else(|error| panic!("{target}: {error}"));
            }
        }
        let who = |number: usize| {
            let lines =
                [0, 1, 2, 3].map(|round| server.log.wait_for(&format!("GET /{generation}-{number}-{round} ")).text);
            lines.map(|line| line.split(['|', ']']).next().unwrap_or_default().to_owned())
        };
        let [first, second] = [who(0), who(1)];
        assert!(
            first.iter().all(|pid| *pid == first[0]) && second.iter().all(|pid| *pid == second[0]),
            "{first:?} {second:?}"
        );
        assert_ne!(first[0], second[0]);
        if generation == 1 {
            server.signal(Signal::SIGHUP);
            server.log.wait_for("reload done: generation 2 serves");
        }
    }
    server.stop();
}
