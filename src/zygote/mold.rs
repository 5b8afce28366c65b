//! What a worker that becomes the mold of others (`refork`) must have given back, and the line on which it hears from then on.
//! That it goes on as a zygote is in `mod.rs`. In that worker only.

use std::io;
use std::os::fd::AsFd;

use worker_protocol::control::FromWorker;
use worker_protocol::post::Role;

use crate::config::model::{Config, Refork};
use crate::sys::belongings::Belongings;
use crate::sys::control::ControlSocket;
use crate::worker::WorkerRuntime;

/// Most things that are named which keep a worker from becoming the mold.
const NAMED_MAX: usize = 8;

/// What a process has that begins now, if it may be the mold of others one day.
pub(super) fn at_birth(config: &Config, role: Role) -> Option<Belongings> {
    (role == Role::Worker && config.refork != Refork::Never).then(Belongings::now)
}

/// What it has come to hold since then that must not be shared; `None`: nothing.
pub(super) fn hindrance(runtime: &mut dyn WorkerRuntime, birth: &Belongings) -> Option<String> {
    let threads = runtime.live_threads().into_iter().map(|name| format!("a thread ({name})"));
    let held: Vec<String> = threads.chain(birth.gained()).take(NAMED_MAX).collect();
    (!held.is_empty()).then(|| format!("it holds {}", held.join(", ")))
}

/// Tells the master that orders to fork may come, and on which line: what the worker was still told stays on the one that it
/// had.
pub(super) fn new_line(control: &ControlSocket) -> io::Result<ControlSocket> {
    let (ours, theirs) = ControlSocket::pair()?;
    control.send_record_waiting(&FromWorker::Molded, &[theirs.as_fd()])?;
    Ok(ours)
}
