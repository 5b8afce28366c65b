//! The scenarios by name, and what several of them need: contenders measured in turns.
//!
//! A scenario starts its contenders, measures, and returns [`Findings`]; it prints nothing. Contenders that are not
//! there are left out and named. Runs in the measuring process.

mod cache;
mod canary;
mod cores;
mod cpu;
mod crowds;
mod downloads;
mod idle;
mod kills;
mod ksm;
mod leak;
mod memory;
mod metrics;
mod overload;
mod recycle;
mod refork;
mod reload;
mod reload_kept;
mod scaling;
mod spool;
mod startup;
mod steady;
mod timers;
mod truth;
mod vassals;
mod watched;
mod websockets;

use crate::contender::Setup;
use crate::findings::Findings;
use crate::lab::{Error, Lab};
use crate::server::Server;
use loadgen::client::{Load, Report};

/// One thing to measure.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// What it is called on the command line and in file names.
    pub name: &'static str,
    /// One line of explanation.
    pub about: &'static str,
    /// Measures it.
    pub run: fn(&Lab) -> Result<Findings, Error>,
}

/// Every scenario that starts servers, in the order they run.
pub const ALL: &[Scenario] = &[
    Scenario {
        name: "noise",
        about: "CPU time of the floor against itself: what differences mean nothing",
        run: cpu::noise,
    },
    Scenario { name: "cpu", about: "CPU time and throughput of hello against the floor and uWSGI", run: cpu::hello },
    Scenario { name: "python", about: "CPU time of a WSGI hello against uWSGI and gunicorn", run: cpu::python },
    Scenario { name: "django", about: "CPU time of Django's plain view against uWSGI", run: cpu::django },
    Scenario {
        name: "nginx",
        about: "throughput and latency of a WSGI hello through nginx against uWSGI",
        run: cpu::through_nginx,
    },
    Scenario {
        name: "http",
        about: "CPU time of a WSGI hello over HTTP, a connection for each request, against uWSGI and granian",
        run: cpu::http,
    },
    Scenario {
        name: "http-kept",
        about: "CPU time and throughput of a WSGI hello over kept HTTP connections against granian and gunicorn",
        run: cpu::http_kept,
    },
    Scenario {
        name: "router",
        about: "CPU time of a WSGI hello behind the router over kept HTTP connections, router and workers, against uWSGI",
        run: cpu::router,
    },
    Scenario {
        name: "http-floor",
        about: "CPU time of hello over kept HTTP connections against a bare epoll loop",
        run: cpu::http_floor,
    },
    Scenario {
        name: "files",
        about: "CPU time of static files of 1 KiB and 1 MiB over kept HTTP connections against nginx",
        run: downloads::against_nginx,
    },
    Scenario {
        name: "offload",
        about: "a file of 1 GiB to 50 clients of 1 MiB/s by 2 workers: what the application's clients notice",
        run: downloads::offloaded,
    },
    Scenario {
        name: "slowloris",
        about: "5,000 clients that drip heads at the router: memory, and what normal clients notice",
        run: crowds::slowloris,
    },
    Scenario {
        name: "silent",
        about: "10,000 kept connections without requests, at the router and at workers: memory and wake-ups",
        run: crowds::silent,
    },
    Scenario {
        name: "reload-kept",
        about: "200 reloads under 100 clients that keep their connections to the router: failures",
        run: reload_kept::run,
    },
    Scenario { name: "rules", about: "CPU time of 1,000 routing rules that do not match", run: cpu::rules },
    Scenario { name: "memory", about: "memory of master, idle workers and scaled pool", run: memory::run },
    Scenario {
        name: "refork",
        about: "workers forked from one that has served: memory against the same without and uWSGI, and what clients notice",
        run: refork::run,
    },
    Scenario { name: "ksm", about: "memory of idle workers whose equal pages the kernel keeps once", run: ksm::run },
    Scenario { name: "startup", about: "from exec to the first answer", run: startup::first_answer },
    Scenario { name: "respawn", about: "from kill -9 of the only worker to the next answer", run: startup::respawn },
    Scenario {
        name: "burst",
        about: "16 clients of 50 ms on an adaptive pool against a static one",
        run: scaling::burst,
    },
    Scenario { name: "reaction", about: "16 one-second requests at once on one idle worker", run: scaling::reaction },
    Scenario { name: "idle", about: "context switches of an idle server in 10 s", run: idle::run },
    Scenario { name: "steady", about: "turns of the pool's size under a steady random load", run: steady::run },
    Scenario {
        name: "cores",
        about: "a CPU-bound application: adaptive against the best static pool",
        run: cores::run,
    },
    Scenario { name: "kills", about: "a random worker killed every 100 ms at full load", run: kills::run },
    Scenario { name: "recycle", about: "workers replaced after 200 requests at full load", run: recycle::run },
    Scenario { name: "leak", about: "1 MB leaked with each request, workers replaced when too big", run: leak::run },
    Scenario {
        name: "overload",
        about: "3 x capacity from clients that give up after 2 s: what is of use to anybody",
        run: overload::run,
    },
    Scenario {
        name: "cache",
        about: "a shared cache from Python: CPU time and steps of 8 processes against uWSGI",
        run: cache::run,
    },
    Scenario {
        name: "spool",
        about: "tasks a second of four spooler processes, and how many are written in one, against uWSGI",
        run: spool::rate,
    },
    Scenario {
        name: "spool-kills",
        about: "100,000 tasks with kill -9 of a spooler process or worker every 100 ms: lost, and run by two at once",
        run: spool::kills,
    },
    Scenario { name: "timers", about: "1,000 timers over a minute: how far from their plan", run: timers::run },
    Scenario {
        name: "websockets",
        about: "1,000 websockets on which nothing is said: memory and wake-ups against uWSGI",
        run: websockets::run,
    },
    Scenario {
        name: "canary",
        about: "deployments with a canary, good, failing and slow: wrong verdicts, and whom the new code meets",
        run: canary::judged,
    },
    Scenario {
        name: "canary-kills",
        about: "the same with random workers killed: what is lost beside",
        run: canary::disturbed,
    },
    Scenario {
        name: "truth",
        about: "100,000 requests with known outcomes through nginx, counted in its log: what the server tells of them",
        run: truth::run,
    },
    Scenario {
        name: "watched",
        about: "documents taken 1,000 times a second at full load, and readers that never read: what it costs",
        run: watched::run,
    },
    Scenario {
        name: "logging",
        about: "CPU time of a line of the log for each request, against uWSGI",
        run: cpu::logging,
    },
    Scenario {
        name: "vassals",
        about: "500 vassals of one Emperor: start, memory, touched and replaced files, one that crashes, sleep",
        run: vassals::run,
    },
    Scenario { name: "reload", about: "three reloads under load: failures and the longest wait", run: reload::run },
];

