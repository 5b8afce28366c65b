//! Who master and workers are, and whose their socket is, as the kernel says it (proc(5)), beside a real uWSGI: for each
//! option that names users, groups and modes, started by root and by an ordinary user. And who outlives a master.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use loadgen::packet::Request;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, getegid, getgroups};
use tempfile::TempDir;

use crate::harness::{Launch, PATIENCE, children_of, example_path, write_executable};
use crate::pythons::{launch_in, one};
use crate::rivals::{self, Uwsgi};

/// Options, and why ours come to something else than uWSGI's, if they do.
type Row = (&'static [(&'static str, &'static str)], Option<&'static str>);

const ROOT: &[Row] = &[
    (&[], None),
    (&[("uid", "12345")], Some("uWSGI leaves it root's group")),
    (&[("gid", "23456")], None),
    (&[("uid", "12345"), ("gid", "23456")], None),
    (&[("uid", "12345"), ("gid", "23456"), ("add-gid", "34567")], None),
    (&[("uid", "12345"), ("gid", "23456"), ("umask", "027")], None),
    (&[("uid", "12345"), ("gid", "23456"), ("chmod-socket", "640")], None),
    (&[("uid", "12345"), ("gid", "23456"), ("chown-socket", "34567:45678")], None),
    (&[("uid", "12345"), ("gid", "23456"), ("chown-socket", "34567:45678"), ("chmod-socket", "660")], None),
    (&[("uid", "12345"), ("gid", "23456"), ("master-as-root", "true")], None),
    (&[("uid", "12345"), ("gid", "23456"), ("add-gid", "34567"), ("master-as-root", "true")], None),
    (&[("uid", "12345"), ("gid", "23456"), ("master-as-root", "true"), ("chown-socket", "12345:23456")], None),
    (&[("uid", "MEMBER"), ("gid", "23456")], None),
    (&[("uid", "MEMBER"), ("gid", "23456"), ("no-initgroups", "true")], None),
    (&[("uid", "MEMBER"), ("gid", "23456"), ("add-gid", "34567")], Some("uWSGI adds nothing, it replaces")),
    (&[("uid", "MEMBER"), ("gid", "23456"), ("add-gid", "34567"), ("no-initgroups", "true")], None),
    (&[("immediate-gid", "23456"), ("immediate-uid", "12345")], Some("refused: uid and gid do it")),
];

const ORDINARY: &[Row] = &[
    (&[], None),
    (&[("uid", "UID")], None),
    (&[("uid", "UID"), ("gid", "GID")], None),
    (&[("uid", "1")], None),
    (&[("gid", "1")], None),
    (&[("gid", "EXTRA")], None),
    (&[("add-gid", "1")], None),
    (&[("umask", "027")], None),
    (&[("chmod-socket", "640")], None),
    (&[("chown-socket", "UID:GID")], None),
    (&[("chown-socket", "UID:EXTRA")], None),
    (&[("chown-socket", "1:1")], None),
    (&[("uid", "UID"), ("master-as-root", "true")], None),
    (&[("immediate-uid", "1")], None),
];

/// What the kernel says of one process.
#[derive(Debug, PartialEq, Eq)]
struct Who {
    /// Real, effective, saved and for files.
    users: String,
    groups: String,
    /// But for the first group, which either server may name once more.
    other_groups: BTreeSet<String>,
    /// Inheritable, permitted and effective.
    capabilities: [String; 3],
    umask: String,
}

impl Who {
    fn of(process: i32) -> Self {
        let status = fs::read_to_string(format!("/proc/{process}/status")).expect("it lives");
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.unwrap_or_else(|| panic!("{name} in {status}")).trim().to_owned()
        };
        let groups = line("Gid");
        let first = groups.split_whitespace().next().unwrap_or_default();
        let other_groups =
            line("Groups").split_whitespace().filter(|group| *group != first).map(str::to_owned).collect();
        let capabilities = ["CapInh", "CapPrm", "CapEff"].map(line);
        Self { users: line("Uid"), other_groups, capabilities, umask: line("Umask"), groups }
    }
}

/// What comes of a row, if it is served.
#[derive(Debug, PartialEq, Eq)]
struct Owners {
    master: Who,
    worker: Who,
    /// Mode, user and group.
    socket: (u32, u32, u32),
}

impl Owners {
    fn of(master: i32, worker: i32, socket: &Path) -> Self {
        let file = fs::metadata(socket).expect("the socket");
        let socket = (file.mode() & 0o7777, file.uid(), file.gid());
        Self { master: Who::of(master), worker: Who::of(worker), socket }
    }
}

