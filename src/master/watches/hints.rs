//! When it is worth to look at watched names: what the kernel tells of the directories on the way to them and of the files
//! themselves (inotify(7)). Master only.
//!
//! Only a help: it tells nothing of what happens on other machines, of what is mounted over a directory, and nothing at all
//! where others have used up what the machine has of it. So whoever watches looks by himself, too, if less often.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};

/// How often whoever watches is to look although nothing was told.
pub(super) const LOOK_EVERY_US: u64 = 2_000_000;

/// Most links on the way to a file, as in the kernel.
const LINKS_MAX: usize = 40;

const EVENTS: AddWatchFlags = AddWatchFlags::IN_ATTRIB
    .union(AddWatchFlags::IN_CREATE)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_MODIFY)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_MOVED_TO)
    .union(AddWatchFlags::IN_DELETE_SELF)
    .union(AddWatchFlags::IN_MOVE_SELF);

/// After these a file is the same file as before.
const CONTENT: AddWatchFlags = AddWatchFlags::IN_ATTRIB.union(AddWatchFlags::IN_MODIFY);

/// What the kernel is asked about.
#[derive(Default)]
pub(super) struct Hints {
    /// There only if there is something to watch, and the machine has one left.
    inotify: Option<Inotify>,
    asked: BTreeMap<WatchDescriptor, Concern>,
    /// Whether it was said that the kernel does not tell everything.
    said: bool,
}

/// Which files, by their places, an event concerns.
#[derive(Default)]
struct Concern {
    /// Of a name in the directory.
    names: BTreeMap<OsString, BTreeSet<usize>>,
    /// Of the watched thing itself and all that is in it.
    itself: BTreeSet<usize>,
}

/// What the kernel has told.
#[derive(Debug, Default)]
pub(super) struct News {
    /// The places of the files to which something has happened.
    pub(super) concerned: BTreeSet<usize>,
    /// Whether names may lead elsewhere now, or something was not told.
    pub(super) ways_changed: bool,
}

impl Hints {
    /// Asks about the way to each of these paths.
    pub(super) fn begin<'p>(paths: impl Iterator<Item = &'p Path>) -> Self {
        let mut own = Self::default();
        match Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK) {
            Ok(inotify) => own.inotify = Some(inotify),
            Err(error) => own.say(error.into()),
        }
        own.follow(paths);
        own
    }

    /// What the event loop waits for.
    pub(super) fn source(&self) -> Option<&impl AsFd> {
        self.inotify.as_ref()
    }

    /// Asks about the ways as they are now, and about no others any more.
    pub(super) fn follow<'p>(&mut self, paths: impl Iterator<Item = &'p Path>) {
        let Some(inotify) = &self.inotify else { return };
        let mut asked: BTreeMap<WatchDescriptor, Concern> = BTreeMap::new();
        let mut refused = None;
        for (place, path) in paths.enumerate() {
            let Way { steps, end } = Way::to(path);
            for (directory, name) in steps {
                match inotify.add_watch(&directory, EVENTS) {
                    Ok(watch) => drop(asked.entry(watch).or_default().names.entry(name).or_default().insert(place)),
                    Err(error) => refused = Some(error),
                }
            }
            match end.map(|end| inotify.add_watch(&end, EVENTS)) {
                Some(Ok(watch)) => drop(asked.entry(watch).or_default().itself.insert(place)),
                // It may have gone since.
                None | Some(Err(Errno::ENOENT)) => {}
                Some(Err(error)) => refused = Some(error),
            }
        }
        for old in self.asked.keys().filter(|old| !asked.contains_key(old)) {
            // What was deleted is not asked about any more, anyway.
            let _ = inotify.rm_watch(*old);
        }
        self.asked = asked;
        if let Some(error) = refused {
            self.say(error.into());
        }
    }

    /// Takes in what has been told.
    pub(super) fn read(&self) -> News {
        let mut news = News::default();
        let Some(inotify) = &self.inotify else { return news };
        loop {
            match inotify.read_events() {
                Ok(events) => events.into_iter().for_each(|event| self.take(&event, &mut news)),
                Err(Errno::EAGAIN) => return news,
                Err(Errno::EINTR) => {}
                Err(error) => {
                    log::error!("cannot hear of changed files: {error}");
                    return news;
                }
            }
        }
    }

    fn take(&self, event: &InotifyEvent, news: &mut News) {
        if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
            news.ways_changed = true;
        }
        let Some(concern) = self.asked.get(&event.wd).filter(|_| !event.mask.contains(AddWatchFlags::IN_IGNORED))
        else {
            return;
        };
        let concerned: Vec<usize> = match &event.name {
            Some(name) => concern.names.get(name).into_iter().flatten().chain(&concern.itself).copied().collect(),
            None => concern.names.values().flatten().chain(&concern.itself).copied().collect(),
        };
        news.ways_changed |= !concerned.is_empty() && !event.mask.intersects(CONTENT);
        // That a directory on the way was touched is no touch of the file in it.
        let is_way = event.name.is_none() && event.mask.intersects(CONTENT);
        news.concerned.extend(if is_way { concern.itself.iter().copied().collect() } else { concerned });
    }

    /// Says once that the kernel does not tell everything.
    fn say(&mut self, error: io::Error) {
        if !std::mem::replace(&mut self.said, true) {
            log::warn!(
                "the kernel does not tell of all changes of watched files (inotify: {error}): they are looked at every \
                 {} s",
                LOOK_EVERY_US / 1_000_000
            );
        }
    }
}

