//! Processes that do something for the instance as a whole: forked by the master, begun again when they end, replaced when a
//! reload wants something else of them. They may ask the master for what there is to tell (`crate::inquiry`), and hear that it
//! is over. Not for those that the state machine minds. Master only.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::BorrowedFd;
use std::time::Duration;

use mio::Poll;

use super::children::Mailboxes;
use super::in_force::InForce;
use super::machine::ProcessId;
use super::wake::Wake;
use crate::attendant::{Ties, UNFIT};
use crate::config::model::mailboxes::SPANS;
use crate::config::model::{Otlp, Telemetry};
use crate::exporter;
use crate::inquiry::{Inquiry, framed};
use crate::metric_files::{self, MetricFiles};
use crate::pushing::{self, Pushing};
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
    /// `otlp`.
    Export(Otlp),
    /// `stats-push` and `carbon`.
    Push(Box<Pushing>),
}

/// One, while it is wanted.
#[derive(Debug)]
struct Attendant {
    task: Task,
    process: Option<Process>,
    begun_us: Option<u64>,
}

/// The process of one.
#[derive(Debug)]
struct Process {
    pid: ProcessId,
    /// By which the event loop tells of it; no later one has it.
    number: u32,
    ties: Ties,
    /// What it was answered and has not taken yet.
    untaken: Vec<u8>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Attendants {
    list: Vec<Attendant>,
    next: u32,
}

impl Attendants {
    /// When another one is due.
    pub(super) fn due_us(&self) -> Option<u64> {
        self.list.iter().filter(|one| one.process.is_none()).map(Attendant::due_us).min()
    }

    /// Lets those go that the configuration in force does not want any more, and begins those that are due.
    pub(super) fn follow(&mut self, in_force: &InForce, mailboxes: &Mailboxes, poll: &Poll) {
        let wanted = wanted(in_force);
        // Who is let go hears it by the end of its control socket.
        self.list.retain(|one| wanted.contains(&one.task));
        for task in wanted {
            if !self.list.iter().any(|one| one.task == task) {
                self.list.push(Attendant { task, process: None, begun_us: None });
            }
        }
        let now_us = monotonic_us();
        for one in self.list.iter_mut().filter(|one| one.process.is_none() && one.due_us() <= now_us) {
            one.begun_us = Some(now_us);
            self.next = self.next.wrapping_add(1);
            if let Err(error) = one.begin(self.next, mailboxes, poll) {
                log::error!("there is no process for {}: {error}", one.task.name());
            }
        }
    }

    /// Has them write to a log that has moved. In the place of one that does not hear comes another one, which begins there.
    pub(super) fn log_to(&mut self, file: BorrowedFd<'_>) {
        for one in &mut self.list {
            if one.process.as_ref().is_some_and(|process| process.ties.log_to(file).is_err()) {
                (one.process, one.begun_us) = (None, None);
            }
        }
    }

    /// What the one with this number asks. One that has not taken the last answer takes what it has room for.
    pub(super) fn hear(&mut self, number: u32) -> Option<Inquiry> {
        let process = self.process(number)?;
        process.go_on();
        let mut letters = [0; 16];
        match process.ties.control.read(&mut letters) {
            Ok(count) if process.untaken.is_empty() => Inquiry::of(*letters[..count].last()?),
            _ => None,
        }
    }

    /// Answers it, without waiting until it has taken all.
    pub(super) fn tell(&mut self, number: u32, answer: &[u8]) {
        if let Some(process) = self.process(number) {
            process.untaken = framed(answer);
            process.go_on();
        }
    }

    fn process(&mut self, number: u32) -> Option<&mut Process> {
        self.list.iter_mut().filter_map(|one| one.process.as_mut()).find(|process| process.number == number)
    }

    /// Takes the end of one, for which another one follows: what it was for. `None`: a process that has ended is none.
    pub(super) fn take_end_of(&mut self, pid: ProcessId) -> Option<&'static str> {
        let is_it = |one: &&mut Attendant| one.process.as_ref().is_some_and(|process| process.pid == pid);
        let one = self.list.iter_mut().find(is_it)?;
        one.process = None;
        Some(one.task.name())
    }

