//! The zygote: loads the application once, forks workers when told, reports their deaths.
//!
//! Runs as a fresh `exec` for each generation, single-threaded but for what the application starts. It holds no timers and decides nothing: orders come
//! over its control socket, and the end of that socket means that the master is gone. It watches its workers through
//! pidfds, not through SIGCHLD, which belongs to the application.

mod mold;
mod set_up;
mod standing;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, RawFd};
use std::sync::Arc;

use nix::sys::signal::Signal;
use worker_protocol::control::{FromWorker, FromZygote, ToZygote};
use worker_protocol::ids::{Generation, ProcessId, Seat};
use worker_protocol::post::Role;

use self::set_up::take_set_up;
use crate::companion::Companion;
use crate::member::born::{Birth, title_process, while_parent_lives};
use crate::member::hear::{LaterKinds, note_signals};
use crate::member::runtime::load_with_hooks;
use crate::member::{Instance, LoadFailure, Runtime};
use crate::sys::belongings::Belongings;
use crate::sys::control::{ControlSocket, Received};
use crate::sys::memory;
use crate::sys::process::{self, PidFd};
use crate::sys::signals;
use crate::sys::wait::{Doorbell, wait_any};
use crate::worker::{
    ORDERLY, Worker, WorkerRuntime, warn_of_missing_pages, warn_of_missing_places, warn_of_missing_users,
};

/// The life of a zygote: from the descriptor of its control socket to its exit code.
pub fn run(control: RawFd, runtime: &mut dyn WorkerRuntime) -> i32 {
    let lived = process::adopt_descriptor(control).and_then(|control| {
        let (control, later) = (ControlSocket::from_owned(control), LaterKinds::default());
        let common = take_set_up(&control, &later).inspect_err(|error| refuse(&control, error))?;
        crate::logging::stamp_lines(&common.config.logging);
        standing::take_on(&common.config);
        standing::confine(&common.config).inspect_err(|error| refuse(&control, error))?;
        let instance = Instance::of(&common)?;
        Ok(Zygote::new(control, later, instance).live(runtime))
    });
    lived.unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "rhinod zygote: cannot start: {error}");
        1
    })
}

/// Tells the master why its set-up cannot be taken, so that whoever waits for a reload learns it as well.
fn refuse(control: &ControlSocket, error: &io::Error) {
    // A master that is gone, or speaks another language, needs no reason.
    let _ = control.send_record_waiting(&FromZygote::LoadFailed { exit_code: 1, text: error.to_string() }, &[]);
}

struct Zygote<'z> {
    control: ControlSocket,
    later: LaterKinds,
    instance: Instance<'z>,
    /// By process: one that becomes the mold of others gives up its seat.
    children: BTreeMap<ProcessId, (Seat, PidFd)>,
    /// Whether the application ignores its children's ends. The zygote cannot, as it has to tell of its workers'; they
    /// do.
    ignores_children: bool,
    /// Whether another generation has taken over, so that what else lives in this process is to stand still.
    is_at_rest: bool,
}

impl<'z> Zygote<'z> {
    fn new(control: ControlSocket, later: LaterKinds, instance: Instance<'z>) -> Self {
        Self { control, later, instance, children: BTreeMap::new(), ignores_children: false, is_at_rest: false }
    }

    fn live(&mut self, runtime: &mut dyn WorkerRuntime) -> i32 {
        let generation = self.instance.generation().0;
        title_process(&self.instance.config().process_names.below_master(&format!("rhinod zygote {generation}")));
        let mut code = 0;
        let instance = self.instance;
        runtime.in_zygote(&instance, &mut |runtime| {
            code = self.load(runtime).map_or_else(|code| code, |()| self.serve(runtime));
        });
        code
    }

    fn serve(&mut self, runtime: &mut dyn WorkerRuntime) -> i32 {
        let generation = self.instance.generation();
        loop {
            match self.wait(runtime).and_then(|ended| self.bury(&ended)).and_then(|()| self.obey(runtime)) {
                Ok(true) => {}
                Ok(false) => return 0,
                Err(error) => {
                    log::error!("zygote of generation {generation}: {error}");
                    return 1;
                }
            }
        }
    }