/// The samples of one contender, one for each round.
pub(crate) struct Series<T> {
    pub(crate) name: String,
    pub(crate) samples: Vec<T>,
}

impl<T> Series<T> {
    /// Without samples yet.
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), samples: Vec::new() }
    }

    /// One number of each sample.
    pub(crate) fn numbers(&self, number: impl Fn(&T) -> f64) -> Vec<f64> {
        self.samples.iter().map(number).collect()
    }
}

/// Measures contenders in turns, `rounds` times, each time on a fresh server; every other round runs backwards, so that
/// nobody is always first. Contenders that do not run are named in the findings and have no series.
pub(crate) fn in_turns<T>(
    lab: &Lab,
    rounds: usize,
    setups: &[Setup],
    findings: &mut Findings,
    mut measure: impl FnMut(&Setup, &mut Server) -> Result<T, Error>,
) -> Result<Vec<Series<T>>, Error> {
    let setups = running(lab, setups, findings)?;
    let mut series: Vec<Series<T>> = setups.iter().map(|setup| Series::new(setup.name())).collect();
    for round in 0..rounds {
        for index in turn(setups.len(), round) {
            lab.check_stop()?;
            let mut server = setups[index].serve(lab)?;
            series[index].samples.push(measure(setups[index], &mut server)?);
        }
    }
    Ok(series)
}

/// The order of a turn: forwards and backwards alternate.
pub(crate) fn turn(contenders: usize, number: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..contenders).collect();
    if number % 2 == 1 {
        order.reverse();
    }
    order
}

/// The setups that run, each tried once: it answers, and not before its application could be loaded.
pub(crate) fn running<'a>(lab: &Lab, setups: &'a [Setup], findings: &mut Findings) -> Result<Vec<&'a Setup>, Error> {
    let mut found = Vec::new();
    for setup in setups {
        match setup.launch(lab).and_then(|launch| Server::start(launch)?.wait_ready(lab)) {
            Ok(ready) if ready < setup.loading() => {
                findings.leave_out(setup.name(), "its application does not take LOAD_MS to load");
            }
            Ok(_) => found.push(setup),
            Err(Error::Unavailable(reason)) => findings.leave_out(setup.name(), &reason),
            Err(Error::Interrupted) => return Err(Error::Interrupted),
            Err(error) => findings.fail(setup.name(), &error.to_string()),
        }
    }
    Ok(found)
}

/// Runs a load and does something beside it, which may ask whether the load is over.
pub(crate) fn beside(
    lab: &Lab,
    server: &Server,
    load: &Load,
    act: impl FnOnce(&dyn Fn() -> bool) -> Result<(), Error>,
) -> Result<Report, Error> {
    std::thread::scope(|scope| {
        let client = scope.spawn(|| lab.run(load));
        let acted = act(&|| client.is_finished());
        let report = client.join().unwrap_or_else(|_| Err(server.error("the client's thread panicked")))?;
        acted.map(|()| report)
    })
}

/// The series of that name.
pub(crate) fn series_of<'a, T>(series: &'a [Series<T>], name: &str) -> Option<&'a Series<T>> {
    series.iter().find(|series| series.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_go_forth_and_back() {
        assert_eq!((turn(3, 0), turn(3, 1), turn(3, 2)), (vec![0, 1, 2], vec![2, 1, 0], vec![0, 1, 2]));
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<&str> = ALL.iter().map(|scenario| scenario.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
