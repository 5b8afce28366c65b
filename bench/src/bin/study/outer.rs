//! The outer loop together with the inner one, for docs/SCALING.md: an autoscaler for instances that take 30 s to come, and
//! within each a rule for its workers. What does the inner loop save the outer one?

use std::io::{self, Write};

use rhinod::scaling::simulator::load::{Service, poisson};
use rhinod::scaling::simulator::outer::autoscaler::Autoscaler;
use rhinod::scaling::simulator::outer::{Fleet, Outer, fleet};
use rhinod::scaling::simulator::picture::{Steps, steps_svg};
use rhinod::scaling::simulator::{Load, Scaler, World};

use crate::rivals::settings;

/// Workers of an instance; the autoscaler's target is three quarters of them.
const WORKERS: u32 = 16;
/// The most that an instance with room may have.
const ROOM: u32 = 64;

const START_US: u64 = 30_000_000;

/// How many times longer the requests of Azure's trace take than the other pages assume: 40 ms a token.
const AZURE_LONGER: u64 = 20;

/// Loads at the pace of days and minutes: requests of half a second, of which 2 % is computing.
pub(crate) fn loads(seed: u64) -> Vec<Load> {
    let service = Service::Exponential(500_000);
    let of = |name: &str, seconds: u64, most: f64, rate: &dyn Fn(f64) -> f64| {
        Load::open(name, poisson(seed, seconds, most, rate, service, 20))
    };
    vec![
        of("a day in four hours", 14_400, 120.0, &|at| 62.0 - 58.0 * (at / 14_400.0 * std::f64::consts::TAU).cos()),
        of("flash crowd x20", 1_800, 160.0, &|at| match at {
            ..300.0 => 8.0,
            300.0..360.0 => 8.0 + 152.0 * (at - 300.0) / 60.0,
            _ => 8.0 + 152.0 * 0.5f64.powf((at - 360.0) / 120.0),
        }),
        of("step", 1_800, 120.0, &|at| if (300.0..1_200.0).contains(&at) { 120.0 } else { 20.0 }),
        of("a burst each two minutes", 1_200, 120.0, &|at| if at % 120.0 < 20.0 { 120.0 } else { 10.0 }),
    ]
}

/// Azure's trace as an outer loop has it: every request takes twenty times as long.
pub(crate) fn longer(mut load: Load) -> Load {
    for job in &mut load.jobs {
        (job.compute_us, job.wait_us) = (job.compute_us, job.wait_us * AZURE_LONGER);
    }
    load
}

/// The table; for each load a title for the picture and the picture.
pub(crate) fn outer(loads: &[Load], out: &mut dyn Write) -> io::Result<Vec<(String, String)>> {
    let mut pictures = Vec::new();
    writeln!(out, "The outer loop and the inner one: instances take {} s to come\n", START_US / 1_000_000)?;
    writeln!(
        out,
        "| load | workers of an instance | instance-hours | worker-hours | most instances | late % | p99 wait, ms |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|---|")?;
    for load in loads {
        let tried = ways().map(|(name, outer)| (name, fleet(&outer, load)));
        for (name, fleet) in &tried {
            writeln!(out, "{}", row(&load.name, name, fleet))?;
        }
        pictures.push((load.name.clone(), picture(load, &tried)));
    }
    writeln!(out)?;
    Ok(pictures)
}

fn ways() -> [(&'static str, Outer); 3] {
    let outer = |inner| {
        let autoscaler = Autoscaler { target: u64::from(WORKERS * 3 / 4), ..Autoscaler::default() };
        Outer { autoscaler, start_us: START_US, instance: World::default(), inner }
    };
    [
        ("16, always", outer(Scaler::Fixed(WORKERS))),
        ("2 to 16, `adaptive`", outer(Scaler::policy(settings(2, WORKERS)))),
        ("2 to 64, `adaptive`", outer(Scaler::policy(settings(2, ROOM)))),
    ]
}

fn row(load: &str, name: &str, fleet: &Fleet) -> String {
    let outcome = &fleet.outcome;
    format!(
        "| {load} | {name} | {:.1} | {:.1} | {} | {:.3} | {:.1} |",
        fleet.instance_us as f64 / 3.6e9,
        outcome.worker_us as f64 / 3.6e9,
        fleet.instances.iter().map(|&(_, count)| count).max().unwrap_or(0),
        outcome.late_ppm() as f64 / 1e4,
        outcome.waits.quantile_us(990) as f64 / 1e3
    )
}

/// Workers of all instances over time, and what the instances could hold.
fn picture(load: &Load, tried: &[(&str, Fleet)]) -> String {
    let names: Vec<String> = tried.iter().map(|(name, _)| name.replace('`', "")).collect();
    let lines: Vec<Steps> = tried
        .iter()
        .zip(&names)
        .map(|((_, fleet), name)| Steps { name, counts: &fleet.outcome.workers, end_us: load.until_us })
        .collect();
    steps_svg(&format!("Workers of all instances: {}", load.name), "workers", &lines)
}

#[cfg(test)]
mod tests {
    use super::{loads, outer};

    #[test]
    fn each_load_has_a_picture_and_a_row_for_each_way() {
        let mut out = Vec::new();
        let pictures = outer(&loads(1)[3..], &mut out).expect("it is written");
        let table = String::from_utf8(out).expect("text");
        assert_eq!((pictures.len(), table.matches("| a burst each two minutes |").count()), (1, 3), "{table}");
        assert!(pictures[0].1.contains("2 to 64, adaptive"));
    }
}
