//! The metrics of a report: their names, units and help. Those of the instance are `rhinod_…`; those of single workers and
//! sockets have the names of uwsgi_exporter, so that dashboards made for it go on. Pure.

mod services;

use std::collections::BTreeMap;

use self::services::services;
use super::exposition::{Exposition, Form, Kind};
use super::report::{Holding, Report, Tally, Totals, Worker, WorkerStatus};
use crate::otlp::Metrics;

/// The document.
pub fn metrics(report: &Report, form: Form) -> Vec<u8> {
    written(Exposition::new(form), report)
}

/// The same for a collector of OpenTelemetry's: the metrics of a `ScopeMetrics`. `now_us`: since the epoch.
pub fn metrics_for_collectors(report: &Report, now_us: u64) -> Vec<u8> {
    written(Exposition::Otlp(Metrics::new(report.instance.started_us, now_us)), report)
}

fn written(mut out: Exposition, report: &Report) -> Vec<u8> {
    instance(&mut out, report);
    load(&mut out, report);
    totals(&mut out, &report.totals);
    services(&mut out, &report.services);
    sockets(&mut out, report);
    workers(&mut out, report);
    memory(&mut out, report);
    out.finish()
}

fn instance(out: &mut Exposition, report: &Report) {
    use Kind::Gauge;
    let instance = &report.instance;
    out.family("rhinod_build_info", Gauge, "Version that the master runs.").whole(&[("version", instance.version)], 1);
    out.family("rhinod_start_time_seconds", Gauge, "When the instance was started, since the epoch.")
        .seconds(&[], instance.started_us);
    out.family("rhinod_ready", Gauge, "Whether a request would be served.")
        .whole(&[], instance.readiness.is_ready().into());
    out.family("rhinod_generation", Gauge, "Which loading of the application serves.")
        .whole(&[], instance.generation.into());
    if let Some(load_us) = instance.load_us {
        out.family("rhinod_application_load_seconds", Gauge, "How long the newest generation took to load.")
            .seconds(&[], load_us);
    }
    out.family("rhinod_master_resident_memory_bytes", Gauge, "Resident memory of the master.")
        .whole(&[], instance.resident_bytes);
}

fn load(out: &mut Exposition, report: &Report) {
    use Kind::Gauge;
    let instance = &report.instance;
    let mut running = out.family("rhinod_workers", Gauge, "Workers by state and generation.");
    for one in &report.running {
        let generation = one.generation.to_string();
        running.whole(&[("state", one.state), ("generation", &generation)], one.count.into());
    }
    out.family("rhinod_workers_wanted", Gauge, "Workers that are to run.").whole(&[], instance.workers_wanted.into());
    out.family("rhinod_workers_minimum", Gauge, "Fewest workers that may run.").whole(&[], instance.workers_min.into());
    out.family("rhinod_workers_maximum", Gauge, "Most workers that may run.").whole(&[], instance.workers_max.into());
    out.family("rhinod_worker_threads", Gauge, "Requests that one worker handles at once.")
        .whole(&[], instance.threads.into());
    let (handled, queued) = (report.requests_running(), report.requests_queued());
    out.family("rhinod_requests_running", Gauge, "Requests that are being answered.").whole(&[], handled);
    out.family("rhinod_requests_queued", Gauge, "Connections that wait for a worker.").whole(&[], queued);
    out.family(
        "rhinod_desired_concurrency",
        Gauge,
        "Requests that are being answered or wait: what an autoscaler divides by what one replica can handle.",
    )
    .whole(&[], handled.saturating_add(queued));
}

