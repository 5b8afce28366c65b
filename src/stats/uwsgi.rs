//! The document of uWSGI's stats server, field by field (uWSGI's manual, "The uWSGI Stats Server"), for uwsgitop, uwsgi_exporter
//! and whatever else reads it. Pure.
//!
//! Differs from uWSGI where that is at fault: it is JSON whatever is in it, every number has its worker, and what a worker that
//! is gone did not accept it does not say to accept.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::ser::PrettyFormatter;

use super::report::{Cache, Core, Cron, Holding, Listener, Metric, Report, Worker, WorkerStatus, Zygote};

/// What a document looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Style {
    /// On one line (`stats-minified`).
    pub minified: bool,
    /// With the threads of each worker (without `stats-no-cores`).
    pub cores: bool,
    /// With the application's metrics (without `stats-no-metrics`).
    pub metrics: bool,
}

/// The document.
pub fn document(report: &Report, style: Style) -> Vec<u8> {
    let document = Document::of(report, style);
    let mut bytes = Vec::with_capacity(512 + 1_024 * report.workers.len());
    let written = if style.minified {
        document.serialize(&mut serde_json::Serializer::new(&mut bytes))
    } else {
        let formatter = PrettyFormatter::with_indent(b"\t");
        document.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter))
    };
    // Numbers, strings and lists into memory: there is nothing that could fail.
    debug_assert!(written.is_ok(), "{written:?}");
    if !style.minified {
        bytes.push(b'\n');
    }
    bytes
}

#[derive(Serialize)]
struct Document<'r> {
    version: &'r str,
    listen_queue: u64,
    listen_queue_errors: u64,
    signal_queue: u64,
    load: u64,
    pid: u32,
    uid: u32,
    gid: u32,
    cwd: &'r str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    daemons: Vec<Daemon<'r>>,
    locks: Vec<serde_json::Map<String, serde_json::Value>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    caches: Vec<OneCache<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    crons: Vec<OneCron<'r>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metrics: BTreeMap<&'r str, OneMetric<'r>>,
    sockets: Vec<Socket<'r>>,
    workers: Vec<OneWorker<'r>>,
    // These two are not in uWSGI.
    zygotes: Vec<OneZygote>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    memory_unread: &'r [String],
}

#[derive(Serialize)]
struct Daemon<'r> {
    cmd: &'r str,
    pid: i32,
    respawns: u64,
}

#[derive(Serialize)]
struct OneCache<'r> {
    name: &'r str,
    hash: &'static str,
    hashsize: u64,
    keysize: u64,
    max_items: u64,
    blocks: u64,
    blocksize: u64,
    items: u64,
    hits: u64,
    miss: u64,
    full: u64,
    last_modified_at: u64,
}

#[derive(Serialize)]
struct OneCron<'r> {
    minute: i32,
    hour: i32,
    day: i32,
    month: i32,
    week: i32,
    command: &'r str,
    unique: u8,
    legion: &'static str,
    pid: i32,
    started_at: u64,
    // These three are not in uWSGI.
    runs: u64,
    failures: u64,
    last_end: &'r str,
}

#[derive(Serialize)]
struct OneMetric<'r> {
    r#type: u8,
    oid: &'r str,
    value: i64,
}

#[derive(Serialize)]
struct Socket<'r> {
    name: &'r str,
    proto: &'r str,
    queue: u32,
    max_queue: u32,
    shared: u8,
    can_offload: u8,
}

