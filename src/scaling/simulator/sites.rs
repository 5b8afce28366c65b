//! Several sites on one machine with so much memory for all: how it is shared out among them, and what comes of it. Each site
//! is a server of its own (`engine`); cores are not shared, so that what differs is memory alone. Pure.
//!
//! Three ways: a fixed share each, whoever comes first has what is free, and the Emperor's budget
//! ([`budget`](crate::scaling::budget)).

use super::engine::Engine;
use super::load::Load;
use super::{Outcome, Scaler, World};
use crate::scaling::Settings;
use crate::scaling::budget::Budget;

/// One of the sites.
#[derive(Debug, Clone)]
pub struct Site {
    /// What comes to it; clients of closed loops are left out.
    pub load: Load,
    /// Its server; the memory of a worker is in it.
    pub world: World,
    /// Its settings; the most workers that it may ever have are in them.
    pub settings: Settings,
}

/// How memory is shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// Each site has as many workers as fit into its part of the memory, all the time.
    Fixed,
    /// Each site adds workers as its policy wants while there is memory for one, and lets them go when that wants to.
    FreeForAll,
    /// The Emperor's budget.
    Budget,
}

impl Sharing {
    /// For tables and pictures.
    pub fn name(self) -> &'static str {
        match self {
            Sharing::Fixed => "fixed shares",
            Sharing::FreeForAll => "free for all",
            Sharing::Budget => "one budget",
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shared {
    /// All sites together; the workers over time are those of all.
    pub outcome: Outcome,
    /// Each site.
    pub sites: Vec<Outcome>,
    /// The most memory that workers had at once.
    pub bytes_max: u64,
    /// How often somebody was allowed another number of workers.
    pub changes: u64,
}

/// Plays all loads at once in `bytes` of memory.
pub fn share(sites: &[Site], bytes: u64, sharing: Sharing) -> Shared {
    let nothing: Vec<Load> =
        sites.iter().map(|site| Load { until_us: u64::MAX, ..Load::open(&site.load.name, Vec::new()) }).collect();
    let mut machine = Machine::new(sites, &nothing, bytes, sharing);
    machine.start();
    let until_us = sites.iter().map(|site| site.load.until_us).max().unwrap_or(0);
    while let Some(now_us) = machine.next_time().filter(|now_us| *now_us <= until_us) {
        machine.pass(now_us);
    }
    machine.finish(until_us)
}

struct Machine<'a> {
    sites: &'a [Site],
    bytes: u64,
    sharing: Sharing,
    budget: Budget,
    engines: Vec<Engine<'a>>,
    /// Requests of each site that have come, and the looks of each that were heard of.
    come: Vec<usize>,
    heard: Vec<u64>,
    shared: Shared,
}

impl<'a> Machine<'a> {
    fn new(sites: &'a [Site], nothing: &'a [Load], bytes: u64, sharing: Sharing) -> Self {
        let share = bytes / (sites.len() as u64).max(1);
        let engine = |(site, load): (&'a Site, &'a Load)| {
            let fitting = u32::try_from(share / site.world.worker_rss_bytes.max(1)).unwrap_or(u32::MAX);
            let scaler = match sharing {
                Sharing::Fixed => Scaler::Fixed(fitting.clamp(site.settings.minimum.max(1), site.settings.maximum)),
                _ => Scaler::policy(site.settings.clone()),
            };
            Engine::new(&site.world, scaler, load)
        };
        let engines: Vec<Engine<'a>> = sites.iter().zip(nothing).map(engine).collect();
        let late_us = sites.first().map_or(0, |site| site.world.late_us);
        Machine {
            sites,
            bytes,
            sharing,
            budget: Budget::new(bytes),
            come: vec![0; sites.len()],
            heard: vec![0; sites.len()],
            shared: Shared { outcome: Outcome::new(late_us), sites: Vec::new(), bytes_max: 0, changes: 0 },
            engines,
        }
    }

    fn start(&mut self) {
        for (site, engine) in self.sites.iter().zip(&mut self.engines) {
            if self.sharing != Sharing::Fixed {
                engine.allow(site.settings.minimum);
            }
            engine.start();
        }
        self.note(0);
    }

    fn next_time(&self) -> Option<u64> {
        (0..self.engines.len()).filter_map(|number| self.next_of(number)).min()
    }

    fn next_of(&self, number: usize) -> Option<u64> {
        let arrival = self.sites[number].load.jobs.get(self.come[number]).map(|job| job.at_us);
        [arrival, self.engines[number].next_time()].into_iter().flatten().min()
    }

    /// Everything that happens at one moment, site after site.
    fn pass(&mut self, now_us: u64) {
        for number in 0..self.engines.len() {
            if self.next_of(number).is_none_or(|due_us| due_us > now_us) {
                continue;
            }
            let engine = &mut self.engines[number];
            engine.advance(now_us);
            engine.happen(&mut |_, _| {});
            while let Some(&job) = self.sites[number].load.jobs.get(self.come[number]) {
                if job.at_us > now_us {
                    break;
                }
                self.come[number] += 1;
                engine.connect(job, None, 0);
            }
            let looks = engine.outcome().looks;
            if std::mem::replace(&mut self.heard[number], looks) != looks {
                self.looked(now_us, number);
            }
        }
        self.note(now_us);
    }

