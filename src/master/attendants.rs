//! Processes that do something for the instance as a whole and hear nothing but that it is over: forked by the master, begun again
//! when they end, replaced when a reload wants something else of them. Not for those that the state machine minds. Master only.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::in_force::InForce;
use super::machine::ProcessId;
use crate::metric_files::{self, MetricFiles};
use crate::sys::clock::monotonic_us;
use crate::sys::spawn::fork_companion;
use crate::sys::wait::{Interest, wait_ready};

/// Least time between two beginnings.
const BETWEEN_US: u64 = 1_000_000;

/// How long the end of an instance waits for what they still do.
const FINISH_WITHIN: Duration = Duration::from_secs(1);

/// What one is for.
#[derive(Debug, Clone, PartialEq)]
enum Task {
    /// `metrics-dir`.
    MetricFiles(MetricFiles),
}

/// One, while it is wanted.
#[derive(Debug)]
struct Attendant {
    task: Task,
    process: Option<(ProcessId, UnixStream)>,
    begun_us: Option<u64>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Attendants(Vec<Attendant>);

impl Attendants {
    /// When another one is due.
    pub(super) fn due_us(&self) -> Option<u64> {
        self.0.iter().filter(|one| one.process.is_none()).map(Attendant::due_us).min()
    }

    /// Lets those go that the configuration in force does not want any more, and begins those that are due.
    pub(super) fn follow(&mut self, in_force: &InForce) {
        let wanted = wanted(in_force);
        // Who is let go hears it by the end of its control socket.
        self.0.retain(|one| wanted.contains(&one.task));
        for task in wanted {
            if !self.0.iter().any(|one| one.task == task) {
                self.0.push(Attendant { task, process: None, begun_us: None });
            }
        }
        let now_us = monotonic_us();
        for one in self.0.iter_mut().filter(|one| one.process.is_none() && one.due_us() <= now_us) {
            one.begun_us = Some(now_us);
            if let Err(error) = one.begin() {
                log::error!("there is no process for {}: {error}", one.task.name());
            }
        }
    }

    /// Takes the end of one, for which another one follows: what it was for. `None`: a process that has ended is none.
    pub(super) fn take_end_of(&mut self, pid: ProcessId) -> Option<&'static str> {
        let is_it = |one: &&mut Attendant| one.process.as_ref().is_some_and(|(own, _)| *own == pid);
        let one = self.0.iter_mut().find(is_it)?;
        one.process = None;
        Some(one.task.name())
    }

    /// Lets all of them go, and waits a moment until they have done the last.
    pub(super) fn finish(&mut self) {
        let deadline_us = monotonic_us() + FINISH_WITHIN.as_micros() as u64;
        for one in std::mem::take(&mut self.0) {
            let Some((_, control)) = one.process else { continue };
            // Its end of the socket is closed when it has ended.
            let left_us = deadline_us.saturating_sub(monotonic_us());
            let said = control.shutdown(std::net::Shutdown::Write);
            if said.and_then(|()| wait_ready(&control, Interest::Readable, left_us)).is_err() {
                log::warn!("{} may not be up to date: its process does not answer", one.task.name());
            }
        }
    }
}

impl Attendant {
    fn due_us(&self) -> u64 {
        self.begun_us.map_or(0, |begun_us| begun_us.saturating_add(BETWEEN_US))
    }

    fn begin(&mut self) -> io::Result<()> {
        let (ours, theirs) = UnixStream::pair()?;
        let task = self.task.clone();
        let pid = fork_companion(|| match &task {
            Task::MetricFiles(files) => metric_files::live(files, &theirs),
        })?;
        self.process = Some((pid, ours));
        Ok(())
    }
}

impl Task {
    fn name(&self) -> &'static str {
        match self {
            Task::MetricFiles(_) => "metrics-dir",
        }
    }
}

/// What a configuration wants of attendants.
fn wanted(in_force: &InForce) -> Vec<Task> {
    let metrics = &in_force.config.metrics;
    let files = metrics.directory.as_ref().zip(in_force.memories.metrics_memory());
    let files = files.map(|(directory, words)| {
        let names = metrics.list.iter().map(|metric| metric.name.clone()).collect();
        Task::MetricFiles(MetricFiles { directory: directory.clone(), names, words })
    });
    files.into_iter().collect()
}
