//! An application that misbehaves when it is told to: what the tests of crashes, back-off and stops use.
//!
//! The file that `UNSTEADY_FILE` names says how, read anew at each load and at each start of a worker; without it all
//! is well. It holds a moment and a misdeed: `load fail`, `load panic`, `load exit`, `load hang`, or the same with
//! `start`. Requests: `/` says which worker answers, `/hold?until=PATH` sends one line, then a second one once the
//! file PATH is there, `/exit` ends the process in the middle of the request.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use rhinod::{BoxError, Handler, Request, Response, WorkerInfo};

fn main() -> ExitCode {
    rhinod::main(|_config| {
        misbehave("load")?;
        Ok(Unsteady { worker: None })
    })
}

struct Unsteady {
    worker: Option<WorkerInfo>,
}

impl Handler for Unsteady {
    fn start_worker(&mut self, worker: &WorkerInfo) -> Result<(), BoxError> {
        self.worker = Some(*worker);
        misbehave("start")
    }

    fn handle(&self, request: &mut Request<'_>) -> Response {
        match request.path_bytes() {
            b"/" => Response::text(self.name()),
            b"/hold" => hold(PathBuf::from(request.query_value("until").unwrap_or_default())),
            b"/exit" => std::process::exit(3),
            _ => Response::text("Not found\n").with_status(404),
        }
    }
}

impl Unsteady {
    fn name(&self) -> String {
        match &self.worker {
            Some(worker) => format!("worker {} of generation {}\n", worker.slot, worker.generation),
            None => "a worker that was never started\n".to_owned(),
        }
    }
}

fn misbehave(moment: &str) -> Result<(), BoxError> {
    let said = std::env::var_os("UNSTEADY_FILE").and_then(|path| std::fs::read_to_string(path).ok());
    let said = said.unwrap_or_default();
    match said.trim().strip_prefix(moment).map(str::trim) {
        Some("fail") => Err("told to fail".into()),
        Some("panic") => panic!("told to panic"),
        Some("exit") => std::process::exit(3),
        Some("hang") => loop {
            thread::sleep(Duration::from_secs(3_600));
        },
        _ => Ok(()),
    }
}

/// Waits in small steps: the other side is a file, which nobody announces.
fn hold(until: PathBuf) -> Response {
    Response::writer("text/plain", move |out| {
        out.write_all(b"held\n")?;
        while !until.exists() {
            thread::sleep(Duration::from_millis(2));
        }
        out.write_all(b"released\n")
    })
}
