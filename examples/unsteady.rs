//! An application that misbehaves when it is told to: what the tests of crashes, back-off and stops use.
//!
//! The file that `UNSTEADY_FILE` names says how, read anew at each load and at each start of a worker; without it all
//! is well. Each line holds a moment and a misdeed: `load fail`, `load panic`, `load exit`, `load abort`,
//! `load segfault`, `load hang`, `load slow MILLISECONDS`, or the same with `start`, `thread panic`, of the second thread
//! only, `answer fail N`, every N-th request with an error, `answer slow MILLISECONDS`, each so much later, and
//! `answer times N`, each after N times as long as it would have taken. Requests: `/` says which
//! worker answers, `/hold?until=PATH` sends one line, then a second one once the file PATH is there, `/sleep?ms=N` answers
//! after so long, `/stream?ms=N` streams for so long, `/reload` asks for a reload of the instance,
//! `/break?how=error|panic|writer|length|early` answers with a body that breaks off, `/fail` is an error,
//! `/spin` computes for ever, `/own?ms=N` gives itself so long and then sleeps for a minute, `/half` sends five of ten
//! bytes before it does, `/read` counts the bytes of its body,
//! `/greeting` says `app-greeting` `app-times` times, `/log?text=T` logs T, `/exit` ends the process in the middle of the
//! request. It writes into the log when it is started, stopped, dropped, cooled down and warmed up.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rhinod::{BoxError, Handler, IntoResponse, Request, Response, WorkerInfo};

fn main() -> ExitCode {
    rhinod::main(|configuration| {
        misbehave("load")?;
        let greeting = configuration.option("greeting").unwrap_or("no greeting").to_owned();
        let times = configuration.parsed("times")?.unwrap_or(1);
        let answers = Answers {
            fail: number_of("answer fail"),
            slow_ms: number_of("answer slow"),
            times: number_of("answer times"),
            given: AtomicU64::new(0),
        };
        Ok(Unsteady { worker: None, greeting: greeting.repeat(times), answers })
    })
}

struct Unsteady {
    worker: Option<WorkerInfo>,
    greeting: String,
    answers: Answers,
}

/// How it misbehaves with every request; 0 is not at all.
struct Answers {
    fail: u64,
    slow_ms: u64,
    times: u64,
    given: AtomicU64,
}

impl Handler for Unsteady {
    fn start_worker(&mut self, worker: &WorkerInfo) -> Result<(), BoxError> {
        self.worker = Some(*worker);
        misbehave("start")?;
        log::info!("worker {} is started", worker.number);
        Ok(())
    }

    fn start_thread(&self, core: usize) {
        if core == 1 {
            misbehave("thread").expect("no other misdeed of threads");
        }
        log::info!("core {core} is started");
    }

    fn stop_worker(&mut self) {
        log::info!("{} is stopped", self.name().trim_end());
    }

    fn cool_down(&mut self) {
        log::info!("{} is cooled down", self.name().trim_end());
    }

    fn warm_up(&mut self) {
        log::info!("{} is warmed up", self.name().trim_end());
    }

    fn handle(&self, request: &mut Request<'_>) -> Response {
        thread::sleep(Duration::from_millis(self.answers.slow_ms));
        if self.answers.given.fetch_add(1, Ordering::Relaxed) % self.answers.fail.max(1) + 1 == self.answers.fail {
            return Response::text("told to fail\n").with_status(500);
        }
        let started = Instant::now();
        let response = self.respond(request);
        thread::sleep(started.elapsed() * u32::try_from(self.answers.times.saturating_sub(1)).unwrap_or(0));
        response
    }
}

impl Drop for Unsteady {
    fn drop(&mut self) {
        log::info!("{} is dropped", self.name().trim_end());
    }
}

impl Unsteady {
    fn respond(&self, request: &mut Request<'_>) -> Response {
        match request.path_bytes() {
            b"/" => Response::text(self.name()),
            b"/hold" => hold(PathBuf::from(request.query_value("until").unwrap_or_default())),
            b"/sleep" => {
                thread::sleep(time_of(request));
                Response::text("slept\n")
            }
            b"/stream" => stream(time_of(request)),
            b"/reload" => {
                request.reload_instance();
                Response::text(self.name())
            }
            b"/greeting" => Response::text(self.greeting.clone()),
            b"/log" => {
                log::info!("told: {}", request.query_value("text").unwrap_or_default());
                Response::new(204)
            }
            b"/spin" => loop {
                std::hint::spin_loop();
            },
            b"/own" => {
                request.set_deadline(Some(time_of(request)));
                thread::sleep(Duration::from_secs(60));
                Response::text("slept\n")
            }
            b"/half" => half(),
            b"/read" => Response::text(match request.read_body(1 << 20) {
                Ok(body) => format!("{} bytes\n", body.len()),
                Err(error) => format!("{error}\n"),
            }),
            b"/fail" => failing().into_response(),
            b"/break" => breaking(request),
            b"/exit" => std::process::exit(3),
            b"/kill" => kill_self(),
            _ => Response::text("Not found\n").with_status(404),
        }
    }