fn totals(out: &mut Exposition, totals: &Totals) {
    use Kind::{Counter, Histogram};
    out.family("rhinod_requests", Counter, "Requests answered.").whole(&[], totals.requests);
    out.family("rhinod_exceptions", Counter, "Requests whose application failed.").whole(&[], totals.exceptions);
    out.family("rhinod_response_bytes", Counter, "Bytes sent, heads included.").whole(&[], totals.sent_bytes);
    out.family("rhinod_read_errors", Counter, "Requests that could not be read.").whole(&[], totals.read_errors);
    out.family("rhinod_write_errors", Counter, "Answers that could not be written.").whole(&[], totals.write_errors);
    out.family("rhinod_request_duration_seconds", Histogram, "How long requests took, from accept to the last byte.")
        .histogram(&totals.durations);
    out.family(
        "rhinod_queue_wait_seconds",
        Histogram,
        "How long requests had waited for a worker, where the web server tells when they came.",
    )
    .histogram(&totals.waits);
    out.family("rhinod_worker_boot_seconds", Histogram, "How long workers took to be ready.").histogram(&totals.boots);
    out.family("rhinod_worker_spawns", Counter, "Workers forked.").whole(&[], totals.spawns);
    out.family("rhinod_fork_failures", Counter, "Workers that could not be forked.").whole(&[], totals.failed_forks);
    out.family("rhinod_lost_requests", Counter, "Requests that workers held when they died.")
        .whole(&[], totals.lost_requests);
    out.family("rhinod_harakiris", Counter, "Workers killed since a request took too long.")
        .whole(&[], totals.harakiris);
    tally(out, "rhinod_worker_ends", "Workers that ended, by cause.", "cause", &totals.ends);
    tallies(out, "rhinod_reloads", "Reloads that are over.", ["kind", "outcome"], &totals.reloads);
    let help = "Decisions that changed the number of workers.";
    tallies(out, "rhinod_scaling_decisions", help, ["direction", "reason"], &totals.decisions);
}

fn tally(out: &mut Exposition, name: &'static str, help: &str, label: &str, counts: &Tally) {
    let mut family = out.family(name, Kind::Counter, help);
    for (word, count) in counts {
        family.whole(&[(label, word)], *count);
    }
}

fn tallies(out: &mut Exposition, name: &'static str, help: &str, labels: [&str; 2], counts: &BTreeMap<String, Tally>) {
    let mut family = out.family(name, Kind::Counter, help);
    for (first, counts) in counts {
        for (second, count) in counts {
            family.whole(&[(labels[0], first), (labels[1], second)], *count);
        }
    }
}

fn sockets(out: &mut Exposition, report: &Report) {
    let longest = report.listeners.iter().filter_map(|listener| listener.queue).max().unwrap_or(0);
    out.family("uwsgi_listen_queue_length", Kind::Gauge, "Length of the longest queue.").whole(&[], longest.into());
    let mut lengths = out.family("uwsgi_socket_queue_length", Kind::Gauge, "Connections that wait on a socket.");
    for listener in &report.listeners {
        if let Some(queue) = listener.queue {
            lengths.whole(&[("name", &listener.name), ("proto", listener.protocol)], queue.into());
        }
    }
    let mut most = out.family("uwsgi_socket_max_queue_length", Kind::Gauge, "Connections that may wait on a socket.");
    for listener in &report.listeners {
        most.whole(&[("name", &listener.name), ("proto", listener.protocol)], listener.queue_max.into());
    }
}

/// One family of single workers.
type OfWorker = (&'static str, Kind, &'static str, fn(&Worker) -> u64);