    /// Lets all of them go, and waits a moment until they have done the last.
    pub(super) fn finish(&mut self) {
        let deadline_us = monotonic_us() + FINISH_WITHIN.as_micros() as u64;
        for one in &self.list {
            let Some(Process { ties, .. }) = &one.process else { continue };
            if let Err(error) = ties.control.shutdown(std::net::Shutdown::Write) {
                log::warn!("the process for {} does not hear the end: {error}", one.task.name());
            }
        }
        for one in std::mem::take(&mut self.list) {
            let Some(process) = one.process else { continue };
            if !process.has_ended(deadline_us) {
                log::warn!("{} may not be up to date: its process does not end", one.task.name());
            }
        }
    }
}

impl Process {
    /// Writes what it has room for.
    fn go_on(&mut self) {
        while !self.untaken.is_empty() {
            match self.ties.control.write(&self.untaken) {
                Ok(0) => return,
                Ok(count) => drop(self.untaken.drain(..count)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // Its end is heard of elsewhere.
                Err(_) => self.untaken.clear(),
            }
        }
    }

    /// Whether it has ended by then: its end of the socket is closed.
    fn has_ended(&self, deadline_us: u64) -> bool {
        loop {
            let left_us = deadline_us.saturating_sub(monotonic_us());
            match wait_ready(&self.ties.control, Interest::Readable, left_us) {
                Ok(true) => {}
                Ok(false) | Err(_) => return false,
            }
            // It may have asked something before it heard.
            match (&self.ties.control).read(&mut [0; 16]) {
                Ok(count) if count > 0 => {}
                _ => return true,
            }
        }
    }
}

impl Attendant {
    fn due_us(&self) -> u64 {
        self.begun_us.map_or(0, |begun_us| begun_us.saturating_add(BETWEEN_US))
    }

    fn begin(&mut self, number: u32, mailboxes: &Mailboxes, poll: &Poll) -> io::Result<()> {
        let (ours, theirs) = Ties::pair()?;
        let task = self.task.clone();
        let spans = mailboxes.get(SPANS);
        let pid = fork_companion(|| match &task {
            Task::MetricFiles(files) => metric_files::live(files, &theirs),
            Task::Export(otlp) => spans.map_or(UNFIT, |spans| exporter::live(otlp, spans, &theirs)),
            Task::Push(pushing) => pushing::live(pushing, &theirs),
        })?;
        Wake::Attendant(number).when_ready(&ours.control, poll)?;
        self.process = Some(Process { pid, number, ties: ours, untaken: Vec::new() });
        Ok(())
    }
}

impl Task {
    fn name(&self) -> &'static str {
        match self {
            Task::MetricFiles(_) => "metrics-dir",
            Task::Export(_) => "otlp",
            Task::Push(pushing) if pushing.telemetry.carbon.servers.is_empty() => "stats-push",
            Task::Push(pushing) if pushing.telemetry.pushes.is_empty() => "carbon",
            Task::Push(_) => "stats-push and carbon",
        }
    }
}

/// What a configuration wants of attendants.
fn wanted(in_force: &InForce) -> Vec<Task> {
    let (metrics, telemetry) = (&in_force.config.metrics, &in_force.config.telemetry);
    let files = metrics.directory.as_ref().zip(in_force.memories.metrics_memory());
    let files = files.map(|(directory, words)| {
        let names = metrics.list.iter().map(|metric| metric.name.clone()).collect();
        Task::MetricFiles(MetricFiles { directory: directory.clone(), names, words })
    });
    let export = telemetry.otlp.is_wanted.then(|| Task::Export(telemetry.otlp.clone()));
    let pushes = !telemetry.pushes.is_empty() || !telemetry.carbon.servers.is_empty();
    let push = pushes.then(|| {
        let otlp = Otlp::default();
        let socket = in_force.sockets.first().map(|socket| socket.name.clone()).unwrap_or_default();
        Task::Push(Box::new(Pushing { telemetry: Telemetry { otlp, ..telemetry.clone() }, socket }))
    });
    files.into_iter().chain(export).chain(push).collect()
}
