//! One process of a spool directory: lists what waits, takes one task after the other that nobody else runs, and does away with
//! it or leaves it for later. What runs it is the caller's. Spoolers only.
//!
//! Who runs a task holds a lock on its file, which the kernel takes away from the dead. That a run is under way its sticky bit
//! says, so that a task that is done costs no other file; what went wrong before is in one beside it.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::escape;
use crate::spool::{
    ASIDE, Malformed, Manner, Runs, Task, by_version, is_being_written, is_priority, is_task, name_of_runs,
    task_of_runs,
};
use crate::sys::clock::epoch_us;
use crate::sys::task_files::{TaskDirectory, TaskFile};

/// For so long a file that is cut short may be one that uWSGI writes under the name of a task.
const BEING_WRITTEN_US: u64 = 10_000_000;

/// For so long a file that nobody holds may be one that somebody has just made and is about to lock. As often it is looked
/// whether there is one that was left.
const BEING_MADE_US: u64 = 60_000_000;

/// Where no frequency is given.
const FREQUENCY_LEAST: Duration = Duration::from_secs(1);

/// A process of a spool directory.
#[derive(Debug)]
pub struct Spooler {
    directory: PathBuf,
    manner: Manner,
    /// Directories of the present look: the spool directory, and those of priorities.
    directories: Vec<PathBuf>,
    /// The names that it has found, each with the place of its directory, from `next` on not looked at yet.
    names: Vec<(usize, OsString)>,
    next: usize,
    /// The directory that was used last.
    opened: Option<(usize, TaskDirectory)>,
    /// What could not be done, and when it is to be looked at again.
    later: HashMap<PathBuf, u64>,
    /// How many of those not looked at yet somebody may begin now.
    waiting: usize,
    looked_us: u64,
    next_look_us: u64,
    /// When it is to be looked again for what others have left who were killed.
    next_clearing_us: u64,
    running: Option<Box<Running>>,
}

/// The task under way.
#[derive(Debug)]
struct Running {
    place: usize,
    name: OsString,
    file: TaskFile,
}

/// A task that is to be run now.
#[derive(Debug)]
pub struct Begun {
    /// The name of its file.
    pub name: OsString,
    /// What it is.
    pub task: Task,
}

/// What became of looking at one.
enum Found {
    Begun(Box<Running>, Task),
    /// It is to be looked at again then.
    Later(u64),
    Gone,
}

impl Spooler {
    /// Of a directory.
    pub fn new(directory: PathBuf, manner: Manner) -> Self {
        Self {
            directory,
            manner,
            directories: Vec::new(),
            names: Vec::new(),
            next: 0,
            opened: None,
            later: HashMap::new(),
            waiting: 0,
            looked_us: 0,
            next_look_us: 0,
            next_clearing_us: 0,
            running: None,
        }
    }

