//! The queue of the instance as one of its processes uses it (`queue`). Zygote, and every process below it.

use crate::ring::{Geometry, Ring};
use crate::sys::robust_lock::RobustLock;
use crate::sys::shared_memory::SharedWords;

/// Where the queue is.
#[derive(Debug)]
pub(super) struct QueueHome {
    pub(super) geometry: Geometry,
    pub(super) words: SharedWords,
}

impl QueueHome {
    pub(super) fn open(&self) -> Option<SharedQueue<'_>> {
        let words = self.words.words();
        Some(SharedQueue { ring: Ring::at(words, &self.geometry)?, lock: RobustLock::at(words)? })
    }
}

/// The queue of the instance.
#[derive(Debug)]
pub struct SharedQueue<'m> {
    ring: Ring<'m>,
    lock: RobustLock<'m>,
}

impl<'m> SharedQueue<'m> {
    /// Does something with it while nobody else does. `None`: its lock cannot be had any more, since its memory was spoilt.
    pub fn with<R>(&self, act: impl FnOnce(&Ring<'m>) -> R) -> Option<R> {
        struct Held<'l, 'm>(&'l RobustLock<'m>);
        impl Drop for Held<'_, '_> {
            fn drop(&mut self) {
                self.0.release();
            }
        }
        self.lock.acquire().ok()?;
        let held = Held(&self.lock);
        self.ring.mend();
        let result = act(&self.ring);
        drop(held);
        Some(result)
    }
}
