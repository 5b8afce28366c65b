//! Where vassals come from: files of a directory, or files that a pattern matches (uWSGI's manual, "Imperial monitors"). Looks
//! when the kernel tells of a change (inotify(7)), and now and then where it does not. Emperor only.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

use crate::config::model::Emperor;
use crate::sys::clock::monotonic_us;

/// The endings of uWSGI's configurations.
const EXTENSIONS: [&str; 6] = [".ini", ".yml", ".yaml", ".json", ".js", ".xml"];

/// Longest name of a vassal, as in uWSGI.
const NAME_MAX: usize = 255;

/// Changes that follow each other within this time count once: a file that is replaced, or deleted and made again.
const SETTLE_US: u64 = 50_000;

const EVENTS: AddWatchFlags = AddWatchFlags::IN_CREATE
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_MOVED_TO)
    .union(AddWatchFlags::IN_CLOSE_WRITE)
    .union(AddWatchFlags::IN_ATTRIB)
    .union(AddWatchFlags::IN_DELETE_SELF)
    .union(AddWatchFlags::IN_MOVE_SELF);

/// A place with vassals.
#[derive(Debug)]
enum Place {
    /// All files of a directory; their vassals stand there.
    Directory(PathBuf),
    /// All files that match.
    Pattern(String),
}

/// A file that is a vassal's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Where the vassal is to stand, if elsewhere than the Emperor.
    pub(super) directory: Option<PathBuf>,
    /// The file.
    pub(super) path: PathBuf,
    /// Which place it is of, as the configuration has it.
    pub(super) monitor: String,
    /// Whose it is.
    pub(super) owner: (u32, u32),
    /// Whether it may be executed by somebody.
    pub(super) executable: bool,
    pub(super) stamp: Stamp,
}

impl Candidate {
    /// Where its vassal stands.
    pub(super) fn directory(&self) -> PathBuf {
        self.directory.clone().or_else(|| std::env::current_dir().ok()).unwrap_or_default()
    }
}

/// When a file was changed, and which file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) modified_s: i64,
    modified_ns: i64,
    inode: u64,
    bytes: u64,
}

/// All places.
pub(super) struct Monitors {
    places: Vec<(String, Place)>,
    extensions: Vec<String>,
    nofollow: bool,
    link_owner: bool,
    look_every_us: u64,
    inotify: Option<Inotify>,
    look_at_us: Option<u64>,
}

impl Monitors {
    /// Begins to watch the places of a configuration.
    pub(super) fn new(config: &Emperor, start: &Path) -> Self {
        let places = config.monitors.iter().map(|text| (text.clone(), place(text, start))).collect();
        let extensions =
            EXTENSIONS.iter().map(|extension| (*extension).to_owned()).chain(config.extensions.iter().cloned());
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)
            .inspect_err(|error| log::warn!("the kernel tells of no changes (inotify): {error}"));
        let look_every_us = u64::try_from(config.look_every.as_micros()).unwrap_or(u64::MAX).max(100_000);
        let mut own = Self {
            places,
            extensions: extensions.collect(),
            nofollow: config.nofollow,
            link_owner: config.tyrant_nofollow,
            look_every_us,
            inotify: inotify.ok(),
            look_at_us: Some(0),
        };
        own.ask();
        own
    }

    /// What becomes readable when something has changed.
    pub(super) fn source(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }

    /// When to look.
    pub(super) fn due_us(&self) -> Option<u64> {
        self.look_at_us
    }

    /// Something has changed: a look is due as soon as that has settled.
    pub(super) fn hear(&mut self) {
        let Some(inotify) = &self.inotify else { return };
        let mut heard = false;
        while let Ok(events) = inotify.read_events() {
            heard |= !events.is_empty();
        }
        if heard {
            self.look_within(SETTLE_US);
        }
    }

    /// Looks at the latest when so much time is over.
    pub(super) fn look_within(&mut self, us: u64) {
        let at_us = monotonic_us().saturating_add(us);
        self.look_at_us = Some(self.look_at_us.map_or(at_us, |earlier| earlier.min(at_us)));
    }

    /// All vassals that there are, by name. `None` of a place that cannot be read: what is known of it stays.
    pub(super) fn look(&mut self) -> Look {
        self.look_at_us = None;
        self.ask();
        let mut look = Look::default();
        let mut told_of_all = self.inotify.is_some();
        for (text, place) in &self.places {
            match self.files_of(place) {
                Ok(files) => {
                    for path in files {
                        let Some((name, candidate)) = self.candidate(text, place, path) else { continue };
                        // The kernel tells of what happens in the directory, not of what a link leads to.
                        told_of_all &= self.nofollow || !candidate.path.is_symlink();
                        look.found.entry(name).or_insert(candidate);
                    }
                }
                Err(error) => {
                    told_of_all = false;
                    look.unread.push((text.clone(), error));
                }
            }
            told_of_all &= !matches!(place, Place::Pattern(pattern) if is_wild(&base_of(pattern)));
        }
        if !told_of_all {
            self.look_within(self.look_every_us);
        }
        look
    }

    fn files_of(&self, place: &Place) -> io::Result<Vec<PathBuf>> {
        match place {
            Place::Directory(directory) => {
                let entries = std::fs::read_dir(directory)?;
                Ok(entries.flatten().map(|entry| entry.path()).collect())
            }
            Place::Pattern(pattern) => {
                let found = glob::glob(pattern).map_err(io::Error::other)?;
                Ok(found.flatten().collect())
            }
        }
    }

    fn candidate(&self, monitor: &str, place: &Place, path: PathBuf) -> Option<(String, Candidate)> {
        let (name, directory) = match place {
            Place::Directory(directory) => (path.file_name()?.to_str()?.to_owned(), Some(directory.clone())),
            Place::Pattern(_) => (path.to_str()?.to_owned(), None),
        };
        if name.len() > NAME_MAX || !self.extensions.iter().any(|extension| name.ends_with(extension.as_str())) {
            return None;
        }
        let of_link = path.symlink_metadata().ok()?;
        let found = if self.nofollow { of_link.clone() } else { path.metadata().ok()? };
        if !(found.is_file() || (self.nofollow && found.is_symlink())) {
            return None;
        }
        let owned = if self.link_owner { of_link } else { path.metadata().ok()? };
        let stamp = Stamp {
            modified_s: found.mtime(),
            modified_ns: found.mtime_nsec(),
            inode: found.ino(),
            bytes: found.size(),
        };
        let candidate = Candidate {
            directory,
            monitor: monitor.to_owned(),
            owner: (owned.uid(), owned.gid()),
            executable: owned.mode() & 0o111 != 0,
            stamp,
            path,
        };
        Some((name, candidate))
    }

    /// Asks the kernel about the directories as they are now; one that it knows is not asked about twice.
    fn ask(&mut self) {
        let Some(inotify) = &self.inotify else { return };
        let mut all = true;
        for (_, place) in &self.places {
            let directory = match place {
                Place::Directory(directory) => directory.clone(),
                Place::Pattern(pattern) => PathBuf::from(base_of(pattern)),
            };
            all &= inotify.add_watch(&directory, EVENTS).is_ok();
        }
        if !all {
            self.look_within(self.look_every_us);
        }
    }
}

