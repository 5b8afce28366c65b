//! Files whose change sets something off: `touch-*` and `fs-*` (uWSGI's manual, "Managing the uWSGI server"). Master
//! only.
//!
//! A watched file is what stat(2) of its name says, as in uWSGI, so that links, replaced directories, hard links and mounts
//! are followed. When to look the kernel tells (`hints`); what it does not tell of is seen by a look every two seconds.
//! Differs from uWSGI where it is at fault: time stamps count to the nanosecond, another file in the place counts whatever
//! its age, and a file that is deleted and made again sets off once, when it is there again. Changes that come together are
//! taken as one.

mod hints;
mod stamp;

use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use self::hints::{Hints, LOOK_EVERY_US};
use self::stamp::Stamp;
use crate::config::model::{Watch, WatchEffect};
use crate::config::subject::Subject;
use crate::failure::StartFailure;

/// How long it must be quiet around a file before its change counts: deployments change many files in a row.
const SETTLE_US: u64 = 50_000;

/// The files that are watched.
#[derive(Default)]
pub(super) struct Watches {
    hints: Hints,
    files: Vec<Watched>,
    looked_us: u64,
}

/// What one image of the master tells the next of a file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WatchHandover {
    path: PathBuf,
    /// The time stamp alone, for images up to 0.2.
    #[serde(default)]
    stamp: Option<(i64, i64)>,
    #[serde(default)]
    seen: Option<Stamp>,
    #[serde(default)]
    is_due: bool,
}

struct Watched {
    watch: Watch,
    path: PathBuf,
    /// What was there at the last look; `None` while the file is missing.
    stamp: Option<Stamp>,
    /// When a change that was seen counts, unless another one comes.
    due_us: Option<u64>,
}

/// Whether each file's directory is there: else its name is probably not what was meant.
///
/// # Errors
/// The first one that is not.
pub(super) fn judge(watches: &[Watch]) -> Result<(), StartFailure> {
    for watch in watches {
        let path = std::path::absolute(&watch.path).unwrap_or_else(|_| watch.path.clone());
        let directory = path.parent().unwrap_or(Path::new("/"));
        directory.metadata().map_err(|error| {
            let what = format!("cannot watch {} for {}: {error}", directory.display(), path.display());
            StartFailure::configuration(what).at(Subject::Watch(watch.path.clone()))
        })?;
    }
    Ok(())
}

impl Watches {
    /// Begins to watch. A file need not exist.
    pub(super) fn new(watches: &[Watch], now_us: u64) -> Self {
        if watches.is_empty() {
            return Self::default();
        }
        let path = |watch: &Watch| std::path::absolute(&watch.path).unwrap_or_else(|_| watch.path.clone());
        let paths: Vec<PathBuf> = watches.iter().map(path).collect();
        let hints = Hints::begin(paths.iter().map(PathBuf::as_path));
        // Looked at once the kernel tells, so that nothing is missed in between.
        let watched = |(watch, path): (&Watch, PathBuf)| Watched {
            watch: watch.clone(),
            stamp: Stamp::of(&path),
            path,
            due_us: None,
        };
        Self { hints, files: watches.iter().zip(paths).map(watched).collect(), looked_us: now_us }
    }

    /// What the event loop waits for.
    pub(super) fn source(&self) -> Option<&impl AsFd> {
        self.hints.source()
    }

    /// What is known of the files, for the next image of the master.
    pub(super) fn hand_over(&self) -> Vec<WatchHandover> {
        let known = |file: &Watched| WatchHandover {
            path: file.path.clone(),
            stamp: file.stamp.map(|stamp| stamp.modified),
            seen: file.stamp,
            is_due: file.due_us.is_some(),
        };
        self.files.iter().map(known).collect()
    }

    /// What the image before knew: what has changed since then, or was about to count, does so now.
    pub(super) fn remember(&mut self, known: Vec<WatchHandover>, now_us: u64) {
        for file in &mut self.files {
            let Some(known) = known.iter().find(|known| known.path == file.path) else { continue };
            let is_touched = match known.seen {
                Some(seen) => Stamp::is_touched(Some(seen), file.stamp),
                None => file.stamp.map(|stamp| stamp.modified) > known.stamp,
            };
            if known.is_due || is_touched {
                file.due_us = Some(now_us + SETTLE_US);
            }
        }
    }

