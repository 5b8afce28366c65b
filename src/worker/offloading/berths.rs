//! How many answers may be sent elsewhere at a time, and where there is room for what does not fit into memory. Worker only.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The places that there are.
#[derive(Debug)]
pub(in crate::worker) struct Berths {
    taken: Arc<AtomicUsize>,
    most: usize,
    room: PathBuf,
}

/// One of them, free again when it is dropped.
#[derive(Debug, Default)]
pub(in crate::worker) struct Berth(Arc<AtomicUsize>);

impl Drop for Berth {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Berths {
    /// So many.
    pub(super) fn new(most: usize, room: PathBuf) -> Self {
        Self { taken: Arc::default(), most, room }
    }

    /// A place for one more answer, if there is one.
    pub(in crate::worker) fn book(&self) -> Option<Berth> {
        let berth = Berth(Arc::clone(&self.taken));
        // One that is too many takes its number back as it is dropped.
        (self.taken.fetch_add(1, Ordering::Relaxed) < self.most).then_some(berth)
    }

    /// Where there is room for what does not fit into memory.
    pub(in crate::worker) fn room(&self) -> &Path {
        &self.room
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_and_no_more_until_one_is_free() {
        let berths = Berths::new(2, PathBuf::new());
        let (first, second) = (berths.book(), berths.book());
        assert!(first.is_some() && second.is_some() && berths.book().is_none() && berths.book().is_none());
        drop(first);
        assert!(berths.book().is_some_and(|_| berths.book().is_none()));
    }
}
