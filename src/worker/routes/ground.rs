//! The world that rules see from a worker: files, the time, the worker's figures. Worker only.

use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use worker_protocol::rpc::Call;

use super::prepared::Routes;
use crate::config::model::mailboxes::MASTER;
use crate::escape;
use crate::remote;
use crate::routing::{CacheChange, Cached, Change, Figure, FileTest, World};
use crate::sys::clock::epoch_us;
use crate::sys::mailbox::Posted;
use crate::sys::queue::QueueProbe;
use crate::sys::{files, machine};
use crate::timetable::Wish;
use crate::worker::process::Worker;

/// Largest file of users: a hundred thousand of them.
const USERS_BYTES_MAX: u64 = 16 << 20;

/// Who calls functions of the application.
#[derive(Clone, Copy)]
pub(in crate::worker) struct Caller<'c>(pub(in crate::worker) &'c (dyn Fn(&Call<'_>) -> Option<Vec<u8>> + Sync));

impl std::fmt::Debug for Caller<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Caller")
    }
}

/// The world around one request.
#[derive(Debug)]
pub(super) struct Ground<'c> {
    pub(super) routes: &'c Routes<'c>,
    pub(super) worker: &'c Worker<'c>,
    pub(super) caller: Caller<'c>,
    pub(super) started_us: u64,
    /// Bytes of the answer's body, as far as they are known.
    pub(super) sent_bytes: AtomicU64,
}

impl World for Ground<'_> {
    fn epoch_us(&self) -> u64 {
        epoch_us()
    }

    fn is(&self, test: FileTest, path: &[u8]) -> bool {
        let path = path_of(path);
        match test {
            FileTest::Exists => machine::may_read(path),
            FileTest::IsExecutable => machine::executes(path),
            FileTest::IsFile => path.is_file(),
            FileTest::IsDirectory => path.is_dir(),
            FileTest::IsLink => path.is_symlink(),
        }
    }

    fn read(&self, path: &str) -> Result<String, String> {
        let mut text = String::new();
        let read =
            files::open_regular(Path::new(path)).and_then(|file| file.take(USERS_BYTES_MAX).read_to_string(&mut text));
        read.map(|_| text).map_err(|error| error.to_string())
    }

    fn modified_s(&self, path: &[u8]) -> Option<u64> {
        let modified = path_of(path).metadata().ok()?.modified().ok()?;
        modified.duration_since(std::time::UNIX_EPOCH).ok().map(|since| since.as_secs())
    }

    fn media_type(&self, name: &[u8]) -> Option<String> {
        self.routes.statics.media_type(path_of(name)).map(str::to_owned)
    }

    fn figure(&self, figure: Figure) -> u64 {
        match figure {
            Figure::Worker => u64::from(self.worker.member().post().number),
            Figure::Process => u64::from(std::process::id()),
            Figure::Queue => {
                let probe = QueueProbe::new();
                let queues = self.worker.member().instance().sockets().filter_map(|socket| probe.queue_of(&socket));
                queues.map(|queue| u64::from(queue.waiting)).max().unwrap_or(0)
            }
            Figure::SentBytes => self.sent_bytes.load(Ordering::Relaxed),
            Figure::StartedUs => self.started_us,
        }
    }

    fn metric(&self, name: &str) -> Option<u64> {
        self.worker.metric(name)
    }

    fn cached(&self, cache: &str, key: &[u8]) -> Option<Cached> {
        let cache = self.worker.member().instance().cache(Some(cache))?;
        let mut value = Vec::new();
        let found = cache.cache.get(key, epoch_us(), &mut value)?;
        Some(Cached { value, expires_s: found.expires_us / 1_000_000 })
    }

    fn change_cache(&self, cache: &str, key: &[u8], change: CacheChange<'_>) {
        let Some(cache) = self.worker.member().instance().cache(Some(cache)) else { return };
        let now_us = epoch_us();
        let expires_us = match change.lifetime_s {
            0 => 0,
            seconds => now_us.saturating_add(seconds.saturating_mul(1_000_000)),
        };
        let outcome = match change.what {
            Change::Add(value) => cache.cache.add(key, value, expires_us, now_us),
            Change::Put(value) => cache.cache.put(key, value, expires_us, now_us),
            Change::Calculate(how, number) => cache.cache.calculate(key, how, number, expires_us, now_us),
        };
        cache.settle(outcome);
    }

    fn call(&self, address: &str, function: &[u8], arguments: &[&[u8]]) -> Option<Vec<u8>> {
        if address.is_empty() {
            return (self.caller.0)(&Call { function, arguments: arguments.to_vec() });
        }
        let called = remote::call(address, function, arguments, self.worker.limits().socket_timeout);
        called.unwrap_or_else(|error| {
            let (function, address) = (escape::value(function), escape::value(address.as_bytes()));
            log::warn!("{function} was not called at {address}: {error}");
            None
        })
    }

    fn raise(&self, signal: u8) {
        let instance = self.worker.member().instance();
        let wish = Wish::raise(instance.generation().0, signal);
        match instance.mailbox(MASTER).map(|mailbox| mailbox.post(wish.as_bytes())) {
            Some(Ok(Posted::Queued)) => {}
            Some(Ok(Posted::Full | Posted::TooLong)) => {
                log::warn!("the signal {signal} was not raised: the queue is full")
            }
            Some(Err(error)) => log::warn!("the signal {signal} was not raised: {error}"),
            None => log::warn!("the signal {signal} was not raised: nobody hears of signals here"),
        }
    }

    fn random(&self) -> [u8; 16] {
        machine::random_bytes()
    }

    fn log(&self, line: &str) {
        log::info!("{}", escape::lines(line));
    }

    fn alarm(&self, name: &str, message: &str) {
        let instance = self.worker.member().instance();
        let wish = Wish::alarm(instance.generation().0, name, message);
        match instance.mailbox(MASTER).map(|mailbox| mailbox.post(wish.as_bytes())) {
            Some(Ok(Posted::Queued)) => {}
            Some(Ok(Posted::Full | Posted::TooLong)) => {
                log::warn!("the alarm {name} was not raised: the queue is full")
            }
            Some(Err(error)) => log::warn!("the alarm {name} was not raised: {error}"),
            None => log::warn!("there is no alarm {name} to be raised"),
        }
    }

    fn change_directory(&self, path: &[u8]) -> Result<(), String> {
        std::env::set_current_dir(path_of(path))
            .map_err(|error| format!("cannot change to {}: {error}", escape::value(path)))
    }

    fn set_title(&self, title: &str) {
        let _held = self.worker.title.lock().unwrap_or_else(PoisonError::into_inner);
        crate::member::born::title_process(&escape::value(title.as_bytes()));
    }
}

pub(super) fn path_of(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}
