//! A thread in the background of each worker, which counts what is asked for while requests go on. It is begun after the
//! fork, since threads do not survive one, and ends with its worker.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

type Counts = Arc<Mutex<BTreeMap<String, u64>>>;

pub(crate) struct Visits {
    paths: Sender<String>,
    counts: Counts,
    thread: JoinHandle<u64>,
}

impl Visits {
    pub(crate) fn start() -> io::Result<Self> {
        let (paths, noted) = mpsc::channel::<String>();
        let counts = Counts::default();
        let counting = Arc::clone(&counts);
        let thread = thread::Builder::new().name("visits".to_owned()).spawn(move || {
            let mut all = 0;
            for path in noted {
                *counting.lock().unwrap_or_else(PoisonError::into_inner).entry(path).or_default() += 1;
                all += 1;
            }
            all
        })?;
        Ok(Self { paths, counts, thread })
    }

    /// Comes back at once.
    pub(crate) fn note(&self, path: &str) {
        // The thread lives as long as this does.
        let _ = self.paths.send(path.to_owned());
    }

    /// What has been counted up to now.
    pub(crate) fn counts(&self) -> BTreeMap<String, u64> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets the thread finish; how many there were.
    pub(crate) fn stop(self) -> u64 {
        drop(self.paths);
        self.thread.join().unwrap_or_default()
    }
}
