//! Equal pages kept once (`ksm`): what idle workers hold with and without it, and what the kernel's merging takes for that.
//!
//! Only where the merging runs (`echo 1 > /sys/kernel/mm/ksm/run`), which is the machine's to decide. Runs in the measuring
//! process.

use std::fs;
use std::time::{Duration, Instant};

use super::memory::weigh;
use super::refork;
use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab};
use crate::proc;
use crate::scenario::{in_turns, series_of};
use crate::server::Server;

const KERNEL: &str = "/sys/kernel/mm/ksm";
const MERGER: &str = "ksmd";
const OPTION: &str = "ksm";
/// A page is merged when it was the same twice.
const SCANS: u64 = 3;
const WAIT_MAX: Duration = Duration::from_secs(240);

/// What came of it for one server.
struct Sample {
    before_kib: u64,
    after_kib: u64,
    merger_s: f64,
    seconds: f64,
}

pub(super) fn run(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    if figure("run") != Some(1) {
        findings.leave_out(OPTION, &format!("the kernel merges nothing: echo 1 > {KERNEL}/run, as root, has it do so"));
        return Ok(findings);
    }
    let site = refork::site(Contender::Django);
    let merged = site.clone().option(OPTION, 1).named(&format!("{}, {OPTION}", site.name()));
    let setups = [site.clone(), merged.clone()];
    let series = in_turns(lab, 1, &setups, &mut findings, |setup, server| {
        refork::visit(lab, server)?;
        merge(lab, setup, server)
    })?;
    let columns = ["contender", "whole tree PSS KiB before", "after", "CPU s of ksmd", "seconds"];
    let mut table = Table::new("Idle workers while the kernel looks for equal pages", &columns);
    for (name, sample) in series.iter().flat_map(|one| one.samples.iter().map(|sample| (&one.name, sample))) {
        table.row(vec![
            Cell::text(name),
            Cell::count(sample.before_kib),
            Cell::count(sample.after_kib),
            Cell::Number(sample.merger_s, 2),
            Cell::Number(sample.seconds, 0),
        ]);
    }
    findings.tables.push(table);
    let held = |setup: &Setup| Some(series_of(&series, setup.name())?.samples.first()?.after_kib as f64);
    if let Some((with, without)) = held(&merged).zip(held(&site)) {
        let what = "PSS of the tree with ksm, times that without";
        findings.checks.push(Check::new(what, with / without, Target::AtMost(1.0)));
    }
    Ok(findings)
}

/// Lets the kernel look at all pages as often as it takes, where it may merge any.
fn merge(lab: &Lab, setup: &Setup, server: &Server) -> Result<Sample, Error> {
    let before_kib = weigh(server)?.tree_proportional_kib;
    let (began, scanned, worked) = (Instant::now(), figure("full_scans").unwrap_or(0), merger_time());
    if setup.has(OPTION) {
        let most = lab.at_most(WAIT_MAX);
        while figure("full_scans").unwrap_or(0) < scanned + SCANS && began.elapsed() < most {
            lab.pause(Duration::from_secs(1))?;
        }
    }
    let merger_s = merger_time().saturating_sub(worked).as_secs_f64();
    let after_kib = weigh(server)?.tree_proportional_kib;
    Ok(Sample { before_kib, after_kib, merger_s, seconds: began.elapsed().as_secs_f64() })
}

fn figure(name: &str) -> Option<u64> {
    fs::read_to_string(format!("{KERNEL}/{name}")).ok()?.trim().parse().ok()
}

/// The processor time of the kernel's thread that merges, so far; none where it is not seen, as in a container.
fn merger_time() -> Duration {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_merger =
        |pid: &String| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == MERGER);
    let pids = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let merger = pids.filter(is_merger).find_map(|pid| proc::Pid::from_raw(pid.parse().ok()?));
    merger.map_or(Duration::ZERO, |pid| proc::cpu_time(&proc::tree(pid)))
}
