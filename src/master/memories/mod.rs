//! Memories that all processes of the instance share, besides the scoreboard: caches, metrics, the queue, areas, lines of the log
//! that wait. Made before any zygote, which gets
//! their descriptors; so they outlive workers and reloads, and the next image of the master goes on with them. What is
//! configured as before keeps its memory. Master only.
//!
//! The master writes nothing into them once others have them, and takes none of their locks: what is in them is the
//! application's, which may have written anything there.

mod areas;
mod disk;
mod filling;
mod queue;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use serde::{Deserialize, Serialize};

use self::disk::Disk;
use super::machine::{Plan, Seat};
use super::passed::Passed;
use crate::cache::{self, Figures, Geometry};
use crate::config::model::metrics::MEMORY as METRICS;
use crate::config::model::{Area, CacheSettings, Config, Metrics};
use crate::failure::StartFailure;
use crate::logging::shelf::{self, Left, Shelf};
use crate::metric_files;
use crate::metrics::{self, Change};
use crate::sys::clock::epoch_us;
use crate::sys::kept_memory::{self, KeptMemory};
use crate::sys::robust_lock::RobustLock;
use crate::sys::shared_memory::SharedWords;

/// All of them, in the order of the configuration.
#[derive(Debug, Default)]
pub(super) struct Memories {
    list: Vec<Memory>,
}

/// One, which may be in force and in a candidate.
#[derive(Debug, Clone)]
struct Memory {
    name: String,
    shape: Shape,
    words: Rc<SharedWords>,
    disk: Option<Disk>,
}

/// What must be the same for a memory to be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Shape {
    /// A cache, and the file that keeps it.
    Cache(Geometry, Option<std::path::PathBuf>),
    /// Metrics of these names, a word for each.
    Metrics(Vec<String>),
    /// The queue, and the file that keeps it.
    Queue(crate::ring::Geometry, Option<std::path::PathBuf>),
    /// A shared area.
    Area(Area),
    /// Lines of the log that wait, of workers in so many seats.
    Lines(u32),
}

/// A memory on its way to the next image of the master.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct MemoryHandover {
    name: String,
    shape: serde_json::Value,
    descriptor: Passed,
}

impl Memories {
    /// Those of a start. Files that processes of an instance before still have are waited for.
    ///
    /// # Errors
    /// What cannot be made.
    pub(super) fn begin(config: &Config) -> Result<Self, StartFailure> {
        Self::default().followed_by(config, disk::PATIENT)
    }

    /// Those of another configuration; those that there are and fit are taken.
    ///
    /// # Errors
    /// What cannot be made.
    pub(super) fn next(&self, config: &Config) -> Result<Self, StartFailure> {
        self.followed_by(config, disk::AT_ONCE)
    }

    fn followed_by(&self, config: &Config, within_us: u64) -> Result<Self, StartFailure> {
        let caches = config.caches.list.iter().map(|settings| self.cache(settings, config, within_us));
        let mut list = caches.collect::<Result<Vec<_>, _>>()?;
        if !config.metrics.list.is_empty() {
            list.push(self.next_metrics(config).map_err(|error| StartFailure::system("make the metrics", &error))?);
        }
        list.extend(self.queue(&config.queue, within_us)?);
        let areas = config.areas.iter().enumerate().map(|(number, area)| self.area(number, area));
        list.extend(areas.collect::<Result<Vec<_>, _>>()?);
        match self.lines(config) {
            Ok(lines) => list.push(lines),
            Err(error) => log::warn!("there is no room for request lines that wait, each is written at once: {error}"),
        }
        Ok(Self { list })
    }

    /// Where lines of the log wait. There is one for the life of the instance, whatever its configuration says: workers of
    /// another one may have lines there.
    fn lines(&self, config: &Config) -> io::Result<Memory> {
        if let Some(found) = self.list.iter().find(|memory| matches!(memory.shape, Shape::Lines(_))) {
            return Ok(found.clone());
        }
        let seats = Plan::of_start(config).seats;
        let words = SharedWords::named(c"rhinod-lines", seats as usize * shelf::WORDS)?;
        Ok(Memory { name: shelf::MEMORY.to_owned(), shape: Shape::Lines(seats), words: Rc::new(words), disk: None })
    }

    /// What the worker in a seat has left, which is dead.
    pub(super) fn take_lines(&self, seat: Seat) -> Option<Left> {
        let memory = self.list.iter().find(|memory| matches!(memory.shape, Shape::Lines(_)))?;
        Shelf::of(memory.words.words(), seat.0)?.take()
    }

