//! One memory budget over ten sites, for docs/SCALING.md: late requests by the memory that there is, for fixed shares, a free
//! for all, and the Emperor's budget.

use std::io::{self, Write};

use rhinod::scaling::simulator::chart::{Chart, across, up};
use rhinod::scaling::simulator::sites::{Shared, Sharing, Site, share};
use rhinod::scaling::simulator::{Load, World};

use crate::rivals::settings;

const SITES: usize = 10;
/// How long all sites run.
const UNTIL_US: u64 = 1_200_000_000;
/// Memory of a worker, site after site, in MiB.
const WORKER_MIB: [u64; SITES] = [40, 60, 80, 50, 100, 40, 70, 120, 50, 90];
/// Most workers of one site.
const MAXIMUM: u32 = 40;
/// What is tried out, in MiB.
const MEMORY_MIB: [u64; 8] = [1_500, 2_000, 3_000, 4_000, 5_000, 6_000, 8_000, 10_000];
/// Late shares below this are drawn on the axis, in parts of a million.
const FLOOR_PPM: f64 = 10.0;
const WAYS: [Sharing; 3] = [Sharing::Fixed, Sharing::FreeForAll, Sharing::Budget];

/// Ten sites of the given loads: each begins somewhere else in its load, which goes round.
pub(crate) fn sites(loads: &[Load]) -> Vec<Site> {
    let begun = SITES.div_ceil(loads.len().max(1)) as u64;
    (0..SITES)
        .filter_map(|number| {
            let load = loads.get(number % loads.len().max(1))?;
            let from_us = load.until_us / begun * (number / loads.len()) as u64;
            Some(Site {
                load: part(load, from_us, number + 1),
                world: World { worker_rss_bytes: WORKER_MIB[number] << 20, ..World::default() },
                settings: settings(1, MAXIMUM),
            })
        })
        .collect()
}

/// Twenty minutes of a load from some moment on; after its end comes its beginning.
fn part(load: &Load, from_us: u64, number: usize) -> Load {
    let whole_us = load.until_us.max(1);
    let mut jobs = load.jobs.clone();
    for job in &mut jobs {
        job.at_us = (job.at_us + whole_us - from_us % whole_us) % whole_us;
    }
    jobs.retain(|job| job.at_us < UNTIL_US);
    Load { until_us: UNTIL_US, ..Load::open(&format!("{number}: {}", load.name), jobs) }
}

/// The table and the picture.
pub(crate) fn sharing(loads: &[Load], out: &mut dyn Write) -> io::Result<String> {
    let sites = sites(loads);
    writeln!(out, "One memory budget over ten sites: late requests in %\n")?;
    writeln!(
        out,
        "| memory | fixed shares | free for all | one budget | times fewer than fixed shares | most workers |"
    )?;
    writeln!(out, "|---|---|---|---|---|---|")?;
    let mut lines: Vec<Vec<(f64, f64)>> = vec![Vec::new(); WAYS.len()];
    for mib in MEMORY_MIB {
        let tried = WAYS.map(|way| share(&sites, mib << 20, way));
        for (line, shared) in lines.iter_mut().zip(&tried) {
            line.push((mib as f64, shared.outcome.late_ppm() as f64));
        }
        writeln!(out, "{}", row(mib, &tried))?;
    }
    writeln!(out)?;
    Ok(picture(&lines))
}

fn row(mib: u64, [fixed, free, budget]: &[Shared; 3]) -> String {
    let percent = |shared: &Shared| format!("{:.3}", shared.outcome.late_ppm() as f64 / 1e4);
    let (late, ours) = (fixed.outcome.late_ppm() as f64, budget.outcome.late_ppm() as f64);
    let times = if ours > 0.0 { format!("{:.1}", late / ours) } else { "nobody is late".to_owned() };
    let most = budget.outcome.workers_max();
    format!("| {mib} MiB | {} | {} | {} | {times} | {most} |", percent(fixed), percent(free), percent(budget))
}

fn picture(lines: &[Vec<(f64, f64)>]) -> String {
    let most = MEMORY_MIB.iter().copied().max().unwrap_or(1) as f64 * 1.03;
    let decades = (1e6f64 / FLOOR_PPM).log10();
    let mut chart = Chart::new("Ten sites in one machine's memory: late requests");
    for (ppm, label) in [(1e6, "100 %"), (1e5, "10 %"), (1e4, "1 %"), (1e3, "0.1 %"), (1e2, "0.01 %"), (1e1, "none")] {
        chart.level(up((ppm / FLOOR_PPM).log10(), decades), label);
    }
    for part in 0..=4 {
        let mib = most * f64::from(part) / 4.0;
        chart.upright(across(mib, most), &format!("{mib:.0}"));
    }
    chart.axes("memory for workers, MiB", "late");
    for (way, line) in WAYS.iter().zip(lines) {
        let Some(colour) = chart.colour() else { break };
        let y = |ppm: f64| up((ppm.max(FLOOR_PPM) / FLOOR_PPM).log10(), decades);
        let path: Vec<String> =
            line.iter().map(|&(mib, ppm)| format!("{:.1},{:.1}", across(mib, most), y(ppm))).collect();
        let path = path.join(" ");
        chart.draw(&format!(r#"<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>"#));
        chart.name(way.name());
    }
    chart.finish()
}

#[cfg(test)]
mod tests {
    use super::{SITES, UNTIL_US, picture, sites};
    use rhinod::scaling::simulator::load::catalogue;

    #[test]
    fn ten_sites_begin_at_different_moments_and_all_end_at_the_same() {
        let loads = &catalogue(1)[2..4];
        let sites = sites(loads);
        assert_eq!(sites.len(), SITES);
        assert!(sites.iter().all(|site| site.load.until_us == UNTIL_US && site.load.jobs.len() > 100));
        assert_ne!(sites[0].load.jobs, sites[2].load.jobs, "the same load, from another moment on");
    }

    #[test]
    fn the_picture_has_a_line_for_each_way() {
        let lines = vec![vec![(1_500.0, 0.0), (10_000.0, 1e6)]; 3];
        let svg = picture(&lines);
        assert!(svg.matches("<polyline").count() == 3 && !svg.contains("NaN") && !svg.contains("inf"));
    }
}