    /// Takes the place of `old`, which heard everything until now: of a file that both watch it knows more.
    pub(super) fn succeed(&mut self, old: &mut Watches, now_us: u64) {
        old.read(now_us);
        for file in &mut self.files {
            let is_same = |known: &&Watched| known.watch == file.watch && known.path == file.path;
            if let Some(known) = old.files.iter().find(is_same) {
                (file.stamp, file.due_us) = (known.stamp, known.due_us);
            }
        }
        self.read(now_us);
        self.look(now_us);
    }

    /// Takes in what the kernel has told.
    pub(super) fn read(&mut self, now_us: u64) {
        let news = self.hints.read();
        for place in news.concerned {
            if let Some(file) = self.files.get_mut(place) {
                file.note(true, now_us);
            }
        }
        if news.ways_changed {
            self.look(now_us);
        }
    }

    /// Looks at every name, and asks the kernel about the ways as they are now.
    fn look(&mut self, now_us: u64) {
        self.looked_us = now_us;
        self.hints.follow(self.files.iter().map(|file| file.path.as_path()));
        self.files.iter_mut().for_each(|file| file.note(false, now_us));
    }

    /// When the next change counts, or the next look is due.
    pub(super) fn due_us(&self) -> Option<u64> {
        let look_us = (!self.files.is_empty()).then_some(self.looked_us + LOOK_EVERY_US);
        self.files.iter().filter_map(|file| file.due_us).chain(look_us).min()
    }

