//! The rules of children that are executed: started beside the workers, never two in one post, counted by nobody.

use super::*;

pub(super) fn recipe(name: &str) -> Recipe {
    Recipe {
        role: Role::Daemon,
        id: RecipeId(name.bytes().map(u64::from).sum()),
        title: name.to_owned(),
        holds: None,
        at_reload: AtReload::Renew,
        outlives: false,
        vital: false,
        ready_within_us: 5 * SECOND,
        mercy_us: 3 * SECOND,
        respawn_delay_max_us: 300 * SECOND,
    }
}

/// One that goes on when the instance ends, and is kept at a reload.
fn lasting(name: &str) -> Recipe {
    Recipe { holds: Some("/pid".to_owned()), at_reload: AtReload::Keep, outlives: true, ..recipe(name) }
}

fn with(recipes: &[Recipe]) -> Plan {
    Plan { executed: recipes.to_vec(), ..plan(1) }
}

/// The first seat behind those of the workers of a plan for one.
const FIRST: u32 = 4;

fn post(number: u32) -> Post {
    Post { role: Role::Daemon, number }
}

/// The programs that are up, as the numbers of their posts.
fn up(bench: &Bench) -> Vec<u32> {
    let ours = bench.machine.seats.iter().flatten().filter(|child| child.post.role == Role::Daemon && child.is_ready());
    ours.map(|child| child.post.number).collect()
}

fn executions(bench: &Bench) -> usize {
    bench.count(|action| matches!(action, Action::Execute { .. }))
}

#[test]
fn programs_begin_after_the_load_and_after_the_workers_in_their_order() {
    let mut bench = Bench::new(with(&[recipe("a"), recipe("b")]));
    bench.settle();
    let order = |action: &Action| match action {
        Action::Fork { post, .. } | Action::Execute { post, .. } => Some(post.to_string()),
        Action::StartZygote { .. } => Some("zygote".to_owned()),
        _ => None,
    };
    let begun: Vec<String> = bench.log.iter().filter_map(order).collect();
    assert_eq!(begun, ["zygote", "worker 1", "daemon 1", "daemon 2"]);
    assert_eq!(up(&bench), [1, 2]);
}

#[test]
fn a_load_that_fails_at_the_start_begins_no_program() {
    let mut bench = Bench::new(with(&[recipe("a")]));
    bench.loads = false;
    bench.settle();
    let generation = Generation(1);
    bench.send(Event::ZygoteLoadFailed { generation, exit_code: 22, reason: "broken".to_owned() });
    bench.send(Event::ZygoteExited { generation, status: ExitStatus::Code(22) });
    assert!(bench.has(&Action::Exit { code: 22 }));
    assert_eq!(executions(&bench), 0);
}

#[test]
fn neither_readiness_nor_a_reload_waits_for_a_program_and_nobody_counts_it() {
    let mut bench = Bench::new(with(&[recipe("a")]));
    bench.programs_come_up = false;
    bench.settle();
    assert!(bench.has(&Action::Announce(Announcement::Ready)));
    assert_eq!(bench.machine.count(), Count { target: 1, ready: 1, starting: 0, leaving: 0 });
    assert_eq!(bench.machine.workers().count(), 1);
    begin_switch(&mut bench, Reload::Graceful, with(&[recipe("a"), recipe("b")]));
    assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Done)]);
}

#[test]
fn a_program_that_dies_late_is_followed_at_once_and_one_that_dies_young_ever_later() {
    let mut bench = Bench::serving(with(&[recipe("a")]));
    bench.send(bench.exit(Seat(FIRST), ExitStatus::Code(0)));
    assert_eq!(up(&bench), [1]);
    let mut waited_ms = Vec::new();
    for _ in 0..12 {
        bench.send(bench.exit(Seat(FIRST), ExitStatus::Code(1)));
        let from = bench.now;
        while up(&bench).is_empty() {
            let at = bench.machine.deadline().expect("it is tried again");
            bench.wait(at.since_us(bench.now));
        }
        waited_ms.push(bench.now.since_us(from) / MS);
    }
    assert_eq!(waited_ms[..6], [100, 200, 400, 800, 1_600, 3_200]);
    assert_eq!(waited_ms.last(), Some(&204_800), "doubled up to the longest, {waited_ms:?}");
    let notes = bench.notes();
    assert!(notes.iter().any(|note| note.ends_with("died: exited with code 1")), "{notes:?}");
    assert!(notes.contains(&"[uwsgi-daemons] throttling \"a\" for 0.400 seconds".to_owned()), "{notes:?}");
}

