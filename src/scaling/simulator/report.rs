//! What `simulate` prints: the file's own policy beside the alternatives on one load, and what to write into the file.
//! Text out, no files.

use super::{Load, Scaler, Trial, World, picture};
use crate::config::model::Policy;
use crate::scaling::settings::TARGET_WAIT_US;
use crate::scaling::{Pace, Settings};
use std::fmt::Write;

/// Late requests that a suggestion may have beyond the best candidate: a thousandth of all, or of a short log so many.
const LATE_TOLERATED_PPM: u64 = 1_000;
const LATE_TOLERATED: u64 = 3;

/// One policy, how it would be written, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The lines of the configuration; `None` for what rhinod does not offer.
    pub ini: Option<Vec<String>>,
    /// The result.
    pub trial: Trial,
}

/// The file's own policy first, then what else rhinod could do, then what others would do.
pub fn candidates(world: &World, load: &Load, own: &Settings) -> Vec<Candidate> {
    let mut all = vec![offered(world, load, own.clone())];
    let is_fixed = own.minimum == own.maximum;
    // What a file without `cheaper` could have.
    let minimum = if is_fixed { own.maximum.min(2) } else { own.minimum };
    let initial = if is_fixed { minimum } else { own.initial };
    let elastic = Settings { minimum, initial, ..own.clone() };
    let adaptive = Settings { policy: Policy::Adaptive, target_wait_us: TARGET_WAIT_US, ..elastic.clone() };
    let roomy = Settings { maximum: own.maximum.saturating_mul(4).min(1_000), ..adaptive.clone() };
    let needed = Trial::of(Scaler::policy(roomy.clone()), world, load).outcome.workers_max();
    let mut alternatives = vec![adaptive.clone(), Settings { target_wait_us: 2 * TARGET_WAIT_US, ..adaptive.clone() }];
    if needed > own.maximum {
        alternatives.push(Settings { maximum: needed, ..adaptive });
    }
    alternatives.push(Settings { policy: Policy::Spare, overload: 3, ..elastic });
    for settings in alternatives {
        if settings == *own {
            continue;
        }
        let mut other = offered(world, load, settings.clone());
        if settings.maximum != own.maximum {
            other.trial.name += &format!(", {} workers", settings.maximum);
        }
        all.push(other);
    }
    if !is_fixed {
        all.push(Candidate {
            ini: Some(fixed_ini(own.maximum)),
            trial: Trial::of(Scaler::Fixed(own.maximum), world, load),
        });
    }
    let letter = if own.policy == Policy::Adaptive { Policy::Spare } else { own.policy };
    let uwsgi = Settings { policy: letter, pace: Pace::Ticks, ..own.clone() };
    if !is_fixed {
        all.push(foreign(world, load, Scaler::policy(uwsgi)));
    }
    all.push(foreign(world, load, Scaler::php_fpm(2, 1, 3, own.maximum.max(3))));
    all.push(foreign(world, load, Scaler::franken_php(own.minimum.max(1), own.maximum)));
    all
}

fn fixed_ini(workers: u32) -> Vec<String> {
    vec![format!("workers = {workers}"), "; and no line with cheaper".to_owned()]
}

fn offered(world: &World, load: &Load, settings: Settings) -> Candidate {
    let ini = Some(ini(&settings));
    Candidate { ini, trial: Trial::of(Scaler::policy(settings), world, load) }
}

fn foreign(world: &World, load: &Load, scaler: Scaler) -> Candidate {
    Candidate { ini: None, trial: Trial::of(scaler, world, load) }
}

fn ini(settings: &Settings) -> Vec<String> {
    if settings.minimum == settings.maximum {
        return fixed_ini(settings.maximum);
    }
    let mut lines = vec![format!("workers = {}", settings.maximum), format!("cheaper = {}", settings.minimum)];
    if settings.initial != settings.minimum {
        lines.push(format!("cheaper-initial = {}", settings.initial));
    }
    lines.push(format!("cheaper-algo = {}", settings.policy.name()));
    match settings.policy {
        Policy::Adaptive if settings.target_wait_us != TARGET_WAIT_US => {
            lines.push(format!("cheaper-target-wait = {}", settings.target_wait_us / 1000));
        }
        Policy::Adaptive | Policy::Manual => {}
        _ => {
            lines.push(format!("cheaper-step = {}", settings.step));
            lines.push(format!("cheaper-overload = {}", settings.overload));
        }
    }
    lines
}

