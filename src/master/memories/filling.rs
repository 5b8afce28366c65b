//! What is in a cache from the beginning (`add-cache-item`, `load-file-in-cache`, `load-file-in-cache-gzip`). Master only,
//! before anybody else has the memory.

use std::io::Read;

use flate2::Compression;
use flate2::read::GzEncoder;

use crate::cache::{Cache, Geometry, Lock, Outcome, Policy};
use crate::config::model::{CacheSettings, Config};
use crate::failure::StartFailure;
use crate::sys::files::open_regular;
use crate::sys::shared_memory::SharedWords;

/// Nobody else is there.
struct Alone;

impl Lock for Alone {
    fn acquire(&self) -> bool {
        true
    }

    fn release(&self) {}
}

/// Stores what belongs into a cache.
///
/// # Errors
/// What cannot be read, or has no room.
pub(super) fn fill(
    words: &SharedWords,
    geometry: &Geometry,
    settings: &CacheSettings,
    config: &Config,
    now_us: u64,
) -> Result<(), StartFailure> {
    let policy = Policy::of(settings, config.caches.sweep_every_s);
    let layout = geometry.layout();
    let cache = Cache::new(words.words(), &layout, policy, Alone, 0);
    let meant = |named: &Option<String>| named.as_ref().is_none_or(|name| *name == settings.name);
    for item in config.caches.preloaded.iter().filter(|item| meant(&item.cache)) {
        let (option, most) = (item.option(), geometry.value_bytes_max());
        let value = match &item.value {
            Some(value) => value.clone().into_bytes(),
            None => read(&item.key, most, item.packed).map_err(|error| {
                StartFailure::no_input(format!("cannot load {} into a cache: {error}", item.key)).about(option)
            })?,
        };
        match cache.put(item.key.as_bytes(), &value, 0, now_us) {
            Outcome::Done => {}
            Outcome::Full { .. } => return Err(refused(&item.key, settings, "it is full", option)),
            _ => return Err(refused(&item.key, settings, "key or value are empty or too long for it", option)),
        }
    }
    Ok(())
}

/// A file (`packed`: with gzip), or as much of it as shows that it is too long.
fn read(path: &str, most: usize, packed: bool) -> std::io::Result<Vec<u8>> {
    let (file, enough) = (open_regular(path.as_ref())?, most as u64 + 1);
    let mut bytes = Vec::new();
    match packed {
        true => GzEncoder::new(file, Compression::default()).take(enough).read_to_end(&mut bytes)?,
        false => file.take(enough).read_to_end(&mut bytes)?,
    };
    Ok(bytes)
}

fn refused(key: &str, settings: &CacheSettings, why: &str, option: &'static str) -> StartFailure {
    StartFailure::configuration(format!("the cache {} does not take {key}: {why}", settings.name)).about(option)
}
