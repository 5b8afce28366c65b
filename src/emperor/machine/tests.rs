//! A test for each rule, and a seeded simulation: whatever vassals, files and operators do, nothing is lost, no more start at
//! once than may, and in a kind world each comes to its last state.

use std::collections::BTreeMap;

use super::table::{Kind, deed};
use super::*;

const S: u64 = 1_000_000;

fn policy() -> Policy {
    let pace = Pace { first_us: S, max_us: 180 * S };
    Policy {
        pace,
        forgives: false,
        curse_us: 30 * S,
        mercy_us: 30 * S,
        heartbeat_us: 30 * S,
        starts_max: 2,
        reinforcements_max: 2,
    }
}

fn actions(machine: &mut Machine) -> Vec<Action> {
    let all = std::iter::from_fn(|| machine.poll_action());
    all.filter(|action| !matches!(action, Action::Note { .. })).collect()
}

fn found(machine: &mut Machine, name: &str) {
    machine.handle(Time(0), name, Event::Found { on_demand: false });
}

fn start(name: &str) -> Action {
    Action::Start(name.to_owned())
}

fn tell(name: &str, what: ToVassal) -> Action {
    Action::Tell(name.to_owned(), what)
}

fn crash() -> Event {
    Event::Ended { how: "exit code 1".to_owned(), clean: false }
}

#[test]
fn one_that_crashes_at_start_waits_longer_each_time_and_slows_no_other() {
    let mut machine = Machine::new(policy());
    found(&mut machine, "bad");
    found(&mut machine, "good");
    assert_eq!(actions(&mut machine), [start("bad"), start("good")]);
    machine.handle(Time(0), "good", Event::Said(FromVassal::Ready));
    let mut now = Time(0);
    let mut waits = Vec::new();
    for _ in 0..10 {
        machine.handle(now, "bad", crash());
        assert_eq!(actions(&mut machine), []);
        let next = machine.deadline(now).expect("a next try");
        waits.push(next.since_us(now) / S);
        now = next;
        machine.elapse(now);
        assert_eq!(actions(&mut machine), [start("bad")]);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 180, 180]);
    assert_eq!(machine.vassals()["good"].state, State::Running);
    assert_eq!(machine.vassals()["bad"].last_end.as_deref(), Some("exit code 1"));
}

#[test]
fn whoever_mends_the_file_need_not_wait() {
    let mut machine = Machine::new(policy());
    found(&mut machine, "a");
    machine.handle(Time(0), "a", crash());
    machine.handle(Time(S / 2), "a", Event::Changed);
    assert_eq!(actions(&mut machine), [start("a"), start("a")]);
}

#[test]
fn a_loyal_one_comes_again_at_once() {
    let mut machine = Machine::new(policy());
    found(&mut machine, "a");
    for said in [FromVassal::Ready, FromVassal::Loyal] {
        machine.handle(Time(0), "a", Event::Said(said));
    }
    machine.handle(Time(S), "a", Event::HungUp);
    machine.handle(Time(S), "a", crash());
    assert_eq!(actions(&mut machine), [start("a"), start("a")]);
}

#[test]
fn no_more_than_so_many_start_at_once_and_a_slow_one_does_not_hold_the_others_for_ever() {
    let mut machine = Machine::new(policy());
    for name in ["a", "b", "c", "d"] {
        found(&mut machine, name);
    }
    assert_eq!(actions(&mut machine), [start("a"), start("b")]);
    machine.handle(Time(S), "b", Event::Said(FromVassal::Ready));
    assert_eq!(actions(&mut machine), [start("c")]);
    let due = machine.deadline(Time(S)).expect("the end of the first one's time");
    assert_eq!(due, Time(STARTING_US));
    machine.elapse(due);
    assert_eq!(actions(&mut machine), [start("d")]);
}

