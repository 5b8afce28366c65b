//! How a program is told to go, or let go, and how it ends. Master only.
//!
//! A program is its process group: it is gone only when nobody of its group is left, or the mercy ends; otherwise its
//! successor would find the port taken. But its own process is told first, and alone: it knows how to end its children,
//! which may hold work that the signal would cut (Celery's pool dies of SIGTERM). Who is left when it has ended is told
//! then. A shell passes no signal on, so that all of its group are told at once.

use mio::Poll;

use super::super::super::machine::{Event, ExitStatus, Farewell, ProcessId, RecipeId, Seat};
use super::super::hearing::exit_status;
use super::book::{Executed, Process, Program, Stage, Told};
use crate::config::model::Daemons;
use crate::sys::clock::monotonic_us;
use crate::sys::process::{self, WaitStatus};
use crate::sys::{processes, spawn};

impl Executed {
    /// Tells a program that is up to go. One that outlives the instance is let go instead if nobody takes its place.
    pub(in crate::master) fn retire(&mut self, seat: Seat, why: Farewell) -> Vec<Event> {
        let Some(program) = self.programs.get_mut(&seat) else { return Vec::new() };
        let Stage::Up { process } = &program.stage else { return Vec::new() };
        let at_reload = why == Farewell::Replaced && !program.touched;
        let signal = program.daemon.reload_signal.filter(|_| at_reload).unwrap_or(program.daemon.stop_signal);
        if !(program.daemon.outlives() && why.is_parting()) {
            program.told = process.ask(signal, &program.title());
            return Vec::new();
        }
        if program.daemon.notify {
            process.tell_alone(signal, &program.title());
        }
        let pid = process.pid;
        self.programs.remove(&seat);
        vec![Event::Exited { seat, pid, status: ExitStatus::Code(0) }]
    }

    /// Takes back a program that has not been up as far as the machine knows.
    pub(in crate::master) fn withdraw(&mut self, seat: Seat, why: Farewell, poll: &Poll) -> Vec<Event> {
        let mut events = self.hear_report(seat, poll);
        events.extend(self.look_at(seat, monotonic_us(), poll));
        let up = self.programs.get(&seat).is_some_and(|program| matches!(program.stage, Stage::Up { .. }));
        events.extend(if up { self.retire(seat, why) } else { self.kill(seat) });
        events
    }

    /// Ends a program and all of its group at once.
    pub(in crate::master) fn kill(&mut self, seat: Seat) -> Vec<Event> {
        let Some(program) = self.programs.get_mut(&seat) else { return Vec::new() };
        program.told = Told::Everyone;
        let title = program.title();
        let (pid, status) = match &program.stage {
            Stage::Launching { launcher, ended: true, .. } => {
                launcher.tell(libc::SIGKILL, &title);
                (launcher.pid, ExitStatus::Code(0))
            }
            Stage::Lingering { leader, group, status } => {
                tell_group(*group, libc::SIGKILL, &title);
                (*leader, *status)
            }
            Stage::Becoming { process, .. } | Stage::Up { process } | Stage::Launching { launcher: process, .. } => {
                process.tell(libc::SIGKILL, &title);
                return Vec::new();
            }
        };
        self.programs.remove(&seat);
        vec![Event::Exited { seat, pid, status }]
    }

    /// The process of a program was reaped.
    pub(in crate::master) fn ended(
        &mut self,
        seat: Seat,
        pid: ProcessId,
        status: WaitStatus,
        poll: &Poll,
    ) -> Vec<Event> {
        // What it said before comes first; by that it may have been only the launcher of what is up now.
        let mut events = self.hear_report(seat, poll);
        let status = exit_status(status);
        let Some(program) = self.programs.get_mut(&seat).filter(|program| program.pid() == pid) else { return events };
        match &mut program.stage {
            // It has left to the background, and is still to name itself.
            Stage::Launching { ended, .. } if status == ExitStatus::Code(0) => {
                *ended = true;
                events.extend(self.look_at(seat, monotonic_us(), poll));
            }
            _ => events.extend(self.end(seat, status)),
        }
        events
    }

    /// The end of a process that may not be ours to reap, told by its pidfd.
    pub(in crate::master) fn ended_elsewhere(&mut self, seat: Seat, poll: &Poll) -> Vec<Event> {
        let Some(program) = self.programs.get(&seat) else { return Vec::new() };
        match process::reap(Some(program.pid())) {
            Some((pid, status)) => self.ended(seat, pid, status, poll),
            None => self.end(seat, ExitStatus::Unknown),
        }
    }