    /// One that there is and that may be kept.
    fn found(&self, name: &str, shape: &Shape) -> Option<&Memory> {
        self.list.iter().find(|memory| memory.name == name && memory.shape == *shape)
    }

    fn cache(&self, settings: &CacheSettings, config: &Config, within_us: u64) -> Result<Memory, StartFailure> {
        let geometry = Geometry::of(settings).map_err(|error| StartFailure::configuration(error).about("cache2"))?;
        let (name, shape) = (settings.memory_name(), Shape::Cache(geometry.clone(), settings.store.clone()));
        if let Some(found) = self.found(&name, &shape) {
            let disk = settings.store.as_ref().map(|path| Disk::of(path, settings.store_sync_s));
            return Ok(Memory { disk, ..found.clone() });
        }
        let failed = |error: String| {
            StartFailure::file(format!("cannot make the cache {}: {error}", settings.name)).about("cache2")
        };
        let made = match &settings.store {
            None => in_memory(&geometry).map_err(|error| failed(error.to_string()))?,
            Some(path) => on_disk(path, &geometry, settings, within_us).map_err(failed)?,
        };
        filling::fill(&made, &geometry, settings, config, epoch_us())?;
        let (items, megabytes) = (settings.items, made.words().len() * size_of::<u64>() / (1 << 20));
        log::info!("*** Cache \"{}\" initialized: {megabytes}MB for {items} items ***", settings.name);
        let disk = settings.store.as_ref().map(|path| Disk::of(path, settings.store_sync_s));
        Ok(Memory { name, shape, words: Rc::new(made), disk })
    }

    /// The metrics of a configuration. Those that there are keep what they have come to.
    fn next_metrics(&self, config: &Config) -> io::Result<Memory> {
        let names: Vec<String> = config.metrics.list.iter().map(|metric| metric.name.clone()).collect();
        let before = self.list.iter().find(|memory| memory.name == METRICS);
        let shape = Shape::Metrics(names);
        if let Some(found) = before.filter(|memory| memory.shape == shape) {
            return Ok(found.clone());
        }
        let words = SharedWords::named(c"rhinod-metrics", config.metrics.list.len())?;
        for (word, metric) in words.words().iter().zip(&config.metrics.list) {
            let kept = before.and_then(|memory| memory.metric(&metric.name));
            let kept = kept.or_else(|| restored(&config.metrics, &metric.name));
            word.store(kept.unwrap_or(metric.initial).cast_unsigned(), Relaxed);
        }
        Ok(Memory { name: METRICS.to_owned(), shape, words: Rc::new(words), disk: None })
    }

    /// The values of all metrics, in the order of the configuration.
    pub(super) fn metrics(&self) -> Vec<i64> {
        let memory = self.list.iter().find(|memory| memory.name == METRICS);
        memory.map_or_else(Vec::new, |memory| memory.words.words().iter().map(metrics::value).collect())
    }

    /// The memory of all metrics.
    pub(super) fn metrics_memory(&self) -> Option<Rc<SharedWords>> {
        self.list.iter().find(|memory| memory.name == METRICS).map(|memory| memory.words.clone())
    }

    /// The value of a metric.
    pub(super) fn metric(&self, name: &str) -> Option<i64> {
        self.list.iter().find(|memory| memory.name == METRICS)?.metric(name)
    }

    /// Sets a metric.
    pub(super) fn set_metric(&self, name: &str, value: i64) {
        let memory = self.list.iter().find(|memory| memory.name == METRICS);
        if let Some(word) = memory.and_then(|memory| memory.words.words().get(memory.place(name)?)) {
            metrics::change(word, Change::Set, value);
        }
    }

    /// What they are called, for a zygote.
    pub(super) fn names(&self) -> Vec<String> {
        self.list.iter().map(|memory| memory.name.clone()).collect()
    }