    /// What the changes that count by now set off, with the path, each effect once.
    pub(super) fn take(&mut self, now_us: u64) -> Vec<(PathBuf, WatchEffect)> {
        if !self.files.is_empty() && self.looked_us + LOOK_EVERY_US <= now_us {
            self.look(now_us);
        }
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
    /// Looks at the name. `happened`: something has, says the kernel, and any event counts for `fs-*`.
    fn note(&mut self, happened: bool, now_us: u64) {
        let found = Stamp::of(&self.path);
        let counts = match self.watch.any_event {
            true => happened || found != self.stamp,
            false => Stamp::is_touched(self.stamp, found),
        };
        self.stamp = found;
        if counts {
            self.due_us = Some(now_us + SETTLE_US);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::time::{Duration, SystemTime};

    fn watch(path: &Path, any_event: bool) -> Watches {
        let watch = Watch { path: path.to_owned(), effect: WatchEffect::Reload, any_event };
        Watches::new(&[watch], 0)
    }

    /// One that the kernel tells nothing, as where others have used it up.
    fn deaf(path: &Path, any_event: bool) -> Watches {
        Watches { hints: Hints::default(), ..watch(path, any_event) }
    }

    fn fired(watches: &mut Watches) -> usize {
        watches.read(0);
        watches.take(SETTLE_US).len()
    }

    /// After a look without a hint.
    fn found(watches: &mut Watches) -> usize {
        let before = watches.take(watches.looked_us + LOOK_EVERY_US).len();
        before + watches.take(watches.looked_us + SETTLE_US).len()
    }

    fn stamp(path: &Path, time: SystemTime) {
        fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }

    fn age(path: &Path) {
        stamp(path, SystemTime::UNIX_EPOCH);
    }

    /// Clearly later than whatever was before: the stamps of file systems are coarse.
    fn touch(path: &Path) {
        let before = path.metadata().unwrap().modified().unwrap();
        stamp(path, before + Duration::from_secs(1));
    }

    #[test]
    fn a_touch_sets_off_once_and_a_look_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("touch");
        fs::write(&path, "").unwrap();
        let mut watches = watch(&path, false);
        fs::read(&path).unwrap();
        assert_eq!(fired(&mut watches), 0);
        touch(&path);
        touch(&path);
        assert_eq!(fired(&mut watches), 1);
        assert_eq!(fired(&mut watches) + found(&mut watches), 0);
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
        age(&path);
        assert_eq!(fired(&mut watches), 0);
    }

    #[test]
    fn anything_in_a_watched_directory_sets_off() {
        let directory = tempfile::tempdir().unwrap();
        let mut watches = watch(directory.path(), true);
        fs::write(directory.path().join("new"), "").unwrap();
        assert_eq!(fired(&mut watches), 1);
        assert_eq!(found(&mut watches), 0, "it was told already");
    }

    /// What people do to a file that is watched by `path`, in `base`.
    struct Way {
        title: &'static str,
        prepare: fn(&Path),
        path: &'static str,
        touch: fn(&Path),
    }

    fn make(base: &Path, name: &str) {
        fs::create_dir_all(base.join(name).parent().unwrap()).unwrap();
        fs::write(base.join(name), "").unwrap();
    }

    fn relink(base: &Path, target: &str, name: &str) {
        symlink(target, base.join("fresh")).unwrap();
        fs::rename(base.join("fresh"), base.join(name)).unwrap();
    }

    const WAYS: &[Way] = &[
        Way {
            title: "its own name",
            prepare: |base| make(base, "touch"),
            path: "touch",
            touch: |base| touch(&base.join("touch")),
        },
        Way {
            title: "through a link",
            prepare: |base| {
                make(base, "d/touch");
                relink(base, "d/touch", "link");
            },
            path: "link",
            touch: |base| touch(&base.join("d/touch")),
        },
        Way {
            title: "the release switched, back to an older one too",
            prepare: |base| {
                ["releases/1/touch", "releases/2/touch"].into_iter().for_each(|name| make(base, name));
                age(&base.join("releases/2/touch"));
                relink(base, "releases/1", "current");
            },
            path: "current/touch",
            touch: |base| relink(base, "releases/2", "current"),
        },
        Way {
            title: "a ConfigMap of Kubernetes",
            prepare: |base| {
                ["..1/touch", "..2/touch"].into_iter().for_each(|name| make(base, name));
                relink(base, "..1", "..data");
                relink(base, "..data/touch", "touch");
            },
            path: "touch",
            touch: |base| relink(base, "..2", "..data"),
        },
        Way {
            title: "the other name of a hard link, as the other side of a mounted file",
            prepare: |base| {
                make(base, "d/touch");
                fs::create_dir(base.join("c")).unwrap();
                fs::hard_link(base.join("d/touch"), base.join("c/touch")).unwrap();
            },
            path: "c/touch",
            touch: |base| touch(&base.join("d/touch")),
        },
        Way {
            title: "its directory replaced",
            prepare: |base| ["x/touch", "y/touch"].into_iter().for_each(|name| make(base, name)),
            path: "x/touch",
            touch: |base| {
                fs::rename(base.join("x"), base.join("old")).unwrap();
                fs::rename(base.join("y"), base.join("x")).unwrap();
            },
        },
        Way {
            title: "a link that led nowhere",
            prepare: |base| relink(base, "d/touch", "link"),
            path: "link",
            touch: |base| make(base, "d/touch"),
        },
    ];

    /// Begins to watch, does it, and counts what it sets off.
    fn done(way: &Way, begin: fn(&Path, bool) -> Watches, any_event: bool, count: fn(&mut Watches) -> usize) -> usize {
        let base = tempfile::tempdir().unwrap();
        (way.prepare)(base.path());
        let mut watches = begin(&base.path().join(way.path), any_event);
        (way.touch)(base.path());
        count(&mut watches)
    }

    #[test]
    fn a_file_is_what_its_name_leads_to_whatever_leads_there() {
        for way in WAYS {
            for any_event in [false, true] {
                // A second time for directories that were made by it.
                let heard = done(way, watch, any_event, |watches| fired(watches).max(fired(watches)));
                assert_eq!(heard, 1, "{}, fs-*: {any_event}", way.title);
                assert_eq!(done(way, deaf, any_event, found), 1, "{} without hints, fs-*: {any_event}", way.title);
            }
        }
    }

    #[test]
    fn after_a_switch_the_new_file_is_heard_of() {
        let base = tempfile::tempdir().unwrap();
        ["releases/1/touch", "releases/2/touch"].into_iter().for_each(|name| make(base.path(), name));
        relink(base.path(), "releases/1", "current");
        let mut watches = watch(&base.path().join("current/touch"), false);
        relink(base.path(), "releases/2", "current");
        assert_eq!(fired(&mut watches), 1);
        touch(&base.path().join("releases/2/touch"));
        assert_eq!(fired(&mut watches), 1);
        touch(&base.path().join("releases/1/touch"));
        assert_eq!(fired(&mut watches) + found(&mut watches), 0, "the old one means nothing any more");
    }

    #[test]
    fn nothing_is_looked_at_without_a_file_to_watch_and_else_every_two_seconds() {
        assert_eq!(Watches::new(&[], 7).due_us(), None);
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(watch(&directory.path().join("touch"), false).due_us(), Some(LOOK_EVERY_US));
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let watch = Watch { path: "/nowhere/touch".into(), effect: WatchEffect::Reload, any_event: false };
        let said = judge(&[watch]).unwrap_err().to_string();
        assert!(said.starts_with("cannot watch /nowhere for /nowhere/touch: No such file"), "{said}");
    }
}