/// Who starts them: whoever runs the tests, or, where that is root, an ordinary user as well.
struct Starter {
    words: Vec<String>,
    user: String,
    group: String,
    extra: String,
}

impl Starter {
    fn oneself() -> Self {
        let (group, groups) = (getegid(), getgroups().expect("the groups"));
        let extra = groups.into_iter().find(|other| *other != group).unwrap_or(group);
        let words = Vec::new();
        Self { words, user: Uid::effective().to_string(), group: group.to_string(), extra: extra.to_string() }
    }

    fn ordinary() -> Self {
        if !Uid::effective().is_root() {
            return Self::oneself();
        }
        let [user, group, extra] = ["12345", "23456", "34567"].map(str::to_owned);
        let words = format!("setpriv --reuid={user} --regid={group} --groups={extra},45678");
        Self { words: words.split(' ').map(str::to_owned).collect(), user, group, extra }
    }

    /// A value of a row with the names in it replaced.
    fn means(&self, value: &str) -> String {
        let member = if value == "MEMBER" { member() } else { String::new() };
        let replaced = value.replace("UID", &self.user).replace("GID", &self.group);
        replaced.replace("EXTRA", &self.extra).replace("MEMBER", &member)
    }
}

/// A user that belongs to a group besides its own, if there is one, and else any.
fn member() -> String {
    let listed = fs::read_to_string("/etc/group").unwrap_or_default();
    let mut members = listed.lines().filter_map(|line| line.rsplit(':').next()?.split(',').next());
    members.find(|name| !name.is_empty() && *name != "root").unwrap_or("nobody").to_owned()
}

/// Both servers where everybody may read them, with an application for each.
struct Stage {
    directory: TempDir,
    uwsgi: PathBuf,
}

