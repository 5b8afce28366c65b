//! The figures of docs/SCALING-STUDY.md that are no planes: a burst, many requests at once, steadiness.

use std::io::{self, Write};

use rhinod::config::model::Policy;
use rhinod::scaling::simulator::load::{Service, poisson};
use rhinod::scaling::simulator::picture::workers_svg;
use rhinod::scaling::simulator::{Job, Load, Scaler, Trial, World};
use rhinod::scaling::{Pace, Settings};

use crate::rivals::settings;

/// 16 clients of 50 ms each, from 2 workers up, for six seconds: the table; the picture is returned.
pub(crate) fn burst(out: &mut dyn Write) -> io::Result<String> {
    let job = Job { at_us: 0, compute_us: 500, wait_us: 49_500 };
    let load = Load::closed("16 clients of 50 ms at once", 16, job, 100, 0, 6_000_000);
    let ours = settings(2, 20);
    let spare = Settings { policy: Policy::Spare, step: 2, maximum: 10, ..ours.clone() };
    let letter = Settings { pace: Pace::Ticks, maximum: 20, ..spare.clone() };
    let scalers = [
        Scaler::policy(ours),
        Scaler::policy(spare),
        Scaler::policy(letter),
        Scaler::php_fpm(2, 1, 3, 20),
        Scaler::franken_php(2, 20),
        Scaler::Fixed(10),
        Scaler::Fixed(20),
    ];
    let world = World::default();
    let runs = scalers.map(|scaler| Trial::of(scaler, &world, &load));
    writeln!(out, "The burst: 16 clients of 50 ms each for six seconds\n")?;
    writeln!(out, "| policy | most workers | requests served | p99 wait, ms |")?;
    writeln!(out, "|---|---|---|---|")?;
    for Trial { name, outcome: run } in &runs {
        let p99_ms = run.waits.quantile_us(990) as f64 / 1e3;
        writeln!(out, "| {name} | {} | {} | {p99_ms:.1} |", run.workers_max(), run.finished)?;
    }
    writeln!(out)?;
    let named: Vec<_> = runs.iter().map(|trial| (trial.name.clone(), &trial.outcome)).collect();
    Ok(workers_svg(&load.name, &named))
}

/// 16 requests of one second at once on one idle worker, for forks of 1, 2 and 3 ms.
pub(crate) fn at_once(out: &mut dyn Write) -> io::Result<()> {
    let jobs = vec![Job { at_us: 1_000_000, compute_us: 0, wait_us: 1_000_000 }; 16];
    let load = Load::open("16 at once", jobs);
    for fork_us in [1_000, 2_000, 3_000] {
        let world = World { fork_us, ..World::default() };
        let last_us = Trial::of(Scaler::policy(settings(1, 20)), &world, &load).outcome.waits.quantile_us(1000);
        writeln!(
            out,
            "16 at once on 1 worker, fork {} ms: the last waits {:.1} ms",
            fork_us / 1000,
            last_us as f64 / 1e3
        )?;
    }
    Ok(())
}

/// Changes of direction under steady Poisson loads, ten minutes each.
pub(crate) fn steadiness(out: &mut dyn Write) -> io::Result<()> {
    const MINUTES: u64 = 10;
    let mut each = Vec::new();
    for rate in [20.0, 60.0, 160.0, 400.0] {
        for service in [Service::Exponential(50_000), Service::Exponential(5_000), Service::Fixed(50_000)] {
            for seed in 1..6 {
                let jobs = poisson(seed, 60 * MINUTES, rate, |_| rate, service, 20);
                let scaler = Scaler::policy(settings(2, 60));
                let outcome = Trial::of(scaler, &World::default(), &Load::open("steady", jobs)).outcome;
                each.push(outcome.reversals.len() as f64 / (6 * MINUTES) as f64);
            }
        }
    }
    let (mean, worst) = (each.iter().sum::<f64>() / each.len() as f64, each.iter().copied().fold(0.0, f64::max));
    writeln!(
        out,
        "changes of direction in 10 s, {} steady runs: {mean:.2} on average, {worst:.2} in the worst",
        each.len()
    )?;
    Ok(())
}
