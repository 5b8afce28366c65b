//! Instances behind a balancer: an autoscaler that looks every 15 seconds decides how many there are, and a new one takes half
//! a minute to come; within each its own rule decides on workers, in milliseconds. What each is played in is the model of one
//! server (`engine`). Pure.
//!
//! The balancer gives a request to the ready instance that has least in hand (as HAProxy's `leastconn`). An instance that is
//! let go gets no more and ends when it has finished what it holds. The autoscaler sees the most requests in hand and waiting of
//! the last half minute, of the moments at which it is scraped (`max_over_time` in examples/kubernetes).

pub mod autoscaler;

use autoscaler::{Autoscaler, Recommended};

use super::engine::Engine;
use super::load::{Job, Load};
use super::{Outcome, Scaler, World};

/// What is tried out.
#[derive(Debug, Clone)]
pub struct Outer {
    /// How many instances there are.
    pub autoscaler: Autoscaler,
    /// From the order for an instance to its being ready.
    pub start_us: u64,
    /// The machine that each instance has.
    pub instance: World,
    /// Its own rule for the number of workers.
    pub inner: Scaler,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Fleet {
    /// All instances together; the workers over time are those of all.
    pub outcome: Outcome,
    /// Number of instances from each time on, those that start or leave included.
    pub instances: Vec<(u64, u32)>,
    /// Time of all instances together.
    pub instance_us: u64,
    /// Instances that were started after the beginning.
    pub started: u32,
}

/// Plays a load; clients of closed loops are left out.
pub fn fleet(outer: &Outer, load: &Load) -> Fleet {
    let nothing = Load { until_us: u64::MAX, ..Load::open(&load.name, Vec::new()) };
    let mut running = Running::new(outer, &nothing);
    let mut jobs = load.jobs.iter().peekable();
    loop {
        let arrival_us = jobs.peek().map_or(u64::MAX, |job| job.at_us);
        let now_us = arrival_us.min(running.next_time());
        if now_us > load.until_us {
            return running.finish(load.until_us);
        }
        running.pass(now_us);
        while let Some(job) = jobs.next_if(|job| job.at_us <= now_us) {
            running.take(now_us, *job);
        }
        running.look(now_us);
        running.note(now_us);
    }
}

enum Life<'a> {
    Starting { ready_us: u64 },
    Ready { engine: Box<Engine<'a>>, scraped: u32 },
    Leaving(Box<Engine<'a>>),
}

struct Running<'a> {
    outer: &'a Outer,
    nothing: &'a Load,
    members: Vec<Life<'a>>,
    remembered: Recommended,
    next_sync_us: u64,
    now_us: u64,
    fleet: Fleet,
}

impl<'a> Running<'a> {
    fn new(outer: &'a Outer, nothing: &'a Load) -> Self {
        let fleet =
            Fleet { outcome: Outcome::new(outer.instance.late_us), instances: Vec::new(), instance_us: 0, started: 0 };
        let first = outer.autoscaler.minimum.max(1);
        let mut running = Running {
            outer,
            nothing,
            members: (0..first).map(|_| Life::Starting { ready_us: 0 }).collect(),
            remembered: Recommended::default(),
            next_sync_us: outer.autoscaler.sync_us,
            now_us: 0,
            fleet,
        };
        running.pass(0);
        running.note(0);
        running
    }

    fn next_time(&self) -> u64 {
        let of = |life: &Life| match life {
            Life::Starting { ready_us } => *ready_us,
            Life::Ready { engine, .. } | Life::Leaving(engine) => engine.next_time().unwrap_or(u64::MAX),
        };
        self.members.iter().map(of).min().unwrap_or(u64::MAX).min(self.next_sync_us)
    }