#[rustfmt::skip]
const OF_WORKERS: &[OfWorker] = &[
    ("uwsgi_worker_accepting", Kind::Gauge, "Whether a worker takes requests.", |worker| worker.accepting.into()),
    ("uwsgi_worker_busy", Kind::Gauge, "Whether it has a request.", |worker| is(worker, WorkerStatus::Busy)),
    ("uwsgi_worker_idle", Kind::Gauge, "Whether it has none.", |worker| is(worker, WorkerStatus::Idle)),
    ("uwsgi_worker_cheap", Kind::Gauge, "Whether there is none.", |worker| is(worker, WorkerStatus::Cheap)),
    ("uwsgi_worker_delta_requests", Kind::Gauge, "Requests since it was forked.", |worker| worker.delta_requests),
    ("uwsgi_worker_rss_bytes", Kind::Gauge, "Resident memory.", |worker| worker.rss_bytes),
    ("uwsgi_worker_vsz_bytes", Kind::Gauge, "Virtual memory.", |worker| worker.vsz_bytes),
    ("uwsgi_worker_last_spawn_time_seconds", Kind::Gauge, "When it was forked, since the epoch.", |worker| worker.spawned_s),
    ("uwsgi_worker_requests", Kind::Counter, "Requests of all workers with this number.", |worker| worker.requests),
    ("uwsgi_worker_exceptions", Kind::Counter, "Requests whose application failed.", |worker| worker.exceptions),
    ("uwsgi_worker_harakiri_count", Kind::Counter, "Kills since a request took too long.", |worker| worker.harakiris),
    ("uwsgi_worker_respawn_count", Kind::Counter, "How many workers have had this number.", |worker| worker.spawns),
    ("uwsgi_worker_signals", Kind::Counter, "Signals of the application that were handled.", |worker| worker.signals),
    ("uwsgi_worker_transmitted_bytes", Kind::Counter, "Bytes sent.", |worker| worker.sent_bytes),
];

/// The same for times, in microseconds.
#[rustfmt::skip]
const TIMES_OF_WORKERS: &[OfWorker] = &[
    ("uwsgi_worker_running_time_seconds", Kind::Gauge, "Time within requests.", |worker| worker.running_us),
    ("uwsgi_worker_average_response_time_seconds", Kind::Gauge, "uWSGI's avg_rt, which is no mean.", |worker| worker.average_us),
];

fn is(worker: &Worker, status: WorkerStatus) -> u64 {
    (worker.status == status).into()
}

fn workers(out: &mut Exposition, report: &Report) {
    out.family("uwsgi_workers", Kind::Gauge, "Most workers.").whole(&[], report.workers.len() as u64);
    let numbers: Vec<String> = report.workers.iter().map(|worker| worker.number.to_string()).collect();
    for (name, kind, help, value) in OF_WORKERS {
        let mut family = out.family(name, *kind, help);
        for (worker, number) in report.workers.iter().zip(&numbers) {
            family.whole(&[("worker_id", number)], value(worker));
        }
    }
    for (name, kind, help, us) in TIMES_OF_WORKERS {
        let mut family = out.family(name, *kind, help);
        for (worker, number) in report.workers.iter().zip(&numbers) {
            family.seconds(&[("worker_id", number)], us(worker));
        }
    }
}

/// What processes hold of the machine's memory, where that is known.
fn memory(out: &mut Exposition, report: &Report) {
    let of_workers = report.workers.iter().map(|worker| (worker.number, worker.holding));
    let help = "Memory of a worker: pages of its own, pages that others map too, and its part of all (PSS).";
    held(out, "rhinod_worker_memory_bytes", help, "worker_id", of_workers);
    let of_zygotes = report.zygotes.iter().map(|zygote| (zygote.generation, zygote.holding));
    let help = "The same of the processes that fork the workers.";
    held(out, "rhinod_zygote_memory_bytes", help, "generation", of_zygotes);
    if let Some(saved) = report.refork_saved_bytes {
        let help = "Memory that workers hold less since they are forked from one that has served.";
        out.family("rhinod_refork_saved_bytes", Kind::Gauge, help).whole(&[], saved);
    }
    let help = "Processes whose memory cannot be read.";
    out.family("rhinod_memory_unread", Kind::Gauge, help).whole(&[], report.unread.len() as u64);
}

fn held(
    out: &mut Exposition,
    name: &'static str,
    help: &str,
    label: &str,
    processes: impl Iterator<Item = (u32, Option<Holding>)>,
) {
    let mut family = out.family(name, Kind::Gauge, help);
    for (number, holding) in processes {
        let Some(Holding { private_bytes, shared_bytes, proportional_bytes }) = holding else { continue };
        let number = number.to_string();
        for (part, bytes) in [("private", private_bytes), ("shared", shared_bytes), ("pss", proportional_bytes)] {
            family.whole(&[(label, &number), ("part", part)], bytes);
        }
    }
}
