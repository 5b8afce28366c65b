//! Memory that workers share: caches, the queue, areas, locks.
//!
//! The rows of the option table for the group [`Sharing`](super::Group::Sharing); what the keys of a cache and of an area mean is
//! in `cache_keys` and `areas`. Read in the master before anything else, and by the commands.

use super::areas;
use super::cache_keys::{judge_caches, old_cache, take_cache};
use super::draft::Draft;
use super::parsed::Parsed;
use super::row::{Opt, bytes, count, flag, int, list, path, seconds, text};
use crate::config::error::ConfigError;
use crate::config::model::Preloaded;

// What stands behind several rows.
const COPIES: &str =
    "a cache is that of one instance; what several share belongs into a store of its own, such as Redis";

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    list("cache2").sets(take_cache).works()
        .says("A cache that all workers share, as KEY=VALUE,...: name, items, blocksize, blocks, bitmap, keysize, hashsize, \
               store, store_sync, store_delete, lastmod, math_initial, ignore_full, purge_lru, lazy_expire, no_expire, \
               clear_on_full"),
    count("cache").sets(|d, v| old_cache(d).items = v.amount()).works().says("A cache called `default` of N entries"),
    bytes("cache-blocksize").default("65536").sets(|d, v| old_cache(d).blocksize = v.amount()).works()
        .says("Most bytes of a value in the cache called `default`"),
    path("cache-store").sets(|d, v| old_cache(d).store = Some(v.path())).works()
        .says("File that keeps the cache called `default`"),
    seconds("cache-store-sync").default("0").sets(|d, v| d.cache_store_sync_s = v.duration().as_secs()).works()
        .says("Seconds after which the files of caches are brought to the disk, if their line does not say otherwise"),
    flag("cache-no-expire").sets(|d, v| d.cache_no_expire = v.on()).works()
        .says("Expired entries go only when their room is needed; nobody sees them in any case"),
    seconds("cache-expire-freq").default("3").sets(sweep_every).works()
        .says("Seconds that expired entries may stay where nobody needs their room"),
    flag("cache-report-freed-items").unsupported("whoever needs their room removes them; the statistics say how many there are")
        .says("Log each expired cache item"),
    list("cache-udp-server").unsupported(COPIES).says("Accept cache updates over UDP on address"),
    list("cache-udp-node").unsupported(COPIES).says("Send cache updates over UDP to address"),
    text("cache-sync").unsupported(COPIES).says("Copy a remote cache at startup"),
    flag("cache-use-last-modified").sets(|d, v| old_cache(d).lastmod = v.on()).works()
        .says("Have the cache called `default` keep the time of its last change, for the statistics"),
    list("add-cache-item").sets(add_item).works()
        .says("An entry that is there from the beginning, as [CACHE ]KEY=VALUE; in all caches if none is named"),
    list("load-file-in-cache").sets(|d, v| load_file(d, v, false)).works()
        .says("A file whose content is there from the beginning under its path, as [CACHE ]PATH"),
    list("load-file-in-cache-gzip").sets(|d, v| load_file(d, v, true)).works()
        .says("The same, packed with gzip"),
    count("locks").works().says("Number of the last user lock; the first one is 0, and always there"),
    list("sharedarea").short('A').sets(areas::area).works()
        .says("An area of memory that all workers share byte by byte: pages of 4096 bytes, or KEY=VALUE,...: pages, size, file, \
               fd, offset"),
    list("py-sharedarea").sets(areas::object).works()
        .says("The same of so many bytes, which `uwsgi.sharedarea_object` gives; numbered after all others"),
    count("queue").sets(|d, v| d.config.queue.slots = v.amount()).works()
        .says("A queue of so many slots that all workers share"),
    bytes("queue-blocksize").default("8192").sets(|d, v| d.config.queue.block_bytes = v.amount()).works()
        .says("Bytes of a slot of the queue, 16 of which are not for its item"),
    path("queue-store").sets(|d, v| d.config.queue.store = Some(v.path())).works().says("File that keeps the queue"),
    seconds("queue-store-sync").default("0").sets(|d, v| d.config.queue.store_sync_s = v.duration().as_secs()).works()
        .says("Seconds after which the file of the queue is brought to the disk"),
    int("rpc-max", 0, 65_535).default("64").sets(|d, v| d.config.offers.functions_max = v.size()).works()
        .says("Most functions that the application may register for calls from elsewhere"),
];

/// 0 means the usual time, as in uWSGI.
fn sweep_every(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    draft.config.caches.sweep_every_s = match value.duration().as_secs() {
        0 => 3,
        seconds => seconds,
    };
}

/// `add-cache-item`: the first blank ends the name of a cache, if it stands before the key's end.
fn add_item(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let (before, item) = match value.text.split_once('=') {
        Some((key, item)) if !item.is_empty() => (key, item.to_owned()),
        _ => return draft.refuse("expected KEY=VALUE", "for example greeting=hello, or mycache greeting=hello"),
    };
    let (cache, key) = named(before);
    draft.config.caches.preloaded.push(Preloaded { cache, key, value: Some(item), packed: false });
}

/// `load-file-in-cache`, and the same `packed`.
fn load_file(draft: &mut Draft<'_>, value: &Parsed<'_>, packed: bool) {
    let (cache, key) = named(value.text);
    draft.config.caches.preloaded.push(Preloaded { cache, key, value: None, packed });
}

fn named(text: &str) -> (Option<String>, String) {
    match text.split_once(' ') {
        Some((cache, rest)) => (Some(cache.to_owned()), rest.to_owned()),
        None => (None, text.to_owned()),
    }
}

/// What holds for all caches.
pub(super) fn judge(draft: &mut Draft<'_>) {
    judge_caches(draft);
    super::routing::judge_caches(draft);
    areas::judge(draft);
    super::offers::judge(draft);
    judge_queue(draft);
}

/// The queue has room for items, and memory has room for it.
fn judge_queue(draft: &mut Draft<'_>) {
    if draft.config.queue.slots == 0 {
        return;
    }
    if let Err(error) = crate::ring::Geometry::of(&draft.config.queue)
        && let Some(directive) = draft.given("queue")
    {
        let complaint = ConfigError::about(directive, error.to_string());
        draft.error(complaint.suggest("change queue or queue-blocksize"));
    }
}
