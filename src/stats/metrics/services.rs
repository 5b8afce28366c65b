//! Metrics of what applications lean on besides workers: mules, spoolers, commands, timers, the queue, and the application's
//! own. Pure.

use std::collections::BTreeMap;

use crate::stats::exposition::{Exposition, Kind};
use crate::stats::services::{Companion, Cron, Metric, Mule, Services, Spooler, Timer};

/// All of them, as far as there are any.
pub(super) fn services(out: &mut Exposition, services: &Services) {
    crons(out, &services.crons);
    timers(out, &services.timers);
    spoolers(out, &services.spoolers);
    mules(out, services);
    deaths(out, services);
    if let Some(queue) = services.queue {
        out.family("rhinod_queue_items", Kind::Gauge, "Items of the queue.").whole(&[], queue.items);
        out.family("rhinod_queue_slots", Kind::Gauge, "Most items of the queue.").whole(&[], queue.slots);
    }
    own(out, &services.metrics);
}

fn crons(out: &mut Exposition, crons: &[Cron]) {
    if crons.is_empty() {
        return;
    }
    let mut runs = out.family("rhinod_cron_runs", Kind::Counter, "Runs of commands of cron that are over, by outcome.");
    let counts = sums(crons, |cron| (&cron.command, [cron.done, cron.failed]));
    for (command, [done, failed]) in counts {
        runs.whole(&[("command", command), ("outcome", "done")], done);
        runs.whole(&[("command", command), ("outcome", "failed")], failed);
    }
}

fn timers(out: &mut Exposition, timers: &[Timer]) {
    if timers.is_empty() {
        return;
    }
    let mut family = out.family("rhinod_timer_signals", Kind::Counter, "Signals that timers have raised.");
    for (signal, [raised]) in sums(timers, |timer| (timer.signal, [timer.raised])) {
        family.whole(&[("signal", &signal.to_string())], raised);
    }
}

fn spoolers(out: &mut Exposition, spoolers: &[Spooler]) {
    if spoolers.is_empty() {
        return;
    }
    let help = "Runs of tasks that are over: done, or to be run again.";
    let mut family = out.family("rhinod_spooler_tasks", Kind::Counter, help);
    let of = |spooler: &Spooler| [spooler.process.done, spooler.process.failed];
    for (directory, [done, stays]) in sums(spoolers, |spooler| (spooler.directory.as_str(), of(spooler))) {
        family.whole(&[("directory", directory), ("outcome", "done")], done);
        family.whole(&[("directory", directory), ("outcome", "again")], stays);
    }
    let mut family = out.family("rhinod_spooler_processes", Kind::Gauge, "Spooler processes by what they do.");
    let of = |spooler: &Spooler| {
        let (is_up, is_busy) = (spooler.process.pid > 0, spooler.process.since_s.is_some());
        [u64::from(is_up && is_busy), u64::from(is_up && !is_busy)]
    };
    for (directory, [busy, idle]) in sums(spoolers, |spooler| (spooler.directory.as_str(), of(spooler))) {
        family.whole(&[("directory", directory), ("state", "busy")], busy);
        family.whole(&[("directory", directory), ("state", "idle")], idle);
    }
    let mut most: BTreeMap<&str, u64> = BTreeMap::new();
    for spooler in spoolers {
        let seen = most.entry(&spooler.directory).or_default();
        *seen = (*seen).max(spooler.waiting);
    }
    let mut family = out.family("rhinod_spooler_waiting", Kind::Gauge, "Tasks that a process has seen waiting.");
    most.iter().for_each(|(directory, waiting)| family.whole(&[("directory", directory)], *waiting));
}

