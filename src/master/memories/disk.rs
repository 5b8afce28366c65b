//! Bringing memories that are files to the disk: the kernel does that by itself some time; here is how it is done at times
//! of the configuration, by a process of its own, since a disk may take long. Master, and its forked process.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::aside::Helper;
use crate::sys::clock::monotonic_us;
use crate::sys::kept_memory;
use crate::sys::process::end_within;
use crate::sys::shared_memory::SharedWords;

/// How long a disk may take.
const WITHIN_S: u32 = 300;

/// How long processes of an instance before may take to leave a file, and how often that is looked at.
pub(super) const PATIENT: u64 = 5_000_000;
pub(super) const AT_ONCE: u64 = 0;
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The file of a memory, and when it is due to be on the disk.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    path: PathBuf,
    every_us: u64,
    due_us: Option<u64>,
}

impl Disk {
    pub(super) fn of(path: &Path, every_s: u64) -> Self {
        let every_us = every_s.saturating_mul(1_000_000);
        Self { path: path.to_owned(), every_us, due_us: (every_us > 0).then(|| monotonic_us() + every_us) }
    }

    /// When it is due.
    pub(super) fn due_us(&self) -> Option<u64> {
        self.due_us
    }

    /// Has what was written reach the disk, if that is due.
    pub(super) fn bring_if_due(&mut self, words: &SharedWords, now_us: u64) {
        if self.due_us.is_none_or(|due| due > now_us) {
            return;
        }
        self.due_us = Some(now_us + self.every_us);
        let path = self.path.display();
        let helper = Helper::begin(|| {
            end_within(WITHIN_S);
            match kept_memory::bring_to_disk(words) {
                Ok(()) => 0,
                Err(error) => {
                    log::error!("{path} was not brought to the disk: {error}");
                    1
                }
            }
        });
        if let Err(error) = helper {
            log::error!("{path} was not brought to the disk: {error}");
        }
    }
}

/// Opens a file as soon as the processes of an instance before have left it.
pub(super) fn when_free<T>(
    within_us: u64,
    open: impl Fn() -> Result<T, kept_memory::Unusable>,
) -> Result<T, kept_memory::Unusable> {
    let start = monotonic_us();
    loop {
        match open() {
            Err(kept_memory::Unusable::InUse) if monotonic_us() - start < within_us => {
                std::thread::sleep(LOOK_EVERY);
            }
            other => return other,
        }
    }
}