    /// What is due in the instances: one is ready, requests end, masters look, one has finished and is gone.
    fn pass(&mut self, now_us: u64) {
        self.fleet.instance_us += (now_us - self.now_us) * self.members.len() as u64;
        self.now_us = now_us;
        for life in &mut self.members {
            match life {
                Life::Starting { ready_us } if *ready_us <= now_us => {
                    let mut engine = Engine::new(&self.outer.instance, self.outer.inner.clone(), self.nothing);
                    engine.advance(now_us);
                    engine.start();
                    engine.happen(&mut |_, _| {});
                    *life = Life::Ready { engine: Box::new(engine), scraped: 0 };
                }
                Life::Ready { engine, .. } | Life::Leaving(engine)
                    if engine.next_time().is_some_and(|due_us| due_us <= now_us) =>
                {
                    engine.advance(now_us);
                    engine.happen(&mut |_, _| {});
                }
                _ => {}
            }
        }
        let gone = |life: &Life| matches!(life, Life::Leaving(engine) if engine.concurrency() == 0);
        while let Some(place) = self.members.iter().position(gone) {
            if let Life::Leaving(engine) = self.members.remove(place) {
                self.bury(*engine, now_us);
            }
        }
    }

    /// A request comes.
    fn take(&mut self, now_us: u64, job: Job) {
        let ready = self.members.iter_mut().filter_map(|life| match life {
            Life::Ready { engine, .. } => Some(engine),
            _ => None,
        });
        if let Some(engine) = ready.min_by_key(|engine| engine.concurrency()) {
            engine.advance(now_us);
            engine.connect(job, None, 0);
        }
    }

    /// The autoscaler looks, if it is time.
    fn look(&mut self, now_us: u64) {
        if now_us < self.next_sync_us {
            return;
        }
        self.next_sync_us += self.outer.autoscaler.sync_us;
        let mut metrics = Vec::new();
        let mut starting = 0;
        for life in &mut self.members {
            match life {
                Life::Ready { engine, scraped } => {
                    let now = engine.concurrency();
                    metrics.push(u64::from(now.max(std::mem::replace(scraped, now))));
                }
                Life::Starting { .. } => starting += 1,
                Life::Leaving(_) => {}
            }
        }
        let current = metrics.len() as u32 + starting;
        let wanted = self.outer.autoscaler.wanted(&mut self.remembered, now_us, &metrics, starting);
        for _ in current..wanted {
            self.fleet.started += 1;
            self.members.push(Life::Starting { ready_us: now_us + self.outer.start_us });
        }
        for _ in wanted..current {
            self.let_go(now_us);
        }
    }

    /// One that is starting first, then the newest.
    fn let_go(&mut self, now_us: u64) {
        if let Some(place) = self.members.iter().rposition(|life| matches!(life, Life::Starting { .. })) {
            self.members.remove(place);
        } else if let Some(place) = self.members.iter().rposition(|life| matches!(life, Life::Ready { .. }))
            && let Life::Ready { engine, .. } = self.members.remove(place)
        {
            match engine.concurrency() {
                0 => self.bury(*engine, now_us),
                _ => self.members.push(Life::Leaving(engine)),
            }
        }
    }

    fn bury(&mut self, mut engine: Engine<'a>, now_us: u64) {
        engine.advance(now_us);
        self.fleet.outcome.join(&engine.finish());
    }

    fn note(&mut self, now_us: u64) {
        let live = |life: &Life| match life {
            Life::Starting { .. } => 0,
            Life::Ready { engine, .. } | Life::Leaving(engine) => engine.live(),
        };
        self.fleet.outcome.workers_changed(now_us, self.members.iter().map(live).sum());
        let count = self.members.len() as u32;
        if self.fleet.instances.last().is_none_or(|&(_, last)| last != count) {
            self.fleet.instances.push((now_us, count));
        }
    }

