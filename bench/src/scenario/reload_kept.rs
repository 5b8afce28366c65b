//! 200 reloads under 100 clients that keep their connections to the router: none of them may notice anything. The same with TLS is a
//! test (`tls::clients_that_keep_their_connections_with_tls_notice_no_reload`), since the load generator speaks no TLS.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab, io_error};
use crate::scenario::in_turns;
use crate::server::Server;
use loadgen::client::{Report, Until};

const CLIENTS: usize = 100;
const RELOADS: usize = 200;
/// Each takes some tenths of a second.
const RELOADS_SHORT: usize = 5;
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(10);

pub(super) fn run(lab: &Lab) -> Result<Findings, Error> {
    let reloads = if lab.sizes.time_max.is_some() { RELOADS_SHORT } else { RELOADS };
    let mut findings = Findings::default();
    let setup = Setup::pool(Contender::Hello, 2).behind_router();
    let series = in_turns(lab, 1, &[setup], &mut findings, |_, server| measure(lab, server, reloads))?;
    let title = format!("{reloads} reloads under {CLIENTS} clients that keep their connections to the router");
    let mut table = Table::new(title, &["contender", "completed", "failed", "longest wait ms", "p99 ms"]);
    for (name, report) in series.iter().flat_map(|one| one.samples.iter().map(|sample| (&one.name, sample))) {
        table.row(vec![
            Cell::text(name),
            Cell::count(report.counts.ok),
            Cell::count(report.counts.failed()),
            Cell::Number(report.latency.max_us / 1e3, 1),
            Cell::Number(report.latency.p99_us / 1e3, 1),
        ]);
        findings.checks.push(Check::new("requests that failed", report.counts.failed() as f64, Target::AtMost(0.0)));
    }
    findings.tables.push(table);
    Ok(findings)
}

fn measure(lab: &Lab, server: &Server, reloads: usize) -> Result<Report, Error> {
    // It is stopped when the reloads are over.
    let load = server.load(CLIENTS, Until::Requests(u64::MAX))?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let client = scope.spawn(|| load.run(&over));
        let reloaded = (2..).take(reloads).try_for_each(|generation| reload(lab, server, generation));
        over.store(true, Ordering::Relaxed);
        let report = client.join().map_err(|_| server.error("the client's thread panicked"))?;
        reloaded.and(report.map_err(io_error("a load that goes on")))
    })
}

fn reload(lab: &Lab, server: &Server, generation: usize) -> Result<(), Error> {
    server.signal(Signal::HUP)?;
    let done = format!("reload done: generation {generation} serves");
    let since = Instant::now();
    while !server.log().contains(&done) {
        if since.elapsed() > PATIENCE {
            return Err(server.error(format!("no reload within {PATIENCE:?}")));
        }
        lab.pause(LOOK_EVERY)?;
    }
    Ok(())
}