#[test]
fn no_more_than_so_many_reload_at_once_and_one_that_waits_for_it_is_told_once() {
    let mut machine = Machine::new(Policy { starts_max: 4, ..policy() });
    let names = ["a", "b", "c", "d"];
    for name in names {
        found(&mut machine, name);
        machine.handle(Time(0), name, Event::Said(FromVassal::Ready));
    }
    let _ = actions(&mut machine);
    machine.policy.starts_max = 2;
    let reload = |name| tell(name, ToVassal::Reload);
    for _ in 0..3 {
        names.iter().for_each(|name| machine.handle(Time(S), name, Event::Changed));
    }
    // Those that are at it are told of every change, the others wait.
    let at_it = [reload("a"), reload("b")];
    assert_eq!(actions(&mut machine), [at_it.clone(), at_it.clone(), at_it].concat());
    for name in ["a", "b"] {
        machine.handle(Time(2 * S), name, Event::Said(FromVassal::Ready));
    }
    assert_eq!(actions(&mut machine), [reload("c"), reload("d")]);
    machine.handle(Time(4 * S), "a", Event::Changed);
    assert_eq!(actions(&mut machine), []);
    // Those that say nothing keep it from that for so long, and no longer.
    let due = machine.deadline(Time(4 * S)).expect("the end of their time");
    assert_eq!(due, Time(2 * S + STARTING_US));
    machine.elapse(due);
    assert_eq!(actions(&mut machine), [reload("a")]);
}

#[test]
fn files_that_change_or_go_are_obeyed_and_one_that_does_not_go_is_killed() {
    let mut machine = Machine::new(policy());
    found(&mut machine, "a");
    machine.handle(Time(0), "a", Event::Said(FromVassal::Ready));
    machine.handle(Time(0), "a", Event::Changed);
    machine.handle(Time(0), "a", Event::Vanished);
    assert_eq!(actions(&mut machine), [start("a"), tell("a", ToVassal::Reload), tell("a", ToVassal::Stop)]);
    assert_eq!(machine.deadline(Time(0)), Some(Time(30 * S)));
    machine.elapse(Time(30 * S));
    assert_eq!(actions(&mut machine), [Action::Kill("a".to_owned())]);
    // It was made again meanwhile.
    machine.handle(Time(31 * S), "a", Event::Found { on_demand: false });
    machine.handle(Time(31 * S), "a", crash());
    assert_eq!(actions(&mut machine), [start("a")]);
}

#[test]
fn a_file_that_gets_another_owner_has_its_vassal_started_anew() {
    let mut machine = Machine::new(policy());
    found(&mut machine, "a");
    machine.handle(Time(0), "a", Event::Replaced);
    machine.handle(Time(0), "a", crash());
    assert_eq!(actions(&mut machine), [start("a"), tell("a", ToVassal::Stop), start("a")]);
}

#[test]
fn on_demand_it_sleeps_wakes_and_sleeps_again_and_a_crash_does_not_spin() {
    let mut machine = Machine::new(policy());
    let watch = || Action::Watch("a".to_owned());
    machine.handle(Time(0), "a", Event::Found { on_demand: true });
    assert_eq!((actions(&mut machine), machine.deadline(Time(0))), (vec![watch()], None));
    machine.handle(Time(0), "a", Event::Wanted);
    machine.handle(Time(0), "a", Event::Said(FromVassal::Idle));
    machine.handle(Time(0), "a", Event::Ended { how: String::new(), clean: true });
    assert_eq!(actions(&mut machine), [start("a"), tell("a", ToVassal::Stop), watch()]);
    machine.handle(Time(0), "a", Event::Wanted);
    machine.handle(Time(0), "a", crash());
    assert_eq!(actions(&mut machine), [start("a")]);
    machine.elapse(Time(S));
    assert_eq!(actions(&mut machine), [watch()]);
}

#[test]
fn one_that_falls_silent_is_killed_and_one_that_never_spoke_is_not() {
    let mut machine = Machine::new(policy());
    found(&mut machine, "a");
    found(&mut machine, "b");
    for name in ["a", "b"] {
        machine.handle(Time(0), name, Event::Said(FromVassal::Ready));
    }
    machine.handle(Time(0), "a", Event::Said(FromVassal::Heartbeat));
    let _ = actions(&mut machine);
    machine.elapse(Time(30 * S));
    assert_eq!(actions(&mut machine), [Action::Kill("a".to_owned())]);
}

#[test]
fn the_end_comes_when_all_are_gone() {
    let mut machine = Machine::new(policy());
    found(&mut machine, "a");
    machine.handle(Time(0), "sleeper", Event::Found { on_demand: true });
    let _ = actions(&mut machine);
    machine.obey(Time(0), Order::Stop);
    let removed = |name: &str| Action::Remove(name.to_owned());
    assert_eq!(actions(&mut machine), [tell("a", ToVassal::Stop), removed("sleeper")]);
    machine.obey(Time(0), Order::Stop);
    assert_eq!(actions(&mut machine), [Action::Kill("a".to_owned())]);
    machine.handle(Time(0), "a", crash());
    assert_eq!(actions(&mut machine), [removed("a"), Action::Exit]);
}

