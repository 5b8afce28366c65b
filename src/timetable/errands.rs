//! Commands of the configuration that run at certain minutes (uWSGI's manual, "The uWSGI cron-like interface"): which are due,
//! which run, and which have run for too long.
//!
//! Decides only: who begins and ends processes is the master (`master/crons.rs`), which says what came of it. Pure.

use serde::{Deserialize, Serialize};

use super::calendar::WallClock;
use super::cron::{CronTime, Served};

/// Most runs of one command at once. One that hangs each time must not fill the machine.
const RUNS_MAX: usize = 100;

/// A command and when it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CronCommand {
    /// At which minutes.
    pub time: CronTime,
    /// For the shell.
    pub command: String,
    /// Not while it runs already.
    pub unique: bool,
    /// How many seconds it may run; `None`: for ever.
    pub harakiri_s: Option<u64>,
}

impl Default for CronCommand {
    fn default() -> CronCommand {
        CronCommand { time: CronTime::of([-1; 5]), command: String::new(), unique: false, harakiri_s: None }
    }
}

impl CronCommand {
    /// What the log calls it: its command on one line.
    pub fn title(&self) -> String {
        crate::escape::on_one_line(&self.command)
    }

    /// Whether it is the same one, however long it may run.
    fn is_like(&self, other: &CronCommand) -> bool {
        (self.time, &self.command, self.unique) == (other.time, &other.command, other.unique)
    }
}

/// All commands, and their runs. It passes to the next image of the master.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Errands {
    list: Vec<Errand>,
    /// Runs of commands that the configuration does not have any more.
    former: Vec<Run>,
    /// What runs have left behind that were told to go.
    remains: Vec<Run>,
    leaving: bool,
}

/// One command, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Errand {
    /// What runs when.
    pub command: CronCommand,
    /// Runs that are over and went well.
    pub done: u64,
    /// Runs that are over and did not.
    pub failed: u64,
    /// How the last one ended.
    pub last_end: Option<String>,
    /// When the newest run began, in seconds since the epoch.
    pub started_s: u64,
    served: Option<Served>,
    runs: Vec<Run>,
}

/// A process that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Which, at the head of a group of its own.
    pub pid: i32,
    /// Its command, for the log.
    pub title: String,
    begun_us: u64,
    /// When it is to be killed.
    until_us: Option<u64>,
}

/// What is to be done about a command whose minute has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Due {
    /// Begin the one at this place.
    Begin(usize),
    /// Nothing: it runs still, as this process, and must not run twice.
    Runs(String, i32),
    /// Nothing: too many runs of it have not ended.
    Crowded(String),
}

/// How a process ended.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    /// Whether it did what it was to do.
    pub well: bool,
    /// In words.
    pub how: &'a str,
    /// Whether there is anybody still in its group.
    pub remains: bool,
}

/// A run that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Its command.
    pub title: String,
    /// How many seconds it took.
    pub seconds: u64,
}

impl Errand {
    /// The newest process that runs it.
    pub fn pid(&self) -> Option<i32> {
        self.runs.last().map(|run| run.pid)
    }
}

impl Errands {
    /// Goes over to the commands of another configuration; those that it has as well go on as they were. The new ones.
    pub fn follow(&mut self, wanted: &[CronCommand]) -> Vec<String> {
        let mut old = std::mem::take(&mut self.list);
        let mut new = Vec::new();
        for command in wanted {
            let known = old.iter().position(|known| known.command.is_like(command)).map(|place| old.remove(place));
            if known.is_none() {
                new.push(command.title());
            }
            self.list.push(Errand { command: command.clone(), ..known.unwrap_or_default() });
        }
        self.former.extend(old.into_iter().flat_map(|errand| errand.runs));
        new
    }

    /// What is to be done in this minute, each time once.
    pub fn due(&mut self, clock: WallClock) -> Vec<Due> {
        let mut due = Vec::new();
        for (place, errand) in self.list.iter_mut().enumerate() {
            let Errand { command, served, runs, .. } = errand;
            if self.leaving || !command.time.look(served, clock) {
                continue;
            }
            due.push(match runs.last() {
                Some(run) if command.unique => Due::Runs(command.title(), run.pid),
                Some(_) if runs.len() >= RUNS_MAX => Due::Crowded(command.title()),
                _ => Due::Begin(place),
            });
        }
        due
    }

    /// One was begun, as the leader of this group.
    pub fn begun(&mut self, place: usize, pid: i32, now_us: u64, epoch_s: u64) {
        let Some(errand) = self.list.get_mut(place) else { return };
        let limit_us = errand.command.harakiri_s.map(|seconds| seconds.saturating_mul(1_000_000));
        let until_us = limit_us.map(|limit_us| now_us.saturating_add(limit_us));
        errand.started_s = epoch_s;
        errand.runs.push(Run { pid, title: errand.command.title(), begun_us: now_us, until_us });
    }

    /// One could not be begun.
    pub fn not_begun(&mut self, place: usize, why: String) {
        if let Some(errand) = self.list.get_mut(place) {
            errand.failed += 1;
            errand.last_end = Some(why);
        }
    }

