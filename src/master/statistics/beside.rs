//! What there is to tell of what runs beside the workers: programs, commands, mules, spooler processes, timers. Master only.

use worker_protocol::scoreboard::MasterSeat;

use super::super::driver::Driver;
use super::super::ledger::believed;
use super::super::machine::{Condition, Post, Recipe, Role};
use super::calendar::Calendar;
use crate::config::model::mailboxes;
use crate::stats::{Companion, Cron, Daemon, Farm, Mule, Services, SignalCron, Spooler, Timer};
use crate::timetable::{self, CronTime, Errand};

impl Driver<'_> {
    /// All that there is to tell of what applications lean on besides workers.
    pub(super) fn services(&self, calendar: Calendar) -> Services {
        let mailboxes = &self.children.mailboxes;
        Services {
            daemons: self.daemons(),
            crons: self.crons(),
            timers: self.timetable.current().timers().iter().map(|timer| told_timer(timer, calendar)).collect(),
            signal_crons: self.timetable.current().crons().iter().map(signal_cron).collect(),
            signal_queue_bytes: mailboxes.waiting_bytes(mailboxes::MASTER),
            signals_for_workers: mailboxes.waiting_bytes(&mailboxes::signals("worker")),
            mules: self.mules(calendar),
            farms: self.farms(),
            spoolers: self.spoolers(calendar),
            locks: self.locks(),
            caches: self.caches(),
            queue: self.queue(),
            metrics: self.own_metrics(),
        }
    }

    fn daemons(&self) -> Vec<Daemon> {
        let daemon = |recipe: &Recipe| Daemon {
            command: recipe.title.clone(),
            pid: self.children.executed.pid_of(recipe.id).map_or(0, |pid| pid.get()),
            respawns: self.ledger.daemon_respawns.get(&recipe.title).copied().unwrap_or(0),
        };
        self.machine.plan().executed.iter().map(daemon).collect()
    }

    fn crons(&self) -> Vec<Cron> {
        let cron = |errand: &Errand| Cron {
            time: parts(errand.command.time),
            command: errand.command.title(),
            unique: errand.command.unique,
            pid: errand.pid(),
            started_s: errand.started_s,
            done: errand.done,
            failed: errand.failed,
            last_end: errand.last_end.clone(),
        };
        self.errands.list().iter().map(cron).collect()
    }

    fn mules(&self, calendar: Calendar) -> Vec<Mule> {
        let mailboxes = &self.children.mailboxes;
        let mule = |(number, _)| {
            let name = mailboxes::mule(number);
            Mule {
                process: self.companion(Post { role: Role::Mule, number }, calendar).0,
                queue_bytes: mailboxes.waiting_bytes(&name),
                signal_queue: mailboxes.waiting_bytes(&mailboxes::signals(&name)),
            }
        };
        (1..).zip(&self.in_force.config.mules.list).map(mule).collect()
    }

    fn farms(&self) -> Vec<Farm> {
        let farm = |farm: &crate::config::model::Farm| Farm {
            name: farm.name.clone(),
            mules: farm.mules.clone(),
            queue_bytes: self.children.mailboxes.waiting_bytes(&mailboxes::farm(&farm.name)),
        };
        self.in_force.config.mules.farms.iter().map(farm).collect()
    }

    fn spoolers(&self, calendar: Calendar) -> Vec<Spooler> {
        let spooler = |(number, directory): (u32, &std::path::Path)| {
            let post = Post { role: Role::Spooler, number };
            let (process, waiting) = self.companion(post, calendar);
            let directory = directory.to_string_lossy().into_owned();
            Spooler { process, directory, is_wanted: self.machine.is_wanted(post), waiting }
        };
        (1..).zip(self.in_force.config.spoolers.processes()).map(spooler).collect()
    }

    /// What is told of a post, and how many tasks its process has seen waiting.
    fn companion(&self, post: Post, calendar: Calendar) -> (Companion, u64) {
        let mut sum = self.ledger.companions.get(&post.to_string()).copied().unwrap_or_default();
        let told = |spawns, deaths| Companion { number: post.number, spawns, deaths, ..Companion::default() };
        let here = self.machine.companions().filter(|companion| companion.post == post);
        let Some(view) = here.min_by_key(|companion| companion.condition == Condition::Leaving) else {
            let gone = told(sum.spawns, sum.deaths);
            return (Companion { done: sum.done, failed: sum.failed, signals: sum.signals, ..gone }, 0);
        };
        let seat = self.children.board().and_then(|board| board.master(view.seat));
        let seat = seat.filter(|seat| seat.author() == Some((view.post, view.nth)));
        let tasks = seat.map(|seat| seat.tasks()).unwrap_or_default();
        if let Some(seat) = seat {
            sum.add(seat);
        }
        let process = Companion {
            pid: view.pid.map_or(0, |pid| pid.get()),
            done: sum.done,
            failed: sum.failed,
            since_s: tasks.since_us.map(|since_us| calendar.epoch_s(since_us)),
            signals: sum.signals,
            signal: seat.and_then(|seat| seat.signals().under_way),
            rss_bytes: seat.map_or(0, |seat: MasterSeat<'_>| believed(seat.figures()).rss_bytes),
            ..told(sum.spawns, sum.deaths)
        };
        (process, tasks.waiting)
    }
}

fn told_timer(timer: &timetable::Timer, calendar: Calendar) -> Timer {
    Timer {
        signal: timer.signal,
        every_s: timer.every_us.div_ceil(1_000_000),
        left: timer.left,
        next_s: (timer.left != Some(0)).then(|| calendar.epoch_s(timer.due_us)),
        raised: timer.raised,
    }
}

fn signal_cron(cron: &timetable::Cron) -> SignalCron {
    SignalCron { signal: cron.signal, time: parts(cron.time), raised: cron.raised }
}

fn parts(time: CronTime) -> [i32; 5] {
    let CronTime { minute, hour, day, month, weekday } = time;
    [minute, hour, day, month, weekday]
}