fn mules(out: &mut Exposition, services: &Services) {
    if services.mules.is_empty() {
        return;
    }
    let number = |mule: &Mule| mule.process.number.to_string();
    let mut family = out.family("rhinod_mule_messages", Kind::Counter, "Messages that mules have handled, by outcome.");
    for mule in &services.mules {
        family.whole(&[("mule", &number(mule)), ("outcome", "done")], mule.process.done);
        family.whole(&[("mule", &number(mule)), ("outcome", "failed")], mule.process.failed);
    }
    let mut family = out.family("rhinod_mule_queue_bytes", Kind::Gauge, "Messages that wait for one mule.");
    for mule in &services.mules {
        family.whole(&[("mule", &number(mule))], mule.queue_bytes);
    }
    if !services.farms.is_empty() {
        let mut family = out.family("rhinod_farm_queue_bytes", Kind::Gauge, "Messages that wait for a farm.");
        services.farms.iter().for_each(|farm| family.whole(&[("farm", &farm.name)], farm.queue_bytes));
    }
}

fn deaths(out: &mut Exposition, services: &Services) {
    let all: Vec<(&str, &Companion)> = services
        .mules
        .iter()
        .map(|mule| ("mule", &mule.process))
        .chain(services.spoolers.iter().map(|spooler| ("spooler", &spooler.process)))
        .collect();
    if all.is_empty() {
        return;
    }
    let help = "Mules and spooler processes that ended and nobody had asked to.";
    let mut family = out.family("rhinod_companion_deaths", Kind::Counter, help);
    for (kind, process) in all {
        family.whole(&[("kind", kind), ("number", &process.number.to_string())], process.deaths);
    }
}

/// Those that the application changes.
fn own(out: &mut Exposition, metrics: &[Metric]) {
    let (counters, gauges): (Vec<_>, Vec<_>) = metrics.iter().partition(|metric| metric.is_counter);
    if !counters.is_empty() {
        let mut family = out.family("rhinod_application_counter", Kind::Counter, "Counters of the application.");
        for metric in counters {
            // One that was taken below zero is none.
            family.whole(&[("name", &metric.name)], metric.value.try_into().unwrap_or(0));
        }
    }
    if !gauges.is_empty() {
        let mut family = out.family("rhinod_application_gauge", Kind::Gauge, "Gauges of the application.");
        gauges.iter().for_each(|metric| family.signed(&[("name", &metric.name)], metric.value));
    }
}

/// Counts added up by what they are of: what is alike is one series.
fn sums<'a, T, K: Ord, const N: usize>(
    list: &'a [T],
    counts: impl Fn(&'a T) -> (K, [u64; N]),
) -> BTreeMap<K, [u64; N]> {
    let mut sums: BTreeMap<K, [u64; N]> = BTreeMap::new();
    for (of, counts) in list.iter().map(counts) {
        let sum = sums.entry(of).or_insert([0; N]);
        sum.iter_mut().zip(counts).for_each(|(sum, count)| *sum = sum.saturating_add(count));
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::exposition::Form;

    #[test]
    fn processes_of_one_directory_and_lines_that_are_alike_are_one_series() {
        let process = |done, failed| Companion { pid: 1, done, failed, ..Companion::default() };
        let spooler = |done, waiting| Spooler {
            process: process(done, 1),
            directory: "/s".to_owned(),
            waiting,
            ..Spooler::default()
        };
        let timer = |raised| Timer { signal: 3, raised, ..Timer::default() };
        let mut out = Exposition::new(Form::Plain);
        let all = Services {
            spoolers: vec![spooler(2, 5), spooler(3, 4)],
            timers: vec![timer(1), timer(u64::MAX)],
            ..Services::default()
        };
        services(&mut out, &all);
        let text = String::from_utf8(out.finish()).unwrap();
        for line in [
            "rhinod_spooler_tasks_total{directory=\"/s\",outcome=\"done\"} 5\n",
            "rhinod_spooler_tasks_total{directory=\"/s\",outcome=\"again\"} 2\n",
            "rhinod_spooler_processes{directory=\"/s\",state=\"idle\"} 2\n",
            "rhinod_spooler_waiting{directory=\"/s\"} 5\n",
            "rhinod_timer_signals_total{signal=\"3\"} 18446744073709551615\n",
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        assert!(!text.contains("mule_"), "{text}");
    }
}
