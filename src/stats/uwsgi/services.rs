//! The part of the document that tells of what runs beside the workers and what all processes share. Pure.
//!
//! uWSGI has none of mules, farms, timers and the queue; and of a spooler, a command and locks it tells less.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::stats::services::{self, Companion};

#[derive(Serialize)]
pub(super) struct Services<'r> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    daemons: Vec<Daemon<'r>>,
    locks: Vec<Map<String, Value>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    caches: Vec<OneCache<'r>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<OneQueue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    spoolers: Vec<OneSpooler<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mules: Vec<OneMule>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    farms: Vec<OneFarm<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    crons: Vec<OneCron<'r>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    timers: Vec<OneTimer>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    signal_crons: Vec<OneSignalCron>,
    /// Signals for the first worker that has time. uWSGI tells of none of them.
    worker_signal_queue: u64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metrics: BTreeMap<&'r str, OneMetric<'r>>,
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
struct OneQueue {
    slots: u64,
    items: u64,
}

#[derive(Serialize)]
struct OneSpooler<'r> {
    dir: &'r str,
    pid: i32,
    tasks: u64,
    respawns: u64,
    running: u8,
    // These are not in uWSGI.
    retries: u64,
    waiting: u64,
    wanted: u8,
    signals: u64,
    deaths: u64,
    rss: u64,
}

#[derive(Serialize)]
struct OneMule {
    id: u32,
    pid: i32,
    messages: u64,
    failures: u64,
    queue: u64,
    signals: u64,
    signal_queue: u64,
    status: String,
    respawns: u64,
    deaths: u64,
    rss: u64,
}

#[derive(Serialize)]
struct OneFarm<'r> {
    name: &'r str,
    mules: &'r [u32],
    queue: u64,
}

#[derive(Serialize)]
struct OneTimer {
    signal: u8,
    every: u64,
    left: i64,
    next_at: u64,
    raised: u64,
}

#[derive(Serialize)]
struct OneSignalCron {
    signal: u8,
    minute: i32,
    hour: i32,
    day: i32,
    month: i32,
    week: i32,
    raised: u64,
}

impl<'r> Services<'r> {
    pub(super) fn of(services: &'r services::Services, with_metrics: bool) -> Self {
        let daemon =
            |daemon: &'r services::Daemon| Daemon { cmd: &daemon.command, pid: daemon.pid, respawns: daemon.respawns };
        let metric = |metric: &'r services::Metric| {
            let services::Metric { name, type_number, oid, value, .. } = metric;
            (name.as_str(), OneMetric { r#type: *type_number, oid, value: *value })
        };
        let lock = |(name, holder): &(String, i32)| Map::from_iter([(name.clone(), Value::from(*holder))]);
        let farm = |farm: &'r services::Farm| OneFarm { name: &farm.name, mules: &farm.mules, queue: farm.queue_bytes };
        Self {
            daemons: services.daemons.iter().map(daemon).collect(),
            locks: services.locks.iter().map(lock).collect(),
            caches: services.caches.iter().map(OneCache::of).collect(),
            queue: services.queue.map(|services::Queue { slots, items }| OneQueue { slots, items }),
            spoolers: services.spoolers.iter().map(OneSpooler::of).collect(),
            mules: services.mules.iter().map(OneMule::of).collect(),
            farms: services.farms.iter().map(farm).collect(),
            crons: services.crons.iter().map(OneCron::of).collect(),
            timers: services.timers.iter().map(OneTimer::of).collect(),
            signal_crons: services.signal_crons.iter().map(OneSignalCron::of).collect(),
            worker_signal_queue: services.signals_for_workers,
            metrics: services.metrics.iter().filter(|_| with_metrics).map(metric).collect(),
        }
    }
}

impl<'r> OneCache<'r> {
    fn of(cache: &'r services::Cache) -> Self {
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
    fn of(cron: &'r services::Cron) -> Self {
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

impl<'r> OneSpooler<'r> {
    fn of(spooler: &'r services::Spooler) -> Self {
        let process = &spooler.process;
        Self {
            dir: &spooler.directory,
            pid: process.pid,
            tasks: process.done,
            respawns: process.respawns(),
            running: process.since_s.is_some().into(),
            retries: process.failed,
            waiting: spooler.waiting,
            wanted: spooler.is_wanted.into(),
            signals: process.signals,
            deaths: process.deaths,
            rss: process.rss_bytes,
        }
    }
}

impl OneMule {
    fn of(mule: &services::Mule) -> Self {
        let Companion { number, pid, done, failed, signals, deaths, rss_bytes, .. } = mule.process;
        Self {
            id: number,
            pid,
            messages: done,
            failures: failed,
            queue: mule.queue_bytes,
            signals,
            signal_queue: mule.signal_queue,
            status: match mule.process.signal {
                Some(number) => format!("sig{number}"),
                None => if mule.process.since_s.is_some() { "busy" } else { "idle" }.to_owned(),
            },
            respawns: mule.process.respawns(),
            deaths,
            rss: rss_bytes,
        }
    }
}

impl OneTimer {
    fn of(timer: &services::Timer) -> Self {
        Self {
            signal: timer.signal,
            every: timer.every_s,
            left: timer.left.map_or(-1, i64::from),
            next_at: timer.next_s.unwrap_or(0),
            raised: timer.raised,
        }
    }
}

impl OneSignalCron {
    fn of(cron: &services::SignalCron) -> Self {
        let [minute, hour, day, month, week] = cron.time;
        Self { signal: cron.signal, minute, hour, day, month, week, raised: cron.raised }
    }
}