#[test]
fn a_program_that_cannot_be_executed_says_why_and_is_tried_again_later() {
    let mut bench = Bench::serving(plan(1));
    bench.programs_come_up = false;
    begin_switch(&mut bench, Reload::Graceful, with(&[recipe("a")]));
    bench.send(Event::NotReady { seat: Seat(FIRST), exit_code: 1, reason: "a: No such file".to_owned() });
    bench.send(bench.exit(Seat(FIRST), ExitStatus::Code(1)));
    assert!(bench.notes().contains(&"[uwsgi-daemons] cannot run \"a\": a: No such file".to_owned()));
    assert_eq!((executions(&bench), bench.ready()), (1, vec![1]));
    bench.wait(100 * MS);
    assert_eq!(executions(&bench), 2);
}

#[test]
fn a_reload_renews_programs_one_after_the_other_in_each_post() {
    let mut bench = Bench::serving(with(&[recipe("a"), recipe("b")]));
    bench.leaves = false;
    begin_switch(&mut bench, Reload::Graceful, with(&[recipe("a"), recipe("c")]));
    assert_eq!(bench.outcomes(), [(Reload::Graceful, Outcome::Done)], "it does not wait for them");
    assert!(bench.retires(FIRST) && bench.retires(FIRST + 1));
    assert_eq!(executions(&bench), 0, "the old ones are still there");
    bench.send(bench.exit(Seat(FIRST), ExitStatus::Signal(15)));
    assert_eq!((up(&bench), executions(&bench)), (vec![1], 1));
    bench.wait(3 * SECOND);
    assert!(bench.kills(FIRST + 1) && !bench.kills(FIRST), "mercy ends");
    assert_eq!(up(&bench), [1, 2]);
    let notes = bench.notes();
    assert!(
        notes.iter().any(|note| note.starts_with("[uwsgi-daemons] stopping daemon (pid: ") && note.ends_with("): b"))
    );
    assert!(notes.iter().any(|note| note.contains("daemon did not die in time, killing (pid: ")), "{notes:?}");
}

#[test]
fn a_reload_that_fails_touches_no_program() {
    let mut bench = Bench::serving(with(&[recipe("a")]));
    bench.reload(Reload::Graceful);
    bench.send(Event::ConfigurationRead(Err("refused".to_owned())));
    for reload in [Reload::Workers, Reload::Chain, Reload::WorkersBrutal] {
        bench.reload(reload);
    }
    bench.wait(SECOND);
    assert!(!bench.retires(FIRST) && !bench.kills(FIRST));
    assert_eq!(executions(&bench), 0);
}

#[test]
fn one_that_lasts_is_kept_at_a_reload_unless_its_recipe_changes() {
    let mut bench = Bench::serving(with(&[lasting("a")]));
    begin_switch(&mut bench, Reload::Graceful, with(&[recipe("new"), lasting("a")]));
    assert!(!bench.retires(FIRST));
    begin_switch(&mut bench, Reload::Graceful, with(&[recipe("new"), lasting("changed")]));
    let retired = Action::Retire { seat: Seat(FIRST), post: post(1), why: Farewell::Replaced };
    assert!(bench.has(&retired), "{:?}", bench.log);
    assert_eq!(up(&bench).len(), 2);
}

#[test]
fn a_stop_lets_programs_go_after_the_workers_and_all_at_once() {
    let mut bench = Bench::serving(with(&[recipe("a"), recipe("b")]));
    bench.leaves = false;
    bench.order(Order::Stop);
    assert!(bench.retires(0) && !bench.retires(FIRST), "requests may need it");
    bench.send(bench.exit(Seat(0), ExitStatus::Code(30)));
    assert!(bench.retires(FIRST) && bench.retires(FIRST + 1));
    bench.send(bench.exit(Seat(FIRST), ExitStatus::Signal(15)));
    assert!(!bench.has(&Action::Exit { code: 0 }));
    bench.wait(3 * SECOND);
    assert!(bench.kills(FIRST + 1));
    assert!(bench.has(&Action::Exit { code: 0 }));
}

#[test]
fn a_program_that_dies_during_a_stop_stays_dead() {
    let mut bench = Bench::serving(with(&[recipe("a")]));
    bench.leaves = false;
    bench.order(Order::Stop);
    bench.send(bench.exit(Seat(FIRST), ExitStatus::Signal(11)));
    bench.wait(SECOND);
    assert_eq!(executions(&bench), 0);
}