/// A vassal that serves and asks for another.
fn strained() -> Machine {
    let mut machine = Machine::new(policy());
    found(&mut machine, "a");
    machine.handle(Time(0), "a", Event::Said(FromVassal::Ready));
    machine.handle(Time(0), "a", Event::Said(FromVassal::Sos));
    machine
}

fn enlist(number: u32) -> [Action; 2] {
    let name = format!("a:zerg-{number}");
    [Action::Enlist { name: name.clone(), of: "a".to_owned(), number }, Action::Start(name)]
}

#[test]
fn reinforcements_come_one_after_the_other_and_no_more_than_may() {
    let mut machine = strained();
    let plead = |machine: &mut Machine| machine.handle(Time(0), "a", Event::Said(FromVassal::Sos));
    assert_eq!(actions(&mut machine)[1..], enlist(1));
    // The first one is on its way.
    plead(&mut machine);
    assert_eq!(actions(&mut machine), []);
    machine.handle(Time(0), "a:zerg-1", Event::Said(FromVassal::Ready));
    machine.handle(Time(0), "a:zerg-1", Event::Said(FromVassal::Sos));
    assert_eq!(actions(&mut machine), enlist(2));
    machine.handle(Time(0), "a:zerg-2", Event::Said(FromVassal::Ready));
    plead(&mut machine);
    assert_eq!(actions(&mut machine), []);
    // One that has nothing to do goes for good, and makes room.
    machine.handle(Time(0), "a:zerg-1", Event::Said(FromVassal::Idle));
    machine.handle(Time(0), "a:zerg-1", Event::Ended { how: String::new(), clean: true });
    assert_eq!(actions(&mut machine), [tell("a:zerg-1", ToVassal::Stop), Action::Remove("a:zerg-1".to_owned())]);
    plead(&mut machine);
    assert_eq!(actions(&mut machine), enlist(1));
}

#[test]
fn reinforcements_that_fail_come_later_each_time_and_what_happens_to_the_file_happens_to_them() {
    let mut machine = strained();
    machine.handle(Time(0), "a:zerg-1", crash());
    machine.handle(Time(0), "a", Event::Said(FromVassal::Sos));
    assert_eq!(actions(&mut machine)[3..], [Action::Remove("a:zerg-1".to_owned())]);
    machine.handle(Time(S), "a", Event::Said(FromVassal::Sos));
    assert_eq!(actions(&mut machine), enlist(1));
    machine.handle(Time(S), "a:zerg-1", Event::Said(FromVassal::Ready));
    machine.handle(Time(S), "a", Event::Changed);
    machine.handle(Time(S), "a", Event::Vanished);
    let reloads = ["a", "a:zerg-1"].map(|name| tell(name, ToVassal::Reload));
    let stops = ["a:zerg-1", "a"].map(|name| tell(name, ToVassal::Stop));
    assert_eq!(actions(&mut machine), [reloads, stops].concat());
}

#[test]
fn one_that_does_nothing_is_woken_by_nobody() {
    let mut machine = Machine::new(policy());
    found(&mut machine, "a");
    machine.handle(Time(0), "a", Event::Said(FromVassal::Ready));
    assert_eq!(machine.deadline(Time(0)), None);
}

#[test]
fn whoever_has_a_process_is_never_forgotten_or_started_again() {
    for kind in Kind::ALL {
        for phase in [Phase::Starting, Phase::Running, Phase::Leaving] {
            assert!(!matches!(deed(kind, phase), Deed::StartNow | Deed::Forget), "{kind:?} {phase:?}");
        }
        for phase in [Phase::Asleep, Phase::Waiting] {
            let harmless = [Deed::Nothing, Deed::StartNow, Deed::Adopt, Deed::Forget];
            assert!(harmless.contains(&deed(kind, phase)), "{kind:?} {phase:?}");
        }
    }
    assert_eq!(Phase::ALL.len() * Kind::ALL.len(), 50);
}

/// A world of files and processes that does what the machine says, or not.
struct World {
    machine: Machine,
    random: u64,
    now: Time,
    files: BTreeMap<String, bool>,
    alive: BTreeMap<String, bool>,
    exited: bool,
}

