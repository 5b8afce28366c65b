//! How a program begins: found by its pid file, or forked and executed; and when it is up. Master only.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, ErrorKind, Read};

use mio::Poll;

use super::super::super::machine::{Event, ExitStatus, ProcessId, RecipeId, Seat};
use super::super::super::wake::Wake;
use super::book::{Executed, Process, Program, Stage};
use crate::config::model::Daemon;
use crate::daemon::birth::{Birth, become_daemon};
use crate::daemon::finding::{Sight, look};
use crate::router::birth::{RouterBirth, become_router};
use crate::sys::clock::monotonic_us;
use crate::sys::process::PidFd;
use crate::sys::spawn;

/// How long between two looks into the pid file of a program that has not named itself yet.
const LOOK_US: u64 = 100_000;

/// Most bytes of what a process says that could not become its program.
const REPORT_BYTES_MAX: u64 = 4_096;

/// What is to be executed where.
pub(in crate::master) struct Order<'a> {
    pub(in crate::master) seat: Seat,
    pub(in crate::master) recipe: RecipeId,
    /// The how many-th in its post.
    pub(in crate::master) nth: u32,
    pub(in crate::master) daemon: &'a Daemon,
    pub(in crate::master) environment: Vec<(OsString, OsString)>,
    pub(in crate::master) becomes: Becomes<'a>,
}

/// What the process becomes that is forked for an order.
pub(in crate::master) enum Becomes<'a> {
    /// The command of the daemon.
    Command,
    /// A router of ours.
    Router(&'a RouterBirth<'a>),
}

impl Executed {
    /// Takes in the program of an order if it runs already, or executes it.
    pub(in crate::master) fn start(&mut self, order: Order<'_>, poll: &Poll) -> Vec<Event> {
        match look(order.daemon) {
            Sight::Lives(pid, pidfd) => return self.take_in(&order, pid, pidfd, poll),
            Sight::Doubtful(why) => {
                log::warn!("[uwsgi-daemons] starting \"{}\" anew: pid file {why}", order.daemon.title());
            }
            Sight::Nobody => {}
        }
        let seat = order.seat;
        match fork(order, poll) {
            Ok(program) => {
                let pid = program.pid();
                self.programs.insert(seat, program);
                vec![Event::Forked { seat, pid }]
            }
            Err(error) => vec![Event::ForkFailed { seat, errno: error.raw_os_error().unwrap_or(libc::EIO) }],
        }
    }

    /// Takes in a program that runs already.
    fn take_in(&mut self, order: &Order<'_>, pid: ProcessId, pidfd: PidFd, poll: &Poll) -> Vec<Event> {
        let Order { seat, recipe, daemon, .. } = *order;
        let title = daemon.title();
        log::info!("[uwsgi-daemons] found valid/active pidfile for \"{title}\" (pid: {pid})");
        watch(seat, pid, &pidfd, poll);
        let process = Process { pid, pidfd, group: group_of(pid, None) };
        self.programs.insert(seat, Program::new(recipe, daemon, Stage::Up { process }));
        vec![Event::Forked { seat, pid }, Event::Ready { seat, boot_us: 0, pid: None }]
    }

    /// What a process says that is to become a program: nothing, by closing its pipe, when it has.
    pub(in crate::master) fn hear_report(&mut self, seat: Seat, poll: &Poll) -> Vec<Event> {
        let Some(program) = self.programs.get_mut(&seat) else { return Vec::new() };
        let Stage::Becoming { report, .. } = &mut program.stage else { return Vec::new() };
        let Some(pipe) = report.as_mut() else { return Vec::new() };
        let mut text = Vec::new();
        match pipe.take(REPORT_BYTES_MAX).read_to_end(&mut text) {
            Ok(_) if text.is_empty() => return self.begin_to_run(seat, poll),
            Err(error) if error.kind() == ErrorKind::WouldBlock && text.is_empty() => return Vec::new(),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => text = error.to_string().into_bytes(),
        }
        *report = None;
        vec![Event::NotReady { seat, exit_code: 1, reason: String::from_utf8_lossy(&text).into_owned() }]
    }

    /// The program runs. It is up, unless it still has to name itself.
    fn begin_to_run(&mut self, seat: Seat, poll: &Poll) -> Vec<Event> {
        let Some(mut program) = self.programs.remove(&seat) else { return Vec::new() };
        let Stage::Becoming { process, .. } = program.stage else { return Vec::new() };
        let now_us = monotonic_us();
        let names_itself = program.daemon.names_itself();
        let boot_us = now_us.saturating_sub(program.begun_us);
        program.stage = if names_itself {
            let freq_us = u64::try_from(program.daemon.freq.as_micros()).unwrap_or(u64::MAX);
            let until_us = now_us.saturating_add(freq_us);
            Stage::Launching { launcher: process, ended: false, look_us: now_us, until_us }
        } else {
            Stage::Up { process }
        };
        self.programs.insert(seat, program);
        if names_itself { self.look_at(seat, now_us, poll) } else { vec![Event::Ready { seat, boot_us, pid: None }] }
    }

