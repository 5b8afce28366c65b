//! Files that workers send: a large one to many slow clients beside the application, and small ones against nginx.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::cpu::compare_with;
use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab, Sizes, io_error};
use crate::scenario::in_turns;
use crate::server::Server;
use loadgen::client::{Crowd, Report, Until};

const SLOW: usize = 50;
const BYTES_PER_S: usize = 1 << 20;
const LARGE: u64 = 1 << 30;
const PAGE: &str = "/sleep?ms=5";
const TIME: Duration = Duration::from_secs(30);
const SETTLE: Duration = Duration::from_secs(2);

struct Sample {
    before: Report,
    beside: Report,
    mib_per_s: f64,
    lost: usize,
}

/// A file of 1 GiB to 50 clients of 1 MiB a second, by 2 workers.
pub(super) fn offloaded(lab: &Lab) -> Result<Findings, Error> {
    let directory = with_file("large", LARGE).map_err(io_error("a file of 1 GiB"))?;
    let mut findings = Findings::default();
    let setup = Setup::pool(Contender::Hello, 2).over_http(true).page(PAGE).option("offload-threads", 1);
    let setup = setup.option("static-map", format!("/files={}", directory.path().display()));
    let series = in_turns(lab, 1, &[setup], &mut findings, |_, server| beside_downloads(lab, server))?;
    let columns = ["contender", "p99 ms before", "p99 ms beside", "failed", "MiB/s to them", "cut off"];
    let mut table =
        Table::new("An application of 5 ms beside 50 clients that take 1 GiB at 1 MiB/s, 2 workers", &columns);
    for (name, sample) in series.iter().flat_map(|one| one.samples.iter().map(|sample| (&one.name, sample))) {
        let failed = sample.before.counts.failed() + sample.beside.counts.failed();
        table.row(vec![
            Cell::text(name),
            Cell::Number(sample.before.latency.p99_us / 1e3, 2),
            Cell::Number(sample.beside.latency.p99_us / 1e3, 2),
            Cell::count(failed),
            Cell::Number(sample.mib_per_s, 1),
            Cell::count(sample.lost as u64),
        ]);
        let ratio = sample.beside.latency.p99_us / sample.before.latency.p99_us;
        findings.checks.extend([
            Check::new("p99 of the application, times that of before", ratio, Target::AtMost(1.2)),
            Check::new("requests that failed", failed as f64, Target::AtMost(0.0)),
            Check::new("MiB a second to the slow ones", sample.mib_per_s, Target::AtLeast(0.9 * SLOW as f64)),
            Check::new("downloads that were cut off", sample.lost as f64, Target::AtMost(0.0)),
        ]);
    }
    findings.tables.push(table);
    Ok(findings)
}

fn beside_downloads(lab: &Lab, server: &Server) -> Result<Sample, Error> {
    let time = lab.at_most(TIME);
    let load = server.load(2, Until::Elapsed(time))?;
    let before = lab.run(&load)?;
    let mut crowd = Crowd::connect(&server.target(), SLOW).map_err(io_error("slow clients"))?;
    crowd.say(b"GET /files/large HTTP/1.1\r\nHost: app.example\r\n\r\n").map_err(io_error("slow clients"))?;
    let over = AtomicBool::new(false);
    let (beside, read) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let read = crowd.read_slowly(BYTES_PER_S, || over.load(Ordering::Relaxed))?;
            Ok((read, crowd.lost()))
        });
        let beside = lab.pause(SETTLE).and_then(|()| lab.run(&load));
        over.store(true, Ordering::Relaxed);
        (beside, reading.join())
    });
    let read = read.map_err(|_| server.error("the thread of the slow clients panicked"))?;
    let (read, lost) = read.map_err(io_error("slow clients"))?;
    let mib_per_s = read as f64 / f64::from(1 << 20) / (time + SETTLE).as_secs_f64();
    Ok(Sample { before, beside: beside?, mib_per_s, lost })
}

/// Files of 1 KiB and of 1 MiB, against nginx.
pub(super) fn against_nginx(lab: &Lab) -> Result<Findings, Error> {
    let mut all = Findings::default();
    for (name, page, bytes, share) in [("1 KiB", "/1k", 1 << 10, 1), ("1 MiB", "/1m", 1 << 20, 50)] {
        let directory = with_file(&page[1..], bytes).map_err(io_error("a file"))?;
        let setups = [Contender::NginxFiles, Contender::Hello].map(|contender| {
            let setup = Setup::pool(contender, 2).over_http(true).page(page);
            setup.option("check-static", directory.path().display())
        });
        let sizes = Sizes { requests: lab.sizes.requests.div_ceil(share), ..lab.sizes };
        let lab = Lab { sizes, ..lab.clone() };
        let (mut findings, ratio) = compare_with(&lab, &format!("A file of {name}"), &setups, "rhinod hello", "nginx")?;
        if let Some(ratio) = ratio {
            let what = format!("{name}: CPU time of rhinod / nginx");
            findings.checks.push(Check::new(what, ratio.median, Target::AtMost(1.5)));
        }
        all.take_in(findings);
    }
    Ok(all)
}

/// A directory with a file of so many bytes, which takes no room.
fn with_file(name: &str, bytes: u64) -> io::Result<TempDir> {
    let directory = tempfile::Builder::new().prefix("rhinod-bench-files-").tempdir()?;
    File::create(directory.path().join(Path::new(name)))?.set_len(bytes)?;
    Ok(directory)
}
