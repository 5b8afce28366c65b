//! The keys of `cache2`, and what caches mean together. Read in the master before anything else, and by the commands.

use super::draft::Draft;
use super::keys::{Key, KeyError, read_keys};
use super::parsed::Parsed;
use crate::config::error::ConfigError;
use crate::config::model::CacheSettings;

/// The keys (uWSGI's manual, "The uWSGI caching framework").
const KEYS: &[(&str, SetKey)] = &[
    ("name", |cache, key| key.text().map(|text| cache.settings.name = text)),
    ("items", |cache, key| key.number(1, MANY).map(|number| cache.settings.items = number)),
    ("blocksize", |cache, key| key.number(1, MANY).map(|number| cache.settings.blocksize = number)),
    ("blocks", |cache, key| key.number(1, MANY).map(|number| cache.settings.blocks = number)),
    ("bitmap", |cache, key| key.switch().map(|on| cache.settings.bitmap = on)),
    ("keysize", |cache, key| key.number(1, 65_535).map(|number| cache.settings.keysize = number)),
    ("hashsize", |cache, key| key.number(1, MANY).map(|number| cache.settings.hashsize = number)),
    ("hash", |cache, key| key.text().map(|_| cache.idle.push("hash: keys are hashed so that nobody can foresee it"))),
    ("store", |cache, key| key.text().map(|text| cache.settings.store = Some(text.into()))),
    ("store_sync", |cache, key| key.number(0, MANY).map(|number| cache.store_sync_s = Some(number))),
    ("store_delete", |cache, key| key.switch().map(|on| cache.settings.store_delete = on)),
    ("lastmod", |cache, key| key.switch().map(|on| cache.settings.lastmod = on)),
    ("math_initial", |cache, key| key.signed().map(|number| cache.settings.math_initial = number)),
    ("ignore_full", |cache, key| key.switch().map(|on| cache.settings.ignore_full = on)),
    ("purge_lru", |cache, key| key.switch().map(|on| cache.settings.purge_lru = on)),
    ("lazy_expire", |cache, key| key.switch().map(|on| cache.settings.lazy_expire = on)),
    ("no_expire", |cache, key| key.switch().map(|on| cache.settings.no_expire = on)),
    ("clear_on_full", |cache, key| key.switch().map(|on| cache.settings.clear_on_full = on)),
    ("sweep_on_full", |cache, _| {
        cache.idle.push("sweep_on_full: a cache that is full always removes what has expired");
        Ok(())
    }),
    ("nodes", no_copies),
    ("udp", no_copies),
    ("sync", no_copies),
];

/// Other spellings of keys.
const ALIASES: &[(&str, &str)] = &[
    ("max_items", "items"),
    ("maxitems", "items"),
    ("key_size", "keysize"),
    ("hash_size", "hashsize"),
    ("storesync", "store_sync"),
    ("storedelete", "store_delete"),
    ("lru", "purge_lru"),
    ("lazy", "lazy_expire"),
    ("node", "nodes"),
    ("udp_servers", "udp"),
    ("udp_server", "udp"),
    ("udpservers", "udp"),
    ("udpserver", "udp"),
];

const NO_COPIES: &str = "nodes, udp and sync: a cache is that of one instance";

fn no_copies(cache: &mut Reading, _: &Key<'_>) -> Result<(), KeyError> {
    cache.idle.push(NO_COPIES);
    Ok(())
}