    /// Looks at every program that was to name itself by now or about now.
    pub(in crate::master) fn look(&mut self, poll: &Poll) -> Vec<Event> {
        let now_us = monotonic_us();
        let due = |program: &Program| matches!(program.stage, Stage::Launching { look_us, .. } if look_us <= now_us);
        let seats: Vec<Seat> =
            self.programs.iter().filter(|(_, program)| due(program)).map(|(seat, _)| *seat).collect();
        seats.into_iter().flat_map(|seat| self.look_at(seat, now_us, poll)).collect()
    }

    /// Whether a program has named itself in its pid file, and what follows if it has not in time.
    pub(super) fn look_at(&mut self, seat: Seat, now_us: u64, poll: &Poll) -> Vec<Event> {
        let Some(program) = self.programs.get_mut(&seat) else { return Vec::new() };
        let Stage::Launching { launcher, ended, look_us, until_us } = &mut program.stage else { return Vec::new() };
        let (old, ended, expired) = (launcher.pid, *ended, *until_us <= now_us);
        if let Sight::Lives(pid, pidfd) = look(&program.daemon) {
            return self.move_to(seat, pid, pidfd, poll);
        }
        *look_us = now_us.saturating_add(LOOK_US).min((*until_us).max(now_us + 1));
        match (expired, ended) {
            (false, _) => Vec::new(),
            (true, false) => {
                log::warn!("[uwsgi-daemons] \"{}\" (pid: {old}) did not daemonize !!!", program.title());
                self.settle_in_foreground(seat)
            }
            (true, true) => {
                let title = program.title();
                log::warn!("[uwsgi-daemons] found changed pidfile for \"{title}\" (old_pid: {old} new_pid: -1)");
                self.programs.remove(&seat);
                vec![Event::Exited { seat, pid: old, status: ExitStatus::Code(0) }]
            }
        }
    }

    /// The pid file names a process: that is the program from here on.
    fn move_to(&mut self, seat: Seat, pid: ProcessId, pidfd: PidFd, poll: &Poll) -> Vec<Event> {
        let Some(program) = self.programs.get_mut(&seat) else { return Vec::new() };
        let old = program.pid();
        let boot_us = monotonic_us().saturating_sub(program.begun_us);
        if pid != old {
            let title = program.title();
            log::info!("[uwsgi-daemons] found changed pid for \"{title}\" (old_pid: {old} new_pid: {pid})");
        }
        watch(seat, pid, &pidfd, poll);
        program.stage = Stage::Up { process: Process { pid, pidfd, group: group_of(pid, Some(old)) } };
        vec![Event::Ready { seat, boot_us, pid: Some(pid).filter(|pid| *pid != old) }]
    }

    /// It runs without having named itself: it is supervised as what was executed.
    fn settle_in_foreground(&mut self, seat: Seat) -> Vec<Event> {
        let Some(mut program) = self.programs.remove(&seat) else { return Vec::new() };
        let boot_us = monotonic_us().saturating_sub(program.begun_us);
        if let Stage::Launching { launcher, .. } = program.stage {
            program.stage = Stage::Up { process: launcher };
            self.programs.insert(seat, program);
        }
        vec![Event::Ready { seat, boot_us, pid: None }]
    }
}

fn fork(order: Order<'_>, poll: &Poll) -> io::Result<Program> {
    let Order { seat, recipe, nth, daemon, environment, becomes } = order;
    let (report, theirs): (File, File) = spawn::report_pipe()?;
    Wake::Report(seat).when_readable(&report, poll)?;
    let birth = Birth { daemon, environment, first: nth <= 1, parent: std::process::id() };
    // The process' life begins inside the closure and never comes back from there.
    let pid = spawn::fork_aside(daemon.own_pid_namespace, || match becomes {
        Becomes::Command => become_daemon(&birth, &theirs),
        Becomes::Router(router) => become_router(router, &theirs),
    })?;
    let process = Process { pid, pidfd: PidFd::open(pid)?, group: Some(pid) };
    Ok(Program::new(recipe, daemon, Stage::Becoming { process, report: Some(report) }))
}

/// The group to signal together with a process: that which it leads, or that of the process it was launched by.
fn group_of(pid: ProcessId, launcher: Option<ProcessId>) -> Option<ProcessId> {
    spawn::group_of(pid).filter(|group| *group == pid || Some(*group) == launcher)
}

/// Has the end of a process wake the master that may not be its parent.
pub(super) fn watch(seat: Seat, pid: ProcessId, pidfd: &PidFd, poll: &Poll) {
    if let Err(error) = Wake::Program(seat).when_readable(pidfd, poll) {
        log::error!("cannot watch daemon process {pid}: {error}");
    }
}