    fn end(&mut self, seat: Seat, status: ExitStatus) -> Vec<Event> {
        let Some(program) = self.programs.get_mut(&seat) else { return Vec::new() };
        let (leader, group) = match &program.stage {
            Stage::Becoming { process, .. } | Stage::Up { process } => (process.pid, process.group),
            Stage::Launching { launcher, .. } => (launcher.pid, launcher.group),
            Stage::Lingering { .. } => return Vec::new(),
        };
        let left_behind = group.filter(|group| spawn::has_group(*group));
        let title = program.title();
        match (left_behind, program.told) {
            (Some(group), Told::Nobody) => {
                tell_group(group, program.daemon.stop_signal, &title);
            }
            (Some(group), told) => {
                if let Told::Leader(signal) = told {
                    tell_group(group, signal, &title);
                }
                program.told = Told::Everyone;
                program.stage = Stage::Lingering { leader, group, status };
                return Vec::new();
            }
            (None, _) => {}
        }
        self.programs.remove(&seat);
        vec![Event::Exited { seat, pid: leader, status }]
    }

    /// Programs of which nobody is left any more, after some process has ended.
    pub(in crate::master) fn settle(&mut self) -> Vec<Event> {
        let gone = |(seat, program): (&Seat, &Program)| match program.stage {
            Stage::Lingering { leader, group, status } if !spawn::has_group(group) => {
                Some(Event::Exited { seat: *seat, pid: leader, status })
            }
            _ => None,
        };
        let events: Vec<Event> = self.programs.iter().filter_map(gone).collect();
        for event in &events {
            if let Event::Exited { seat, .. } = event {
                self.programs.remove(seat);
            }
        }
        events
    }

    /// A new configuration is in force: what it says of programs that stay holds from now on, and those that want to
    /// hear of it do.
    pub(in crate::master) fn follow_reload(&mut self, daemons: &Daemons, recipes: &[RecipeId]) {
        for program in self.programs.values_mut() {
            let place = recipes.iter().position(|recipe| *recipe == program.recipe);
            let Some(daemon) = place.and_then(|place| daemons.list.get(place)) else { continue };
            program.daemon = daemon.clone();
            if let (Stage::Up { process }, true) = (&program.stage, daemon.notify) {
                let title = daemon.title();
                log::info!("[uwsgi-daemons] telling \"{title}\" (pid: {}) of the reload", process.pid);
                process.tell_alone(daemon.reload_signal.unwrap_or(libc::SIGHUP), &title);
            }
        }
    }

    /// What this recipe has made is about to be replaced because a file was touched.
    pub(in crate::master) fn touch(&mut self, recipe: RecipeId) {
        for program in self.programs.values_mut().filter(|program| program.recipe == recipe) {
            program.touched = true;
        }
    }
}

/// Shells, as `ps -o comm` has them.
const SHELLS: &[&str] = &["sh", "bash", "dash", "ash", "ksh", "mksh", "zsh", "busybox"];

impl Process {
    /// Has the process go, or if it is a shell its whole group. Who was told.
    fn ask(&self, signal: i32, title: &str) -> Told {
        let name = processes::name(self.pid.get());
        if name.is_some_and(|name| SHELLS.contains(&name.as_str())) {
            self.tell(signal, title);
            return Told::Everyone;
        }
        self.tell_alone(signal, title);
        Told::Leader(signal)
    }

    /// Sends a signal to the group of the process, or to it alone while it has none.
    fn tell(&self, signal: i32, title: &str) {
        let heard = self.group.is_some_and(|group| tell_group(group, signal, title));
        if !heard {
            self.tell_alone(signal, title);
        }
    }

    /// Sends a signal to the process alone.
    fn tell_alone(&self, signal: i32, title: &str) {
        if let Err(error) = self.pidfd.signal_number(signal) {
            log::error!("[uwsgi-daemons] cannot send signal {signal} to \"{title}\" (pid: {}): {error}", self.pid);
        }
    }
}

/// Sends a signal to a group. Whether it has anyone.
fn tell_group(group: ProcessId, signal: i32, title: &str) -> bool {
    spawn::signal_group(group, signal).unwrap_or_else(|error| {
        log::error!("[uwsgi-daemons] cannot send signal {signal} to \"{title}\" (group: {group}): {error}");
        false
    })
}
