//! Files whose change sets something off: `touch-*` and `fs-*` (uWSGI's manual, "Managing the uWSGI server"). Master
//! only.
//!
//! The kernel tells of changes (inotify), so that nothing is looked at without a reason. Differs from uWSGI where it is
//! at fault: time stamps count to the nanosecond, and a file that is deleted and made again sets off once,
//! when it is there again. Changes that come together are taken as one.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use serde::{Deserialize, Serialize};

use crate::config::model::{Watch, WatchEffect};

/// How long it must be quiet around a file before its change counts: deployments change many files in a row.
const SETTLE_US: u64 = 50_000;

/// The files that are watched.
#[derive(Default)]
pub(super) struct Watches {
    /// There only if there is something to watch.
    inotify: Option<Inotify>,
    files: Vec<Watched>,
    /// Which directory a watch descriptor stands for.
    directories: BTreeMap<WatchDescriptor, PathBuf>,
}

/// What one image of the master tells the next of a file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WatchHandover {
    path: PathBuf,
    #[serde(default)]
    stamp: Option<(i64, i64)>,
    #[serde(default)]
    is_due: bool,
}

struct Watched {
    watch: Watch,
    path: PathBuf,
    /// The time stamp that is known; `None` while the file is missing.
    stamp: Option<(i64, i64)>,
    /// When a change that was seen counts, unless another one comes.
    due_us: Option<u64>,
}

const EVENTS: AddWatchFlags = AddWatchFlags::IN_ATTRIB
    .union(AddWatchFlags::IN_CREATE)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_MODIFY)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_MOVED_TO);

impl Watches {
    /// Begins to watch. A file need not exist; its directory must.
    pub(super) fn new(watches: &[Watch]) -> io::Result<Self> {
        let mut own = Self::default();
        if watches.is_empty() {
            return Ok(own);
        }
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        for watch in watches {
            own.add(&inotify, watch)?;
        }
        own.inotify = Some(inotify);
        Ok(own)
    }

    /// What the event loop waits for.
    pub(super) fn source(&self) -> Option<&impl AsFd> {
        self.inotify.as_ref()
    }

    /// What is known of the files, for the next image of the master.
    pub(super) fn hand_over(&self) -> Vec<WatchHandover> {
        let known = |file: &Watched| WatchHandover {
            path: file.path.clone(),
            stamp: file.stamp,
            is_due: file.due_us.is_some(),
        };
        self.files.iter().map(known).collect()
    }

    /// What the image before knew: what has changed since then, or was about to count, does so now.
    pub(super) fn remember(&mut self, known: Vec<WatchHandover>, now_us: u64) {
        for file in &mut self.files {
            let Some(known) = known.iter().find(|known| known.path == file.path) else { continue };
            if known.is_due || file.stamp > known.stamp {
                file.due_us = Some(now_us + SETTLE_US);
            }
        }
    }

    /// Takes the place of `old`, which heard everything until now: of a file that both watch it knows more.
    pub(super) fn succeed(&mut self, old: &mut Watches, now_us: u64) {
        old.read(now_us);
        self.read(now_us);
        for file in &mut self.files {
            if let Some(known) = old.files.iter().find(|known| known.watch == file.watch) {
                (file.stamp, file.due_us) = (known.stamp, known.due_us);
            }
        }
    }

    fn add(&mut self, inotify: &Inotify, watch: &Watch) -> io::Result<()> {
        let path = std::path::absolute(&watch.path)?;
        // A directory is watched itself, a file through its directory, so that its being made anew is seen.
        let directory = if watch.any_event && path.is_dir() { Some(path.as_path()) } else { path.parent() };
        let directory = directory.unwrap_or(Path::new("/")).to_owned();
        let descriptor = inotify.add_watch(&directory, EVENTS).map_err(|error| {
            io::Error::other(format!("cannot watch {} for {}: {error}", directory.display(), path.display()))
        })?;
        self.directories.insert(descriptor, directory);
        self.files.push(Watched { watch: watch.clone(), stamp: stamp(&path), path, due_us: None });
        Ok(())
    }