    /// A process has ended; `None` if it ran none of these. Of one that was told to go, its group is awaited as well.
    pub fn ended(&mut self, pid: i32, end: End<'_>, now_us: u64) -> Option<Ended> {
        let End { well, how, remains } = end;
        let of_errand = self.list.iter_mut().find_map(|errand| {
            let place = errand.runs.iter().position(|run| run.pid == pid)?;
            *(if well { &mut errand.done } else { &mut errand.failed }) += 1;
            errand.last_end = Some(how.to_owned());
            Some(errand.runs.remove(place))
        });
        let run = of_errand.or_else(|| {
            let place = self.former.iter().position(|run| run.pid == pid)?;
            Some(self.former.remove(place))
        })?;
        let ended = Ended { title: run.title.clone(), seconds: now_us.saturating_sub(run.begun_us) / 1_000_000 };
        if self.leaving && remains {
            self.remains.push(run);
        }
        Some(ended)
    }

    /// Forgets what runs have left behind where nobody is there any more.
    pub fn forget_remains(&mut self, is_there: impl Fn(i32) -> bool) {
        self.remains.retain(|run| is_there(run.pid));
    }

    /// The runs whose time is over, each once.
    pub fn overdue(&mut self, now_us: u64) -> Vec<Run> {
        let late = self.runs_mut().filter(|run| run.until_us.is_some_and(|until_us| until_us <= now_us));
        late.map(|run| {
            run.until_us = None;
            run.clone()
        })
        .collect()
    }

    /// The instance ends: no more is begun, and what runs may do so for a little while. Whom to tell, which is nobody the
    /// second time.
    pub fn leave(&mut self, until_us: u64) -> Vec<Run> {
        if std::mem::replace(&mut self.leaving, true) {
            return Vec::new();
        }
        let told: Vec<Run> = self.runs_mut().map(|run| run.clone()).collect();
        self.hurry(until_us);
        told
    }

    /// Whoever runs may do so until then, and no longer.
    pub fn hurry(&mut self, until_us: u64) {
        self.runs_mut().for_each(|run| run.until_us = Some(run.until_us.map_or(until_us, |own| own.min(until_us))));
    }

    /// Whether the instance ends.
    pub fn is_leaving(&self) -> bool {
        self.leaving
    }

    /// Whether anything runs.
    pub fn any_runs(&self) -> bool {
        !self.former.is_empty() || !self.remains.is_empty() || self.list.iter().any(|errand| !errand.runs.is_empty())
    }

    /// When to look again, in monotonic time. Without a clock none is to be begun.
    pub fn due_us(&self, now_us: u64, clock: Option<WallClock>) -> Option<u64> {
        let runs = self.list.iter().flat_map(|errand| &errand.runs).chain(&self.former).chain(&self.remains);
        let unseen = self.list.iter().any(|errand| errand.served.is_none());
        let minute_us = |clock: WallClock| if unseen { 0 } else { clock.until_next_minute_us() };
        let minute = clock.filter(|_| !self.leaving && !self.list.is_empty());
        let minute = minute.map(|clock| now_us.saturating_add(minute_us(clock)));
        runs.filter_map(|run| run.until_us).chain(minute).min()
    }

    /// The commands in the order of the configuration.
    pub fn list(&self) -> &[Errand] {
        &self.list
    }

    /// The command at this place.
    pub fn command(&self, place: usize) -> Option<&CronCommand> {
        self.list.get(place).map(|errand| &errand.command)
    }

