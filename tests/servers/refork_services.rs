//! Workers that are forked from one that has served (`refork`) and the servers that their application keeps connections to: a
//! real Redis, which says who is connected, as Django's cache and Celery's broker; databases that Django keeps open over requests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;

use crate::harness::{Instance, Launch, PATIENCE, daemon_program, free_address, wait_until};
use crate::pythons::{EVALUATES, call, launch_in, one};
use crate::refork::{are_all_of, mold};
use crate::rivals::frameworks;
use tempfile::TempDir;

const WORKERS: usize = 3;
const CLIENTS: usize = 6;

/// `ask` keeps three connections: to the database, to the cache, to the broker.
const APPLICATION: &str = "\
import os
import django
from django.conf import settings
REDIS = os.environ['REDIS']
settings.configure(
    DATABASES={'default': {
        'ENGINE': 'django.db.backends.sqlite3', 'NAME': os.path.abspath('database'), 'CONN_MAX_AGE': None,
    }},
    CACHES={'default': {'BACKEND': 'django.core.cache.backends.redis.RedisCache', 'LOCATION': REDIS + '/0'}},
)
django.setup()
from celery import Celery
from django.core.cache import cache
from django.db import connection

celery = Celery('site', broker=REDIS + '/1')

def ask():
    with connection.cursor() as cursor:
        told = cursor.execute('select 42').fetchone()[0]
    cache.add('asked', 0, None)
    cache.incr('asked')
    celery.send_task('work', args=[told])
    return told

def queued():
    import redis
    return redis.Redis.from_url(REDIS + '/1').llen('celery')
";

/// A Redis beside the workers.
fn with_redis(launch: Launch, address: SocketAddr) -> Launch {
    let redis = daemon_program("redis-server");
    let (port, place) = (address.port(), launch.dir().display().to_string());
    let options = format!("--bind 127.0.0.1 --port {port} --save '' --dir {place} --logfile {place}/redis.log");
    launch.line(format!("attach-daemon = {} {options}", redis.display())).env("REDIS", format!("redis://{address}"))
}

/// What Redis answers to a command without blanks in its words, by a connection of its own.
fn redis(address: SocketAddr, command: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(format!("{command}\r\n").as_bytes()).ok()?;
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let Some(length) = line.strip_prefix('$') else { return Some(line.trim_end()[1..].to_owned()) };
    let mut text = vec![0; length.trim_end().parse().expect("a length")];
    stream.read_exact(&mut text).ok()?;
    String::from_utf8(text).ok()
}

/// The ports of those who are connected, but for whoever asks.
fn connected(address: SocketAddr) -> BTreeSet<u16> {
    let told = redis(address, "CLIENT LIST").expect("Redis answers");
    let others = told.lines().filter(|line| !line.contains("cmd=client"));
    let port = |line: &str| line.split(' ').find_map(|field| field.strip_prefix("addr=127.0.0.1:")?.parse().ok());
    others.map(|line| port(line).unwrap_or_else(|| panic!("{line}"))).collect()
}

/// The processes of the instance that have the client's end of the connection from each port.
pub(crate) fn owners(server: &Instance, address: SocketAddr, ports: &BTreeSet<u16>) -> BTreeMap<u16, BTreeSet<i32>> {
    let table = fs::read_to_string("/proc/net/tcp").expect("the table of TCP sockets");
    let mut sockets = BTreeMap::new();
    for line in table.lines() {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [_, local, remote, _, _, _, _, _, _, inode, ..] = cells[..] else { continue };
        let port = |end: &str| u16::from_str_radix(end.rsplit(':').next().unwrap_or_default(), 16).ok();
        if port(remote) == Some(address.port())
            && let Some(local) = port(local).filter(|local| ports.contains(local))
        {
            sockets.insert(format!("socket:[{inode}]"), local);
        }
    }
    let mut owners: BTreeMap<u16, BTreeSet<i32>> = ports.iter().map(|port| (*port, BTreeSet::new())).collect();
    for process in server.processes() {
        let held = fs::read_dir(format!("/proc/{}/fd", process.pid)).into_iter().flatten().flatten();
        for target in held.filter_map(|entry| fs::read_link(entry.path()).ok()) {
            if let Some(port) = sockets.get(&target.to_string_lossy().into_owned()) {
                owners.entry(*port).or_default().insert(process.pid);
            }
        }
    }
    owners
}

/// Asks by several clients at once until `enough`; how often they were answered, each time as they should.
fn ask_until(server: &Instance, enough: impl Fn() -> bool + Sync) -> u64 {
    let client = || {
        let mut asked = 0;
        while !enough() {
            assert_eq!(call(server, "ask()"), "42", "{}", server.log.tail());
            asked += 1;
        }
        asked
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients.into_iter().map(|client| client.join().expect("a client")).sum()
    })
}

fn serving(threads: usize) -> Option<(TempDir, Launch, SocketAddr)> {
    let home = frameworks()?;
    let directory = tempfile::tempdir().expect("a directory");
    fs::write(directory.path().join("app.py"), format!("{APPLICATION}{EVALUATES}")).expect("room");
    let launch = launch_in(&one(), directory.path()).without("python-executable").set("home", home.display());
    let launch = launch.set("module", "app").set("workers", WORKERS).set("threads", threads).set("refork", 40);
    let address = free_address();
    Some((directory, with_redis(launch, address), address))
}

#[test]
fn connections_of_django_and_celery_are_closed_in_the_mold_and_no_two_workers_share_one() {
    for threads in [1, 2] {
        let Some((_directory, launch, address)) = serving(threads) else { return };
        let mut server = launch.start();
        if threads > 1 {
            server.expect_log("the application must be thread-safe");
        }
        assert!(wait_until(|| redis(address, "PING").is_some()), "{}", server.log.tail());
        let is_molded = || {
            assert!(server.log.lines_with("refork: no worker").is_empty(), "{}", server.log.tail());
            !server.log.lines_with("refork: workers are forked from").is_empty()
        };
        let mut asked = ask_until(&server, is_molded);
        let mold = mold(&server);
        assert!(wait_until(|| are_all_of(&server, mold.pid, WORKERS)), "{}", server.log.tail());
        // Each of them has asked when each has connections of both kinds.
        let workers: BTreeSet<i32> = server.workers().iter().map(|worker| worker.pid).collect();
        let all_have = || {
            let owners = owners(&server, address, &connected(address));
            let each = |worker: &i32| owners.values().filter(|pids| pids.contains(worker)).count() >= 2;
            workers.iter().filter(|worker| **worker != mold.pid).all(each)
        };
        asked += ask_until(&server, all_have);
        let owners = owners(&server, address, &connected(address));
        for (port, pids) in &owners {
            let of_worker = |pid: &i32| workers.contains(pid) && *pid != mold.pid;
            assert!(pids.len() == 1 && pids.iter().all(of_worker), "port {port}: {pids:?} of {workers:?}, {mold:?}");
        }
        assert!(owners.len() >= 2 * WORKERS, "{owners:?}");
        let held = fs::read_dir(format!("/proc/{}/fd", mold.pid)).expect("the mold").flatten();
        let held: Vec<_> = held.filter_map(|entry| fs::read_link(entry.path()).ok()).collect();
        assert!(held.iter().all(|target| !target.ends_with("database")), "{held:?}");
        // Nothing was lost: all of them are counted in the cache, and all tasks are in the queue.
        assert_eq!(call(&server, "cache.get('asked')"), asked.to_string());
        assert_eq!(call(&server, "queued()"), asked.to_string());
        server.stop();
    }
}
