//! The worker as a process: a member whose work is requests, how many it has answered, and what it knows of all of them.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use worker_protocol::scoreboard::Presence;

use super::offloading::{Berths, Offloading};
use super::supervision::Supervision;
use super::titles::Titles;
use super::tracing::Tracing;
use super::watch::Watch;
use crate::companion::CompanionRuntime;
use crate::config::model::{Config, HookPhase, RequestLimits};
use crate::handler::WorkerInfo;
use crate::member::born::Birth;
use crate::member::{Instance, LoadFailure, Member};
use crate::sys::control::ControlSocket;
use crate::sys::process;

/// Exit code of a worker that ended in an orderly way (uWSGI's manual, "Things to know").
pub(crate) const ORDERLY: i32 = 30;

/// A runtime whose application answers requests.
pub trait WorkerRuntime: CompanionRuntime {
    /// Runs the life of a zygote, from right before the application is loaded on: the application may ask for the
    /// instance meanwhile. Workers are forked within.
    fn in_zygote(&mut self, instance: &Instance<'_>, act: &mut dyn FnMut(&mut dyn WorkerRuntime));

    /// Runs the life of a worker, from right after the fork on: the application may ask for the worker meanwhile. Returns
    /// the exit code.
    fn in_worker(&mut self, worker: &Worker<'_>, life: &mut dyn FnMut(&mut dyn WorkerRuntime) -> i32) -> i32;

    /// Serves until the worker is to leave (see [`Worker::serve`]). Returns the exit code.
    fn work(&mut self, worker: &Worker<'_>) -> i32;

    /// Gives up what nobody uses any more and only a look at all of the memory finds: the worker is to become the mold of others
    /// (`refork`) and still holds something.
    fn scour(&mut self);

    /// Makes last what the workers that are about to be forked from this process (`refork`) share with it.
    fn settle(&mut self, config: &Config);

    /// Ends what [`WorkerRuntime::work`] has left as it is for the workers that were to be forked from this one (`refork`): it
    /// cannot become their mold.
    fn part(&mut self, config: &Config);
}

/// A worker process.
#[derive(Debug)]
pub struct Worker<'z> {
    member: Member<'z>,
    /// Requests since birth, of all threads.
    requests: AtomicU64,
    /// Held by the thread that a rule has change the title of the process.
    pub(super) title: Mutex<()>,
    pub(super) supervision: Supervision,
    /// Where there is room for what is too large for memory (`post-buffering`).
    room: PathBuf,
    /// Who sends to clients that take their time, if anybody does.
    offloading: Option<Offloading>,
    /// Its title, if that says what it is doing.
    pub(super) titles: Option<Titles>,
    /// What it needs to tell of requests to a collector, if it does.
    tracing: Option<Tracing<'z>>,
}

impl<'z> Worker<'z> {
    pub(crate) fn new(instance: Instance<'z>, control: &'z ControlSocket, birth: Birth) -> io::Result<Self> {
        let supervision = Supervision::of(instance.config().threads.max(1));
        let member = Member::new(instance, control, birth)?;
        let names = &instance.config().process_names;
        let titles = names.requests.then(|| Titles::of(names.below_master(&format!("rhinod {}", member.name()))));
        // Once: later the application may be changing the environment.
        let room = std::env::temp_dir();
        let config = member.config();
        let patience_us = config.routers.patience.as_micros().try_into().unwrap_or(u64::MAX);
        let offloading = match config.offload_threads {
            0 => None,
            threads => Some(Offloading::new(threads, patience_us, room.clone())?),
        };
        Ok(Self {
            member,
            requests: AtomicU64::new(0),
            title: Mutex::new(()),
            supervision,
            room,
            offloading,
            titles: titles.flatten(),
            tracing: Tracing::of(&instance),
        })
    }

    /// The worker's whole life; returns its exit code.
    pub(crate) fn live(&self, runtime: &mut dyn WorkerRuntime) -> i32 {
        if self.member.config().logging.is_collected() {
            // A collector that falls behind costs lines and no request.
            crate::logging::wait_for_nobody();
        }
        if let Some(memory) = self.member.instance().lines().filter(|_| !self.member.config().logging.at_once) {
            crate::logging::waiting::begin(memory, self.member.seat_number());
        }
        let code = match self.member.begin(runtime) {
            Ok(()) => runtime.work(self),
            Err(failure) => self.member.refuse(&failure),
        };
        crate::logging::waiting::end();
        if self.member.config().skip_atexit && self.member.calling().is_none() {
            process::end_at_once(code);
        }
        code
    }

    /// What it is besides a worker.
    pub fn member(&self) -> &Member<'z> {
        &self.member
    }

    /// What the worker knows of itself.
    pub fn info(&self) -> WorkerInfo {
        let Self { member, .. } = self;
        let threads = member.config().threads.max(1);
        WorkerInfo { number: member.post().number, generation: member.instance().generation().0, threads }
    }

    /// Requests that this worker has handled.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(super) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    /// One of uWSGI's metrics (uWSGI's manual, "The Metrics subsystem"), as far as the scoreboard has it: over all
    /// workers that live now.
    pub fn metric(&self, name: &str) -> Option<u64> {
        let figures = || self.member.instance().seats().map(|(_, seat)| seat.figures());
        let accepting = || self.member.instance().seats().filter(|(_, seat)| seat.presence() == Presence::Accepting);
        Some(match name {
            "worker.0.requests" => self.member.instance().requests(),
            "core.busy_workers" => figures().filter(|worker| worker.busy_cores > 0).count() as u64,
            "core.idle_workers" => accepting().filter(|(_, seat)| seat.figures().busy_cores == 0).count() as u64,
            "core.total_tx" => figures().map(|worker| worker.sent_bytes).sum(),
            "core.total_running_time" => figures().map(|worker| worker.running_us).sum(),
            "core.avg_response_time" => {
                let averages: Vec<u64> = figures().map(|worker| worker.average_us).filter(|us| *us > 0).collect();
                averages.iter().sum::<u64>() / (averages.len() as u64).max(1)
            }
            // One below zero is shown as none.
            own => crate::metrics::value(self.member.instance().metric(own)?).try_into().unwrap_or(0),
        })
    }

    /// Runs the hooks of the moment at which it begins to accept (uWSGI's manual, "Hooks").
    pub(super) fn run_accepting_hooks(&self) -> Result<(), LoadFailure> {
        use HookPhase::{Accepting, Accepting1, Accepting1Once, AcceptingOnce};
        self.member.run_hooks(match (self.member.post().number == 1, self.member.is_first()) {
            (true, true) => &[Accepting, AcceptingOnce, Accepting1, Accepting1Once],
            (true, false) => &[Accepting, Accepting1],
            (false, true) => &[Accepting, AcceptingOnce],
            (false, false) => &[Accepting],
        })
    }

    /// Whether what a thread of it has in hands is over its time, and others have answered.
    pub fn is_overdue(&self, core: usize) -> bool {
        self.supervision.watch(core).is_some_and(Watch::is_struck)
    }

    /// How long the application may take for a request.
    pub(super) fn harakiri_us(&self) -> Option<u64> {
        self.member.config().harakiri.limit.map(|limit| limit.as_micros().try_into().unwrap_or(u64::MAX))
    }

    pub(super) fn limits(&self) -> &'z RequestLimits {
        &self.member.config().request
    }