#[test]
fn a_stop_at_once_kills_programs_but_those_that_go_on() {
    let mut bench = Bench::serving(with(&[recipe("a"), lasting("b")]));
    bench.order(Order::StopNow);
    assert!(bench.kills(0) && bench.kills(FIRST) && !bench.kills(FIRST + 1));
    assert!(bench.has(&Action::Retire { seat: Seat(FIRST + 1), post: post(2), why: Farewell::Stop }));
    assert!(bench.notes().iter().any(|note| note.contains("leaving daemon \"b\"")), "{:?}", bench.notes());
    assert!(bench.has(&Action::Exit { code: 0 }));
}

#[test]
fn the_end_of_one_that_is_vital_is_a_graceful_stop() {
    for late in [true, false] {
        let mut bench = Bench::serving(with(&[Recipe { vital: true, ..recipe("a") }]));
        if !late {
            // Not the one that is replaced.
            begin_switch(&mut bench, Reload::Graceful, with(&[Recipe { vital: true, ..recipe("a") }]));
            assert!(!bench.machine.is_stopping());
        }
        bench.send(bench.exit(Seat(FIRST), ExitStatus::Code(3)));
        assert!(bench.retires(0) && bench.has(&Action::Exit { code: 0 }), "{:?}", bench.log);
        assert!(bench.notes().contains(&"graceful shutdown triggered...".to_owned()));
    }
}

#[test]
fn one_that_is_to_be_renewed_goes_and_comes_again_also_from_its_waiting() {
    let mut bench = Bench::serving(with(&[recipe("a")]));
    bench.send(Event::Renew { recipe: recipe("a").id });
    assert!(bench.retires(FIRST));
    assert_eq!((up(&bench), executions(&bench)), (vec![1], 1));
    for _ in 0..3 {
        bench.send(bench.exit(Seat(FIRST), ExitStatus::Code(1)));
        bench.wait(SECOND);
    }
    bench.send(bench.exit(Seat(FIRST), ExitStatus::Code(1)));
    assert_eq!(up(&bench), [0; 0]);
    bench.send(Event::Renew { recipe: recipe("a").id });
    assert_eq!(up(&bench), [1]);
}

#[test]
fn a_pause_is_for_workers() {
    let mut bench = Bench::serving(with(&[recipe("a")]));
    bench.order(Order::Pause);
    assert_eq!(bench.count(|action| matches!(action, Action::Pause { .. })), 1);
}

#[test]
fn one_that_leaves_to_the_background_is_known_by_its_new_number() {
    let mut bench = Bench::serving(plan(1));
    bench.programs_come_up = false;
    begin_switch(&mut bench, Reload::Graceful, with(&[lasting("a")]));
    bench.send(Event::Ready { seat: Seat(FIRST), boot_us: MS, pid: Some(pid(4711)) });
    assert_eq!(bench.pid(Seat(FIRST)), Some(pid(4711)));
    bench.programs_come_up = true;
    bench.wait(10 * SECOND);
    bench.send(Event::Exited { seat: Seat(FIRST), pid: pid(4711), status: ExitStatus::Code(0) });
    assert_eq!(up(&bench), [1]);
}

#[test]
fn the_next_image_of_the_master_goes_on_with_the_same_programs() {
    let mut bench = Bench::serving(with(&[recipe("a"), lasting("b")]));
    let text = serde_json::to_string(&bench.machine.snapshot()).unwrap();
    bench.machine = Machine::adopt(bench.now, serde_json::from_str(&text).unwrap()).unwrap();
    bench.settle();
    assert_eq!((up(&bench), executions(&bench)), (vec![1, 2], 0));
    bench.send(bench.exit(Seat(FIRST + 1), ExitStatus::Code(0)));
    assert_eq!((up(&bench), executions(&bench)), (vec![1, 2], 1));
}

#[test]
fn an_upgrade_waits_until_a_program_is_up() {
    let mut bench = Bench::serving(plan(1));
    bench.programs_come_up = false;
    begin_switch(&mut bench, Reload::Graceful, with(&[recipe("a")]));
    bench.order(Order::Upgrade);
    assert!(!bench.has(&Action::Upgrade));
    bench.send(Event::Ready { seat: Seat(FIRST), boot_us: MS, pid: None });
    assert!(bench.has(&Action::Upgrade));
}
