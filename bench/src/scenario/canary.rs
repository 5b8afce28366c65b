//! Deployments with a canary, under load: good ones, ones that fail at one request in five, ones that are three times as
//! slow, in random order. Which verdicts are wrong, whom the new code meets until then, and what is lost when workers are
//! killed meanwhile.

use std::fs;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;
use rustix::process::{Signal, kill_process};

use crate::contender::{Contender, MISDEED_FILE, Setup};
use crate::findings::{Cell, Check, Findings, Table, Target};
use crate::lab::{Error, Lab, io_error};
use crate::scenario::metrics::Metrics;
use crate::server::Server;
use crate::statistics::Spread;
use loadgen::client::{Counts, Report, Until};

const WORKERS: usize = 9;
const CLIENTS: usize = 8;
/// A page that takes 5 ms.
const PATH: &str = "/sleep?ms=5";
/// One worker of ten is the canary's, when it is there.
const SHARE: f64 = 0.1;
const TRIAL_SECONDS: u64 = 1;
const TRIAL_REQUESTS: u64 = 50;
/// Longer than all of it takes.
const LONG: Duration = Duration::from_secs(24 * 3_600);
const PID_FILE: &str = "pid";
const METRICS: &str = "metrics.sock";
/// What is said of a process that was killed.
const KILLED: &str = "killed by signal 9";
/// What the log says of a generation that has passed.
const PASSED: &str = "takes over: ";
const SEED: u64 = 22;
/// With five rounds a hundred deployments of each kind are judged, and a thousand of all kinds are disturbed.
const JUDGED_EACH_ROUND: usize = 20;
const DISTURBED_EACH_ROUND: usize = 200;
/// The project's bounds. Of a hundred good ones one may be refused; bad ones are found.
const WRONG_MAX: [f64; 3] = [0.01, 0.0, 0.0];
const SHARE_MAX: f64 = 1.3 * SHARE;
/// What an operator's program ends with when the new generation was refused (sysexits.h).
const REFUSED: i32 = 75;
/// Workers are killed as often as this, on the average.
const KILL_EVERY: Duration = Duration::from_secs(2);

/// What is deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Good,
    Failing,
    Slow,
}

const KINDS: [Kind; 3] = [Kind::Good, Kind::Failing, Kind::Slow];

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Failing => "fails at one in five",
            Self::Slow => "three times as slow",
        }
    }

    /// What the application is told.
    fn misdeed(self) -> &'static str {
        match self {
            Self::Good => "",
            Self::Failing => "answer fail 5\n",
            Self::Slow => "answer times 3\n",
        }
    }
}

/// What became of one deployment.
struct Deployed {
    kind: Kind,
    took_over: bool,
    seconds: f64,
    /// What was said of it.
    said: String,
}

impl Deployed {
    /// Whether it was refused since one of its processes was killed, which is no verdict.
    fn was_killed(&self) -> bool {
        !self.took_over && self.said.contains(KILLED)
    }

    fn is_wrong(&self) -> bool {
        !self.was_killed() && self.took_over != (self.kind == Kind::Good)
    }
}

/// Verdicts of deployments that nobody disturbs.
pub(super) fn judged(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let Some(server) = served(lab, &mut findings)? else { return Ok(findings) };
    let (deployed, report) =
        deploy_all(lab, &server, JUDGED_EACH_ROUND * lab.sizes.rounds / share_of_all(lab), |_| ())?;
    judge(&mut findings, &deployed);
    let columns = ["deployed", "median s", "max s", "canary's share", "max share"];
    let mut table = Table::new("until the verdict", &columns);
    for kind in KINDS {
        let of_kind = || deployed.iter().filter(move |one| one.kind == kind);
        let seconds: Vec<f64> = of_kind().map(|one| one.seconds).collect();
        let shares: Vec<f64> = of_kind().filter_map(|one| share(&one.said)).collect();
        let (seconds, shares) = (Spread::of(&seconds), Spread::of(&shares));
        let number = |value: Option<f64>, decimals| value.map_or(Cell::Nothing, |value| Cell::Number(value, decimals));
        table.row(vec![
            Cell::text(kind.name()),
            number(seconds.map(|all| all.median), 1),
            number(seconds.map(|all| all.max), 1),
            number(shares.map(|all| all.median), 3),
            number(shares.map(|all| all.max), 3),
        ]);
        if let Some(shares) = shares {
            let what = format!("{}: share of the requests", kind.name());
            findings.checks.push(Check::new(what, shares.median, Target::AtMost(SHARE_MAX)));
        }
    }
    let lost = (report.counts.failed() - report.counts.bad_status) as f64;
    findings.checks.push(Check::new("requests lost", lost, Target::AtMost(0.0)));
    findings.tables.push(table);
    Ok(findings)
}

