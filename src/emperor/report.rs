//! What the Emperor tells of its vassals: uWSGI's document (uWSGI's manual, "The Emperor"), and what is ours in it: the state
//! by name, how a last life ended, and when the next one is tried. Pure.

use serde_json::{Value, json};

use super::machine::{Phase, State, Vassal};
use super::monitors::Candidate;
use crate::scaling::budget::Told;
use crate::supervision::time::Time;

/// Where a vassal comes from, and what it says of itself.
pub(super) struct Place<'a> {
    pub(super) candidate: &'a Candidate,
    pub(super) pid: Option<i32>,
    /// Why it goes on with old code.
    pub(super) stale: Option<&'a str>,
    /// How many workers it may have, and what it told of them.
    pub(super) share: Option<(u32, &'a Told)>,
}

/// What the Emperor itself is like.
pub(super) struct Emperor<'a> {
    pub(super) pid: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) cwd: String,
    pub(super) monitors: &'a [String],
    pub(super) tyrant: bool,
    /// The memory that vassals share, and what of it they may take.
    pub(super) memory: Option<(u64, u64)>,
}

/// A moment, and how much earlier its clock began than the epoch.
#[derive(Clone, Copy)]
pub(super) struct Now {
    pub(super) now: Time,
    pub(super) ahead_us: u64,
}

/// The document.
pub(super) fn document<'a>(
    emperor: &Emperor<'_>,
    vassals: impl Iterator<Item = (&'a String, &'a Vassal, Option<Place<'a>>)>,
    now: Now,
) -> String {
    let (mut told, mut blacklist) = (Vec::new(), Vec::new());
    for (name, vassal, seat) in vassals {
        told.push(of(name, vassal, seat.as_ref(), now));
        if vassal.failures > 0 {
            blacklist.push(json!({
                "id": name,
                "throttle_level": wait_us(vassal, now.now) / 1_000,
                "attempt": vassal.failures,
                "first_attempt": now.epoch_s(vassal.first_run),
                "last_attempt": now.epoch_s(vassal.last_run),
            }));
        }
    }
    let document = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "pid": emperor.pid,
        "uid": emperor.uid,
        "gid": emperor.gid,
        "cwd": emperor.cwd,
        "emperor": emperor.monitors,
        "emperor_tyrant": u8::from(emperor.tyrant),
        "throttle_level": 0,
        "memory": emperor.memory.map(|(bytes, held_bytes)| json!({"bytes": bytes, "held_bytes": held_bytes})),
        "vassals": told,
        "blacklist": blacklist,
    });
    format!("{document:#}\n")
}

fn of(name: &str, vassal: &Vassal, seat: Option<&Place<'_>>, now: Now) -> Value {
    let (candidate, pid) = (seat.map(|seat| seat.candidate), seat.and_then(|seat| seat.pid));
    json!({
        "id": name,
        "pid": pid.unwrap_or(-1),
        "born": now.epoch_s(vassal.first_run),
        "last_mod": candidate.map_or(0, |candidate| candidate.stamp.modified_s),
        "last_heartbeat": now.epoch_s(vassal.heartbeat),
        "loyal": u8::from(vassal.loyal.is_some()),
        "ready": u8::from(vassal.ready.is_some()),
        "accepting": u8::from(vassal.ready.is_some()),
        "last_loyal": now.epoch_s(vassal.loyal),
        "last_ready": now.epoch_s(vassal.ready),
        "last_accepting": now.epoch_s(vassal.ready),
        "first_run": now.epoch_s(vassal.first_run),
        "last_run": now.epoch_s(vassal.last_run),
        "cursed": u8::from(vassal.phase() == Phase::Leaving),
        "zerg": vassal.stands_by.as_ref().map_or(0, |(_, number)| *number),
        "on_demand": u8::from(vassal.on_demand),
        "uid": candidate.map_or(0, |candidate| candidate.owner.0),
        "gid": candidate.map_or(0, |candidate| candidate.owner.1),
        "monitor": candidate.map_or("", |candidate| candidate.monitor.as_str()),
        "respawns": vassal.lives.saturating_sub(1),
        "state": word(vassal.phase()),
        "last_end": vassal.last_end,
        "next_try_ms": wait_us(vassal, now.now) / 1_000,
        "old_code": seat.and_then(|seat| seat.stale),
        "workers": seat.and_then(|seat| seat.share).map(|(allowed, told)| json!({
            "allowed": allowed,
            "live": told.live,
            "idle": told.idle,
            "wanted": told.wants,
            "minimum": told.minimum,
            "each_bytes": told.worker_bytes,
            "waiting": told.waiting,
        })),
    })
}

fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Asleep => "asleep",
        Phase::Waiting => "waiting",
        Phase::Starting => "starting",
        Phase::Running => "running",
        Phase::Leaving => "leaving",
    }
}

fn wait_us(vassal: &Vassal, now: Time) -> u64 {
    match vassal.state {
        State::Waiting { not_before, .. } => not_before.since_us(now),
        _ => 0,
    }
}

impl Now {
    fn epoch_s(self, moment: Option<Time>) -> u64 {
        moment.map_or(0, |moment| moment.0.saturating_add(self.ahead_us) / 1_000_000)
    }
}
