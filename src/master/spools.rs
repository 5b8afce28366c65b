//! How many processes of each spool directory run (`spooler-cheaper`): sees what they do, and has the machine follow what
//! [`crate::scaling::spool`] decides. Master only.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::driver::Driver;
use super::machine::{Condition, Event, Post, Role};
use crate::config::model::mailboxes;
use crate::scaling::spool::{self, Sight};
use crate::sys::clock::monotonic_us;

/// The processes of a directory that are to run, and those of them that have nothing to do.
struct Processes {
    wanted: Vec<Post>,
    idle: Vec<Post>,
    dormant: Vec<Post>,
    busy: u32,
    waiting: u64,
}

impl Driver<'_> {
    /// Looks at the spool directories if there is a reason to.
    pub(super) fn scale_spools(&mut self) {
        let now_us = monotonic_us();
        let is_due = self.spools.next_look_us.is_some_and(|look_us| look_us <= now_us);
        if !std::mem::take(&mut self.spools.called) && !is_due {
            return;
        }
        self.spools.next_look_us = None;
        let Some(fewest) = self.in_force.config.spoolers.fewest_each.filter(|_| !self.machine.is_stopping()) else {
            return;
        };
        let mut directories: BTreeMap<PathBuf, Vec<Post>> = BTreeMap::new();
        for (number, directory) in (1..).zip(self.in_force.config.spoolers.processes()) {
            directories.entry(directory.to_owned()).or_default().push(Post { role: Role::Spooler, number });
        }
        self.spools.memories.retain(|directory, _| directories.contains_key(directory));
        for (directory, posts) in directories {
            let fewest = u32::try_from(fewest).unwrap_or(u32::MAX);
            self.scale_spool(&directory, &posts, fewest, now_us);
        }
    }

    fn scale_spool(&mut self, directory: &Path, posts: &[Post], fewest: u32, now_us: u64) {
        let processes = self.processes(directory, posts);
        let count = |posts: &[Post]| u32::try_from(posts.len()).unwrap_or(u32::MAX);
        let (wanted, busy, waiting) = (count(&processes.wanted), processes.busy, processes.waiting);
        let seen = Sight { now_us, fewest, most: count(posts), wanted, busy, waiting };
        let decided = spool::look(self.spools.memories.entry(directory.to_owned()).or_default(), &seen);
        let looks = self.spools.next_look_us.into_iter().chain(decided.next_look_us);
        self.spools.next_look_us = looks.min();
        // The lowest numbers come first and go last; nobody is told to go who has a task.
        let change: Vec<Event> = if decided.wanted > wanted {
            let more = processes.dormant.iter().take((decided.wanted - wanted) as usize);
            more.map(|post| Event::Want { post: *post, wanted: true }).collect()
        } else {
            let fewer = processes.idle.iter().rev().take((wanted - decided.wanted) as usize);
            fewer.map(|post| Event::Want { post: *post, wanted: false }).collect()
        };
        if !change.is_empty() {
            let directory = crate::escape::value(directory.as_os_str().as_encoded_bytes());
            let after =
                if decided.wanted > wanted { wanted + change.len() as u32 } else { wanted - change.len() as u32 };
            log::info!("[spooler {directory}] processes: {wanted} -> {after}: {busy} are busy, {waiting} tasks wait");
        }
        self.handle_all(change);
    }

    fn processes(&self, directory: &Path, posts: &[Post]) -> Processes {
        let (wanted, dormant): (Vec<Post>, Vec<Post>) = posts.iter().partition(|post| self.machine.is_wanted(**post));
        let mut tasks = BTreeMap::new();
        let mut seen = 0;
        for view in self.machine.companions().filter(|view| view.condition != Condition::Leaving) {
            let seat = self.children.board().and_then(|board| board.master(view.seat));
            if let Some(of_seat) = seat.map(|seat| seat.tasks()).filter(|_| posts.contains(&view.post)) {
                tasks.insert(view.post, of_seat);
                seen = seen.max(of_seat.waiting);
            }
        }
        let is_busy = |post: &Post| tasks.get(post).is_some_and(|tasks| tasks.since_us.is_some());
        // Each task since somebody has looked has left a byte there.
        let unseen = self.children.mailboxes.waiting_bytes(&mailboxes::spooler(directory));
        let busy = wanted.iter().filter(|post| is_busy(post)).count();
        Processes {
            idle: wanted.iter().copied().filter(|post| !is_busy(post)).collect(),
            busy: u32::try_from(busy).unwrap_or(u32::MAX),
            waiting: seen.saturating_add(unseen),
            wanted,
            dormant,
        }
    }
}