/// What a look has found.
#[derive(Debug, Default)]
pub(super) struct Look {
    pub(super) found: BTreeMap<String, Candidate>,
    /// Places that could not be read.
    pub(super) unread: Vec<(String, io::Error)>,
}

fn place(text: &str, start: &Path) -> Place {
    if let Some(directory) = text.strip_prefix("dir://") {
        return Place::Directory(start.join(directory));
    }
    let pattern = text.strip_prefix("glob://").unwrap_or(text);
    let path = start.join(pattern);
    if path.is_dir() && !text.starts_with("glob://") {
        return Place::Directory(path);
    }
    Place::Pattern(path.display().to_string())
}

/// The directory whose files a pattern matches.
fn base_of(pattern: &str) -> String {
    pattern.rsplit_once('/').map_or(".", |(base, _)| if base.is_empty() { "/" } else { base }).to_owned()
}

fn is_wild(path: &str) -> bool {
    path.contains(['*', '?', '['])
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn monitors(text: String) -> Monitors {
        Monitors::new(&Emperor { monitors: vec![text], ..Emperor::default() }, Path::new("/"))
    }

    #[test]
    fn the_files_of_a_directory_are_vassals_by_their_endings() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a.ini", "b.yaml", "c.txt", ".ini.swp", "d.ini~"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        fs::create_dir(dir.path().join("e.ini")).unwrap();
        let look = monitors(dir.path().display().to_string()).look();
        assert_eq!(look.found.keys().collect::<Vec<_>>(), ["a.ini", "b.yaml"]);
        assert_eq!(look.found["a.ini"].directory.as_deref(), Some(dir.path()));
    }

    #[test]
    fn what_a_pattern_matches_is_named_by_its_path() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["one/app.ini", "two/app.ini"] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let mut monitors = monitors(format!("{}/*/app.ini", dir.path().display()));
        let look = monitors.look();
        assert_eq!(look.found.len(), 2);
        assert!(look.found.keys().all(|name| name.ends_with("/app.ini")));
        // Nothing tells of directories that come.
        assert!(monitors.due_us().is_some());
    }

    #[test]
    fn another_time_of_change_is_another_stamp_also_an_older_one_and_within_a_second() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.ini");
        fs::write(&path, "").unwrap();
        let mut monitors = monitors(dir.path().display().to_string());
        let first = monitors.look().found["a.ini"].stamp;
        assert_eq!(monitors.due_us(), None);
        let file = fs::File::options().append(true).open(&path).unwrap();
        let now = file.metadata().unwrap().modified().unwrap();
        file.set_modified(now - std::time::Duration::from_nanos(1_000)).unwrap();
        assert_ne!(monitors.look().found["a.ini"].stamp, first);
    }

    #[test]
    fn a_directory_that_is_not_there_is_no_empty_one() {
        let look = monitors("dir:///nowhere-at-all".to_owned()).look();
        assert_eq!((look.found.len(), look.unread.len()), (0, 1));
    }
}
