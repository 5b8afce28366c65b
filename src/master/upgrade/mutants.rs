//! Mutated handovers: what a master may be left by an image of another version, or by a broken one, is refused with a
//! reason, or makes a machine that can be driven.

use fastrand::Rng;
use serde_json::Value;
use testkit::seeds::Seeds;
use testkit::{json_mutation, mutation};

use super::super::machine::{Event, ExitStatus, Machine, Order, ProcessId, Reload, Seat, Snapshot, Time};
use super::handover::Handover;
use crate::travel::HANDOVER;

/// What one event may lead to, with the few workers of the recorded instance and as many as a mutant may ask for.
const ACTIONS_MAX: usize = 200_000;

/// Seats of the shared memory that are left: enough for two generations of five workers.
const SEATS: usize = 14;

/// The recorded handover with few vacant seats, so that nearly every change matters.
fn recorded() -> Value {
    let text = include_str!("../../../tests/data/travel/handover-1.json");
    let mut handover: Value = serde_json::from_str(text).expect("JSON");
    let snapshot = &mut handover["body"]["snapshot"];
    let seats = snapshot["seats"].as_array_mut().expect("a list");
    seats.drain(SEATS..seats.len() - 1);
    snapshot["plan"]["seats"] = SEATS.into();
    handover
}

/// Byte by byte, or value by value.
fn mutant(random: &mut Rng, recorded: &Value) -> Vec<u8> {
    let mut value = recorded.clone();
    if random.usize(..4) == 0 {
        let mut bytes = value.to_string().into_bytes();
        mutation::mutate(random, &mut bytes);
        return bytes;
    }
    json_mutation::mutate(random, &mut value["body"]);
    value.to_string().into_bytes()
}

fn mutated_snapshot(random: &mut Rng, snapshot: &Value) -> Option<Snapshot> {
    let mut snapshot = snapshot.clone();
    json_mutation::mutate(random, &mut snapshot);
    serde_json::from_value(snapshot).ok()
}

/// Has a machine of it live for a while.
fn drive(random: &mut Rng, snapshot: Snapshot) -> Result<bool, String> {
    let mut now = Time(1_000_000_000);
    let Ok(mut machine) = Machine::adopt(now, snapshot) else { return Ok(false) };
    let pids = [24_936, 24_937, 24_938, 24_939, 24_935].map(|pid| ProcessId::new(pid).expect("a process"));
    for _ in 0..30 {
        let seat = Seat(random.u32(..16));
        let event = match random.u8(..8) {
            0 => Event::Order(Order::Reload([Reload::Graceful, Reload::Workers, Reload::Chain][random.usize(..3)])),
            1 => Event::Order(Order::TogglePause),
            2 => Event::Exited { seat, pid: pids[random.usize(..pids.len())], status: ExitStatus::Signal(9) },
            3 => Event::ForkFailed { seat, errno: 11 },
            4 => Event::Order(Order::Cheap),
            _ => Event::Elapsed,
        };
        now = Time(now.0.saturating_add(random.u64(..20_000_000)));
        machine.handle(now, event);
        let actions = std::iter::from_fn(|| machine.poll_action()).take(ACTIONS_MAX).count();
        if actions == ACTIONS_MAX {
            return Err("it never comes to rest".to_owned());
        }
        let _ = machine.deadline();
        let again = serde_json::to_value(machine.snapshot()).map_err(|error| error.to_string())?;
        serde_json::from_value::<Snapshot>(again).map_err(|error| error.to_string())?;
    }
    Ok(true)
}

#[test]
fn mutants_of_handovers_are_refused_with_a_reason_or_read() {
    let recorded = recorded();
    let seeds = Seeds::of_this_run(200);
    let read = seeds.try_all(|read: &mut u32, seed| {
        let mutant = mutant(&mut Rng::with_seed(seed), &recorded);
        match HANDOVER.open::<Handover>(&mutant) {
            Ok(_) => *read += 1,
            Err(why) => assert!(!why.to_string().is_empty()),
        }
        Ok(())
    });
    assert!(!seeds.are_usual() || read.iter().sum::<u32>() > 10, "{read:?}: they are all too far off");
}

#[test]
fn what_is_adopted_of_mutants_of_snapshots_can_be_driven() {
    let recorded = recorded()["body"]["snapshot"].take();
    let seeds = Seeds::of_this_run(300);
    let adopted = seeds.try_all(|adopted: &mut u32, seed| {
        let mut random = Rng::with_seed(seed);
        let Some(snapshot) = mutated_snapshot(&mut random, &recorded) else { return Ok(()) };
        *adopted += u32::from(drive(&mut random, snapshot)?);
        Ok(())
    });
    assert!(!seeds.are_usual() || adopted.iter().sum::<u32>() > 20, "{adopted:?}: they are all too far off");
}