/// The same with a random worker killed now and then: what is lost beside what the killed ones held, by their own records.
pub(super) fn disturbed(lab: &Lab) -> Result<Findings, Error> {
    let mut findings = Findings::default();
    let Some(server) = served(lab, &mut findings)? else { return Ok(findings) };
    let mut random = Rng::with_seed(SEED);
    let mut next = Instant::now();
    let mut kills = 0;
    let times = DISTURBED_EACH_ROUND * lab.sizes.rounds / KINDS.len() / share_of_all(lab);
    let (deployed, report) = deploy_all(lab, &server, times, |server| {
        if Instant::now() < next {
            return;
        }
        next = Instant::now() + KILL_EVERY.mul_f64(2.0 * random.f64());
        let workers = server.workers();
        // One that has just ended by itself does not count.
        kills += random.choice(&workers).map_or(0, |pid| u64::from(kill_process(*pid, Signal::KILL).is_ok()));
    })?;
    judge(&mut findings, &deployed);
    let metrics = Metrics::read(&server.dir().join(METRICS)).map_err(io_error("metrics"))?;
    let held = metrics.value("rhinod_lost_requests_total") as u64;
    let Counts { refused, reset, short, empty, malformed, timed_out, ok, bad_status, .. } = report.counts;
    let lost = refused + reset + short + empty + malformed + timed_out;
    let columns = ["kills", "requests", "answered 500", "held by the killed", "reset", "empty", "short", "others lost"];
    let mut table = Table::new("what clients met", &columns);
    let others = refused + malformed + timed_out;
    table.row([kills, ok + bad_status + lost, bad_status, held, reset, empty, short, others].map(Cell::count).into());
    let beside = lost.saturating_sub(held) as f64;
    findings.checks.push(Check::new("requests lost that no killed worker held", beside, Target::AtMost(0.0)));
    let for_each = lost as f64 / kills.max(1) as f64;
    findings.checks.push(Check::new("requests lost for each kill", for_each, Target::AtMost(1.0)));
    findings.tables.push(table);
    Ok(findings)
}

/// How many verdicts were right, and what was said at those that were not.
fn judge(findings: &mut Findings, deployed: &[Deployed]) {
    let columns = ["deployed", "times", "took over", "refused", "killed on trial", "wrong verdicts"];
    let title = format!("9 workers and a canary, 8 clients of 5 ms, trials of {TRIAL_SECONDS} s");
    let mut table = Table::new(title, &columns);
    let mut wrong_ones = Table::new("wrong verdicts", &["deployed", "what was said"]);
    for (kind, wrong_max) in KINDS.into_iter().zip(WRONG_MAX) {
        let of_kind = || deployed.iter().filter(move |one| one.kind == kind);
        let [times, took_over, killed, wrong]: [usize; 4] = [
            of_kind().count(),
            of_kind().filter(|one| one.took_over).count(),
            of_kind().filter(|one| one.was_killed()).count(),
            of_kind().filter(|one| one.is_wrong()).count(),
        ];
        let counts = [times, took_over, times - took_over - killed, killed, wrong];
        table.row(std::iter::once(Cell::text(kind.name())).chain(counts.map(|all| Cell::count(all as u64))).collect());
        for one in of_kind().filter(|one| one.is_wrong()) {
            wrong_ones.row(vec![Cell::text(kind.name()), Cell::text(one.said.trim())]);
        }
        let part = wrong as f64 / (times - killed).max(1) as f64;
        let what = format!("{}: wrong verdicts", kind.name());
        findings.checks.push(Check::new(what, part, Target::AtMost(wrong_max)));
    }
    findings.tables.push(table);
    if deployed.iter().any(Deployed::is_wrong) {
        findings.tables.push(wrong_ones);
    }
}

/// With `--seconds`, which part of all deployments is made.
fn share_of_all(lab: &Lab) -> usize {
    if lab.sizes.time_max.is_some() { 4 } else { 1 }
}

