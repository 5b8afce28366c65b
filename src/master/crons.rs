//! Commands of the configuration that run at certain minutes: begins those that are due, hears of their ends, and ends them
//! with the instance. What is due and what has run for too long is decided in [`crate::timetable`]. Master only.

use super::children::environment;
use super::driver::Driver;
use super::machine::{ExitStatus, ProcessId};
use super::signalling::wall_clock;
use crate::daemon::errand::become_errand;
use crate::sys::clock::{epoch_us, monotonic_us};
use crate::sys::spawn::{fork_aside, has_group, signal_group};
use crate::timetable::{Due, End};

impl Driver<'_> {
    /// From now on the commands of the configuration in force are those that run.
    pub(super) fn follow_crons(&mut self) {
        for title in self.errands.follow(&self.in_force.config.crons) {
            log::info!("[uwsgi-cron] command \"{title}\" registered as cron task");
        }
    }

    /// When a command is due, or is to be killed.
    pub(super) fn crons_due_us(&self) -> Option<u64> {
        self.errands.due_us(monotonic_us(), self.begins_crons().then(wall_clock))
    }

    /// Begins what is due and kills what has run for too long.
    pub(super) fn mind_crons(&mut self) {
        if self.begins_crons() {
            for due in self.errands.due(wall_clock()) {
                self.follow_due(&due);
            }
        } else if self.machine.is_stopping() {
            self.part_with_crons();
            self.errands.forget_remains(|pid| ProcessId::new(pid).is_some_and(has_group));
        }
        for run in self.errands.overdue(monotonic_us()) {
            match self.errands.is_leaving() {
                true => log::warn!("[uwsgi-cron] \"{}\" did not end in time, killing (pid: {})", run.title, run.pid),
                false => log::warn!("*** HARAKIRI ON CRON \"{}\" (pid: {}) ***", run.title, run.pid),
            }
            signal(run.pid, libc::SIGKILL);
        }
    }

    /// None begins before the instance serves, nor once it is to stop.
    fn begins_crons(&self) -> bool {
        self.has_served && !self.is_parting()
    }

    fn follow_due(&mut self, due: &Due) {
        match due {
            Due::Begin(place) => self.begin_errand(*place),
            Due::Runs(title, pid) => {
                log::info!("[uwsgi-cron] command \"{title}\" still runs (pid: {pid}): it is left out this time");
            }
            Due::Crowded(title) => {
                log::warn!("[uwsgi-cron] command \"{title}\" is left out: too many of its runs have not ended");
            }
        }
    }

    fn begin_errand(&mut self, place: usize) {
        let Some((command, title)) = self.errands.command(place).map(|cron| (cron.command.clone(), cron.title()))
        else {
            return;
        };
        let environment = environment::for_children(&self.in_force.config.environment);
        let parent = std::process::id();
        match fork_aside(false, || become_errand(&command, &environment, parent)) {
            Ok(pid) => {
                log::info!("[uwsgi-cron] running \"{title}\" (pid {pid})");
                self.errands.begun(place, pid.get(), monotonic_us(), epoch_us() / 1_000_000);
            }
            Err(error) => {
                log::error!("[uwsgi-cron] cannot run \"{title}\": {error}");
                self.errands.not_begun(place, format!("cannot be run: {error}"));
            }
        }
    }

    /// Whether a process that has ended was one of them: then that is said.
    pub(super) fn take_errand_end(&mut self, pid: ProcessId, status: ExitStatus) -> bool {
        let well = status == ExitStatus::Code(0);
        let end = End { well, how: &status.to_string(), remains: has_group(pid) };
        let Some(ended) = self.errands.ended(pid.get(), end, monotonic_us()) else { return false };
        let (title, seconds) = (ended.title, ended.seconds);
        let told = format!("[uwsgi-cron] command \"{title}\" running with pid {pid} exited after {seconds} second(s)");
        match well || self.errands.is_leaving() {
            true if well => log::info!("{told}"),
            true => log::info!("{told}: {status}"),
            false => log::warn!("{told}: {status}"),
        }
        true
    }

    /// They go with the instance, and have the time that daemons have.
    fn part_with_crons(&mut self) {
        let mercy_us = u64::try_from(self.in_force.config.daemons.mercy.as_micros()).unwrap_or(u64::MAX);
        for run in self.errands.leave(monotonic_us().saturating_add(mercy_us)) {
            log::info!("[uwsgi-cron] stopping \"{}\" (pid: {})", run.title, run.pid);
            signal(run.pid, libc::SIGTERM);
        }
    }

    /// The instance is to end at once.
    pub(super) fn hurry_crons(&mut self) {
        self.errands.hurry(monotonic_us());
    }
}

/// Signals a command and all that it has begun. Only while it is not reaped is its number its own.
fn signal(pid: i32, signal: i32) {
    let Some(leader) = ProcessId::new(pid) else { return };
    if let Err(error) = signal_group(leader, signal) {
        log::error!("cannot signal the processes of {pid}: {error}");
    }
}