/// How a path leads to what stands there.
struct Way {
    /// The names that decide where it leads, each with the directory that it is in: links, what is missing, and the last.
    steps: Vec<(PathBuf, OsString)>,
    /// What it leads to.
    end: Option<PathBuf>,
}

impl Way {
    fn to(path: &Path) -> Self {
        let mut steps = Vec::new();
        let mut at = PathBuf::from("/");
        let mut rest: VecDeque<OsString> = names(path);
        let mut links = 0;
        while let Some(name) = rest.pop_front() {
            if name == ".." {
                at.pop();
                continue;
            }
            let next = at.join(&name);
            let found = fs::symlink_metadata(&next);
            let is_link = found.as_ref().is_ok_and(|found| found.file_type().is_symlink());
            if is_link || found.is_err() || rest.is_empty() {
                steps.push((at.clone(), name));
            }
            match fs::read_link(&next).ok().filter(|_| is_link) {
                Some(target) => {
                    links += 1;
                    if links > LINKS_MAX {
                        return Self { steps, end: None };
                    }
                    if target.is_absolute() {
                        at = PathBuf::from("/");
                    }
                    names(&target).into_iter().rev().for_each(|name| rest.push_front(name));
                }
                None if found.is_err() => return Self { steps, end: None },
                None => at = next,
            }
        }
        Self { steps, end: Some(at) }
    }
}

fn names(path: &Path) -> VecDeque<OsString> {
    let name = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::new("..").to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_way_names_every_link_what_is_missing_and_the_end() {
        let base = tempfile::tempdir().unwrap();
        let base = base.path().canonicalize().unwrap();
        fs::create_dir_all(base.join("releases/1")).unwrap();
        fs::write(base.join("releases/1/file"), "").unwrap();
        symlink("releases/1", base.join("current")).unwrap();
        symlink(base.join("releases/../current/file"), base.join("link")).unwrap();
        let steps = |path: &str| {
            let way = Way::to(&base.join(path));
            let steps = way.steps.into_iter().map(|(directory, name)| directory.join(name));
            let below = |path: PathBuf| path.strip_prefix(&base).unwrap().display().to_string();
            (steps.map(below).collect::<Vec<_>>(), way.end.map(below))
        };
        let end = Some("releases/1/file".to_owned());
        assert_eq!(steps("current/file"), (vec!["current".into(), "releases/1/file".into()], end.clone()));
        assert_eq!(steps("link"), (vec!["link".into(), "current".into(), "releases/1/file".into()], end));
        assert_eq!(steps("current/gone/deep"), (vec!["current".into(), "releases/1/gone".into()], None));
        symlink("round", base.join("round")).unwrap();
        assert_eq!(steps("round").1, None);
    }
}