fn served(lab: &Lab, findings: &mut Findings) -> Result<Option<Server>, Error> {
    let setup = Setup::pool(Contender::Unsteady, WORKERS)
        .page(PATH)
        .option("pidfile", PID_FILE)
        .option("reload-canary", "10%%")
        .option("reload-canary-time", TRIAL_SECONDS)
        .option("reload-canary-requests", TRIAL_REQUESTS)
        .option("reload-canary-verdict", "keep-waiting")
        .option("metrics", METRICS);
    match setup.serve(lab) {
        Ok(server) => Ok(Some(server)),
        Err(Error::Unavailable(reason)) => {
            findings.leave_out(setup.name(), &reason);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Deploys each kind so many times, in random order, under load; `meanwhile` is called again and again.
fn deploy_all(
    lab: &Lab,
    server: &Server,
    times: usize,
    mut meanwhile: impl FnMut(&Server),
) -> Result<(Vec<Deployed>, Report), Error> {
    let mut plan: Vec<Kind> = KINDS.iter().flat_map(|kind| vec![*kind; times]).collect();
    Rng::with_seed(SEED).shuffle(&mut plan);
    let load = server.load(CLIENTS, Until::Elapsed(LONG))?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let client = scope.spawn(|| load.run(&over));
        let deployed: Result<Vec<Deployed>, Error> =
            plan.iter().map(|kind| deploy_beside_good(lab, server, *kind, &mut meanwhile)).collect();
        over.store(true, Ordering::Relaxed);
        let report = client.join().unwrap_or_else(|_| Err(std::io::Error::other("the client's thread panicked")));
        let report = report.map_err(io_error("load"))?;
        deployed.map(|deployed| (deployed, report))
    })
}

/// Deploys, and has a good one serve again where another has taken over, since a trial tells nothing but which of two is worse.
fn deploy_beside_good(
    lab: &Lab,
    server: &Server,
    kind: Kind,
    meanwhile: &mut impl FnMut(&Server),
) -> Result<Deployed, Error> {
    let deployed = deploy(lab, server, kind, meanwhile)?;
    if deployed.took_over && kind != Kind::Good {
        while !deploy(lab, server, Kind::Good, meanwhile)?.took_over {}
    }
    Ok(deployed)
}

fn deploy(lab: &Lab, server: &Server, kind: Kind, meanwhile: &mut impl FnMut(&Server)) -> Result<Deployed, Error> {
    fs::write(server.dir().join(MISDEED_FILE), kind.misdeed()).map_err(io_error("misdeed"))?;
    let started = Instant::now();
    let mut command = Command::new(lab.program("examples/unsteady")?);
    command.arg("--reload").arg(PID_FILE).current_dir(server.dir()).stdin(Stdio::null());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(io_error("the reload"))?;
    while child.try_wait().map_err(io_error("the reload"))?.is_none() {
        meanwhile(server);
        lab.pause(Duration::from_millis(10))?;
    }
    let output = child.wait_with_output().map_err(io_error("the reload"))?;
    let seconds = started.elapsed().as_secs_f64();
    let took_over = match output.status.code() {
        Some(0) => true,
        Some(REFUSED) => false,
        _ => return Err(server.error(format!("the reload ended with {}: {}", output.status, said(&output)))),
    };
    let said = if took_over { passed(&server.log()) } else { said(&output) };
    Ok(Deployed { kind, took_over, seconds, said })
}

/// What the log says last of a generation that has passed.
fn passed(log: &str) -> String {
    log.lines().rfind(|line| line.contains(PASSED)).unwrap_or_default().to_owned()
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat()
}

/// The canary's part of the requests, from the sentence "N of its M requests failed, of the old generation's O in …".
fn share(said: &str) -> Option<f64> {
    let (_, numbers) = said.split_once(" of its ")?;
    let mut numbers =
        numbers.split(|letter: char| !letter.is_ascii_digit()).filter_map(|word| word.parse::<f64>().ok());
    let (new, old) = (numbers.next()?, numbers.next()?);
    said.contains("requests failed").then_some(new / (new + old))
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn the_share_is_read_from_the_verdict() {
        let said = "reload failed: 10 of its 50 requests failed, of the old generation's 450 in the same time 0";
        assert_eq!(share(said), Some(0.1));
        assert_eq!(share("generation 2 serves"), None);
        assert_eq!(share("half of its 225 requests took longer than 30 ms, of the old generation's 10.0 ms"), None);
    }
}
