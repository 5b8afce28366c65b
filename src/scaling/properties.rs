//! What must hold of every policy on any load, and what `adaptive` promises, each tried on simulated traffic. A failing
//! case names its seed.

use super::fixture::{SECOND_US, settings};
use super::simulator::load::{Job, Load, Service, poisson};
use super::simulator::{Outcome, Scaler, World, run};
use super::{Decided, Decision, Pace, Sample, Settings};
use crate::config::model::Policy;

const POLICIES: [Policy; 6] =
    [Policy::Adaptive, Policy::Spare, Policy::Spare2, Policy::Backlog, Policy::Busyness, Policy::Manual];

fn played(world: &World, settings: Settings, load: &Load) -> Outcome {
    run(world, &Scaler::policy(settings), load, &mut |_, _| {})
}

fn fixed(world: &World, workers: u32, load: &Load) -> Outcome {
    run(world, &Scaler::Fixed(workers), load, &mut |_, _| {})
}

fn adaptive(minimum: u32, maximum: u32) -> Settings {
    settings(Policy::Adaptive, Pace::Events, minimum, maximum)
}

/// A seeded mixture: rate, service time, share of computing and bounds all differ.
fn any_load(seed: u64) -> Load {
    let rate_max = 20.0 + (seed * 37 % 200) as f64;
    let period = 3.0 + (seed % 7) as f64;
    let rate = move |at: f64| if at % period < period / 2.0 { rate_max } else { rate_max / 10.0 };
    let service = match seed % 3 {
        0 => Service::Fixed(5_000 + seed * 4_000),
        1 => Service::Exponential(5_000 + seed * 4_000),
        _ => Service::HeavyTailed(5_000 + seed * 4_000),
    };
    Load::open(&format!("seed {seed}"), poisson(seed, 60, rate_max, rate, service, seed % 10 * 100))
}

#[test]
fn the_number_stays_within_the_bounds_and_nothing_is_refused() {
    for seed in 0..20 {
        for policy in POLICIES {
            for pace in [Pace::Events, Pace::Ticks] {
                let (minimum, maximum) = (1 + seed as u32 % 4, 5 + seed as u32 % 30);
                let settings = Settings { step: 1 + seed as u32 % 5, ..settings(policy, pace, minimum, maximum) };
                let scaler = Scaler::policy(settings);
                let world = World { boot_us: seed * 20_000, queue_max: 1 << 20, ..World::default() };
                let mut check = |sample: &Sample, decided: &Decided| {
                    let after = match decided.decision {
                        Decision::Hold => sample.live(),
                        Decision::Grow(count) => sample.live() + count,
                        Decision::Shrink(count) => {
                            assert!(count <= sample.idle, "seed {seed} {policy:?}: removes busy workers");
                            sample.live() - count
                        }
                    };
                    assert!((minimum..=maximum).contains(&after), "seed {seed} {policy:?}: {after} workers");
                };
                let outcome = run(&world, &scaler, &any_load(seed), &mut check);
                assert_eq!(outcome.refused, 0, "seed {seed} {policy:?}");
            }
        }
    }
}

#[test]
fn a_look_always_comes_while_something_waits() {
    // whatever the policy, connections that wait while nobody is idle and slots are free must not be forgotten
    for policy in [Policy::Adaptive, Policy::Backlog, Policy::Busyness] {
        for seed in 0..10 {
            let scaler = Scaler::policy(settings(policy, Pace::Events, 1, 50));
            let mut check = |sample: &Sample, decided: &Decided| {
                let waiting = sample.queue.unwrap_or(0) > 0 && sample.live() < 50;
                assert!(!waiting || decided.next_look_us.is_some(), "seed {seed} {policy:?} at {}", sample.now_us);
            };
            run(&World::default(), &scaler, &any_load(seed), &mut check);
        }
    }
}

#[test]
fn steady_poisson_load_does_not_make_it_oscillate() {
    for (rate, mean_us) in [(20.0, 50_000), (160.0, 50_000), (400.0, 50_000), (160.0, 5_000)] {
        for seed in 1..4 {
            let jobs = poisson(seed, 300, rate, |_| rate, Service::Exponential(mean_us), 20);
            let outcome = played(&World::default(), adaptive(2, 60), &Load::open("steady", jobs));
            let in_ten_seconds = outcome.reversals.len() as f64 / 30.0;
            assert!(in_ten_seconds <= 1.0, "rate {rate} seed {seed}: {in_ten_seconds} reversals in 10 s");
            // a removal that proves wrong and its correction: never more in any ten seconds
            assert!(outcome.reversals_in_ten_seconds(30 * SECOND_US) <= 2, "rate {rate} seed {seed}");
        }
    }
}

