//! Memories that all processes of the instance share, besides the scoreboard, as one of them finds them: by name. The
//! master has made them (`master/memories`). Zygote, and every process below it.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::shared_queue::{QueueHome, SharedQueue};
use crate::cache::{Cache, Geometry, Layout, Lock, Outcome, Policy};
use crate::config::model::metrics::MEMORY as METRICS;
use crate::config::model::{Area, CacheSettings, Config, QueueSettings};
use crate::logging::shelf::MEMORY as LINES;
use crate::ring;
use crate::sys::forks;
use crate::sys::robust_lock::RobustLock;
use crate::sys::shared_memory::SharedWords;

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Memories {
    caches: Vec<CacheHome>,
    metrics: Option<MetricsHome>,
    queue: Option<QueueHome>,
    /// By their numbers.
    areas: BTreeMap<usize, SharedWords>,
    /// Lines of the log that wait.
    lines: Option<Arc<SharedWords>>,
}

/// The metrics of the application, and where they are.
#[derive(Debug)]
struct MetricsHome {
    places: HashMap<String, usize>,
    words: SharedWords,
}

/// A cache, and where it is.
#[derive(Debug)]
struct CacheHome {
    name: String,
    layout: Layout,
    policy: Policy,
    words: SharedWords,
}

impl Memories {
    /// What came beside the settings: names, and the memories of these names.
    ///
    /// # Errors
    /// What of it cannot be used.
    pub(crate) fn take(config: &Config, found: Vec<(String, SharedWords)>) -> io::Result<Self> {
        let mut memories = Self::default();
        for (name, words) in found {
            // What a later master shares is nothing to this process.
            if let Some(settings) = config.caches.list.iter().find(|cache| cache.memory_name() == name) {
                memories.caches.push(CacheHome::of(settings, words, config.caches.sweep_every_s)?);
            } else if name == METRICS {
                let names = config.metrics.list.iter().map(|metric| metric.name.clone());
                memories.metrics = Some(MetricsHome { places: names.zip(0..).collect(), words });
            } else if name == LINES {
                memories.lines = Some(Arc::new(words));
            } else if name == QueueSettings::MEMORY_NAME {
                let geometry = ring::Geometry::of(&config.queue).map_err(io::Error::other)?;
                memories.queue = Some(QueueHome { geometry, words });
            } else if let Some(number) = (0..config.areas.len()).find(|number| Area::memory_name(*number) == name) {
                memories.areas.insert(number, words);
            }
        }
        let place = |cache: &CacheHome| config.caches.list.iter().position(|settings| settings.name == cache.name);
        memories.caches.sort_by_key(place);
        Ok(memories)
    }

    /// The word of a metric.
    pub(super) fn metric(&self, name: &str) -> Option<&AtomicU64> {
        let MetricsHome { places, words } = self.metrics.as_ref()?;
        words.words().get(*places.get(name)?)
    }

    /// Where lines of the log wait.
    pub(super) fn lines(&self) -> Option<Arc<SharedWords>> {
        self.lines.clone()
    }

    /// The queue, if there is one.
    pub(super) fn queue(&self) -> Option<SharedQueue<'_>> {
        self.queue.as_ref().and_then(QueueHome::open)
    }

    /// The memory file of a shared area.
    pub(super) fn area(&self, number: usize) -> Option<BorrowedFd<'_>> {
        self.areas.get(&number).map(AsFd::as_fd)
    }

    /// The cache of a name; the first one without.
    pub(super) fn cache(&self, name: Option<&str>) -> Option<SharedCache<'_>> {
        let home = match name {
            None | Some("") => self.caches.first(),
            Some(name) => self.caches.iter().find(|cache| cache.name == name),
        };
        home.and_then(CacheHome::open)
    }
}

impl CacheHome {
    fn of(settings: &CacheSettings, words: SharedWords, sweep_every_s: u64) -> io::Result<Self> {
        let geometry = Geometry::of(settings).map_err(io::Error::other)?;
        if words.words().len() < geometry.words() {
            return Err(io::Error::other(format!("the memory of the cache {} is too small", settings.name)));
        }
        let (name, policy) = (settings.name.clone(), Policy::of(settings, sweep_every_s));
        Ok(Self { name, layout: geometry.layout(), policy, words })
    }

    fn open(&self) -> Option<SharedCache<'_>> {
        let lock = WriteLock(RobustLock::at(self.words.words())?);
        let shard = forks::own_process() as usize;
        let cache = Cache::new(self.words.words(), &self.layout, self.policy, lock, shard);
        Some(SharedCache { name: &self.name, cache })
    }
}

/// A cache of the instance.
#[derive(Debug)]
pub struct SharedCache<'m> {
    name: &'m str,
    /// What is done with it.
    pub cache: Cache<'m, WriteLock<'m>>,
}

impl SharedCache<'_> {
    /// Says in the log that it is full, where that is due. Whether the change was made.
    pub fn settle(&self, outcome: Outcome) -> bool {
        if outcome == (Outcome::Full { tell: true }) {
            log::warn!("*** DANGER cache \"{}\" is FULL !!! ***", self.name);
        }
        outcome == Outcome::Done
    }
}

/// The lock of writers, which the kernel gives back when its owner dies.
#[derive(Debug)]
pub struct WriteLock<'m>(RobustLock<'m>);

impl Lock for WriteLock<'_> {
    fn acquire(&self) -> bool {
        self.0.acquire().is_ok()
    }

    fn release(&self) {
        self.0.release();
    }
}

const _: () = assert!(crate::cache::LOCK_WORDS >= crate::sys::robust_lock::WORDS);