/// Everything for one load: the table, the file's own policy over time, the suggestion and what it means for the machine.
pub fn text(world: &World, load: &Load, candidates: &[Candidate]) -> String {
    let mut text = String::new();
    let seconds = load.until_us as f64 / 1e6;
    let requests = candidates.first().map_or(0, |own| own.trial.outcome.arrived);
    let erlang = load.erlang_milli() as f64 / 1e3;
    let _ = writeln!(text, "{}: {requests} requests in {seconds:.0} s, {erlang:.2} in hand on average\n", load.name);
    text += &table(candidates);
    if let Some(own) = candidates.first() {
        let _ = writeln!(text, "\nworkers over time, {} (your file)", own.trial.name);
        text += &picture::workers_text(&own.trial.outcome, 72, 8);
    }
    text + &suggestion(world, candidates)
}

fn table(candidates: &[Candidate]) -> String {
    let mut text = format!(
        "{:<36} {:>10} {:>6} {:>5} {:>9} {:>9} {:>8} {:>8} {:>7}\n",
        "policy", "worker-s", "mean", "most", "p50 ms", "p99 ms", "late %", "refused", "forks"
    );
    let mut rows: Vec<(String, Vec<&str>)> = Vec::new();
    for candidate in candidates {
        let figures = figures(&candidate.trial);
        match rows.iter_mut().find(|(same, _)| *same == figures) {
            Some((_, names)) => names.push(&candidate.trial.name),
            None => rows.push((figures, vec![&candidate.trial.name])),
        }
    }
    for (figures, names) in rows {
        let _ = writeln!(text, "{:<36} {figures}", names[0]);
        for name in &names[1..] {
            let _ = writeln!(text, "  the same: {name}");
        }
    }
    text + COLUMNS
}

const COLUMNS: &str = "
worker-s  worker-seconds: how many workers there were, added up over time
mean most workers on average, and at most
p50, p99  half of the requests, and 99 of 100, waited no longer than this for a worker
late %    requests that waited longer than is tolerated (--late-ms)
refused   requests for which the queue (listen) had no room
forks     workers that were started
";

/// A row of the table but for its name.
fn figures(trial: &Trial) -> String {
    let run = &trial.outcome;
    format!(
        "{:>10.1} {:>6.2} {:>5} {:>9.2} {:>9.2} {:>8.3} {:>8} {:>7}",
        trial.worker_s(),
        run.workers_mean_milli() as f64 / 1e3,
        run.workers_max(),
        run.waits.quantile_us(500) as f64 / 1e3,
        run.waits.quantile_us(990) as f64 / 1e3,
        run.late_ppm() as f64 / 1e4,
        run.refused,
        run.forks
    )
}

/// The cheapest of what rhinod offers that is late hardly more often than the best of it.
pub fn suggested(candidates: &[Candidate]) -> Option<&Candidate> {
    let offered = || candidates.iter().filter(|candidate| candidate.ini.is_some());
    let best = offered().map(|candidate| candidate.trial.outcome.late_ppm()).min()?;
    let arrived = candidates.first()?.trial.outcome.arrived.max(1);
    let tolerated = LATE_TOLERATED_PPM.max(LATE_TOLERATED * 1_000_000 / arrived);
    let good = offered().filter(|candidate| candidate.trial.outcome.late_ppm() <= best + best / 5 + tolerated);
    good.min_by_key(|candidate| candidate.trial.outcome.worker_us)
}

fn suggestion(world: &World, candidates: &[Candidate]) -> String {
    let (Some(own), Some(best)) = (candidates.first(), suggested(candidates)) else { return String::new() };
    if own == best {
        return format!("\nsuggestion: keep what the file says\n{}", demand(world, &own.trial));
    }
    let mut text = format!(
        "\nsuggestion ({:.3} % late instead of {:.3} %, {:.0} worker-seconds instead of {:.0}):\n",
        best.trial.outcome.late_ppm() as f64 / 1e4,
        own.trial.outcome.late_ppm() as f64 / 1e4,
        best.trial.worker_s(),
        own.trial.worker_s()
    );
    for line in best.ini.iter().flatten() {
        let _ = writeln!(text, "    {line}");
    }
    text + &demand(world, &best.trial)
}