    fn finish(mut self, until_us: u64) -> Fleet {
        self.fleet.instance_us += (until_us - self.now_us) * self.members.len() as u64;
        for life in std::mem::take(&mut self.members) {
            match life {
                Life::Starting { .. } => {}
                Life::Ready { engine, .. } | Life::Leaving(engine) => self.bury(*engine, until_us),
            }
        }
        self.fleet
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::Policy;
    use crate::scaling::Pace;
    use crate::scaling::fixture::{SECOND_US, settings};
    use crate::scaling::simulator::load::{Service, poisson};
    use crate::scaling::simulator::run;
    use std::sync::LazyLock;

    /// Twenty requests at once on average, two hundred from the fifth minute to the tenth.
    fn wave() -> Load {
        let rate = |at: f64| if (300.0..600.0).contains(&at) { 200.0 } else { 20.0 };
        Load::open("wave", poisson(5, 1_500, 200.0, rate, Service::Exponential(500_000), 20))
    }

    /// What becomes of the wave by instances that do not scale, of the same size that do, and of four times the size.
    static FIXED: LazyLock<Fleet> = LazyLock::new(|| fleet(&outer(Scaler::Fixed(16)), &wave()));
    static SAME: LazyLock<Fleet> = LazyLock::new(|| fleet(&outer(adaptive(16)), &wave()));
    static ROOM: LazyLock<Fleet> = LazyLock::new(|| fleet(&outer(adaptive(64)), &wave()));

    fn outer(inner: Scaler) -> Outer {
        Outer { autoscaler: Autoscaler::default(), start_us: 30 * SECOND_US, instance: World::default(), inner }
    }

    fn adaptive(maximum: u32) -> Scaler {
        Scaler::policy(settings(Policy::Adaptive, Pace::Events, 2, maximum))
    }

    #[test]
    fn a_fleet_of_one_is_as_one_server() {
        let load = wave();
        let mut one = outer(adaptive(16));
        (one.autoscaler.minimum, one.autoscaler.maximum) = (1, 1);
        let (fleet, alone) = (fleet(&one, &load), run(&one.instance, &one.inner, &load, &mut |_, _| {}));
        assert_eq!((fleet.started, fleet.instances), (0, vec![(0, 1)]));
        assert_eq!((fleet.outcome.late, fleet.outcome.waits), (alone.late, alone.waits));
        assert_eq!((fleet.outcome.workers, fleet.outcome.worker_us), (alone.workers, alone.worker_us));
    }

    #[test]
    fn no_request_is_lost_though_instances_come_and_go() {
        for fleet in [&*FIXED, &*SAME] {
            assert_eq!(fleet.outcome.arrived, wave().jobs.len() as u64);
            let unfinished = fleet.outcome.arrived - fleet.outcome.finished - fleet.outcome.refused;
            assert!(unfinished < 60, "{unfinished} at the end of the run");
            assert_eq!(fleet.outcome.waits.count() + fleet.outcome.refused, fleet.outcome.arrived);
        }
    }

    #[test]
    fn instances_stay_within_bounds_come_after_their_start_and_stay_for_the_window() {
        let fleet = &*SAME;
        let within = |&(_, count): &(u64, u32)| (2..=20).contains(&count);
        assert!(fleet.instances.iter().all(within), "{:?}", fleet.instances);
        assert!(fleet.started >= 6, "{}", fleet.started);
        let at = |second: u64| {
            let before = fleet.instances.iter().rfind(|&&(from_us, _)| from_us <= second * SECOND_US);
            before.map_or(0, |&(_, count)| count)
        };
        assert_eq!((at(0), at(299)), (2, 2));
        let falls = fleet.instances.windows(2).find(|pair| pair[1].1 < pair[0].1);
        let first_us = falls.map_or(0, |pair| pair[1].0);
        assert!(first_us >= 600 * SECOND_US, "{:?}", fleet.instances);
        assert!(at(895) >= 8 && at(1_499) == 2, "{:?}", fleet.instances);
    }

    /// What is asked in docs/SCALING.md.
    #[test]
    fn the_inner_loop_answers_what_the_outer_one_is_too_slow_for_and_gives_workers_back() {
        let (fixed, same, room) = (&*FIXED, &*SAME, &*ROOM);
        assert!(
            same.outcome.worker_us * 10 < fixed.outcome.worker_us * 9,
            "{} {}",
            same.outcome.worker_us,
            fixed.outcome.worker_us
        );
        assert!(room.outcome.late * 4 < fixed.outcome.late, "{} {}", room.outcome.late, fixed.outcome.late);
    }
}
