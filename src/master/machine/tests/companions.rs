//! The rules of mules and spoolers: forked beside the workers, never two in one post, counted by nobody.

use super::*;

fn mules(count: u32) -> Vec<Post> {
    (1..=count).map(|number| Post { role: Role::Mule, number }).collect()
}

fn with(count: u32) -> Plan {
    Plan { companions: mules(count), seats: 12, ..plan(1) }
}

/// The mules that are up, with their generations.
fn up(bench: &Bench) -> Vec<(u32, u32)> {
    let ours = bench.machine.seats.iter().flatten().filter(|child| child.post.role == Role::Mule && child.is_ready());
    ours.map(|child| (child.post.number, child.generation().map_or(0, |generation| generation.0))).collect()
}

fn seat(bench: &Bench, number: u32) -> Seat {
    let is_it = |child: &&Option<Child>| {
        child.as_ref().is_some_and(|child| child.post == Post { role: Role::Mule, number } && child.stays())
    };
    bench.machine.seats_numbered().find(|(_, child)| is_it(child)).map(|(seat, _)| seat).expect("a mule")
}

#[test]
fn mules_begin_after_the_load_and_after_the_workers_and_nobody_counts_them() {
    let mut bench = Bench::new(with(2));
    bench.settle();
    let begun: Vec<String> = bench
        .log
        .iter()
        .filter_map(|action| match action {
            Action::Fork { post, .. } => Some(post.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(begun, ["worker 1", "mule 1", "mule 2"]);
    assert_eq!(bench.machine.count(), Count { target: 1, ready: 1, starting: 0, leaving: 0 });
    assert_eq!(bench.machine.workers().count(), 1);
    assert_eq!(bench.notes().iter().filter(|note| note.starts_with("spawned uWSGI mule 1 (pid: ")).count(), 1);
}

#[test]
fn neither_readiness_nor_a_reload_waits_for_a_mule() {
    let mut bench = Bench::new(with(0));
    bench.settle();
    bench.gets_ready = false;
    begin_switch(&mut bench, Reload::Graceful, with(1));
    bench.send(Event::Ready { seat: Seat(1), boot_us: MS, pid: None });
    assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Done)]);
}

#[test]
fn a_mule_that_dies_is_followed_at_once_and_one_that_dies_young_within_milliseconds_then_later() {
    let mut bench = Bench::serving(with(1));
    let pid = bench.pid(seat(&bench, 1)).unwrap();
    bench.send(bench.exit(seat(&bench, 1), ExitStatus::Signal(9)));
    assert_eq!(up(&bench), [(1, 1)]);
    let died = format!("OOOPS mule 1 (pid: {pid}) crippled...trying respawn... (killed by signal 9)");
    assert!(bench.notes().contains(&died), "{:?}", bench.notes());
    let mut waited_ms = Vec::new();
    for _ in 0..4 {
        bench.send(bench.exit(seat(&bench, 1), ExitStatus::Code(1)));
        let from = bench.now;
        while up(&bench).is_empty() {
            let at = bench.machine.deadline().expect("it is tried again");
            bench.wait(at.since_us(bench.now));
        }
        waited_ms.push(bench.now.since_us(from) / MS);
    }
    assert_eq!(waited_ms, [10, 20, 40, 80]);
    assert_eq!(bench.ready(), [1], "it is no worker's matter");
}

#[test]
fn a_reload_replaces_a_mule_once_its_predecessor_is_gone_and_it_may_finish_what_it_does() {
    let mut bench = Bench::serving(with(2));
    bench.leaves = false;
    begin_switch(&mut bench, Reload::Graceful, with(2));
    assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Done)], "it does not wait for them");
    assert_eq!(up(&bench), []);
    let forks = bench.count(|action| matches!(action, Action::Fork { post, .. } if post.role == Role::Mule));
    assert_eq!(forks, 0, "the old ones are still there");
    let leaving = bench.machine.seats_where(|child| child.post == Post { role: Role::Mule, number: 2 });
    bench.send(bench.exit(leaving[0], ExitStatus::Code(30)));
    assert_eq!(up(&bench), [(2, 2)]);
    bench.wait(5 * SECOND);
    assert_eq!(up(&bench).len(), 2, "mercy ends: {:?}", bench.notes());
}