    fn runs_mut(&mut self) -> impl Iterator<Item = &mut Run> {
        self.list.iter_mut().flat_map(|errand| &mut errand.runs).chain(&mut self.former).chain(&mut self.remains)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    fn each_minute(command: &str) -> CronCommand {
        CronCommand { command: command.to_owned(), ..CronCommand::default() }
    }

    fn of(commands: &[CronCommand]) -> Errands {
        let mut errands = Errands::default();
        assert_eq!(errands.follow(commands).len(), commands.len());
        errands
    }

    fn minute(number: i64) -> WallClock {
        WallClock { epoch_s: number * 60, offset_s: 0 }
    }

    fn ended(errands: &mut Errands, pid: i32, now_us: u64) -> Option<Ended> {
        errands.ended(pid, End { well: true, how: "exited with code 0", remains: false }, now_us)
    }

    #[test]
    fn a_plain_command_overlaps_itself_and_a_unique_one_leaves_minutes_out() {
        let mut errands = of(&[each_minute("plain"), CronCommand { unique: true, ..each_minute("unique") }]);
        assert_eq!(errands.due(minute(0)), [Due::Begin(0), Due::Begin(1)]);
        errands.begun(0, 10, 0, 0);
        errands.begun(1, 11, 0, 0);
        assert_eq!(errands.due(minute(0)), []);
        assert_eq!(errands.due(minute(1)), [Due::Begin(0), Due::Runs("unique".to_owned(), 11)]);
        errands.begun(0, 12, 60 * SECOND, 60);
        let over = ended(&mut errands, 11, 65 * SECOND);
        assert_eq!(over, Some(Ended { title: "unique".to_owned(), seconds: 65 }));
        assert_eq!(errands.due(minute(1)), [], "its minute was served, though by nothing");
        assert_eq!(errands.due(minute(2)), [Due::Begin(0), Due::Begin(1)]);
        assert_eq!(errands.list()[0].pid(), Some(12), "the newest");
        assert_eq!(ended(&mut errands, 99, 0), None);
    }

    #[test]
    fn a_command_that_always_hangs_does_not_fill_the_machine() {
        let mut errands = of(&[each_minute("hangs")]);
        for number in 0..100 {
            assert_eq!(errands.due(minute(number)), [Due::Begin(0)]);
            errands.begun(0, 100 + number as i32, 0, 0);
        }
        assert_eq!(errands.due(minute(100)), [Due::Crowded("hangs".to_owned())]);
        ended(&mut errands, 100, 0);
        assert_eq!(errands.due(minute(101)), [Due::Begin(0)]);
    }

    #[test]
    fn a_reload_runs_nothing_twice_and_loses_no_run() {
        let unique = |command: &str| CronCommand { unique: true, ..each_minute(command) };
        let mut errands = of(&[unique("a"), unique("b")]);
        assert_eq!(errands.due(minute(0)).len(), 2);
        errands.begun(0, 10, 0, 0);
        errands.begun(1, 11, 0, 0);
        // Another order, another limit, one that is new and one that is gone.
        let limited = CronCommand { harakiri_s: Some(5), ..unique("b") };
        assert_eq!(errands.follow(&[each_minute("c"), limited]), ["c"]);
        assert_eq!(errands.due(minute(0)), [Due::Begin(0)], "only the new one");
        assert_eq!(errands.due(minute(1)), [Due::Begin(0), Due::Runs("b".to_owned(), 11)]);
        assert_eq!(ended(&mut errands, 10, SECOND).map(|ended| ended.title), Some("a".to_owned()));
        assert!(errands.any_runs());
        // The same over the master's own replacement.
        let passed = serde_json::to_vec(&errands).expect("written");
        let mut errands: Errands = serde_json::from_slice(&passed).expect("read");
        assert_eq!(errands.due(minute(1)), []);
        assert!(ended(&mut errands, 11, SECOND).is_some() && !errands.any_runs());
        assert_eq!((errands.list()[1].done, errands.list()[1].failed), (1, 0));
    }

    #[test]
    fn lines_that_are_alike_run_each_for_itself_also_after_a_reload() {
        let twice = [each_minute("a"), each_minute("a")];
        let mut errands = of(&twice);
        assert_eq!(errands.due(minute(0)), [Due::Begin(0), Due::Begin(1)]);
        assert_eq!(errands.follow(&twice), [""; 0]);
        assert_eq!(errands.due(minute(0)), []);
        assert_eq!(errands.due(minute(1)).len(), 2);
    }

    #[test]
    fn what_runs_too_long_is_to_be_killed_once_older_runs_too() {
        let mut errands = of(&[CronCommand { harakiri_s: Some(90), ..each_minute("slow") }]);
        errands.begun(0, 10, 0, 0);
        errands.begun(0, 11, 60 * SECOND, 60);
        errands.due(minute(1));
        assert_eq!(errands.overdue(89 * SECOND), []);
        assert_eq!(errands.due_us(80 * SECOND, Some(minute(1))), Some(90 * SECOND));
        let pids = |runs: Vec<Run>| runs.into_iter().map(|run| run.pid).collect::<Vec<_>>();
        assert_eq!(pids(errands.overdue(90 * SECOND)), [10]);
        assert_eq!(pids(errands.overdue(150 * SECOND)), [11]);
        assert_eq!(errands.due_us(150 * SECOND, Some(minute(2))), Some(210 * SECOND), "the next minute");
    }

    #[test]
    fn at_the_end_everyone_is_told_once_and_killed_when_the_time_is_over() {
        let mut errands = of(&[each_minute("a"), each_minute("b")]);
        errands.begun(0, 10, 0, 0);
        errands.follow(&[each_minute("b")]);
        errands.begun(0, 11, 0, 0);
        let told = errands.leave(3 * SECOND);
        assert_eq!(told.iter().map(|run| run.pid).collect::<Vec<_>>(), [11, 10]);
        assert!(errands.leave(9 * SECOND).is_empty() && errands.is_leaving());
        assert_eq!(errands.due(minute(7)), [], "nothing begins any more");
        assert_eq!(errands.due_us(0, Some(minute(7))), Some(3 * SECOND));
        ended(&mut errands, 10, SECOND);
        assert_eq!(errands.overdue(3 * SECOND).len(), 1);
        assert!(errands.any_runs());
        errands.ended(11, End { well: false, how: "killed by signal 15", remains: true }, 3 * SECOND);
        errands.forget_remains(|_| true);
        assert!(errands.any_runs(), "it has left somebody behind");
        errands.forget_remains(|pid| pid != 11);
        assert!(!errands.any_runs());
        assert_eq!(errands.due_us(0, Some(minute(7))), None);
    }
}
