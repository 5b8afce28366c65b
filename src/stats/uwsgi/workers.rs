//! The part of the document that tells of workers, their threads, and the zygotes that fork them. Pure.

use serde::Serialize;

use super::style::Style;
use crate::stats::report::{Core, Holding, Worker, WorkerStatus, Zygote};

#[derive(Serialize)]
pub(super) struct OneWorker<'r> {
    id: u32,
    pid: i32,
    accepting: u8,
    requests: u64,
    delta_requests: u64,
    exceptions: u64,
    harakiri_count: u64,
    signals: u64,
    signal_queue: u64,
    status: String,
    rss: u64,
    vsz: u64,
    #[serde(flatten)]
    memory: Option<Memory>,
    running_time: u64,
    last_spawn: u64,
    respawn_count: u64,
    tx: u64,
    avg_rt: u64,
    apps: Vec<App>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cores: Option<Vec<OneCore<'r>>>,
}

/// What a process holds, in bytes. Not in uWSGI; absent where it is not known.
#[derive(Serialize)]
struct Memory {
    private: u64,
    shared: u64,
    pss: u64,
}

#[derive(Serialize)]
pub(super) struct OneZygote {
    generation: u32,
    pid: i32,
    #[serde(flatten)]
    memory: Option<Memory>,
}

#[derive(Serialize)]
struct App {
    id: u32,
    modifier1: u32,
    mountpoint: &'static str,
    startup_time: u64,
    requests: u64,
    exceptions: u64,
    chdir: &'static str,
}

#[derive(Serialize)]
struct OneCore<'r> {
    id: usize,
    requests: u64,
    static_requests: u64,
    routed_requests: u64,
    offloaded_requests: u64,
    write_errors: u64,
    read_errors: u64,
    in_request: u8,
    vars: Vec<&'r str>,
    req_info: RequestInfo,
}

#[derive(Serialize)]
struct RequestInfo {
    #[serde(skip_serializing_if = "Option::is_none")]
    request_start: Option<u64>,
}

impl Memory {
    fn of(holding: Holding) -> Self {
        let Holding { private_bytes, shared_bytes, proportional_bytes } = holding;
        Self { private: private_bytes, shared: shared_bytes, pss: proportional_bytes }
    }
}

impl OneZygote {
    pub(super) fn of(zygote: &Zygote) -> Self {
        let Zygote { generation, pid, holding } = *zygote;
        Self { generation, pid, memory: holding.map(Memory::of) }
    }
}

impl<'r> OneWorker<'r> {
    pub(super) fn of(worker: &'r Worker, style: Style) -> Self {
        let app = App {
            id: 0,
            modifier1: 0,
            mountpoint: "",
            startup_time: worker.application.boot_us / 1_000_000,
            requests: worker.requests,
            exceptions: worker.exceptions,
            chdir: "",
        };
        Self {
            id: worker.number,
            pid: worker.pid,
            accepting: worker.accepting.into(),
            requests: worker.requests,
            delta_requests: worker.delta_requests,
            exceptions: worker.exceptions,
            harakiri_count: worker.harakiris,
            signals: worker.signals,
            // What waits for this one alone is on its control socket, which it empties whenever it looks up.
            signal_queue: 0,
            status: status(worker),
            rss: worker.rss_bytes,
            vsz: worker.vsz_bytes,
            memory: worker.holding.map(Memory::of),
            running_time: worker.running_us,
            last_spawn: worker.spawned_s,
            respawn_count: worker.spawns,
            tx: worker.sent_bytes,
            avg_rt: worker.average_us,
            apps: vec![app],
            cores: style.cores.then(|| worker.cores.iter().enumerate().map(OneCore::of).collect()),
        }
    }
}

fn status(worker: &Worker) -> String {
    match (worker.status, worker.signal) {
        (WorkerStatus::Cheap, _) => "cheap".to_owned(),
        (WorkerStatus::Paused, None) => "pause".to_owned(),
        (_, Some(number)) => format!("sig{number}"),
        (WorkerStatus::Busy, None) => "busy".to_owned(),
        (WorkerStatus::Idle, None) => "idle".to_owned(),
    }
}

impl<'r> OneCore<'r> {
    fn of((id, core): (usize, &'r Core)) -> Self {
        let mut vars: Vec<&str> = core.variables.iter().map(String::as_str).collect();
        if !vars.is_empty() {
            // As uWSGI's list ends.
            vars.push("");
        }
        Self {
            id,
            requests: core.requests,
            static_requests: core.static_requests,
            routed_requests: 0,
            offloaded_requests: core.offloaded_requests,
            write_errors: core.write_errors,
            read_errors: core.read_errors,
            in_request: core.is_busy.into(),
            vars,
            req_info: RequestInfo { request_start: core.since_s },
        }
    }
}