#[test]
fn a_reload_of_the_workers_leaves_mules_alone_and_a_touched_file_renews_them() {
    let mut bench = Bench::serving(with(1));
    let before = bench.pid(seat(&bench, 1));
    for reload in [Reload::Workers, Reload::Chain, Reload::WorkersBrutal] {
        bench.reload(reload);
    }
    bench.wait(SECOND);
    assert_eq!(bench.pid(seat(&bench, 1)), before);
    bench.send(Event::RenewAll { role: Role::Spooler });
    assert_eq!(bench.pid(seat(&bench, 1)), before);
    bench.send(Event::RenewAll { role: Role::Mule });
    assert_ne!(bench.pid(seat(&bench, 1)), before);
    assert_eq!(bench.outcomes().len(), 3, "that is no reload");
}

#[test]
fn a_mule_that_a_configuration_takes_away_goes_and_one_that_it_brings_comes() {
    let mut bench = Bench::serving(with(1));
    begin_switch(&mut bench, Reload::Graceful, with(3));
    assert_eq!(up(&bench).len(), 3);
    begin_switch(&mut bench, Reload::Graceful, with(0));
    assert_eq!(up(&bench), []);
}

#[test]
fn a_mule_whose_zygote_has_died_goes_on_until_a_successor_can_begin() {
    let mut bench = Bench::serving(with(1));
    bench.loads = false;
    bench.send(Event::ZygoteExited { generation: Generation(1), status: ExitStatus::Signal(9) });
    bench.wait(SECOND);
    assert_eq!(up(&bench), [(1, 1)]);
    bench.send(Event::ZygoteLoaded { generation: bench.machine.current(), boot_us: MS });
    assert_eq!(up(&bench), [(1, 2)]);
}

#[test]
fn a_stop_lets_mules_go_after_the_workers_and_gives_them_their_mercy() {
    let mut bench = Bench::serving(with(1));
    bench.leaves = false;
    let mule = seat(&bench, 1);
    bench.order(Order::Stop);
    assert!(bench.retires(0) && !bench.retires(mule.0), "requests may send it something");
    bench.send(bench.exit(Seat(0), ExitStatus::Code(30)));
    assert!(bench.retires(mule.0));
    bench.wait(4 * SECOND);
    assert!(!bench.kills(mule.0));
    bench.wait(SECOND);
    assert!(bench.kills(mule.0));
    assert!(bench.has(&Action::Exit { code: 0 }));
}

#[test]
fn a_plan_needs_a_seat_for_each_mule() {
    assert!(Machine::start(Time(0), Plan { seats: Plan::seats_for(1), ..with(1) }).is_err());
}

#[test]
fn who_is_dormant_begins_when_wanted_goes_when_not_and_a_reload_changes_nothing_about_it() {
    let cheaper = || Plan { dormant: mules(3).split_off(1), ..with(3) };
    let mut bench = Bench::serving(cheaper());
    assert_eq!(up(&bench), [(1, 1)]);
    bench.send(Event::Want { post: mules(3)[2], wanted: true });
    assert_eq!(up(&bench), [(1, 1), (3, 1)]);
    begin_switch(&mut bench, Reload::Graceful, cheaper());
    let mut after = up(&bench);
    after.sort_unstable();
    assert_eq!(after, [(1, 2), (3, 2)]);
    bench.send(Event::Want { post: mules(3)[2], wanted: false });
    bench.send(Event::Want { post: mules(9)[8], wanted: true });
    assert_eq!(up(&bench), [(1, 2)], "and one that the configuration does not know is never wanted");
}