/// What the busiest moment of a run takes of the machine and of a database.
fn demand(world: &World, trial: &Trial) -> String {
    let most = trial.outcome.workers_max();
    let worker_mb = world.worker_rss_bytes >> 20;
    format!(
        "at its busiest {most} workers: {} MB of memory ({worker_mb} MB each, --worker-mb), and {} database connections if each \
         thread holds one\n",
        u64::from(most) * worker_mb,
        most.saturating_mul(world.threads)
    )
}

#[cfg(test)]
mod tests {
    use super::{candidates, suggested, text};
    use crate::config::model::Policy;
    use crate::scaling::Pace;
    use crate::scaling::fixture::settings;
    use crate::scaling::simulator::load::{Service, poisson};
    use crate::scaling::simulator::{Job, Load, World};

    #[test]
    fn a_backlog_file_under_a_step_is_told_to_use_adaptive() {
        let rate = |at: f64| if at < 20.0 { 5.0 } else { 150.0 };
        let load = Load::open("step", poisson(3, 60, 150.0, rate, Service::Exponential(50_000), 20));
        let mut own = settings(Policy::Backlog, Pace::Events, 1, 20);
        own.overload = 20;
        let candidates = candidates(&World::default(), &load, &own);
        let best = suggested(&candidates).and_then(|best| best.ini.clone()).unwrap_or_default();
        assert!(best.contains(&"cheaper-algo = adaptive".to_owned()), "{best:?}");
        let text = text(&World::default(), &load, &candidates);
        assert!(text.contains("MB of memory (40 MB each") && text.contains("database connections"), "{text}");
        assert!(text.contains("suggestion (") && text.contains("workers over time"), "{text}");
    }

    /// Two requests at once on one worker, and again much later: one in a hundred is late, which 20 workers are not for.
    #[test]
    fn one_late_request_of_a_short_log_is_no_reason_for_a_fixed_pool() {
        let job = |at_us| Job { at_us, compute_us: 0, wait_us: 50_000 };
        let together = std::iter::repeat_n(job(5_000_000), 2);
        let load = Load::open("short", (0..100).map(|number| job(number * 100_000)).chain(together).collect());
        let world = World { boot_us: 30_000, ..World::default() };
        let own = settings(Policy::Adaptive, Pace::Events, 2, 20);
        let candidates = candidates(&world, &load, &own);
        let late: Vec<u64> = candidates.iter().map(|candidate| candidate.trial.outcome.late_ppm()).collect();
        assert!(late[0] > 1_000 && late.contains(&0), "{late:?}");
        let best = suggested(&candidates).expect("a suggestion");
        assert!(best.trial.worker_s() <= candidates[0].trial.worker_s(), "{best:?}");
    }

    #[test]
    fn a_file_without_cheaper_is_a_fixed_pool_and_equal_rows_are_one() {
        let load = Load::open("heavy", poisson(3, 20, 20.0, |_| 20.0, Service::Fixed(50_000), 20));
        let candidates = candidates(&World::default(), &load, &settings(Policy::Manual, Pace::Events, 4, 4));
        assert_eq!(candidates[0].trial.name, "fixed 4");
        assert_eq!(candidates[0].ini.as_deref().map(|lines| lines[0].clone()), Some("workers = 4".to_owned()));
        let table = super::table(&candidates);
        assert_eq!(table.matches("fixed 4").count(), 1, "{table}");
        let twice = super::table(&[candidates[0].clone(), candidates[0].clone()]);
        assert!(twice.contains("  the same: fixed 4\n"), "{twice}");
        let suggests = candidates[1].ini.as_ref().is_some_and(|lines| lines.contains(&"cheaper = 2".to_owned()));
        assert!(suggests, "what `cheaper` would do is tried: {:?}", candidates[1].ini);
        assert!(table.contains("late %    requests"), "{table}");
    }

    #[test]
    fn too_few_workers_are_noticed() {
        let load = Load::open("heavy", poisson(3, 60, 200.0, |_| 200.0, Service::Exponential(50_000), 20));
        let own = settings(Policy::Adaptive, Pace::Events, 1, 5);
        let candidates = candidates(&World::default(), &load, &own);
        let best = suggested(&candidates).map(|best| best.trial.outcome.workers_max()).unwrap_or(0);
        assert!(best > 10, "{best}");
    }
}
