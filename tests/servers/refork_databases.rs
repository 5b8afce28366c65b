//! Workers that are forked from one that has served (`refork`), and a real PostgreSQL to which Django keeps connections over
//! requests, or a pool of them with its threads.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::harness::{daemon_program, end, free_address, wait_until};
use crate::pythons::{EVALUATES, call, launch_in, one};
use crate::refork::{are_all_of, mold};
use crate::refork_services::owners;
use crate::rivals::databases;
use nix::sys::signal::Signal;
use nix::unistd::{Uid, User, chown};
use tempfile::TempDir;

const WORKERS: usize = 2;

const APPLICATION: &str = "\
import os, time
import django
from django.conf import settings
POOLED = bool(os.environ['POOLED'])
settings.configure(DATABASES={'default': {
    'ENGINE': 'django.db.backends.postgresql', 'HOST': '127.0.0.1', 'PORT': os.environ['DATABASE_PORT'],
    'USER': 'app', 'NAME': 'postgres', 'CONN_MAX_AGE': 0 if POOLED else None,
    'OPTIONS': {'pool': {'min_size': 2, 'max_size': 4, 'timeout': 10}} if POOLED else {},
}})
django.setup()
from django.db import connection

def told(query):
    with connection.cursor() as cursor:
        rows = cursor.execute(query).fetchall()
    if POOLED:
        # As Django does at the end of a request.
        connection.close()
    return rows

def ask():
    time.sleep(0.002)
    return told('select 42')[0][0], os.getpid()

def ports():
    return sorted(port for port, in told('select client_port from pg_stat_activity where client_port is not null'))
";

/// A PostgreSQL of this test's, on a port of the loopback's. It does not run as root, who may not.
struct Postgres {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
}

impl Postgres {
    fn start() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let data = directory.path().join("data");
        fs::create_dir(&data).expect("a directory");
        let user =
            Uid::effective().is_root().then(|| User::from_name("postgres").ok().flatten().expect("Debian's user"));
        if let Some(user) = &user {
            for path in [directory.path(), &data] {
                chown(path, Some(user.uid), Some(user.gid)).expect("root may give away");
            }
        }
        let run = |program: &str| {
            let mut command = Command::new(program_of_postgres(program));
            command.current_dir(directory.path()).stdin(Stdio::null()).env("LC_ALL", "C");
            if let Some(user) = &user {
                command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
            }
            let log = File::options().create(true).append(true).open(directory.path().join("log")).expect("a log");
            command.stdout(log.try_clone().expect("a descriptor")).stderr(log).arg("-D").arg(&data);
            command
        };
        let made =
            run("initdb").args(["-U", "app", "-A", "trust", "-N", "-E", "UTF8"]).status().expect("execute initdb");
        assert!(made.success(), "{}", fs::read_to_string(directory.path().join("log")).unwrap_or_default());
        let address = free_address();
        let port = address.port().to_string();
        let options = ["-h", "127.0.0.1", "-p", &port, "-k", "", "-F"];
        let child = run("postgres").args(options).spawn().expect("execute postgres");
        Self { child, address, directory }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // It ends with its children.
        end(&mut self.child, Signal::SIGQUIT);
    }
}

/// Debian has those of the server in a directory of each version.
fn program_of_postgres(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let program = versions.map(|version| version.path().join("bin").join(name)).find(|program| program.exists());
    program.unwrap_or_else(|| daemon_program(name))
}

fn keeps_connections_apart(home: &Path, is_pooled: bool) {
    let postgres = Postgres::start();
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("app.py"), format!("{APPLICATION}{EVALUATES}")).expect("room");
    let launch = launch_in(&one(), directory.path()).without("python-executable").set("home", home.display());
    let launch = launch.env("DATABASE_PORT", postgres.address.port()).env("POOLED", if is_pooled { "yes" } else { "" });
    let server = launch.set("module", "app").set("workers", WORKERS).set("refork", 30).start();
    let ask = || {
        let told = call(&server, "ask()");
        told.strip_prefix("(42, ").and_then(|rest| rest.strip_suffix(')')?.parse::<i32>().ok())
    };
    assert!(wait_until(|| ask().is_some()), "{}\n{}", call(&server, "ask()"), postgres.log());
    while server.log.lines_with("refork: workers are forked from").is_empty() {
        assert!(ask().is_some(), "{}", call(&server, "ask()"));
        assert!(server.log.lines_with("refork: no worker").is_empty(), "{}", server.log.tail());
    }
    let mold = mold(&server);
    assert!(wait_until(|| are_all_of(&server, mold.pid, WORKERS)), "{}", server.log.tail());
    let workers: BTreeSet<i32> =
        server.workers().iter().map(|worker| worker.pid).filter(|pid| *pid != mold.pid).collect();
    let answered = std::sync::Mutex::new(BTreeSet::new());
    let all_have_answered = || answered.lock().expect("no client fails with it").is_superset(&workers);
    std::thread::scope(|scope| {
        for _ in 0..2 * WORKERS {
            scope.spawn(|| {
                while !all_have_answered() {
                    let pid = ask().expect("an answer");
                    answered.lock().expect("no client fails with it").insert(pid);
                }
            });
        }
    });
    // By the server's own word. Whoever has left may still be on the way out there.
    let is_apart = || {
        let told = call(&server, "ports()");
        let ports = told.trim_matches(['[', ']']).split(", ").map(|port| port.parse().expect("a port")).collect();
        let owners = owners(&server, postgres.address, &ports);
        let of_one = owners.values().all(|pids| pids.len() == 1 && pids.is_subset(&workers));
        of_one && workers.iter().all(|worker| owners.values().any(|pids| pids.contains(worker)))
    };
    assert!(wait_until(is_apart), "{}; {workers:?}, {mold:?}\n{}", call(&server, "ports()"), postgres.log());
    server.stop();
}

#[test]
fn connections_to_postgresql_and_pools_of_them_are_closed_in_the_mold_and_made_anew_by_each_worker() {
    let Some(home) = databases() else { return };
    for is_pooled in [false, true] {
        keeps_connections_apart(home, is_pooled);
    }
}
