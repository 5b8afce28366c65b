//! Five hundred vassals of one Emperor: how long until all serve, what the Emperor costs, how soon a touched file is heard of,
//! what becomes of a thousand files that are replaced in a second, of one that crashes, and what sleeping ones cost.

mod realm;

use std::fs;
use std::time::{Duration, Instant, SystemTime};

use realm::Realm;

use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab, io_error};
use crate::proc;

const VASSALS: usize = 500;
/// The project's bounds.
const ALL_WITHIN_S: f64 = 60.0;
const EMPEROR_MIB: f64 = 10.0;
const HEARD_WITHIN_MS: f64 = 100.0;
/// How many may be starting at the same time, as the Emperor is told.
const STARTS: usize = 4;
/// How many files are touched, one after the other.
const TOUCHES: usize = 20;
/// How many files are replaced in a second.
const REPLACED: usize = 1_000;
/// When all is to have settled.
const SETTLED_WITHIN: Duration = Duration::from_secs(300);
/// How long sleeping ones are watched.
const LOOK: Duration = Duration::from_secs(10);

/// The one that cannot start, and what it should be told to wait, in seconds, for as long as is looked.
const BAD: &str = "bad.ini";
const WAITS_S: [&str; 4] = ["1", "2", "4", "8"];

pub(super) fn run(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    serving(lab, &mut findings)?;
    sleeping(lab, &mut findings)?;
    Ok(findings)
}

fn name(number: usize) -> String {
    format!("site{number}.ini")
}

fn text(number: usize, greeting: &str) -> String {
    format!("[uwsgi]\nsocket = {{dir}}/{number}.sock\nworkers = 1\ndisable-logging = true\napp-greeting = {greeting}\n")
}

/// All of them with a process each, and one that cannot start.
fn serving(lab: &Lab, findings: &mut Findings) -> Result<(), Error> {
    let mut files: Vec<(String, String)> = (0..VASSALS).map(|number| (name(number), text(number, "first"))).collect();
    files.push((BAD.to_owned(), "[uwsgi]\nsocket = {dir}/bad.sock\nlisten = many\n".to_owned()));
    let realm = Realm::start(lab, &files, &["--emperor-starts", &STARTS.to_string()])?;
    let mut starting_max = 0;
    let all_serve = realm.wait_until(lab, "all serve", SETTLED_WITHIN, || {
        let told = realm.told().unwrap_or_default();
        let count = |state| told.iter().filter(|vassal| vassal.state == state).count();
        starting_max = starting_max.max(count("starting"));
        count("running") == VASSALS
    })?;
    let healthy = realm.told().unwrap_or_default().iter().filter(|vassal| !vassal.failures).count();
    let memory = proc::memory(realm.server.pid()).map_err(io_error("the Emperor's memory"))?;
    let (heard, processes) = (touch(lab, &realm)?, realm.server.tree().len());
    let wrong = replace(lab, &realm)?;
    let waits: Vec<String> = realm
        .lines_with(&format!("vassal {BAD} failed"))
        .iter()
        .filter_map(|line| Some(line.rsplit_once("the next try in ")?.1.trim_end_matches(" s").to_owned()))
        .collect();
    let kept = waits.iter().zip(WAITS_S).take_while(|(wait, expected)| wait == expected).count();

    let columns =
        ["processes", "all serve after s", "starting at once", "Emperor MiB (RSS)", "heard of after ms (longest)"];
    let mut table = Table::new(format!("{VASSALS} vassals with one worker each"), &columns);
    let (seconds, mib) = (all_serve.as_secs_f64(), memory.resident_kib as f64 / 1024.0);
    table.row(vec![
        Cell::count(processes as u64),
        Cell::Number(seconds, 1),
        Cell::count(starting_max as u64),
        Cell::Number(mib, 1),
        Cell::Number(heard, 1),
    ]);
    findings.tables.push(table);
    findings.checks.extend([
        Check::new("all serve after s", seconds, Target::AtMost(ALL_WITHIN_S)),
        Check::new("starting at once", starting_max as f64, Target::AtMost((STARTS + 1) as f64)),
        Check::new("vassals that never failed", healthy as f64, Target::AtLeast(VASSALS as f64)),
        Check::new("Emperor MiB", mib, Target::AtMost(EMPEROR_MIB)),
        Check::new("a touched file is heard of after ms", heard, Target::AtMost(HEARD_WITHIN_MS)),
        Check::new("of a thousand files replaced, not in the last state", wrong as f64, Target::AtMost(0.0)),
        Check::new("waits of a crashing one as they should be", kept as f64, Target::AtLeast(WAITS_S.len() as f64)),
    ]);
    Ok(())
}