#[derive(Serialize)]
struct OneWorker<'r> {
    id: u32,
    pid: i32,
    accepting: u8,
    requests: u64,
    delta_requests: u64,
    exceptions: u64,
    harakiri_count: u64,
    signals: u64,
    signal_queue: u64,
    status: &'static str,
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
struct OneZygote {
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

impl<'r> Document<'r> {
    fn of(report: &'r Report, style: Style) -> Self {
        let instance = &report.instance;
        let queue = report.listeners.iter().filter_map(|listener| listener.queue).max().unwrap_or(0).into();
        let daemon = |daemon: &'r super::report::Daemon| Daemon {
            cmd: &daemon.command,
            pid: daemon.pid,
            respawns: daemon.respawns,
        };
        let metric = |metric: &'r Metric| {
            let Metric { name, type_number, oid, value, .. } = metric;
            (name.as_str(), OneMetric { r#type: *type_number, oid, value: *value })
        };
        let lock = |(number, holder): (usize, &i32)| {
            serde_json::Map::from_iter([(format!("user {number}"), serde_json::Value::from(*holder))])
        };
        Self {
            version: instance.version,
            listen_queue: queue,
            listen_queue_errors: 0,
            signal_queue: 0,
            load: queue,
            pid: instance.pid,
            uid: instance.uid,
            gid: instance.gid,
            cwd: &instance.cwd,
            daemons: report.daemons.iter().map(daemon).collect(),
            locks: report.locks.iter().enumerate().map(lock).collect(),
            caches: report.caches.iter().map(OneCache::of).collect(),
            crons: report.crons.iter().map(OneCron::of).collect(),
            metrics: report.metrics.iter().filter(|_| style.metrics).map(metric).collect(),
            sockets: report.listeners.iter().map(Socket::of).collect(),
            workers: report.workers.iter().map(|worker| OneWorker::of(worker, style)).collect(),
            zygotes: report.zygotes.iter().map(OneZygote::of).collect(),
            memory_unread: &report.unread,
        }
    }
}

impl<'r> OneCache<'r> {
    fn of(cache: &'r Cache) -> Self {
        Self {
            name: &cache.name,
            hash: "seeded",
            hashsize: cache.buckets,
            keysize: cache.key_bytes,
            max_items: cache.items_max,
            blocks: cache.blocks,
            blocksize: cache.block_bytes,
            items: cache.items,
            hits: cache.hits,
            miss: cache.misses,
            full: cache.full,
            last_modified_at: cache.changed_s,
        }
    }
}

impl<'r> OneCron<'r> {
    fn of(cron: &'r Cron) -> Self {
        let [minute, hour, day, month, week] = cron.time;
        Self {
            minute,
            hour,
            day,
            month,
            week,
            command: &cron.command,
            unique: cron.unique.into(),
            legion: "",
            pid: cron.pid.unwrap_or(-1),
            started_at: cron.started_s,
            runs: cron.done.saturating_add(cron.failed),
            failures: cron.failed,
            last_end: cron.last_end.as_deref().unwrap_or_default(),
        }
    }
}

impl<'r> Socket<'r> {
    fn of(listener: &'r Listener) -> Self {
        Self {
            name: &listener.name,
            proto: listener.protocol,
            queue: listener.queue.unwrap_or(0),
            max_queue: listener.queue_max,
            shared: 0,
            can_offload: listener.can_offload.into(),
        }
    }
}

impl Memory {
    fn of(holding: Holding) -> Self {
        let Holding { private_bytes, shared_bytes, proportional_bytes } = holding;
        Self { private: private_bytes, shared: shared_bytes, pss: proportional_bytes }
    }
}

impl OneZygote {
    fn of(zygote: &Zygote) -> Self {
        let Zygote { generation, pid, holding } = *zygote;
        Self { generation, pid, memory: holding.map(Memory::of) }
    }
}

impl<'r> OneWorker<'r> {
    fn of(worker: &'r Worker, style: Style) -> Self {
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
            signals: 0,
            signal_queue: 0,
            status: match worker.status {
                WorkerStatus::Cheap => "cheap",
                WorkerStatus::Paused => "pause",
                WorkerStatus::Busy => "busy",
                WorkerStatus::Idle => "idle",
            },
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::stats::report::{Application, Daemon, Instance};

    fn read(report: &Report, style: Style) -> Value {
        let bytes = document(report, style);
        serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&bytes)))
    }

    const WHOLE: Style = Style { minified: false, cores: true, metrics: true };

    #[test]
    fn every_field_of_a_worker_is_there_and_a_number() {
        let core =
            Core { requests: 3, is_busy: true, since_s: Some(9), variables: vec!["A=b".into()], ..Core::default() };
        let worker = Worker {
            number: 2,
            pid: 77,
            status: WorkerStatus::Busy,
            application: Application { boot_us: 2_600_000 },
            cores: vec![core, Core::default()],
            ..Worker::default()
        };
        let value = read(&Report { workers: vec![worker], ..Report::default() }, WHOLE);
        let worker = &value["workers"][0];
        let fields = [
            "id",
            "pid",
            "accepting",
            "requests",
            "delta_requests",
            "exceptions",
            "harakiri_count",
            "signals",
            "signal_queue",
            "rss",
            "vsz",
            "running_time",
            "last_spawn",
            "respawn_count",
            "tx",
            "avg_rt",
        ];
        for field in fields {
            assert!(worker[field].is_u64(), "{field} is {}", worker[field]);
        }
        assert_eq!((&worker["id"], &worker["status"]), (&2.into(), &"busy".into()));
        assert_eq!(worker["apps"][0]["startup_time"], 2);
        assert_eq!(worker["cores"][0]["vars"], serde_json::json!(["A=b", ""]));
        assert_eq!(worker["cores"][0]["req_info"], serde_json::json!({"request_start": 9}));
        assert_eq!(worker["cores"][1]["vars"], serde_json::json!([]));
        assert_eq!(worker["cores"][1]["req_info"], serde_json::json!({}));
    }

    #[test]
    fn what_processes_hold_is_told_where_it_is_known_and_whose_is_not() {
        let holding = Holding { private_bytes: 3, shared_bytes: 8, proportional_bytes: 5 };
        let report = Report {
            workers: vec![Worker { number: 1, holding: Some(holding), ..Worker::default() }, Worker::default()],
            zygotes: vec![Zygote { generation: 2, pid: 9, holding: None }],
            unread: vec!["process 9: Permission denied".into()],
            ..Report::default()
        };
        let value = read(&report, WHOLE);
        let worker = &value["workers"][0];
        assert_eq!((&worker["private"], &worker["shared"], &worker["pss"]), (&3.into(), &8.into(), &5.into()));
        assert!(value["workers"][1].get("pss").is_none());
        assert_eq!(value["zygotes"], serde_json::json!([{"generation": 2, "pid": 9}]));
        assert_eq!(value["memory_unread"], serde_json::json!(["process 9: Permission denied"]));
        assert!(read(&Report::default(), WHOLE).get("memory_unread").is_none());
    }

    #[test]
    fn what_is_left_out_is_absent_and_nothing_is_lost_on_one_line() {
        let daemon = Daemon { command: "sleep".into(), pid: 1, respawns: 2 };
        let report = Report { workers: vec![Worker::default()], daemons: vec![daemon], ..Report::default() };
        let minified = document(&report, Style { minified: true, cores: false, metrics: false });
        assert!(!minified.contains(&b'\n') && !minified.contains(&b'\t'));
        let value = read(&report, Style { minified: true, cores: false, metrics: false });
        assert!(value["workers"][0].get("cores").is_none());
        assert_eq!(value["daemons"][0]["respawns"], 2);
        let alone = read(&Report::default(), WHOLE);
        assert!(alone.get("daemons").is_none() && alone.get("caches").is_none());
    }

    #[test]
    fn whatever_names_and_variables_hold_it_is_json() {
        let odd = "\0\u{1}\t\r\n\"\\/\u{7f}\u{85}\u{2028}\u{fffd}😀";
        let core = Core { variables: vec![format!("{odd}={odd}")], ..Core::default() };
        let report = Report {
            instance: Instance { cwd: odd.into(), ..Instance::default() },
            listeners: vec![Listener { name: odd.into(), ..Listener::default() }],
            workers: vec![Worker { cores: vec![core], ..Worker::default() }],
            daemons: vec![Daemon { command: odd.into(), ..Daemon::default() }],
            ..Report::default()
        };
        for minified in [false, true] {
            let value = read(&report, Style { minified, cores: true, metrics: true });
            assert_eq!(value["cwd"], odd);
            assert_eq!(value["workers"][0]["cores"][0]["vars"][0], format!("{odd}={odd}"));
        }
    }
}