    /// Takes in what has changed.
    pub(super) fn read(&mut self, now_us: u64) {
        let Some(inotify) = &self.inotify else { return };
        loop {
            let events = match inotify.read_events() {
                Ok(events) => events,
                Err(Errno::EAGAIN) => return,
                Err(Errno::EINTR) => continue,
                Err(error) => {
                    log::error!("cannot hear of changed files: {error}");
                    return;
                }
            };
            for event in events {
                let Some(directory) = self.directories.get(&event.wd) else { continue };
                let changed = event.name.as_ref().map_or_else(|| directory.clone(), |name| directory.join(name));
                for file in &mut self.files {
                    file.note(&changed, directory, now_us);
                }
            }
        }
    }

    /// When the next change counts.
    pub(super) fn due_us(&self) -> Option<u64> {
        self.files.iter().filter_map(|file| file.due_us).min()
    }

    /// What the changes that count by now set off, with the path, each effect once.
    pub(super) fn take(&mut self, now_us: u64) -> Vec<(PathBuf, WatchEffect)> {
        let mut effects: Vec<(PathBuf, WatchEffect)> = Vec::new();
        for file in self.files.iter_mut().filter(|file| file.due_us.is_some_and(|due| due <= now_us)) {
            file.due_us = None;
            if !effects.iter().any(|(_, effect)| *effect == file.watch.effect) {
                effects.push((file.path.clone(), file.watch.effect.clone()));
            }
        }
        effects
    }
}

impl Watched {
    fn note(&mut self, changed: &Path, directory: &Path, now_us: u64) {
        let concerns = self.path == *changed || (self.watch.any_event && self.path == *directory);
        if !concerns {
            return;
        }
        let found = stamp(&self.path);
        // Going away counts for nothing, coming back and growing newer do; any event does for `fs-*`.
        let counts = self.watch.any_event || found > self.stamp;
        if found.is_some() {
            self.stamp = found;
        } else if !self.watch.any_event {
            self.stamp = None;
        }
        if counts {
            self.due_us = Some(now_us + SETTLE_US);
        }
    }
}

fn stamp(path: &Path) -> Option<(i64, i64)> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.mtime(), found.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn watch(path: &Path, any_event: bool) -> Watches {
        let watch = Watch { path: path.to_owned(), effect: WatchEffect::Reload, any_event };
        Watches::new(&[watch]).unwrap()
    }

    fn fired(watches: &mut Watches) -> usize {
        watches.read(0);
        watches.take(SETTLE_US).len()
    }

    #[test]
    fn a_touch_sets_off_once_and_a_look_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("touch");
        fs::write(&path, "").unwrap();
        let mut watches = watch(&path, false);
        fs::read(&path).unwrap();
        assert_eq!(fired(&mut watches), 0);
        fs::write(&path, "1").unwrap();
        fs::write(&path, "2").unwrap();
        assert_eq!(fired(&mut watches), 1);
        assert_eq!(fired(&mut watches), 0);
    }

    #[test]
    fn deleting_and_making_a_file_again_sets_off_once() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("touch");
        fs::write(&path, "").unwrap();
        let mut watches = watch(&path, false);
        fs::remove_file(&path).unwrap();
        assert_eq!(fired(&mut watches), 0);
        fs::write(&path, "").unwrap();
        assert_eq!(fired(&mut watches), 1);
    }

    #[test]
    fn a_missing_file_sets_off_when_it_appears_and_an_older_stamp_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("touch");
        let mut watches = watch(&path, false);
        fs::write(&path, "").unwrap();
        assert_eq!(fired(&mut watches), 1);
        let past = std::time::UNIX_EPOCH;
        fs::File::options().write(true).open(&path).unwrap().set_modified(past).unwrap();
        assert_eq!(fired(&mut watches), 0);
    }

    #[test]
    fn anything_in_a_watched_directory_sets_off() {
        let directory = tempfile::tempdir().unwrap();
        let mut watches = watch(directory.path(), true);
        fs::write(directory.path().join("new"), "").unwrap();
        assert_eq!(fired(&mut watches), 1);
    }
}