    fn load(&mut self, runtime: &mut dyn WorkerRuntime) -> Result<(), i32> {
        note_signals(&[Signal::SIGXFSZ], &Arc::default());
        let started = crate::sys::clock::monotonic_us();
        // Whatever an application prints belongs to the log, as in uWSGI (uWSGI's manual, "Python support").
        if let Err(error) = process::join_output_to_error() {
            log::warn!("what the application prints does not go to the log: {error}");
        }
        let loaded = while_parent_lives(false, || self.run_application(runtime));
        self.ignores_children = signals::ignores_children();
        if self.ignores_children
            && let Err(error) = signals::ignore_children(false)
        {
            log::warn!("the ends of workers will not be noticed: {error}");
        }
        if let Err(failure) = loaded {
            let told = self.report(&FromZygote::LoadFailed { exit_code: failure.exit_code, text: failure.told() });
            return Err(told.map_or(1, |()| failure.exit_code));
        }
        // What a signal to all processes of the service means, the master says.
        note_signals(&[Signal::SIGTERM, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2], &Arc::default());
        let threads = runtime.live_threads();
        if !threads.is_empty() {
            let count = u32::try_from(threads.len()).unwrap_or(u32::MAX);
            self.report(&FromZygote::LiveThreads { count, text: threads.join(", ") }).map_err(|_| 1)?;
        }
        if runtime.serves_errors() {
            self.report(&FromZygote::NoApplication).map_err(|_| 1)?;
        }
        warn_of_missing_places(&self.instance.config().statics);
        warn_of_missing_pages(&self.instance.config().answers);
        warn_of_missing_users(self.instance.rules());
        // From here on it only forks. Its children read what they need of it themselves.
        memory::forget_code();
        self.report(&FromZygote::Loaded { boot_us: crate::sys::clock::monotonic_us() - started }).map_err(|_| 1)
    }

    /// Runs what there is of the application's code before any fork.
    fn run_application(&self, runtime: &mut dyn WorkerRuntime) -> Result<(), LoadFailure> {
        let config = self.instance.config();
        runtime.prepare(config)?;
        match config.lazy_apps {
            true => Ok(()),
            false => load_with_hooks(runtime, config, self.instance.generation()),
        }
    }

    /// Sleeps until there is an order or a death; returns the workers that have ended. Threads of the
    /// application run meanwhile, unless another generation has taken over, in which they run as well.
    fn wait(&self, runtime: &mut dyn WorkerRuntime) -> io::Result<Vec<ProcessId>> {
        if self.is_at_rest {
            return self.look();
        }
        let mut seen = Ok(Vec::new());
        runtime.wait_in_zygote(&mut || seen = self.look());
        seen
    }

    fn look(&self) -> io::Result<Vec<ProcessId>> {
        let mut descriptors: Vec<BorrowedFd<'_>> = vec![self.control.as_fd()];
        descriptors.extend(self.children.values().map(|(_, pidfd)| pidfd.as_fd()));
        let processes: Vec<ProcessId> = self.children.keys().copied().collect();
        let ready = wait_any(&descriptors)?;
        Ok(ready.into_iter().filter_map(|index| Some(processes[index.checked_sub(1)?])).collect())
    }

    /// Reaps the workers that have ended and tells the master how.
    fn bury(&mut self, ended: &[ProcessId]) -> io::Result<()> {
        for (pid, status) in ended.iter().filter_map(|pid| process::reap(Some(*pid))) {
            if let Some((seat, _)) = self.children.remove(&pid) {
                self.report(&FromZygote::Exited { seat, pid, wait_status: status.0 })?;
            }
        }
        Ok(())
    }

    /// Carries out all orders that are there. False: it is time to leave.
    fn obey(&mut self, runtime: &mut dyn WorkerRuntime) -> io::Result<bool> {
        loop {
            let (order, beside) = match self.later.receive(&self.control)? {
                Received::Nothing => return Ok(true),
                Received::EndOfFile => {
                    self.instance.end_listening();
                    return Ok(false);
                }
                Received::Unfit(unfit) => return Err(io::Error::other(unfit)),
                Received::Message(order, beside) => (order, beside),
            };
            match order {
                ToZygote::Stop => return Ok(false),
                ToZygote::Fork { seat, post, life, nth } => {
                    let control = beside.into_iter().next().map(ControlSocket::from_owned);
                    let control = control.ok_or_else(|| io::Error::other("a worker without a control socket"))?;
                    self.fork(runtime, Birth { seat, post, life, nth }, control)?;
                }
                ToZygote::LogTo => process::log_to(&beside),
                ToZygote::Rest => self.is_at_rest = true,
                ToZygote::Setup { .. }
                | ToZygote::Listeners { .. }
                | ToZygote::Mailboxes { .. }
                | ToZygote::Memories { .. } => {
                    log::warn!("the master sent a second set-up, which was ignored");
                }
            }
        }
    }