/// Touches files, one after the other; after how many milliseconds the slowest one was heard of.
fn touch(lab: &Lab, realm: &Realm) -> Result<f64, Error> {
    let mut longest = Duration::ZERO;
    for number in 0..TOUCHES {
        lab.check_stop()?;
        let from = realm.log_bytes();
        let touched = Instant::now();
        fs::File::options()
            .append(true)
            .open(realm.path(&name(number)))
            .and_then(|file| file.set_modified(SystemTime::now()))
            .map_err(io_error("touch a file"))?;
        let line = format!("reload the uwsgi instance {}", name(number));
        let heard = realm.until_line(touched, from, &line);
        longest = longest.max(heard.ok_or_else(|| realm.server.error("a touched file was never heard of"))?);
    }
    Ok(longest.as_secs_f64() * 1e3)
}

/// Puts a thousand files in the place of others within a second; how many vassals do not come to say what the last one has.
fn replace(lab: &Lab, realm: &Realm) -> Result<usize, Error> {
    let began = Instant::now();
    let mut last = vec![String::new(); VASSALS];
    for step in 0..REPLACED {
        let number = step % VASSALS;
        last[number] = format!("text {step}");
        realm.put(&name(number), &text(number, &last[number]))?;
        let due = Duration::from_secs(1).mul_f64(step as f64 / REPLACED as f64);
        lab.pause(due.saturating_sub(began.elapsed()))?;
    }
    let mut wrong: Vec<usize> = (0..VASSALS).collect();
    let settled = realm.wait_until(lab, "all say what their last file has", SETTLED_WITHIN, || {
        wrong.retain(|number| realm.greeting(&format!("{number}.sock")).as_deref() != Some(last[*number].as_str()));
        wrong.is_empty()
    });
    match settled {
        Ok(_) | Err(Error::Server { .. }) => Ok(wrong.len()),
        Err(error) => Err(error),
    }
}

/// All of them asleep.
fn sleeping(lab: &Lab, findings: &mut Findings) -> Result<(), Error> {
    let files: Vec<(String, String)> =
        (0..VASSALS).map(|number| (name(number), "[uwsgi]\nworkers = 1\n".to_owned())).collect();
    let realm = Realm::start(lab, &files, &["--emperor-on-demand-directory", "."])?;
    realm.wait_until(lab, "all sleep", SETTLED_WITHIN, || realm.count("asleep") == VASSALS)?;
    lab.pause(Duration::from_secs(2))?;
    let before = proc::context_switches(&realm.server.tree());
    lab.pause(LOOK)?;
    let tree = realm.server.tree();
    let switches = proc::context_switches(&tree).saturating_sub(before);
    let memory = proc::memory(realm.server.pid()).map_err(io_error("the Emperor's memory"))?;
    let mib = memory.resident_kib as f64 / 1024.0;
    let columns = ["processes", "Emperor MiB (RSS)", "context switches in 10 s"];
    let mut table = Table::new(format!("{VASSALS} vassals that sleep"), &columns);
    table.row(vec![Cell::count(tree.len() as u64), Cell::Number(mib, 1), Cell::count(switches)]);
    findings.tables.push(table);
    findings.checks.extend([
        Check::new("processes of sleeping vassals", tree.len() as f64 - 1.0, Target::AtMost(0.0)),
        Check::new("Emperor of sleeping vassals, MiB", mib, Target::AtMost(EMPEROR_MIB)),
        Check::new("wake-ups in 10 s", switches as f64, Target::AtMost(0.0)),
    ]);
    Ok(())
}