    /// Their descriptors, in the order of the names.
    pub(super) fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.list.iter().map(|memory| memory.words.as_fd())
    }

    /// When one is due to be on the disk.
    pub(super) fn due_us(&self) -> Option<u64> {
        self.list.iter().filter_map(|memory| memory.disk.as_ref()?.due_us()).min()
    }

    /// Has those that are due brought to the disk.
    pub(super) fn bring_to_disk(&mut self, now_us: u64) {
        for Memory { words, disk, .. } in &mut self.list {
            if let Some(disk) = disk {
                disk.bring_if_due(words, now_us);
            }
        }
    }

    /// What there is to tell of a cache.
    pub(super) fn figures(&self, settings: &CacheSettings) -> Option<Figures> {
        let memory = self.list.iter().find(|memory| memory.name == settings.memory_name())?;
        match &memory.shape {
            Shape::Cache(geometry, _) => Some(cache::figures(memory.words.words(), geometry)),
            Shape::Metrics(_) | Shape::Queue(..) | Shape::Area(_) | Shape::Lines(_) => None,
        }
    }

    /// The thread that holds the lock of a cache or the queue; 0: nobody. `None`: there is no such memory.
    pub(super) fn lock_holder(&self, name: &str) -> Option<i32> {
        let memory = self.list.iter().find(|memory| memory.name == name)?;
        Some(RobustLock::at(memory.words.words())?.holder())
    }

    /// Lets them pass to the next image.
    pub(super) fn hand_over(&self) -> io::Result<Vec<MemoryHandover>> {
        let one = |memory: &Memory| {
            Ok(MemoryHandover {
                name: memory.name.clone(),
                shape: serde_json::to_value(&memory.shape)?,
                descriptor: Passed::on(&*memory.words)?,
            })
        };
        self.list.iter().map(one).collect()
    }

    /// Goes on with those of the image before. One that this version lays out in another way is made anew.
    ///
    /// # Errors
    /// What cannot be taken over, or made.
    pub(super) fn adopt(handover: Vec<MemoryHandover>, config: &Config) -> Result<Self, StartFailure> {
        let system = |error: io::Error| StartFailure::system("take over the shared memories", &error);
        let mut found = Self::default();
        for MemoryHandover { name, shape, descriptor } in handover {
            let words = Rc::new(descriptor.take().and_then(SharedWords::map).map_err(system)?);
            if let Ok(shape) = serde_json::from_value(shape) {
                found.list.push(Memory { name, shape, words, disk: None });
            }
        }
        found.next(config)
    }
}

impl Memory {
    fn place(&self, metric: &str) -> Option<usize> {
        match &self.shape {
            Shape::Metrics(names) => names.iter().position(|name| name == metric),
            Shape::Cache(..) | Shape::Queue(..) | Shape::Area(_) | Shape::Lines(_) => None,
        }
    }

    fn metric(&self, name: &str) -> Option<i64> {
        Some(metrics::value(self.words.words().get(self.place(name)?)?))
    }
}

/// What an instance before has left of a metric, where that is asked for.
fn restored(metrics: &Metrics, name: &str) -> Option<i64> {
    let directory = metrics.directory.as_ref().filter(|_| metrics.restore)?;
    metric_files::restored(directory, name).unwrap_or_else(|error| {
        log::warn!("metrics-dir-restore: {error}; {name} begins anew");
        None
    })
}

/// Memory that ends with the instance.
fn in_memory(geometry: &Geometry) -> io::Result<SharedWords> {
    let words = SharedWords::named(c"rhinod-cache", geometry.words())?;
    make_cache(&words, geometry)?;
    Ok(words)
}

/// Memory that is a file, with what an instance before has left there.
fn on_disk(path: &Path, geometry: &Geometry, settings: &CacheSettings, within_us: u64) -> Result<SharedWords, String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let open = || kept_memory::open(path, geometry.words(), settings.store_delete);
    let KeptMemory { words, is_new } = disk::when_free(within_us, open).map_err(|error| told(&error))?;
    if !is_new {
        match cache::reopen(words.words(), geometry) {
            Ok(count) => {
                let lock = RobustLock::at(words.words()).map_or(Ok(()), |lock| lock.make());
                lock.map_err(|error| told(&error))?;
                log::info!("recovered {count} items of the cache {} from {}", settings.name, path.display());
                return Ok(words);
            }
            Err(error) if !settings.store_delete => return Err(told(&error) + "; remove it, or set store_delete"),
            Err(_) => words.words().iter().for_each(|word| word.store(0, std::sync::atomic::Ordering::Relaxed)),
        }
    }
    log::info!("the cache {} is kept in {}", settings.name, path.display());
    make_cache(&words, geometry).map_err(|error| told(&error))?;
    Ok(words)
}

fn make_cache(words: &SharedWords, geometry: &Geometry) -> io::Result<()> {
    use std::hash::{BuildHasher, RandomState};
    cache::create(words.words(), geometry, RandomState::new().hash_one(0));
    RobustLock::at(words.words()).map_or(Ok(()), |lock| lock.make())
}