    fn fork(&mut self, runtime: &mut dyn WorkerRuntime, birth: Birth, control: ControlSocket) -> io::Result<()> {
        let seat = birth.seat;
        let failed = |error: io::Error| FromZygote::ForkFailed { seat, errno: error.raw_os_error().unwrap_or(0) };
        // The place of the worker's pidfd, so that no worker is forked for whom there is none.
        let place = match Doorbell::new() {
            Ok(place) => place,
            Err(error) => return self.report(&failed(error)),
        };
        let mut place = Some(place);
        runtime.before_fork();
        // The worker's life begins inside the closure and never comes back from there.
        let forked = process::fork_child(|| {
            place = None;
            self.begin_child(runtime, birth, control)
        });
        runtime.after_fork_in_zygote();
        drop(place);
        match forked.and_then(stand_in_for) {
            Ok((pid, pidfd)) => {
                self.report_with(&FromZygote::Forked { seat, pid }, &[pidfd.as_fd()])?;
                self.children.insert(pid, (seat, pidfd));
                Ok(())
            }
            Err(error) => self.report(&failed(error)),
        }
    }

    /// In the child: drops what belongs to the zygote, then works. This is the list of what a child must drop:
    /// the zygote's control socket, and the pidfds of its siblings.
    fn begin_child(&mut self, runtime: &mut dyn WorkerRuntime, birth: Birth, control: ControlSocket) -> i32 {
        self.children.clear();
        self.control = control;
        let belongings = mold::at_birth(self.instance.config(), birth.post.role);
        let mut calling = None;
        let ignores_children = self.ignores_children;
        let begin = |runtime: &mut dyn Runtime| {
            runtime.after_fork_in_child();
            if ignores_children && let Err(error) = signals::ignore_children(true) {
                log::warn!("the application's children will have to be waited for: {error}");
            }
        };
        let lived = match birth.post.role {
            Role::Mule | Role::Spooler => Companion::new(self.instance, &self.control, birth).map(|companion| {
                runtime.in_companion(&companion, &mut |runtime| {
                    begin(runtime);
                    companion.live(runtime)
                })
            }),
            Role::Worker | Role::Router | Role::Daemon => {
                Worker::new(self.instance, &self.control, birth).map(|worker| {
                    runtime.in_worker(&worker, &mut |runtime| {
                        begin(runtime);
                        let code = worker.live(runtime);
                        calling = worker.member().calling().filter(|_| code == ORDERLY);
                        code
                    })
                })
            }
        };
        let code = lived.unwrap_or_else(|error| {
            log::error!("a {} cannot begin: {error}", birth.post.role);
            1
        });
        match (calling, belongings) {
            (Some(generation), Some(belongings)) => self.go_on_as_mold(runtime, generation, &belongings, code),
            _ => code,
        }
    }

    /// The rest of the life of a worker that has been told to become the mold of this generation. Returns the exit code; `code`
    /// if it only ends.
    fn go_on_as_mold(
        &mut self,
        runtime: &mut dyn WorkerRuntime,
        generation: Generation,
        birth: &io::Result<Belongings>,
        code: i32,
    ) -> i32 {
        if let Some(text) = mold::hindrance(runtime, birth) {
            // A master that is gone needs no reason.
            let _ = self.control.send_record_waiting(&FromWorker::NotMolded { text }, &[]);
            runtime.part(self.instance.config());
            return code;
        }
        // Once for each loading: what is kept for good then, and replaced later, is there twice at most, however often a mold
        // comes from the worker of another.
        if !self.instance.is_grown() {
            runtime.settle(self.instance.config());
        }
        match self.become_mold(generation) {
            Ok(()) => self.serve(runtime),
            Err(error) => {
                log::error!("refork: this worker cannot become a zygote: {error}");
                runtime.part(self.instance.config());
                code
            }
        }
    }

    fn become_mold(&mut self, generation: Generation) -> io::Result<()> {
        if self.ignores_children {
            signals::ignore_children(false)?;
        }
        note_signals(&[Signal::SIGTERM, Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2], &Arc::default());
        (self.control, self.later) = (mold::new_line(&self.control)?, LaterKinds::default());
        (self.instance, self.is_at_rest) = (self.instance.grown(), false);
        memory::give_back_free();
        let names = &self.instance.config().process_names;
        title_process(&names.below_master(&format!("rhinod zygote {generation} (mold)")));
        Ok(())
    }

    fn report(&self, record: &FromZygote) -> io::Result<()> {
        self.report_with(record, &[])
    }

    /// A master that is gone shows as end-of-file at the next wait; only then does the zygote leave.
    fn report_with(&self, record: &FromZygote, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
        match self.control.send_record_waiting(record, descriptors) {
            // A reset: it died with a report of ours unread.
            Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => Ok(()),
            other => other,
        }
    }
}

/// What stands for a child that was forked just now. One for which there is nothing could not be watched, and is taken back.
fn stand_in_for(pid: ProcessId) -> io::Result<(ProcessId, PidFd)> {
    PidFd::open(pid).map(|pidfd| (pid, pidfd)).inspect_err(|_| process::end_child(pid))
}