    /// A site has looked, and tells what it found.
    fn looked(&mut self, now_us: u64, number: usize) {
        match self.sharing {
            Sharing::Fixed => {}
            Sharing::FreeForAll => {
                let told = self.engines[number].told(0);
                if told.wants > told.live {
                    let free = self.bytes.saturating_sub(self.bytes_now()) / told.worker_bytes.max(1);
                    let more = u32::try_from(free).unwrap_or(u32::MAX).min(told.wants - told.live);
                    self.allow(now_us, number, told.live + more);
                } else {
                    // what it lets go is anybody's
                    self.engines[number].allow_quietly(told.live.max(self.sites[number].settings.minimum));
                }
            }
            Sharing::Budget => {
                let told = self.engines[number].told(self.sites[number].settings.minimum);
                for change in self.budget.hear(number as u32, told) {
                    self.allow(now_us, change.who as usize, change.workers);
                }
            }
        }
    }

    fn allow(&mut self, now_us: u64, number: usize, workers: u32) {
        let engine = &mut self.engines[number];
        if engine.allowance() != Some(workers) {
            self.shared.changes += 1;
            engine.advance(now_us);
            engine.allow(workers);
        }
    }

    /// What workers have, and what those may take that are allowed and not there yet.
    fn bytes_now(&self) -> u64 {
        let each = self.sites.iter().zip(&self.engines);
        each.map(|(site, engine)| {
            u64::from(engine.live().max(engine.allowance().unwrap_or(0))) * site.world.worker_rss_bytes
        })
        .sum()
    }

    fn note(&mut self, now_us: u64) {
        let live = self.engines.iter().map(Engine::live).sum();
        let bytes = self.sites.iter().zip(&self.engines);
        let bytes = bytes.map(|(site, engine)| u64::from(engine.live()) * site.world.worker_rss_bytes).sum();
        self.shared.bytes_max = self.shared.bytes_max.max(bytes);
        self.shared.outcome.workers_changed(now_us, live);
    }

    fn finish(mut self, until_us: u64) -> Shared {
        for mut engine in self.engines {
            engine.advance(until_us);
            let outcome = engine.finish();
            self.shared.outcome.join(&outcome);
            self.shared.sites.push(outcome);
        }
        self.shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::Policy;
    use crate::scaling::Pace;
    use crate::scaling::fixture::{SECOND_US, settings};
    use crate::scaling::simulator::load::catalogue;
    use crate::scaling::simulator::run;

    const MIB: u64 = 1 << 20;

    /// Sites of different size whose peaks come at different times.
    fn sites(seconds: u64) -> Vec<Site> {
        let until_us = seconds * SECOND_US;
        let cut = |mut load: Load| {
            load.jobs.retain(|job| job.at_us < until_us);
            Load { until_us, ..load }
        };
        let loads: Vec<Load> = catalogue(3).into_iter().take(6).map(cut).collect();
        let each = loads.into_iter().zip([40, 60, 80, 40, 100, 40]);
        each.map(|(load, mib)| Site {
            load,
            world: World { worker_rss_bytes: mib * MIB, ..World::default() },
            settings: settings(Policy::Adaptive, Pace::Events, 1, 60),
        })
        .collect()
    }

    #[test]
    fn one_site_with_all_the_memory_is_as_one_server() {
        let site = sites(120).remove(1);
        let alone = run(&site.world, &Scaler::policy(site.settings.clone()), &site.load, &mut |_, _| {});
        let shared = share(&[site], 60 * 60 * MIB, Sharing::Budget);
        assert_eq!((shared.outcome.arrived, shared.outcome.refused), (alone.arrived, alone.refused));
        assert!(shared.outcome.late <= alone.late + alone.arrived / 1000, "{} {}", shared.outcome.late, alone.late);
    }

    #[test]
    fn no_way_of_sharing_takes_more_memory_than_there_is() {
        let bytes = 2_000 * MIB;
        let places = |site: &Site| u64::from(site.world.queue_max + site.settings.maximum * site.world.threads);
        let places: u64 = sites(40).iter().map(places).sum();
        for sharing in [Sharing::Fixed, Sharing::FreeForAll, Sharing::Budget] {
            let shared = share(&sites(40), bytes, sharing);
            println!("{sharing:?}: {} MiB", shared.bytes_max / MIB);
            assert!(shared.bytes_max <= bytes, "{sharing:?}: {} MiB", shared.bytes_max / MIB);
            let finished = shared.outcome.finished + shared.outcome.refused;
            // The others wait, or are being served.
            let others = shared.outcome.arrived.checked_sub(finished).expect("who is through has come");
            assert!(others <= places, "{sharing:?}: {others} of {places}");
        }
    }

    /// What the budget is for. In docs/SCALING.md there are the figures of the recorded traces.
    #[test]
    fn one_budget_has_at_most_half_as_many_late_requests_as_fixed_shares() {
        let late = |sharing| share(&sites(120), 4_000 * MIB, sharing).outcome.late;
        let (fixed, budget) = (late(Sharing::Fixed), late(Sharing::Budget));
        assert!(budget * 2 <= fixed, "{budget} of fixed shares' {fixed}");
    }

    #[test]
    fn the_same_sites_come_to_the_same_end() {
        let one = || share(&sites(40), 1_500 * MIB, Sharing::Budget);
        assert_eq!(one(), one());
    }
}
