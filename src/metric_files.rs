//! `metrics-dir`: a file for each metric of the application, written by a process of its own, which looks at the shared memory once
//! a second. The master begins it and begins it again (`master::attendants`); it writes a last time and ends when the master says
//! nothing more, or is gone.
//!
//! Every file is whole at any moment: another one takes its place.

use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use crate::attendant::{self, Ties};
use crate::metrics;
use crate::sys::files::{open_regular, replace_text};
use crate::sys::shared_memory::SharedWords;
use crate::sys::wait::{Interest, wait_ready};

/// How often it looks.
const LOOK_EVERY_US: u64 = 1_000_000;

/// Longest text of a file that is read: uWSGI's have a page.
const BYTES_MAX: u64 = 4_096;

/// What is written where.
#[derive(Debug, Clone)]
pub(crate) struct MetricFiles {
    /// The directory.
    pub(crate) directory: PathBuf,
    /// The metrics.
    pub(crate) names: Vec<String>,
    /// Their values, in the same order.
    pub(crate) words: Rc<SharedWords>,
}

impl PartialEq for MetricFiles {
    fn eq(&self, other: &Self) -> bool {
        self.directory == other.directory && Rc::ptr_eq(&self.words, &other.words)
    }
}

/// The life of the process that writes; returns its exit code.
pub(crate) fn live(files: &MetricFiles, ties: &Ties) -> i32 {
    attendant::begin("rhinod metrics", ties, &[files.words.as_fd()]);
    let mut written = vec![None; files.names.len()];
    let mut is_told = false;
    loop {
        ties.heed();
        let failed = write_changed(files, &mut written).err();
        match &failed {
            Some(error) if !is_told => log::error!("metrics-dir {}: {error}", files.directory.display()),
            None if is_told => log::info!("metrics-dir {}: metrics are written again", files.directory.display()),
            _ => {}
        }
        is_told = failed.is_some();
        if is_told {
            // What was there may not be any more.
            written.fill(None);
        }
        match wait_ready(&ties.control, Interest::Readable, LOOK_EVERY_US) {
            Ok(false) => {}
            // The master has ended, or wants an end.
            Ok(true) | Err(_) => return i32::from(write_changed(files, &mut written).is_err()),
        }
    }
}

/// Writes what has changed since it was written.
fn write_changed(files: &MetricFiles, written: &mut [Option<i64>]) -> io::Result<()> {
    for ((name, word), written) in files.names.iter().zip(files.words.words()).zip(written) {
        let value = metrics::value(word);
        if *written != Some(value) {
            replace_text(&files.directory.join(name), &format!("{value}\n"), 0o644)?;
            *written = Some(value);
        }
    }
    Ok(())
}

/// What a metric was when it was last written (`metrics-dir-restore`), also by uWSGI; `None` where there is no such file.
///
/// # Errors
/// When it holds something else, or cannot be read.
pub(crate) fn restored(directory: &Path, name: &str) -> io::Result<Option<i64>> {
    use std::io::Read;
    let file = match open_regular(&directory.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut text = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut text)?;
    match read(&text) {
        Some(value) => Ok(Some(value)),
        None => Err(io::Error::other(format!("{} holds no number", directory.join(name).display()))),
    }
}

/// The number of a file; uWSGI fills a page up with zero bytes.
fn read(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.trim_end_matches('\0').trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Change, change};

    #[test]
    fn files_hold_a_number_and_nothing_else_and_come_back_as_it() {
        let directory = tempfile::tempdir().unwrap();
        let names = vec!["shop.orders".to_owned(), "shop.stock".to_owned()];
        let words = Rc::new(SharedWords::new(2).unwrap());
        let files = MetricFiles { directory: directory.path().to_owned(), names, words };
        let mut written = vec![None; 2];
        write_changed(&files, &mut written).unwrap();
        assert!(change(&files.words.words()[1], Change::Set, -40));
        write_changed(&files, &mut written).unwrap();
        let text = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
        assert_eq!((text("shop.orders").as_str(), text("shop.stock").as_str()), ("0\n", "-40\n"));
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "nothing else is left there");
        assert_eq!(restored(directory.path(), "shop.stock").unwrap(), Some(-40));
        assert_eq!(restored(directory.path(), "shop.none").unwrap(), None);
        std::fs::write(directory.path().join("shop.none"), "many\n").unwrap();
        assert!(restored(directory.path(), "shop.none").is_err());
    }

    #[test]
    fn files_of_uwsgi_are_read() {
        assert_eq!(read(b"17\n\0\0\0"), Some(17));
        assert_eq!(read(b""), None);
        assert_eq!(read(b"1 2\n"), None);
    }
}
