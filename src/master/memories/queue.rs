//! The memory of the queue (`queue`). Master only.

use std::io;
use std::path::Path;
use std::rc::Rc;

use super::disk::{self, Disk};
use super::{Memories, Memory, Shape};
use crate::config::model::QueueSettings;
use crate::failure::StartFailure;
use crate::ring::{Geometry, Ring};
use crate::sys::kept_memory::{self, KeptMemory};
use crate::sys::robust_lock::RobustLock;
use crate::sys::shared_memory::SharedWords;

impl Memories {
    /// The memory of the queue, if there is to be one: that which there is, if it fits.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn queue(&self, settings: &QueueSettings, within_us: u64) -> Result<Option<Memory>, StartFailure> {
        if settings.slots == 0 {
            return Ok(None);
        }
        let geometry = Geometry::of(settings).map_err(|error| StartFailure::configuration(error).about("queue"))?;
        let shape = Shape::Queue(geometry.clone(), settings.store.clone());
        let disk = settings.store.as_ref().map(|path| Disk::of(path, settings.store_sync_s));
        if let Some(found) = self.found(QueueSettings::MEMORY_NAME, &shape) {
            return Ok(Some(Memory { disk, ..found.clone() }));
        }
        let failed = |error: String| StartFailure::file(format!("cannot make the queue: {error}")).about("queue");
        let words = match &settings.store {
            None => in_memory(&geometry).map_err(|error| failed(error.to_string()))?,
            Some(path) => on_disk(path, &geometry, within_us).map_err(failed)?,
        };
        let megabytes = words.words().len() * size_of::<u64>() / (1 << 20);
        log::info!("*** Queue subsystem initialized: {megabytes}MB preallocated ***");
        Ok(Some(Memory { name: QueueSettings::MEMORY_NAME.to_owned(), shape, words: Rc::new(words), disk }))
    }
}

impl Memories {
    /// Items that are in the queue; `None`: there is none.
    pub(in crate::master) fn queue_items(&self) -> Option<u32> {
        self.list.iter().find_map(|memory| match &memory.shape {
            Shape::Queue(geometry, _) => Some(Ring::at(memory.words.words(), geometry)?.between_ends()),
            Shape::Cache(..) | Shape::Metrics(_) | Shape::Area(_) | Shape::Lines(_) => None,
        })
    }
}

fn in_memory(geometry: &Geometry) -> io::Result<SharedWords> {
    let words = SharedWords::named(c"rhinod-queue", geometry.words())?;
    if let Some(ring) = Ring::at(words.words(), geometry) {
        ring.make();
    }
    make_lock(&words)?;
    Ok(words)
}

/// Memory that is a file, with what an instance before has left there.
fn on_disk(path: &Path, geometry: &Geometry, within_us: u64) -> Result<SharedWords, String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let open = || kept_memory::open(path, geometry.words(), false);
    let KeptMemory { words, is_new } = disk::when_free(within_us, open)
        .map_err(|error| told(&error) + "; please remove it or fix queue and queue-blocksize to match its size")?;
    if let Some(ring) = Ring::at(words.words(), geometry) {
        match (is_new, ring.is_made()) {
            (true, _) => ring.make(),
            (false, true) => {
                let torn = ring.recover();
                if torn > 0 {
                    log::warn!("{torn} items of the queue in {} were torn, and are left out", path.display());
                }
                log::info!("recovered {} items of the queue from {}", ring.items(), path.display());
            }
            (false, false) => return Err(told(&"it holds no queue of these sizes; please remove it")),
        }
    }
    make_lock(&words).map_err(|error| told(&error))?;
    Ok(words)
}

fn make_lock(words: &SharedWords) -> io::Result<()> {
    RobustLock::at(words.words()).map_or(Ok(()), |lock| lock.make())
}

const _: () = assert!(crate::ring::LOCK_WORDS >= crate::sys::robust_lock::WORDS);
