//! How soon a server answers: after exec, and after its only worker was killed.

use std::time::Duration;

use rustix::process::{Signal, kill_process};

use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target, spread_cells};
use crate::lab::{Error, Lab};
use crate::scenario::{Series, in_turns, running, series_of};
use crate::server::Server;
use crate::statistics::Spread;

/// The project's bound for both, in milliseconds.
const BOUND_MS: f64 = 50.0;
/// Between kills: longer than a worker must live not to count as dying at once (uWSGI's `forkbomb-delay` is 2 s).
const BETWEEN_KILLS: Duration = Duration::from_millis(2_200);
const KILLS: usize = 5;

/// From before exec to the first whole answer.
pub(super) fn first_answer(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let setups = [Contender::Hello, Contender::Uwsgi].map(|contender| Setup::pool(contender, 2));
    let setups = running(lab, &setups, &mut findings)?;
    let mut series: Vec<Series<f64>> = setups.iter().map(|setup| Series::new(setup.name())).collect();
    for _ in 0..lab.sizes.rounds.max(1) * 2 {
        for (setup, series) in setups.iter().zip(&mut series) {
            let mut server = Server::start(setup.launch(lab)?)?;
            series.samples.push(millis(server.wait_ready(lab)?));
        }
    }
    conclude(&mut findings, "From exec to the first answer", &series);
    Ok(findings)
}

/// From SIGKILL of the only worker to the next answer.
pub(super) fn respawn(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let setups = [Contender::Hello, Contender::Uwsgi].map(|contender| Setup::pool(contender, 1));
    let runs = in_turns(lab, 1, &setups, &mut findings, |_, server| kill_repeatedly(lab, server))?;
    let series: Vec<Series<f64>> = runs
        .into_iter()
        .map(|run| Series { name: run.name, samples: run.samples.into_iter().flatten().collect() })
        .collect();
    conclude(&mut findings, "From kill -9 of the only worker to the next answer", &series);
    Ok(findings)
}

fn kill_repeatedly(lab: &Lab, server: &mut Server) -> Result<Vec<f64>, Error> {
    let mut times_ms = Vec::new();
    for _ in 0..KILLS {
        lab.pause(BETWEEN_KILLS)?;
        let workers = server.workers();
        let [worker] = workers.as_slice() else {
            return Err(server.error(format!("one worker expected, these are there: {workers:?}")));
        };
        kill_process(*worker, Signal::KILL).map_err(|errno| server.error(format!("kill: {errno}")))?;
        times_ms.push(millis(server.wait_answering(lab)?));
    }
    Ok(times_ms)
}

fn conclude(findings: &mut Findings, title: &str, series: &[Series<f64>]) {
    let mut table = Table::new(title, &["contender", "ms median", "ms min", "ms max"]);
    for one in series {
        let mut cells = vec![Cell::text(&one.name)];
        cells.extend(spread_cells(Spread::of(&one.samples), 2));
        table.row(cells);
    }
    findings.tables.push(table);
    if let Some(spread) = series_of(series, "rhinod hello").and_then(|hello| Spread::of(&hello.samples)) {
        findings.checks.push(Check::new("rhinod hello, ms (worst run)", spread.max, Target::AtMost(BOUND_MS)));
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
