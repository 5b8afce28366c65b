//! What a server does when there is nothing to do: context switches of all its threads.

use std::time::Duration;

use crate::contender::{Contender, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab};
use crate::proc;
use crate::scenario::in_turns;

const LOOK: Duration = Duration::from_secs(10);
/// After the first answer: start-up is over.
const SETTLE: Duration = Duration::from_secs(2);
/// The project's bound: all processes together.
const SWITCHES_MAX: f64 = 5.0;

pub(super) fn run(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let adaptive = |contender| Setup::pool(contender, 20).option("cheaper", 2).option("cheaper-initial", 2);
    let setups = [adaptive(Contender::Hello), adaptive(Contender::Uwsgi)];
    let series = in_turns(lab, 1, &setups, &mut findings, |_, server| {
        lab.pause(SETTLE)?;
        let before = proc::context_switches(&server.tree());
        lab.pause(LOOK)?;
        let tree = server.tree();
        Ok((proc::context_switches(&tree).saturating_sub(before), tree.len()))
    })?;
    let mut table = Table::new("Idle for 10 s, 2 to 20 workers", &["contender", "processes", "context switches"]);
    for one in &series {
        for (switches, processes) in &one.samples {
            table.row(vec![Cell::text(&one.name), Cell::count(*processes as u64), Cell::count(*switches)]);
            if one.name == "rhinod hello" {
                let check = Check::new("context switches in 10 s", *switches as f64, Target::AtMost(SWITCHES_MAX));
                findings.checks.push(check);
            }
        }
    }
    findings.tables.push(table);
    Ok(findings)
}