#[test]
fn after_the_load_it_is_back_at_the_minimum_in_time_and_then_sleeps() {
    for boot_us in [500, 50_000, 1_000_000] {
        let mut jobs = poisson(1, 30, 300.0, |_| 300.0, Service::Exponential(50_000), 20);
        jobs.retain(|job| job.at_us < 30 * SECOND_US);
        let load = Load { until_us: 400 * SECOND_US, ..Load::open("ends", jobs) };
        let world = World { boot_us, ..World::default() };
        let mut last_look_us = 0;
        let scaler = Scaler::policy(adaptive(2, 60));
        let outcome = run(&world, &scaler, &load, &mut |sample, _| last_look_us = sample.now_us);
        let patience_us = super::adaptive::patience_us(boot_us + 1_000, 10_000);
        let due_us = 33 * SECOND_US + 3 * patience_us;
        assert!(outcome.workers_max() > 15, "boot {boot_us}");
        assert_eq!(outcome.workers_at(due_us), 2, "boot {boot_us}");
        assert!(last_look_us <= due_us, "boot {boot_us}: still awake at {last_look_us}");
    }
}

/// 16 clients of 50 ms each for six seconds.
fn burst() -> Load {
    Load::closed("burst", 16, Job { at_us: 0, compute_us: 500, wait_us: 49_500 }, 100, 0, 6 * SECOND_US)
}

#[test]
fn a_burst_from_two_to_twenty_is_served_nearly_as_by_a_static_pool() {
    for fork_us in [1_000, 2_000, 3_000] {
        let world = World { fork_us, ..World::default() };
        let (ours, best) = (played(&world, adaptive(2, 20), &burst()), fixed(&world, 20, &burst()));
        let percent = ours.finished * 100 / best.finished;
        assert!(percent >= 95, "fork {fork_us}: {percent} %");
        assert!(ours.totals.quantile_us(990) <= 100_000, "fork {fork_us}: {}", ours.totals.quantile_us(990));
    }
}

#[test]
fn the_talks_spare_configuration_serves_a_burst_on_events() {
    let spare = Settings { step: 2, ..settings(Policy::Spare, Pace::Events, 2, 10) };
    let world = World::default();
    let percent = played(&world, spare.clone(), &burst()).finished * 100 / fixed(&world, 10, &burst()).finished;
    assert!(percent >= 90, "{percent} %");
    let letter = Settings { pace: Pace::Ticks, ..spare };
    let percent = played(&world, letter, &burst()).finished * 100 / fixed(&world, 10, &burst()).finished;
    assert!(percent < 50, "uWSGI's own pace makes the difference, not the model: {percent} %");
}

#[test]
fn sixteen_long_requests_at_once_are_all_served_within_fifty_milliseconds() {
    for fork_us in [1_000, 2_000, 3_000] {
        let jobs = vec![Job { at_us: SECOND_US, compute_us: 0, wait_us: SECOND_US }; 16];
        let world = World { fork_us, ..World::default() };
        let outcome = played(&world, adaptive(1, 20), &Load::open("sixteen", jobs));
        assert_eq!(outcome.waits.count(), 16);
        assert!(outcome.waits.quantile_us(1000) <= 50_000, "fork {fork_us}: {}", outcome.waits.quantile_us(1000));
    }
}

#[test]
fn an_application_that_only_computes_gets_what_the_cores_can_use() {
    let job = Job { at_us: 0, compute_us: 20_000, wait_us: 0 };
    let load = Load::closed("computing", 64, job, 100, SECOND_US, 31 * SECOND_US);
    let world = World::default();
    let ours = played(&world, adaptive(2, 64), &load);
    let best = [2, 3, 4, 8, 16, 32, 64].map(|workers| fixed(&world, workers, &load).finished).into_iter().max();
    assert!(ours.finished * 100 >= best.unwrap_or(0) * 95, "{} of {best:?}", ours.finished);
    assert!(ours.workers_max() <= 8, "{} workers on two cores", ours.workers_max());
    let settled = ours.workers.iter().filter(|&&(when_us, _)| when_us > 2 * SECOND_US).count();
    assert_eq!(settled, 0, "the number changes after the first second: {:?}", ours.workers);
}

#[test]
fn an_application_that_computes_a_little_is_not_held_back() {
    // a tenth of the time computing: two cores can use twenty workers
    let job = Job { at_us: 0, compute_us: 5_000, wait_us: 45_000 };
    let load = Load::closed("mixed", 64, job, 100, SECOND_US, 31 * SECOND_US);
    let world = World::default();
    let ours = played(&world, adaptive(2, 64), &load);
    let best = [8, 16, 20, 24, 32, 64].map(|workers| fixed(&world, workers, &load).finished).into_iter().max();
    assert!(ours.finished * 100 >= best.unwrap_or(0) * 95, "{} of {best:?}, {:?}", ours.finished, ours.workers_max());
}

#[test]
fn memory_ends_growth_under_any_load() {
    let limited = Settings { rss_soft_bytes: Some(6 * (40 << 20)), ..adaptive(2, 40) };
    let outcome = played(&World::default(), limited, &burst());
    assert!(outcome.workers_max() <= 6, "{}", outcome.workers_max());
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let one = played(&World::default(), adaptive(2, 30), &any_load(5));
    let other = played(&World::default(), adaptive(2, 30), &any_load(5));
    assert_eq!(one, other);
}
