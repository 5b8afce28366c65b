//! A cache of this instance, asked by another one. What cannot be done is answered with nothing, as in uWSGI. Worker only.

use std::io::ErrorKind;

use worker_protocol::remote_cache::{Ask, Command, MODIFIER2, done};

use super::question::{Question, Stand};
use crate::config::model::Config;
use crate::sys::clock::{epoch_us, monotonic_us};
use crate::sys::stream::Stream;
use crate::worker::body::write_all;

/// Bytes that room is made for at once, whatever is announced.
const ROOM_BYTES: usize = 64 * 1024;

/// Answers a question.
pub(super) fn answer(question: &Question<'_>, stand: &Stand<'_>) {
    let silence_us = stand.worker.limits().socket_timeout.as_micros() as u64;
    if question.envelope.modifiers.1 == MODIFIER2
        && let Some(ask) = Ask::read(question.block)
        && let Some(reply) = carry_out(&ask, question.rest, stand, silence_us)
    {
        // Who has gone has no use for it.
        let _ = write_all(stand.stream, &reply, silence_us);
    }
}

fn carry_out(ask: &Ask<'_>, rest: &[u8], stand: &Stand<'_>, patience_us: u64) -> Option<Vec<u8>> {
    let member = stand.worker.member();
    let name = std::str::from_utf8(ask.cache).ok()?;
    let shared = member.instance().cache(Some(name))?;
    let Ask { key, expires_s, .. } = *ask;
    let value = match ask.command {
        Command::Set | Command::Update => {
            let bytes = Some(ask.value_bytes).filter(|bytes| *bytes as u64 <= largest_value(member.config(), name))?;
            read_value(stand.stream, rest, bytes, monotonic_us().saturating_add(patience_us))?
        }
        _ => Vec::new(),
    };
    let now_us = epoch_us();
    let outcome = match ask.command {
        Command::Get => {
            let mut found = Vec::new();
            let entry = shared.cache.get(key, now_us, &mut found)?;
            let mut reply = done(Some((found.len(), entry.expires_us / 1_000_000)));
            reply.extend(found);
            return Some(reply);
        }
        Command::Exists => return shared.cache.exists(key, now_us).then(|| done(None)),
        Command::Set => shared.cache.add(key, &value, crate::cache::expiry(expires_s, now_us), now_us),
        Command::Update => shared.cache.put(key, &value, crate::cache::expiry(expires_s, now_us), now_us),
        Command::Delete => shared.cache.delete(key, now_us),
        Command::Clear => shared.cache.clear(now_us),
    };
    shared.settle(outcome).then(|| done(None))
}

/// More bytes than this no value of the cache has.
fn largest_value(config: &Config, name: &str) -> u64 {
    let named = |cache: &&crate::config::model::CacheSettings| name.is_empty() || cache.name == name;
    config.caches.list.iter().find(named).map_or(0, |cache| match cache.bitmap {
        true => cache.blocksize.saturating_mul(cache.blocks),
        false => cache.blocksize,
    })
}

/// Reads what follows a question, of which a part has come with it. `None`: it does not come in time.
fn read_value(stream: &Stream, rest: &[u8], bytes: usize, end_us: u64) -> Option<Vec<u8>> {
    let mut value = rest[..rest.len().min(bytes)].to_vec();
    while value.len() < bytes {
        let left_us = end_us.saturating_sub(monotonic_us());
        if left_us == 0 {
            return None;
        }
        let from = value.len();
        value.resize(bytes.min(from + ROOM_BYTES), 0);
        match stream.read_within(&mut value[from..], left_us) {
            Ok(0) => return None,
            Ok(count) => value.truncate(from + count),
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {
                value.truncate(from)
            }
            Err(_) => return None,
        }
    }
    Some(value)
}