impl World {
    fn chance(&mut self, of: u64) -> bool {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33).is_multiple_of(of)
    }

    fn carry_out(&mut self, kind: bool) {
        while let Some(action) = self.machine.poll_action() {
            assert!(!self.exited, "something is done after the end");
            match action {
                Action::Start(name) => {
                    assert!(self.alive.insert(name.clone(), true).is_none(), "{name} is started twice");
                    let starting = self.machine.vassals().values();
                    let now = self.now;
                    let young =
                        |v: &&Vassal| matches!(v.state, State::Starting { since } if now.since_us(since) < STARTING_US);
                    assert!(starting.filter(young).count() <= 2, "too many start at once");
                }
                Action::Tell(name, what) => {
                    assert!(self.alive.contains_key(&name), "{name} is told something and is not there");
                    if what != ToVassal::Reload && (kind || !self.chance(4)) {
                        self.alive.insert(name, false);
                    }
                }
                Action::Kill(name) => drop(self.alive.insert(name, false)),
                Action::Watch(name) => assert!(!self.alive.contains_key(&name)),
                Action::Enlist { name, of, .. } => {
                    assert!(!self.alive.contains_key(&name) && self.alive.contains_key(&of), "{name} stands by nobody");
                    let out = self.machine.vassals().values().filter(|vassal| vassal.stands_by.is_some());
                    assert!(out.count() <= 2, "too many reinforcements");
                }
                Action::Remove(name) => assert!(!self.alive.contains_key(&name), "{name} is forgotten and lives"),
                Action::Note { .. } => {}
                Action::Exit => self.exited = true,
            }
        }
    }

    fn happen(&mut self, name: &str, event: Event, kind: bool) {
        self.machine.handle(self.now, name, event);
        self.carry_out(kind);
    }

    fn live(&mut self, kind: bool) {
        for (name, stays) in self.alive.clone() {
            let ends = !stays || (!kind && self.chance(6));
            if ends {
                self.alive.remove(&name);
                if self.chance(2) {
                    self.happen(&name, Event::HungUp, kind);
                }
                let clean = self.chance(2);
                self.happen(&name, Event::Ended { how: "so".to_owned(), clean }, kind);
            } else if self.chance(2) {
                self.happen(&name, Event::Said(FromVassal::Ready), kind);
            }
        }
    }
}

#[test]
fn two_thousand_worlds_come_to_rest_with_what_is_wanted() {
    for seed in 0..2_000_u64 {
        let machine = Machine::new(policy());
        let (files, alive) = (BTreeMap::new(), BTreeMap::new());
        let mut world = World { machine, random: seed, now: Time(0), files, alive, exited: false };
        for _ in 0..40 {
            let name = ["a", "b", "c", "d"][usize::from(world.chance(2)) * 2 + usize::from(world.chance(2))];
            world.now = world.now.plus_us(if world.chance(5) { 60 * S } else { S / 7 });
            match world.files.get(name).copied() {
                None => {
                    let on_demand = world.chance(3);
                    world.files.insert(name.to_owned(), on_demand);
                    world.happen(name, Event::Found { on_demand }, false);
                }
                Some(_) if world.chance(3) => {
                    world.files.remove(name);
                    world.happen(name, Event::Vanished, false);
                }
                Some(_) => {
                    let event = if world.chance(4) { Event::Replaced } else { Event::Changed };
                    world.happen(name, event, false);
                }
            }
            if world.chance(3) {
                world.happen(name, Event::Wanted, false);
            }
            if world.alive.contains_key(name) && world.chance(2) {
                world.happen(name, Event::Said(FromVassal::Sos), false);
            }
            world.live(false);
            world.machine.elapse(world.now);
            world.carry_out(false);
            let due = world.machine.deadline(world.now);
            assert!(due.is_none_or(|due| due > world.now), "seed {seed}: it is woken without need");
        }
        for _ in 0..40 {
            world.now = world.now.plus_us(200 * S);
            world.machine.elapse(world.now);
            world.carry_out(true);
            world.live(true);
        }
        let known = world.machine.vassals().iter().filter(|(_, vassal)| vassal.stands_by.is_none());
        let known: Vec<&String> = known.map(|(name, _)| name).collect();
        assert_eq!(known, world.files.keys().collect::<Vec<_>>(), "seed {seed}");
        for (name, vassal) in world.machine.vassals() {
            assert_eq!(vassal.lives(), world.alive.contains_key(name), "seed {seed}: {name} {vassal:?}");
            assert!(vassal.on_demand || vassal.state == State::Running, "seed {seed}: {name} {vassal:?}");
        }
        world.machine.obey(world.now, Order::Stop);
        world.carry_out(true);
        world.live(true);
        assert!(world.exited, "seed {seed}");
    }
}
