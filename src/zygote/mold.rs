//! What a worker that becomes the mold of others (`refork`) must have given back, and the line on which it hears from then on.
//! That it goes on as a zygote is in `mod.rs`. In that worker only.

use std::io;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use worker_protocol::control::FromWorker;
use worker_protocol::post::Role;

use crate::config::model::{Config, Refork};
use crate::sys::belongings::Belongings;
use crate::sys::control::ControlSocket;
use crate::worker::WorkerRuntime;

/// Most things that are named which keep a worker from becoming the mold.
const NAMED_MAX: usize = 8;

/// How often, and how far apart, is looked for threads that are about to end.
const LOOKS_MAX: u32 = 100;
const LOOKS_APART: Duration = Duration::from_millis(10);

/// What a process has that begins now, if it may be the mold of others one day.
pub(super) fn at_birth(config: &Config, role: Role) -> Option<io::Result<Belongings>> {
    (role == Role::Worker && config.refork != Refork::Never).then(Belongings::now)
}

/// What it has come to hold since then that must not be shared; `None`: nothing.
pub(super) fn hindrance(runtime: &mut dyn WorkerRuntime, birth: &io::Result<Belongings>) -> Option<String> {
    held(runtime, birth)?;
    runtime.scour();
    held(runtime, birth)
}

fn held(runtime: &mut dyn WorkerRuntime, birth: &io::Result<Belongings>) -> Option<String> {
    let gained = match birth {
        Ok(birth) => birth.gained(),
        Err(error) => return Some(format!("what it held at birth is not known (/proc/self/fd: {error})")),
    };
    let threads = lasting_threads(runtime).into_iter().map(|name| format!("a thread ({name})"));
    let held: Vec<String> = threads.chain(gained).take(NAMED_MAX).collect();
    (!held.is_empty()).then(|| format!("it holds {}", held.join(", ")))
}

/// The threads that do not end by themselves. One whose work is done, for which whoever waited has gone on, is a thread of the
/// kernel's for a moment more.
fn lasting_threads(runtime: &mut dyn WorkerRuntime) -> Vec<String> {
    for _ in 0..LOOKS_MAX {
        if runtime.live_threads().is_empty() {
            return Vec::new();
        }
        thread::sleep(LOOKS_APART);
    }
    runtime.live_threads()
}

/// Tells the master that orders to fork may come, and on which line: what the worker was still told stays on the one that it
/// had.
pub(super) fn new_line(control: &ControlSocket) -> io::Result<ControlSocket> {
    let (ours, theirs) = ControlSocket::pair()?;
    control.send_record_waiting(&FromWorker::Molded, &[theirs.as_fd()])?;
    Ok(ours)
}