type SetKey = fn(&mut Reading, &Key<'_>) -> Result<(), KeyError>;

/// No number of entries or bytes is larger than a machine can bear.
const MANY: u64 = 1 << 40;

/// The name of the cache that the old options make.
const OLD_NAME: &str = "default";

/// A line of `cache2` that is being read.
#[derive(Default)]
struct Reading {
    settings: CacheSettings,
    store_sync_s: Option<u64>,
    idle: Vec<&'static str>,
}

/// `cache2`.
pub(super) fn take_cache(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let mut reading = Reading::default();
    let known: Vec<&str> = KEYS.iter().map(|(name, _)| *name).collect();
    let mut good = true;
    for key in read_keys(value.text) {
        let name = ALIASES.iter().find(|(alias, _)| *alias == key.name).map_or(key.name, |(_, name)| name);
        let outcome = match KEYS.iter().find(|(known, _)| *known == name) {
            Some((_, set)) => set(&mut reading, &key),
            None => Err(key.unknown(&known)),
        };
        if let Err(KeyError { problem, suggestion }) = outcome {
            good = false;
            draft.refuse(problem, suggestion);
        }
    }
    if !good {
        return;
    }
    reading.idle.dedup();
    for idle in std::mem::take(&mut reading.idle) {
        draft.warn(idle);
    }
    let Reading { mut settings, store_sync_s, .. } = reading;
    if settings.blocks == 0 {
        settings.blocks = settings.items;
    }
    if let Some((problem, suggestion)) = wrong(&settings) {
        return draft.refuse(problem, suggestion);
    }
    draft.caches_from.push((draft.current(), store_sync_s));
    draft.config.caches.list.push(settings);
}

fn wrong(settings: &CacheSettings) -> Option<(String, &'static str)> {
    let CacheSettings { name, items, blocks, .. } = settings;
    if name.is_empty() {
        return Some(("a cache needs a name".to_owned(), "for example name=pages,items=1000"));
    }
    if name.contains('@') {
        return Some(("the name of a cache has no @".to_owned(), "what follows it would be an address"));
    }
    if *items == 0 {
        return Some(("a cache needs a number of items".to_owned(), "for example name=pages,items=1000"));
    }
    if blocks < items {
        return Some((format!("{blocks} blocks are fewer than the {items} items"), "each item has at least one"));
    }
    None
}

/// The cache that the old options make, which is the first one.
pub(super) fn old_cache<'d>(draft: &'d mut Draft<'_>) -> &'d mut CacheSettings {
    draft.old_cache.get_or_insert_with(|| CacheSettings { name: OLD_NAME.to_owned(), ..CacheSettings::default() })
}

/// What caches mean together.
pub(super) fn judge_caches(draft: &mut Draft<'_>) {
    let (default_sync_s, no_expire) = (draft.cache_store_sync_s, draft.cache_no_expire);
    for (settings, (_, own)) in draft.config.caches.list.iter_mut().zip(&draft.caches_from) {
        settings.store_sync_s = own.unwrap_or(default_sync_s);
        settings.no_expire |= no_expire;
    }
    // `cache = 0` is none, and what belongs to it means nothing.
    if let Some(mut old) = draft.old_cache.take().filter(|old| old.items > 0)
        && let Some(directive) = draft.given("cache")
    {
        (old.blocks, old.store_sync_s, old.no_expire) = (old.items, default_sync_s, no_expire);
        draft.config.caches.list.insert(0, old);
        draft.caches_from.insert(0, (directive, None));
    }
    let mut complaints = Vec::new();
    let list = &draft.config.caches.list;
    for (place, (settings, (directive, _))) in list.iter().zip(&draft.caches_from).enumerate() {
        let before = &list[..place];
        if before.iter().any(|other| other.name == settings.name) {
            let problem = format!("there is a cache called {} already", settings.name);
            complaints.push(ConfigError::about(directive, problem).suggest("give each its own name"));
        }
        if settings.store.is_some() && before.iter().any(|other| other.store == settings.store) {
            complaints.push(ConfigError::about(directive, "this file keeps another cache already"));
        }
        if let Err(error) = crate::cache::Geometry::of(settings) {
            complaints.push(ConfigError::about(directive, error.to_string()).suggest("use fewer or smaller items"));
        }
    }
    let names: Vec<String> = list.iter().map(|cache| cache.name.clone()).collect();
    let homeless = |named: &&crate::config::model::Preloaded| {
        named.cache.as_ref().map_or(names.is_empty(), |name| !names.contains(name))
    };
    if let Some(homeless) = draft.config.caches.preloaded.iter().find(homeless) {
        let wanted = homeless.cache.as_deref().unwrap_or("to take it");
        if let Some(directive) = draft.given(homeless.option()) {
            let problem = format!("there is no cache {wanted} for {}", homeless.key);
            complaints.push(ConfigError::about(directive, problem).suggest("cache2 = name=...,items=... makes one"));
        }
    }
    complaints.into_iter().for_each(|complaint| draft.error(complaint));
}