    /// `reaper`: buries the application's children that have ended. Not while another thread answers a request, which may
    /// be about to wait for one of them.
    #[inline(always)]
    fn reap_children(&self) {
        if self.member.config().reaper && self.member.busy_cores() == 0 {
            while process::reap(None).is_some() {}
        }
    }

    /// Who sends to clients that take their time.
    pub(super) fn offloading(&self) -> Option<&Offloading> {
        self.offloading.as_ref()
    }

    /// The places for answers that they send.
    pub(super) fn berths(&self) -> Option<&Berths> {
        self.offloading.as_ref().map(Offloading::berths)
    }

    /// What it needs to tell of requests to a collector, if it does.
    pub(super) fn tracing(&self) -> Option<&Tracing<'z>> {
        self.tracing.as_ref()
    }

    /// The directory with room for what is too large for memory.
    pub(super) fn room(&self) -> &Path {
        &self.room
    }

    /// What a finished request is followed by.
    #[inline(always)]
    pub(super) fn after_request(&self, now_us: u64) {
        self.reap_children();
        self.member.note_memory(now_us);
        self.retire_if_worn_out(now_us);
    }

    #[inline(always)]
    pub(super) fn retire_if_worn_out(&self, now_us: u64) {
        self.member.retire_if_worn_out(now_us, self.requests());
    }
}
