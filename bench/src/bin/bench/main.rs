//! `bench`: runs the scenarios, prints their tables, writes them as JSON. `make bench` calls it.
//!
//! Only the command line and the order of things are here. Exit code 0: every scenario ran; 1: with `--strict`, a
//! target was missed; 2: something could not be measured; 130: interrupted. Servers that it started are ended in every
//! case but SIGKILL.

mod micro;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use lexopt::prelude::*;
use rhinod_bench::findings::Findings;
use rhinod_bench::lab::{Error, Lab, Sizes};
use rhinod_bench::scenario::{ALL, Scenario};
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

const USAGE: &str = "\
usage: bench [options] [scenario...]
  --rounds N        how often each contender is started and measured (9)
  --requests N      requests of one CPU measurement (60000)
  --clients N       clients of the CPU measurements (8)
  --seconds N       cut loads of half a minute and more short, to try a scenario out
  --no-rivals       leave out uWSGI and gunicorn
  --root DIR        the project (where this program was built)
  --programs DIR    built programs (where this program is)
  --out DIR         where JSON goes (bench beside the programs' directory)
  --strict          exit code 1 when a target is missed
  --list            name the scenarios
Without a scenario all of them run.";

const MICRO: Scenario =
    Scenario { name: "micro", about: "reading a configuration, one scaling decision", run: micro::run };

/// What the command line said.
struct Given {
    sizes: Sizes,
    rivals: bool,
    root: PathBuf,
    programs: Option<PathBuf>,
    out: Option<PathBuf>,
    strict: bool,
    show: Option<Show>,
    names: Vec<String>,
}

enum Show {
    Help,
    List,
}

/// How the run ended, worst last.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Met,
    Missed,
    Broken,
    Interrupted,
}

fn main() -> ExitCode {
    let given = match parse(lexopt::Parser::from_env()) {
        Ok(given) => given,
        Err(error) => return refuse(&format!("{error}\n{USAGE}")),
    };
    match given.show {
        Some(Show::Help) => say(USAGE),
        Some(Show::List) => all().iter().for_each(|scenario| say(&format!("{:<10} {}", scenario.name, scenario.about))),
        None => return measure(given),
    }
    ExitCode::SUCCESS
}

/// Prints a line. Whoever listened may have gone; the JSON is written all the same.
fn say(line: &str) {
    let _heard = writeln!(io::stdout(), "{line}");
}

fn refuse(message: &str) -> ExitCode {
    eprintln!("bench: {message}");
    ExitCode::from(2)
}

fn parse(mut arguments: lexopt::Parser) -> Result<Given, lexopt::Error> {
    let mut given = Given {
        sizes: Sizes { rounds: 9, requests: 60_000, clients: 8, time_max: None },
        rivals: true,
        root: Path::new(env!("CARGO_MANIFEST_DIR")).join(".."),
        programs: None,
        out: None,
        strict: false,
        show: None,
        names: Vec::new(),
    };
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("rounds") => given.sizes.rounds = arguments.value()?.parse()?,
            Long("requests") => given.sizes.requests = arguments.value()?.parse()?,
            Long("clients") => given.sizes.clients = arguments.value()?.parse()?,
            Long("seconds") => given.sizes.time_max = Some(Duration::from_secs(arguments.value()?.parse()?)),
            Long("no-rivals") => given.rivals = false,
            Long("root") => given.root = arguments.value()?.into(),
            Long("programs") => given.programs = Some(arguments.value()?.into()),
            Long("out") => given.out = Some(arguments.value()?.into()),
            Long("strict") => given.strict = true,
            Long("list") => given.show = Some(Show::List),
            Long("help") | Short('h') => given.show = Some(Show::Help),
            Value(name) => given.names.push(name.string()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok(given)
}

fn measure(given: Given) -> ExitCode {
    let strict = given.strict;
    match prepare(given) {
        Err(message) => refuse(&message),
        Ok((lab, out, scenarios)) => match run_all(&lab, &out, &scenarios) {
            Verdict::Met => ExitCode::SUCCESS,
            Verdict::Missed => ExitCode::from(u8::from(strict)),
            Verdict::Broken => ExitCode::from(2),
            Verdict::Interrupted => ExitCode::from(130),
        },
    }
}

fn prepare(given: Given) -> Result<(Lab, PathBuf, Vec<Scenario>), String> {
    let scenarios = chosen(&given.names)?;
    let beside = std::env::current_exe().map_err(|error| error.to_string())?;
    let absolute = |path: &Path| path.canonicalize().map_err(|error| format!("{}: {error}", path.display()));
    let programs = absolute(given.programs.as_deref().or(beside.parent()).unwrap_or(Path::new(".")))?;
    let out = given.out.unwrap_or_else(|| programs.with_file_name("bench"));
    fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, stop.clone()).map_err(|error| error.to_string())?;
    }
    let root = absolute(&given.root)?;
    let lab = Lab { programs, root, sizes: given.sizes, rivals: given.rivals, python: None, stop };
    Ok((lab, out, scenarios))
}

fn all() -> Vec<Scenario> {
    ALL.iter().copied().chain([MICRO]).collect()
}

fn chosen(names: &[String]) -> Result<Vec<Scenario>, String> {
    let all = all();
    let find = |name: &String| {
        let known = || all.iter().map(|scenario| scenario.name).collect::<Vec<_>>().join(", ");
        let found = all.iter().find(|scenario| scenario.name == name);
        found.copied().ok_or_else(|| format!("no scenario {name}; there are: {}", known()))
    };
    if names.is_empty() { Ok(all) } else { names.iter().map(find).collect() }
}

fn run_all(lab: &Lab, out: &Path, scenarios: &[Scenario]) -> Verdict {
    let mut verdict = Verdict::Met;
    for scenario in scenarios {
        say(&format!("== {}: {}", scenario.name, scenario.about));
        if let Some(most) = lab.sizes.time_max {
            say(&format!(
                "  tried out only: no load goes on for longer than {} s, whatever a table says",
                most.as_secs()
            ));
        }
        let one = match (scenario.run)(lab) {
            Ok(findings) => conclude(&findings, scenario, lab, out),
            Err(Error::Interrupted) => Verdict::Interrupted,
            Err(error) => {
                say(&format!("  could not be measured: {error}"));
                Verdict::Broken
            }
        };
        say("");
        let over = one == Verdict::Interrupted;
        verdict = verdict.max(one);
        if over {
            break;
        }
    }
    verdict
}

fn conclude(findings: &Findings, scenario: &Scenario, lab: &Lab, out: &Path) -> Verdict {
    say(findings.render().trim_end());
    let mut value = findings.value(scenario.name);
    value["machine"] = machine();
    value["cut_to_s"] = json!(lab.sizes.time_max.map(|most| most.as_secs()));
    let path = out.join(format!("{}.json", scenario.name));
    if let Err(error) = fs::write(&path, format!("{value:#}\n")) {
        say(&format!("  {}: {error}", path.display()));
        return Verdict::Broken;
    }
    match (findings.complete(), findings.met()) {
        (false, _) => Verdict::Broken,
        (true, false) => Verdict::Missed,
        (true, true) => Verdict::Met,
    }
}

/// What the numbers depend on.
fn machine() -> serde_json::Value {
    let first_line = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    json!({
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "kernel": first_line("/proc/sys/kernel/osrelease"),
        "load": first_line("/proc/loadavg"),
    })
}
