//! Asking a cache of another instance (uWSGI's manual, "The uWSGI caching framework"). Any process.

use std::io;
use std::time::Duration;

pub use worker_protocol::remote_cache::{Ask as CacheQuestion, Command as CacheCommand};
use worker_protocol::remote_cache::{block_bytes, value_bytes};

use super::line::{Line, is_end};

/// Largest value that is taken from another instance.
const VALUE_BYTES_MAX: usize = 64 << 20;

/// Asks the instance that has a uwsgi socket at `address` (`HOST:PORT`, a path, or `@NAME`) and lets this one do so
/// (`cache-allow-from`). `value` is what is to be stored, if anything is. No step takes longer than `patience`.
///
/// `None`: it was not done, since there is no such entry, one already, no room, or since nobody may from here. Else the value of
/// a [`CacheCommand::Get`], and nothing for the others.
///
/// # Errors
/// The instance cannot be asked, or does not answer in time.
pub fn ask_cache(
    address: &str,
    question: &CacheQuestion<'_>,
    value: &[u8],
    patience: Duration,
) -> io::Result<Option<Vec<u8>>> {
    let unfit = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
    let mut packet = CacheQuestion { value_bytes: value.len(), ..*question }.encode().map_err(unfit)?;
    packet.extend(value);
    let line = Line::to(address, patience)?;
    // Who does not want the value has perhaps ended the connection before all of it was sent.
    line.send(&packet).or_else(|error| if is_end(&error) { Ok(()) } else { Err(error) })?;
    let Some(header) = line.header()? else { return Ok(None) };
    let no_answer = || io::Error::other("what answers knows nothing of caches");
    let block = line.take(block_bytes(header).ok_or_else(no_answer)?)?;
    let bytes = value_bytes(&block).filter(|bytes| *bytes <= VALUE_BYTES_MAX).ok_or_else(no_answer)?;
    line.take(bytes).map(Some)
}