impl Stage {
    /// `through` is what executes uWSGI.
    fn set(binary: &Path, through: &[String], application: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let at = |name: &str| directory.path().join(name);
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("a directory for everyone");
        fs::write(at("greet.py"), application).expect("an application");
        fs::copy(example_path("hello"), at("hello")).expect("a copy");
        fs::copy(binary, at("uwsgi")).expect("a copy");
        // uWSGI's interpreter may be in the home of root; what it needs of its library is little.
        const COPY: &str = "import glob, os, shutil, sys, sysconfig\n\
            library = sysconfig.get_path('stdlib')\n\
            place = os.path.join(sys.argv[1], 'lib', os.path.basename(library))\n\
            os.makedirs(place)\n\
            [shutil.copy(file, place) for file in glob.glob(library + '/*.py')]\n\
            [shutil.copytree(library + '/' + name, place + '/' + name) for name in ('encodings', 'collections', 'importlib')]\n\
            file = os.path.join(sysconfig.get_config_var('LIBDIR'), sysconfig.get_config_var('INSTSONAME'))\n\
            os.path.exists(file) and shutil.copy(file, sys.argv[1])\n";
        let mut python = Command::new(binary.with_file_name("python"));
        let copied = python.args(["-c", COPY]).arg(directory.path()).status().expect("execute python");
        assert!(copied.success(), "{copied}");
        let words = format!("#!/bin/sh\nexec {} {} \"$@\"\n", through.join(" "), at("uwsgi").display());
        write_executable(&at("start"), words.as_bytes());
        Self { uwsgi: at("start"), directory }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn theirs(&self, starter: &Starter, options: &[(&str, &str)]) -> Option<Owners> {
        let uwsgi = Uwsgi::try_start_with(&self.uwsgi, "greet", "/", |command| {
            command.arg("--chdir").arg(self.path()).env("PYTHONHOME", self.path()).env("LD_LIBRARY_PATH", self.path());
            command.args(options.iter().map(|(key, value)| match *value {
                "true" => format!("--{key}"),
                value => format!("--{key}={}", starter.means(value)),
            }));
        });
        let uwsgi = uwsgi?;
        let master = uwsgi.master().as_raw();
        Some(Owners::of(master, children_of(master)[0], &uwsgi.socket()))
    }
}

fn ours(hello: &Path, starter: &Starter, options: &[(&str, &str)]) -> Option<Owners> {
    let launch = Launch::program(hello.to_owned()).set("workers", 1).through(&starter.words);
    fs::set_permissions(launch.dir(), fs::Permissions::from_mode(0o777)).expect("a directory for everyone");
    let launch = options.iter().fold(launch, |launch, (key, value)| launch.set(key, starter.means(value)));
    let mut server = launch.spawn();
    for told in ["[warn]", "[error]", "rhinod: "] {
        server.expect_log(told);
    }
    if server.log.wait_for_or_end("ready to serve").is_none() {
        let code = server.wait_exit();
        assert_ne!(code, 0, "{options:?}");
        server.ends_with(code);
        return None;
    }
    let (zygote, worker) = (server.zygotes()[0].pid, server.workers()[0].pid);
    assert_eq!(Who::of(zygote), Who::of(worker), "{options:?}");
    Some(Owners::of(server.pid(), worker, server.socket()))
}

/// Carries out all rows at once, since each of them is mostly waiting.
fn compare(starter: &Starter, rows: &[Row]) {
    let Some(binary) = rivals::uwsgi() else { return };
    let application = "def application(environ, start):\n    start('200 OK', [])\n    return [b'hello']\n";
    let stage = Stage::set(binary, &starter.words, application);
    let judge = |row: &Row| {
        let ours = ours(&stage.path().join("hello"), starter, row.0);
        let theirs = stage.theirs(starter, row.0);
        match row.1 {
            None => assert_eq!(ours, theirs, "{:?}: left ours, right uWSGI's", row.0),
            Some(reason) => assert_ne!(ours, theirs, "{:?} is the same by now, not: {reason}", row.0),
        }
    };
    std::thread::scope(|scope| {
        rows.iter().for_each(|row| drop(scope.spawn(move || judge(row))));
    });
}

#[test]
fn root_gives_master_workers_and_socket_the_same_owners_as_a_real_uwsgi() {
    if !Uid::effective().is_root() {
        println!("skipped: only root can become another user");
        return;
    }
    compare(&Starter::oneself(), ROOT);
}

#[test]
fn an_ordinary_user_gives_them_the_same_owners_or_is_refused_as_by_a_real_uwsgi() {
    compare(&Starter::ordinary(), ORDINARY);
}

/// A real uWSGI forks workers for ever then, none of which can serve.
#[test]
fn a_master_that_cannot_give_its_workers_their_user_does_not_start() {
    let (directory, starter) = (tempfile::tempdir().expect("a directory"), Starter::ordinary());
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("a directory for everyone");
    let hello = directory.path().join("hello");
    fs::copy(example_path("hello"), &hello).expect("a copy");
    assert_eq!(ours(&hello, &starter, &[("uid", "1"), ("master-as-root", "true")]), None);
}

const HOLDS: &str = "import os, time\n\
    def application(environ, start):\n    \
        start('200 OK', [])\n    \
        yield b'held\\n'\n    \
        while environ['QUERY_STRING'] and not os.path.exists(environ['QUERY_STRING']):\n        \
            time.sleep(0.01)\n    \
        yield b'released\\n'\n";

/// A master is killed while a request is under way. With `no-orphans` its worker dies of that; without, it answers first.
fn dies_or_answers(socket: &Path, master: i32, release: &Path, dies: bool) {
    let request = Request::get(&format!("/?{}", release.display())).to_uwsgi().expect("a small request");
    let mut stream = UnixStream::connect(socket).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(&request).expect("send");
    let mut answer = Vec::new();
    while !answer.ends_with(b"held\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the first line");
        answer.push(byte[0]);
    }
    kill(Pid::from_raw(master), Signal::SIGKILL).expect("it lives");
    if !dies {
        fs::write(release, "").expect("let it go");
    }
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("no end: {error}"),
        _ => assert_eq!(rest, if dies { &b""[..] } else { b"released\n" }),
    }
}

#[test]
fn workers_die_with_their_master_if_no_orphans_says_so_as_a_real_uwsgis() {
    let binary = rivals::uwsgi();
    for dies in [true, false] {
        let directory = tempfile::tempdir().expect("a directory");
        fs::write(directory.path().join("holds.py"), HOLDS).expect("an application");
        let launch = launch_in(&one(), directory.path()).set("module", "holds").set("no-orphans", dies);
        let mut server = launch.start();
        server.expect_log("the master is gone");
        dies_or_answers(server.socket(), server.pid(), &directory.path().join("ours"), dies);
        server.ends_with(137);
        let Some(binary) = binary else { continue };
        let uwsgi = Uwsgi::start_with(binary, "holds", "/", |command| {
            command.arg("--chdir").arg(directory.path()).args(dies.then_some("--no-orphans"));
        });
        dies_or_answers(&uwsgi.socket(), uwsgi.master().as_raw(), &directory.path().join("theirs"), dies);
    }
}
