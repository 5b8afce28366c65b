//! `loadgen`: a closed (or open) loop of N uwsgi clients against any uwsgi server; prints counts and latencies.
//!
//! Only the command line is here; the loop is [`loadgen::client`]. Runs by itself. Exit code 0: every request
//! ended well; 1: some did not; 2: it could not run.

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use lexopt::prelude::*;
use loadgen::client::{Bucket, Load, Pace, Report, Target, Until, Wire};
use loadgen::packet::Request;
use signal_hook::consts::{SIGINT, SIGTERM};

const USAGE: &str = "\
usage: loadgen --socket PATH|HOST:PORT [options]
  --clients N          clients, or most connections of an open loop (1)
  --requests N         end after N requests (10000)
  --seconds S          end after S seconds instead
  --path PATH          path and query (/)
  --method NAME        request method (GET)
  --body-bytes N       send a body of N bytes
  --var NAME=VALUE     set a uwsgi variable; may be repeated
  --keep-rate R        open loop: R requests a second at random
  --seed N             of the open loop (1)
  --http               speak HTTP, one connection for each request
  --keep-alive         speak HTTP and keep connections
  --retry-ms MS        pause before a refused connection is tried again (1)
  --patience-s S       longest time for a request (30)
  --timeline MS        also print what happened in each MS milliseconds
  --json               print JSON";

struct Settings {
    load: Load,
    json: bool,
}

/// What the command line said.
#[derive(Default)]
struct Given {
    socket: Option<Target>,
    clients: Option<usize>,
    until: Option<Until>,
    path: Option<String>,
    method: Option<String>,
    body_bytes: usize,
    vars: Vec<(String, String)>,
    rate_per_s: Option<f64>,
    seed: Option<u64>,
    http: bool,
    keep_alive: bool,
    retry_after: Option<Duration>,
    patience: Option<Duration>,
    bucket: Option<Duration>,
    json: bool,
    help: bool,
}

fn main() -> ExitCode {
    let given = match parse(lexopt::Parser::from_env()) {
        Ok(given) => given,
        Err(error) => return refuse(&format!("{error}\n{USAGE}")),
    };
    if given.help {
        let _heard = writeln!(io::stdout(), "{USAGE}");
        return ExitCode::SUCCESS;
    }
    match settings(given).and_then(|settings| measure(&settings)) {
        Ok(report) if report.counts.failed() + report.counts.abandoned == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(1),
        Err(message) => refuse(&message),
    }
}

fn refuse(message: &str) -> ExitCode {
    eprintln!("loadgen: {message}");
    ExitCode::from(2)
}

fn parse(mut arguments: lexopt::Parser) -> Result<Given, lexopt::Error> {
    let mut given = Given::default();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("socket") => given.socket = Some(arguments.value()?.parse()?),
            Long("clients") => given.clients = Some(arguments.value()?.parse()?),
            Long("requests") => given.until = Some(Until::Requests(arguments.value()?.parse()?)),
            Long("seconds") => given.until = Some(Until::Elapsed(arguments.value()?.parse_with(seconds)?)),
            Long("path") => given.path = Some(arguments.value()?.string()?),
            Long("method") => given.method = Some(arguments.value()?.string()?),
            Long("body-bytes") => given.body_bytes = arguments.value()?.parse()?,
            Long("var") => given.vars.push(arguments.value()?.parse_with(variable)?),
            Long("keep-rate") => given.rate_per_s = Some(arguments.value()?.parse()?),
            Long("seed") => given.seed = Some(arguments.value()?.parse()?),
            Long("http") => given.http = true,
            Long("keep-alive") => given.keep_alive = true,
            Long("retry-ms") => given.retry_after = Some(arguments.value()?.parse_with(milliseconds)?),
            Long("patience-s") => given.patience = Some(arguments.value()?.parse_with(seconds)?),
            Long("timeline") => given.bucket = Some(arguments.value()?.parse_with(milliseconds)?),
            Long("json") => given.json = true,
            Long("help") | Short('h') => given.help = true,
            other => return Err(other.unexpected()),
        }
    }
    Ok(given)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(number).map_err(|error| error.to_string())
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    text.parse().map(Duration::from_millis).map_err(|_| "not a number of milliseconds".to_owned())
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("not NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn settings(given: Given) -> Result<Settings, String> {
    let target = given.socket.ok_or_else(|| format!("no --socket\n{USAGE}"))?;
    let mut request = Request::get(given.path.as_deref().unwrap_or("/"));
    if given.body_bytes > 0 {
        request = request.method("POST").body("application/octet-stream", vec![b'x'; given.body_bytes]);
    }
    if let Some(method) = &given.method {
        request = request.method(method);
    }
    for (name, value) in &given.vars {
        request = request.var(name, value.as_bytes());
    }
    let wire = if given.http || given.keep_alive { Wire::Http { keep_alive: given.keep_alive } } else { Wire::Uwsgi };
    let until = given.until.unwrap_or(Until::Requests(10_000));
    let mut load =
        Load::new(target, wire, &request, given.clients.unwrap_or(1), until).map_err(|error| error.to_string())?;
    if let Some(per_s) = given.rate_per_s {
        load.pace = Pace::Poisson { per_s, seed: given.seed.unwrap_or(1) };
    }
    load.retry_after = given.retry_after.unwrap_or(load.retry_after);
    load.patience = given.patience.unwrap_or(load.patience);
    load.bucket = given.bucket;
    Ok(Settings { load, json: given.json })
}

fn measure(settings: &Settings) -> Result<Report, String> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, stop.clone()).map_err(|error| error.to_string())?;
    }
    let report = settings.load.run(&stop).map_err(|error| format!("{}: {error}", settings.load.target))?;
    let text = if settings.json {
        serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?
    } else {
        as_text(&report)
    };
    // Whoever listened may have gone; the exit code tells the result all the same.
    let _heard = writeln!(io::stdout(), "{text}");
    Ok(report)
}

fn as_text(report: &Report) -> String {
    let (counts, latency) = (&report.counts, &report.latency);
    let mut lines = vec![
        format!(
            "ok {}  refused {}  reset {}  short {}  empty {}  malformed {}  bad status {}  timed out {}  abandoned {}",
            counts.ok,
            counts.refused,
            counts.reset,
            counts.short,
            counts.empty,
            counts.malformed,
            counts.bad_status,
            counts.timed_out,
            counts.abandoned
        ),
        format!("{:.0} requests/s in {:.3} s", report.throughput_per_s, report.elapsed_s),
        format!(
            "latency in us: p50 {:.0}  p90 {:.0}  p99 {:.0}  p99.9 {:.0}  max {:.0}  mean {:.0}",
            latency.p50_us, latency.p90_us, latency.p99_us, latency.p999_us, latency.max_us, latency.mean_us
        ),
    ];
    if !report.timeline.is_empty() {
        lines.push(format!("{:>8} {:>10} {:>8} {:>12}", "from ms", "completed", "failed", "longest us"));
    }
    let line = |bucket: &Bucket| {
        format!("{:>8} {:>10} {:>8} {:>12.0}", bucket.from_ms, bucket.completed, bucket.failed, bucket.longest_us)
    };
    lines.extend(report.timeline.iter().map(line));
    lines.join("\n")
}
