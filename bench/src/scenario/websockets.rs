//! A thousand websockets on which nothing is said, each with a thread of its own: what they take of memory, and how often they
//! wake the machine, beside uWSGI's.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab, io_error};
use crate::proc;
use crate::scenario::{in_turns, series_of};
use crate::server::Server;
use loadgen::client;

const SOCKETS: usize = 1_000;
const WORKERS: usize = 4;
const SETTLE: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_secs(10);
/// Longest time for the answer to a handshake.
const PATIENCE: Duration = Duration::from_secs(10);

struct Sample {
    memory_kib: u64,
    switches: u64,
    cpu: Duration,
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let setups = [Contender::Wsgi, Contender::Uwsgi].map(|contender| {
        let setup = Setup::pool(contender, WORKERS).application("services.py").over_http(false);
        // One more for the page that says that it serves. Pings would be what is measured.
        setup.option("threads", SOCKETS / WORKERS + 1).option("websockets-ping-freq", 600).option("listen", 100)
    });
    let series = in_turns(lab, 1, &setups, &mut findings, |_, server| measure(lab, server))?;
    let title = format!("{SOCKETS} silent websockets, {WORKERS} workers");
    let columns = ["contender", "PSS of all, KiB more", "context switches in 10 s", "CPU ms in 10 s"];
    let mut table = Table::new(title, &columns);
    for one in &series {
        for sample in &one.samples {
            table.row(vec![
                Cell::text(&one.name),
                Cell::count(sample.memory_kib),
                Cell::count(sample.switches),
                Cell::Number(sample.cpu.as_secs_f64() * 1e3, 1),
            ]);
        }
    }
    findings.tables.push(table);
    let sample = |name| series_of(&series, name).and_then(|series| series.samples.first());
    if let (Some(ours), Some(theirs)) = (sample("rhinod wsgi"), sample("uwsgi wsgi")) {
        let memory = ours.memory_kib as f64 / theirs.memory_kib.max(1) as f64;
        findings.checks.push(Check::new("memory, rhinod / uWSGI", memory, Target::AtMost(1.0)));
        // One that never wakes cannot be beaten.
        let switches = ours.switches as f64 - theirs.switches as f64;
        findings.checks.push(Check::new("context switches, rhinod - uWSGI", switches, Target::AtMost(20.0)));
    }
    Ok(findings)
}

fn measure(lab: &Lab, server: &Server) -> Result<Sample, Error> {
    let client::Target::Tcp(address) = server.target() else {
        return Err(server.error("it listens on no port"));
    };
    let before_kib = memory_kib(server)?;
    let mut sockets = Vec::with_capacity(SOCKETS);
    for _ in 0..SOCKETS {
        lab.check_stop()?;
        let mut socket = TcpStream::connect(address).map_err(io_error("connect"))?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(io_error("a timeout"))?;
        let handshake = "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
        socket.write_all(handshake.as_bytes()).map_err(io_error("a handshake"))?;
        let mut answer = [0; 512];
        let length = socket.read(&mut answer).map_err(|error| server.error(format!("no handshake: {error}")))?;
        if !answer[..length].windows(5).any(|five| five == b" 101 ") {
            return Err(server.error(format!("no websocket: {}", String::from_utf8_lossy(&answer[..length]))));
        }
        sockets.push(socket);
    }
    lab.pause(SETTLE)?;
    let tree = server.tree();
    let (switches, cpu) = (proc::context_switches(&tree), server.cpu_time());
    lab.pause(LOOK)?;
    let after = server.tree();
    let sample = Sample {
        memory_kib: memory_kib(server)?.saturating_sub(before_kib),
        switches: proc::context_switches(&after).saturating_sub(switches),
        cpu: server.cpu_time().saturating_sub(cpu),
    };
    drop(sockets);
    Ok(sample)
}

fn memory_kib(server: &Server) -> Result<u64, Error> {
    let of = |process: &proc::Process| proc::memory(process.pid).map(|memory| memory.proportional_kib);
    server.tree().iter().map(of).sum::<Result<u64, _>>().map_err(io_error("smaps_rollup"))
}
