//! The document of uWSGI's stats server, field by field (uWSGI's manual, "The uWSGI Stats Server"), for uwsgitop, uwsgi_exporter
//! and whatever else reads it. Pure.
//!
//! Differs from uWSGI where that is at fault: it is JSON whatever is in it, every number has its worker, and what a worker that
//! is gone did not accept it does not say to accept.

mod services;
mod style;
mod workers;

use serde::Serialize;
use serde_json::ser::PrettyFormatter;

use self::services::Services;
pub use self::style::Style;
use self::workers::{OneWorker, OneZygote};
use super::report::{Listener, Report};

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
    #[serde(flatten)]
    services: Services<'r>,
    sockets: Vec<Socket<'r>>,
    workers: Vec<OneWorker<'r>>,
    // These are not in uWSGI.
    zygotes: Vec<OneZygote>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refork_saved: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    canary: Option<&'r str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    memory_unread: &'r [String],
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

impl<'r> Document<'r> {
    fn of(report: &'r Report, style: Style) -> Self {
        let instance = &report.instance;
        let queue = report.listeners.iter().filter_map(|listener| listener.queue).max().unwrap_or(0).into();
        Self {
            version: instance.version,
            listen_queue: queue,
            listen_queue_errors: 0,
            signal_queue: report.services.signal_queue_bytes,
            load: queue,
            pid: instance.pid,
            uid: instance.uid,
            gid: instance.gid,
            cwd: &instance.cwd,
            services: Services::of(&report.services, style.metrics),
            sockets: report.listeners.iter().map(Socket::of).collect(),
            workers: report.workers.iter().map(|worker| OneWorker::of(worker, style)).collect(),
            zygotes: report.zygotes.iter().map(OneZygote::of).collect(),
            refork_saved: report.refork_saved_bytes,
            canary: instance.canary.as_deref(),
            memory_unread: &report.unread,
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

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::stats::report::{Application, Core, Holding, Instance, Worker, WorkerStatus, Zygote};
    use crate::stats::services::{Companion, Daemon, Mule, Services, Spooler};

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
        let services = Services { daemons: vec![daemon], ..Services::default() };
        let report = Report { workers: vec![Worker::default()], services, ..Report::default() };
        let minified = document(&report, Style { minified: true, cores: false, metrics: false });
        assert!(!minified.contains(&b'\n') && !minified.contains(&b'\t'));
        let value = read(&report, Style { minified: true, cores: false, metrics: false });
        assert!(value["workers"][0].get("cores").is_none());
        assert_eq!(value["daemons"][0]["respawns"], 2);
        let alone = read(&Report::default(), WHOLE);
        assert!(alone.get("daemons").is_none() && alone.get("caches").is_none());
    }

    #[test]
    fn mules_and_spoolers_are_told_of_with_what_they_have_done() {
        let process = Companion { number: 1, pid: 9, spawns: 3, deaths: 2, done: 7, failed: 1, ..Companion::default() };
        let busy = Companion { since_s: Some(5), signal: Some(17), signals: 4, ..process.clone() };
        let spooler = Spooler { process: busy, directory: "/s".into(), is_wanted: true, waiting: 6 };
        let mule = Mule { process, queue_bytes: 12, signal_queue: 2 };
        let services = Services { spoolers: vec![spooler], mules: vec![mule], ..Services::default() };
        let value = read(&Report { services, ..Report::default() }, WHOLE);
        let spooler = serde_json::json!({
            "dir": "/s", "pid": 9, "tasks": 7, "respawns": 2, "running": 1,
            "retries": 1, "waiting": 6, "wanted": 1, "signals": 4, "deaths": 2, "rss": 0,
        });
        assert_eq!(value["spoolers"], serde_json::json!([spooler]));
        let mule = serde_json::json!({
            "id": 1, "pid": 9, "messages": 7, "failures": 1, "queue": 12, "signals": 0, "signal_queue": 2,
            "status": "idle", "respawns": 2, "deaths": 2, "rss": 0,
        });
        assert_eq!(value["mules"], serde_json::json!([mule]));
    }

    #[test]
    fn a_worker_says_which_signal_it_handles() {
        let told = |status, signal| status_of(Worker { status, signal, ..Worker::default() });
        assert_eq!(told(WorkerStatus::Idle, Some(0)), "sig0");
        assert_eq!(told(WorkerStatus::Busy, Some(255)), "sig255");
        assert_eq!(told(WorkerStatus::Busy, None), "busy");
        assert_eq!(told(WorkerStatus::Paused, None), "pause");
    }

    fn status_of(worker: Worker) -> Value {
        read(&Report { workers: vec![worker], ..Report::default() }, WHOLE)["workers"][0]["status"].clone()
    }

    #[test]
    fn whatever_names_and_variables_hold_it_is_json() {
        let odd = "\0\u{1}\t\r\n\"\\/\u{7f}\u{85}\u{2028}\u{fffd}😀";
        let core = Core { variables: vec![format!("{odd}={odd}")], ..Core::default() };
        let report = Report {
            instance: Instance { cwd: odd.into(), ..Instance::default() },
            listeners: vec![Listener { name: odd.into(), ..Listener::default() }],
            workers: vec![Worker { cores: vec![core], ..Worker::default() }],
            services: Services {
                daemons: vec![Daemon { command: odd.into(), ..Daemon::default() }],
                ..Services::default()
            },
            ..Report::default()
        };
        for minified in [false, true] {
            let value = read(&report, Style { minified, cores: true, metrics: true });
            assert_eq!(value["cwd"], odd);
            assert_eq!(value["workers"][0]["cores"][0]["vars"][0], format!("{odd}={odd}"));
        }
    }
}