    /// Lists what waits.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn look(&mut self) -> io::Result<()> {
        self.looked_us = epoch_us();
        self.next_look_us = self.looked_us.saturating_add(self.frequency_us());
        (self.next, self.opened) = (0, None);
        self.names.clear();
        self.directories.clear();
        let clears = self.looked_us >= self.next_clearing_us;
        self.list(self.directory.clone(), clears)?;
        if clears {
            self.next_clearing_us = self.looked_us.saturating_add(BEING_MADE_US);
        }
        if !self.manner.is_ordered {
            // Each begins elsewhere, so that they do not meet at every task.
            let (own, all) = self.manner.share;
            let first = self.names.len() * own / all.max(1);
            self.names.rotate_left(first);
        }
        let mut before = std::mem::take(&mut self.later);
        if !before.is_empty() {
            let here = self.names.iter().map(|(place, name)| self.directories[*place].join(name));
            self.later = here.filter_map(|path| before.remove_entry(&path)).collect();
        }
        self.waiting = self.names.len() - self.later.values().filter(|due_us| **due_us > self.looked_us).count();
        Ok(())
    }

    fn list(&mut self, directory: PathBuf, clears: bool) -> io::Result<()> {
        let place = self.directories.len();
        let is_ordered = self.manner.is_ordered;
        let (mut found, mut left) = (Vec::new(), Vec::new());
        for entry in fs::read_dir(&directory)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_priority = is_ordered && is_priority(name.as_bytes());
            if is_task(name.as_bytes()) || (is_priority && entry.file_type().is_ok_and(|kind| kind.is_dir())) {
                found.push((name, is_priority));
            } else if clears {
                left.push(name);
            }
        }
        if is_ordered {
            found.sort_unstable_by(|(one, _), (other, _)| by_version(one.as_bytes(), other.as_bytes()));
        }
        self.directories.push(directory);
        for name in left {
            if let Err(error) = self.clear(place, &name) {
                let (directory, name) = (self.directories[place].display(), escape::value(name.as_bytes()));
                log::error!("[spooler {directory}] {name} was left and cannot be removed: {error}");
            }
        }
        for (name, is_priority) in found {
            if is_priority {
                // One that has gone has no tasks; one that cannot be read is nobody's to run.
                let _ = self.list(self.directories[place].join(name), clears);
            } else {
                self.names.push((place, name));
            }
        }
        Ok(())
    }

    /// Removes what somebody has left who was killed: a task that he was writing, which nobody holds any more; what he noted of
    /// one that is done.
    fn clear(&mut self, place: usize, name: &OsStr) -> io::Result<()> {
        let looked_us = self.looked_us;
        let tasks = self.opened(place)?;
        if is_being_written(name.as_bytes()) {
            let Some(file) = tasks.find(name)? else { return Ok(()) };
            let is_old = looked_us.saturating_sub(file.touched_us()) >= BEING_MADE_US;
            if is_old && file.lock() {
                tasks.remove(name)?;
                let name = escape::value(name.as_bytes());
                log::warn!(
                    "[spooler {}] {name} is removed: whoever wrote it has died before it was a task",
                    self.directory.display()
                );
            }
        } else if let Some(task) = task_of_runs(name.as_bytes())
            && !tasks.has(OsStr::from_bytes(&task))?
        {
            tasks.remove(name)?;
        }
        Ok(())
    }

    /// The next task of this look that is to be run now, which is under way from here on. `None`: there is none any more.
    pub fn begin(&mut self) -> Option<Begun> {
        self.running = None;
        while self.next < self.names.len() {
            let (place, name) = std::mem::take(&mut self.names[self.next]);
            self.next += 1;
            let path = |this: &Self| this.directories[place].join(&name);
            let due_us = if self.later.is_empty() { None } else { self.later.remove(&path(self)) };
            if due_us.is_none_or(|due_us| due_us <= self.looked_us) {
                self.waiting = self.waiting.saturating_sub(1);
            }
            match self.find(place, &name).unwrap_or_else(|_| Found::Later(self.later_us())) {
                Found::Begun(running, task) => {
                    self.running = Some(running);
                    return Some(Begun { name, task });
                }
                Found::Later(due_us) => {
                    self.next_look_us = self.next_look_us.min(due_us);
                    self.later.insert(path(self), due_us);
                }
                Found::Gone => {}
            }
        }
        None
    }

    /// Looks at one.
    fn find(&mut self, place: usize, name: &OsStr) -> io::Result<Found> {
        let tasks = self.opened(place)?;
        let Some(mut file) = tasks.find(name)? else { return Ok(Found::Gone) };
        let now_us = epoch_us();
        if file.changed_us() > now_us {
            return Ok(Found::Later(file.changed_us()));
        }
        if !file.lock() {
            return Ok(Found::Later(self.later_us()));
        }
        let task = match Task::of(file.read()?) {
            Ok(task) => task,
            Err(Malformed::CutShort) if now_us - file.changed_us() < BEING_WRITTEN_US => {
                return Ok(Found::Later(file.changed_us().saturating_add(BEING_WRITTEN_US)));
            }
            Err(malformed) => return self.set_aside(place, name, &file, &malformed.to_string()),
        };
        if file.is_marked() {
            let crashes_max = self.manner.crashes_max;
            let (runs, is_last) = self.change_runs(place, name, |runs| runs.crash(crashes_max))?;
            if is_last {
                let why = format!("it has taken {} processes with it", runs.crashes);
                return self.set_aside(place, name, &file, &why);
            }
        }
        file.mark(true);
        Ok(Found::Begun(Box::new(Running { place, name: name.to_owned(), file }), task))
    }

    /// The task under way is done, or is to be run again.
    ///
    /// # Errors
    /// What the system says.
    pub fn end(&mut self, is_done: bool) -> io::Result<()> {
        let Some(running) = self.running.take() else { return Ok(()) };
        let Running { place, name, file } = *running;
        let mut due_us = self.later_us();
        let ended = match is_done {
            true => self.remove(place, &name),
            false => self.put_off(place, &name, &file).map(|until_us| due_us = until_us.unwrap_or(due_us)),
        };
        if !is_done || ended.is_err() {
            file.mark(false);
            self.next_look_us = self.next_look_us.min(due_us);
            self.later.insert(self.directories[place].join(name), due_us);
        }
        ended
    }

    fn remove(&mut self, place: usize, name: &OsStr) -> io::Result<()> {
        let tasks = self.opened(place)?;
        tasks.remove(name)?;
        tasks.remove(OsStr::from_bytes(&name_of_runs(name.as_bytes())))
    }

    /// Notes that a task is to be run again; until when it is put off.
    fn put_off(&mut self, place: usize, name: &OsStr, file: &TaskFile) -> io::Result<Option<u64>> {
        let first = self.manner.retry_delay;
        let (_, delay) = self.change_runs(place, name, |runs| runs.fail(first))?;
        let until_us = delay.map(|delay| epoch_us().saturating_add(micros(delay)));
        if let Some(until_us) = until_us {
            // Another user's is looked at again as soon as any.
            let _ = file.date(until_us);
        }
        Ok(until_us)
    }

    /// How many tasks wait that somebody may begin now.
    pub fn waiting(&self) -> u64 {
        self.waiting as u64
    }

    /// How long nothing has to be looked at.
    pub fn until_next_look(&self) -> Duration {
        Duration::from_micros(self.next_look_us.saturating_sub(epoch_us()))
    }

    /// Changes the longest time between two looks.
    pub fn set_frequency(&mut self, frequency: Duration) {
        self.manner.frequency = frequency;
    }

    fn change_runs<R>(
        &mut self,
        place: usize,
        name: &OsStr,
        change: impl FnOnce(&mut Runs) -> R,
    ) -> io::Result<(Runs, R)> {
        let note = OsString::from_vec(name_of_runs(name.as_bytes()));
        let tasks = self.opened(place)?;
        let mut runs = Runs::read(&tasks.read_note(&note));
        let result = change(&mut runs);
        tasks.write_note(&note, &runs.text())?;
        Ok((runs, result))
    }

    /// Puts a file where nobody runs it.
    fn set_aside(&mut self, place: usize, name: &OsStr, file: &TaskFile, why: &str) -> io::Result<Found> {
        if file.is_marked() {
            file.mark(false);
        }
        let runs = name_of_runs(name.as_bytes());
        let aside = TaskDirectory::open(&self.directory, true)?.inside(ASIDE)?;
        let tasks = self.opened(place)?;
        tasks.move_to(name, &aside)?;
        tasks.remove(OsStr::from_bytes(&runs))?;
        let (directory, aside) = (self.directory.display(), self.directory.join(ASIDE));
        let name = escape::value(name.as_bytes());
        log::error!("[spooler {directory}] task {name} is set aside in {}: {why}", aside.display());
        Ok(Found::Gone)
    }

    fn opened(&mut self, place: usize) -> io::Result<&TaskDirectory> {
        if self.opened.as_ref().is_none_or(|(own, _)| *own != place) {
            let path: &Path = self.directories.get(place).map_or(&self.directory, |path| path);
            self.opened = Some((place, TaskDirectory::open(path, place == 0)?));
        }
        self.opened.as_ref().map(|(_, tasks)| tasks).ok_or_else(|| io::Error::other("no directory"))
    }

    fn later_us(&self) -> u64 {
        epoch_us().saturating_add(self.frequency_us())
    }

    fn frequency_us(&self) -> u64 {
        let frequency = self.manner.frequency;
        micros(if frequency.is_zero() { FREQUENCY_LEAST } else { frequency })
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::Wanted;
    use crate::spooling::write;

    const MANNER: Manner = Manner {
        is_ordered: false,
        frequency: Duration::from_secs(30),
        retry_delay: Duration::ZERO,
        crashes_max: 2,
        share: (0, 1),
    };

    fn with_tasks(count: u32) -> (tempfile::TempDir, Vec<PathBuf>) {
        let there = tempfile::tempdir().expect("a directory");
        let one = |number: u32| {
            let number = number.to_string();
            let wanted = Wanted::of(&[[b"n", number.as_bytes()]]).expect("it fits");
            write(there.path(), &wanted, false).expect("written")
        };
        let paths = (0..count).map(one).collect();
        (there, paths)
    }

    fn spooler(there: &tempfile::TempDir, manner: Manner) -> Spooler {
        let mut spooler = Spooler::new(there.path().to_owned(), manner);
        spooler.look().expect("a directory");
        spooler
    }

    fn names(there: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(there)
            .expect("a directory")
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn several_processes_run_each_task_once_and_begin_at_different_ones() {
        let (there, paths) = with_tasks(6);
        let mut both = [0, 1].map(|own| spooler(&there, Manner { share: (own, 2), ..MANNER }));
        let mut ran = Vec::new();
        for _ in 0..3 {
            let begun = both.each_mut().map(|one| one.begin().expect("a task").name);
            assert_ne!(begun[0], begun[1]);
            ran.extend(begun);
            both.iter_mut().for_each(|one| one.end(true).expect("removed"));
        }
        assert!(both.iter_mut().all(|one| one.begin().is_none()));
        ran.sort();
        let mut all: Vec<_> = paths.iter().map(|path| path.file_name().unwrap().to_owned()).collect();
        all.sort();
        assert_eq!(ran, all);
        assert_eq!(names(there.path()), [""; 0]);
    }

    #[test]
    fn one_that_is_being_run_is_left_alone_and_one_whose_runner_has_died_is_run_again() {
        let (there, _paths) = with_tasks(1);
        let mut first = spooler(&there, MANNER);
        assert!(first.begin().is_some());
        assert!(spooler(&there, MANNER).begin().is_none());
        drop(first);
        let mut second = spooler(&there, MANNER);
        assert!(second.begin().is_some(), "it runs again");
        drop(second);
        assert!(spooler(&there, MANNER).begin().is_none(), "two processes are enough");
        assert_eq!(names(there.path()), [ASIDE]);
        let aside = fs::read_dir(there.path().join(ASIDE)).expect("a directory").next().expect("a task").unwrap();
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(aside.metadata().expect("a file").permissions().mode() & 0o7777, 0o600, "no note of a run is left");
    }

    #[test]
    fn one_that_failed_waits_and_its_failures_are_forgotten_when_it_is_done() {
        let (there, _paths) = with_tasks(1);
        let mut one = spooler(&there, Manner { retry_delay: Duration::from_secs(7), ..MANNER });
        assert!(one.begin().is_some());
        one.end(false).expect("noted");
        assert!(one.until_next_look() <= Duration::from_secs(7) && one.until_next_look() > Duration::from_secs(5));
        one.look().expect("a directory");
        assert_eq!(one.waiting(), 0);
        assert!(one.begin().is_none());
        // At once, where nothing says how long.
        let mut other = spooler(&there, MANNER);
        assert_eq!((other.waiting(), other.begin().is_none()), (1, true));
        let (there, _paths) = with_tasks(1);
        let mut one = spooler(&there, MANNER);
        for is_done in [false, true] {
            one.look().expect("a directory");
            assert!(one.begin().is_some());
            assert_eq!(names(there.path()).len(), 1 + usize::from(is_done));
            one.end(is_done).expect("noted");
        }
        assert_eq!(names(there.path()), [""; 0]);
    }

    #[test]
    fn priorities_and_numbers_are_an_order_where_one_is_wanted() {
        let there = tempfile::tempdir().expect("a directory");
        for name in
            ["10/uwsgi_spoolfile_on_a", "2/uwsgi_spoolfile_on_b", "uwsgi_spoolfile_on_10", "uwsgi_spoolfile_on_9"]
        {
            let path = there.path().join(name);
            fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
            fs::write(path, [17, 0, 0, 0]).expect("a task");
        }
        std::os::unix::fs::symlink(there.path().join("2"), there.path().join("1")).expect("a link");
        let ran = |manner| {
            let mut one = spooler(&there, manner);
            std::iter::from_fn(|| one.begin()).map(|begun| begun.name.into_string().unwrap()).collect::<Vec<_>>()
        };
        let ends = |names: Vec<String>| {
            names.iter().filter_map(|name| name.rsplit('_').next().map(str::to_owned)).collect::<Vec<_>>()
        };
        assert_eq!(ends(ran(Manner { is_ordered: true, ..MANNER })), ["b", "a", "9", "10"]);
        assert_eq!(ran(MANNER).len(), 2, "priorities are none without an order");
    }

    #[test]
    fn what_somebody_leaves_who_is_killed_goes_unless_somebody_holds_it() {
        let there = tempfile::tempdir().expect("a directory");
        let tasks = TaskDirectory::open(there.path(), true).expect("a directory");
        let held = tasks.make(".uwsgi_spoolfile_written_by_one_who_lives").expect("a file");
        drop(tasks.make(".uwsgi_spoolfile_written_by_one_who_died").expect("a file"));
        let others =
            [".uwsgi_spoolfile_runs_done", ".uwsgi_spoolfile_runs_waits", "uwsgi_spoolfile_on_waits", ".other"];
        for name in others {
            fs::write(there.path().join(name), [17, 0, 0, 0]).expect("a file");
        }
        let mut one = Spooler::new(there.path().to_owned(), MANNER);
        one.look().expect("a directory");
        assert_eq!(names(there.path()).len(), 5, "somebody may be about to hold it, but nobody knows of what is done");
        one.looked_us += BEING_MADE_US;
        one.list(there.path().to_owned(), true).expect("a directory");
        let left = [".other", ".uwsgi_spoolfile_runs_waits", ".uwsgi_spoolfile_written_by_one_who_lives"];
        assert_eq!(names(there.path()), [&left[..], &["uwsgi_spoolfile_on_waits"]].concat());
        drop(held);
        one.list(there.path().to_owned(), true).expect("a directory");
        assert_eq!(names(there.path()), [left[0], left[1], "uwsgi_spoolfile_on_waits"]);
    }

    #[test]
    fn what_is_no_task_is_set_aside_but_not_while_somebody_may_be_writing_it() {
        let there = tempfile::tempdir().expect("a directory");
        let path = |name: &str| there.path().join(format!("uwsgi_spoolfile_on_{name}"));
        fs::write(path("malformed"), [17, 1, 0, 0, 9]).expect("a file");
        fs::write(path("short"), [17, 9]).expect("a file");
        assert!(spooler(&there, MANNER).begin().is_none());
        assert_eq!(names(there.path()), [ASIDE, "uwsgi_spoolfile_on_short"]);
        let old = std::time::UNIX_EPOCH;
        fs::File::options().write(true).open(path("short")).expect("a file").set_modified(old).expect("a date");
        assert!(spooler(&there, MANNER).begin().is_none());
        assert_eq!(names(there.path()), [ASIDE]);
        assert_eq!(names(&there.path().join(ASIDE)).len(), 2);
    }
}