    fn name(&self) -> String {
        match &self.worker {
            Some(worker) => format!("worker {} of generation {}\n", worker.number, worker.generation),
            None => "a worker that was never started\n".to_owned(),
        }
    }
}

/// What the file says.
fn told() -> String {
    let said = std::env::var_os("UNSTEADY_FILE").and_then(|path| std::fs::read_to_string(path).ok());
    said.unwrap_or_default()
}

/// The number behind a misdeed, 0 without it.
fn number_of(misdeed: &str) -> u64 {
    let said = told();
    let number = said.lines().find_map(|line| line.trim().strip_prefix(misdeed)?.trim().parse().ok());
    number.unwrap_or(0)
}

fn misbehave(moment: &str) -> Result<(), BoxError> {
    let said = told();
    let misdeeds = said.lines().filter_map(|line| line.trim().strip_prefix(moment));
    misdeeds.map(str::trim).try_for_each(commit)
}

fn commit(misdeed: &str) -> Result<(), BoxError> {
    match misdeed.split_once(' ').unwrap_or((misdeed, "")) {
        ("fail", _) => return Err("told to fail".into()),
        ("panic", _) => panic!("told to panic"),
        ("exit", _) => std::process::exit(3),
        ("abort", _) => std::process::abort(),
        // Sent as the kernel would, since the real thing needs unsafe code; Rust's own handler takes the first one.
        ("segfault", _) => loop {
            nix::sys::signal::raise(nix::sys::signal::Signal::SIGSEGV)?;
        },
        ("hang", _) => loop {
            thread::sleep(Duration::from_secs(3_600));
        },
        ("slow", time) => thread::sleep(Duration::from_millis(time.parse()?)),
        _ => {}
    }
    Ok(())
}

/// The time that the query's `ms` names.
fn time_of(request: &Request<'_>) -> Duration {
    let written = request.query_value("ms").and_then(|text| text.parse().ok());
    Duration::from_millis(written.unwrap_or(0))
}

/// Ten lines, spread over the time.
fn stream(time: Duration) -> Response {
    Response::writer("text/plain", move |out| {
        for line in 0..10 {
            writeln!(out, "line {line}")?;
            out.flush()?;
            thread::sleep(time / 10);
        }
        Ok(())
    })
}

/// Half of what is announced, and a minute of nothing.
fn half() -> Response {
    let write = |out: &mut rhinod::BodyWriter<'_>| {
        out.write_all(b"begun")?;
        thread::sleep(Duration::from_secs(60));
        out.write_all(b"ended")
    };
    Response::writer("text/plain", write).with_length(10)
}

/// An error that an answer comes to.
fn failing() -> Result<Response, BoxError> {
    let number: u32 = "a\nb".parse().map_err(|error| format!("told to fail: {error}"))?;
    Ok(Response::text(number.to_string()))
}

/// Answers that end before their end, each in a way of its own.
fn breaking(request: &Request<'_>) -> Response {
    let how = request.query_value("how").unwrap_or_default();
    let broken = || std::io::Error::other("told to break");
    match how.as_str() {
        "panic" => Response::stream(
            "text/plain",
            [Some(()), None].into_iter().map(|go_on| {
                go_on.expect("told to break");
                Ok(b"begun\n".to_vec())
            }),
        ),
        "writer" => Response::writer("text/plain", move |out| {
            out.write_all(b"begun\n")?;
            Err(broken())
        }),
        "length" => Response::stream("text/plain", [Ok(b"begun\n".to_vec()), Err(broken())]).with_length(12),
        "early" => Response::writer("text/plain", move |_| Err(broken())),
        _ => Response::stream("text/plain", [Ok(b"begun\n".to_vec()), Err(broken())]),
    }
}

/// Waits in small steps: the other side is a file, which nobody announces.
/// Dies of a signal that nobody can be told of.
fn kill_self() -> Response {
    let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
    Response::new(500)
}

fn hold(until: PathBuf) -> Response {
    Response::writer("text/plain", move |out| {
        out.write_all(b"held\n")?;
        while !until.exists() {
            thread::sleep(Duration::from_millis(2));
        }
        out.write_all(b"released\n")
    })
}
