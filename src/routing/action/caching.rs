//! What actions on caches are, and do: an answer from one, answers to be kept in one, values and counters. Pure; caches are
//! asked of the [`World`].

use super::step::{Failure, Step};
use crate::cache::Arithmetic;
use crate::routing::answer::{Answer, CachedAnswer};
use crate::routing::pattern::Groups;
use crate::routing::state::{Request, ToKeep};
use crate::routing::template::Template;
use crate::routing::values::leading_integer;
use crate::routing::world::{CacheChange, Change, World};

/// What is done with which entry of which cache.
#[derive(Debug, Clone)]
pub(in crate::routing) struct CacheAction {
    /// The cache; the first one if that is empty.
    pub(in crate::routing) cache: String,
    pub(super) key: Template,
    pub(super) what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    /// `cache:`.
    Answer { content_type: String, by_name: bool, coding: String, without_length: bool },
    /// `cachestore:`: the answer, or a value, once there is an answer with this status.
    Keep { status: u16, value: Option<Template>, lifetime_s: u64 },
    /// `cacheset:`.
    Add { value: Template, lifetime_s: u64 },
    /// `cachevar:`.
    Read { variable: String, is_number: bool },
    /// `cacheinc:` and its relatives.
    Calculate { how: Arithmetic, by: Template, lifetime_s: u64 },
}

impl CacheAction {
    /// Whether it needs the groups of the match.
    pub(super) fn has_groups(&self) -> bool {
        let has = |text: &Template| text.has_groups();
        let other = match &self.what {
            What::Answer { .. } | What::Read { .. } => false,
            What::Keep { value, .. } => value.as_ref().is_some_and(has),
            What::Add { value, .. } => has(value),
            What::Calculate { by, .. } => has(by),
        };
        other || has(&self.key)
    }

    /// Carries it out. A cache that is full, or has no such key, is nothing that would keep a request.
    pub(super) fn act(&self, groups: &Groups, request: &mut Request<'_>, world: &dyn World) -> Result<Step, Failure> {
        let key = self.key.fill(groups, request, world);
        let change = |what: Change<'_>, lifetime_s: u64| {
            world.change_cache(&self.cache, &key, CacheChange { what, lifetime_s });
        };
        match &self.what {
            What::Answer { content_type, by_name, coding, without_length } => {
                let Some(found) = world.cached(&self.cache, &key) else { return Ok(Step::Next) };
                let by_name = by_name.then(|| world.media_type(&key)).flatten();
                let given = if content_type.is_empty() { "text/html" } else { content_type };
                return Ok(Step::Answer(Answer::Cached(CachedAnswer {
                    content_type: by_name.unwrap_or_else(|| given.to_owned()),
                    coding: coding.clone(),
                    expires_s: found.expires_s,
                    without_length: *without_length,
                    body: found.value,
                })));
            }
            What::Keep { status, value, lifetime_s } => {
                let value = value.as_ref().map(|value| value.fill(groups, request, world));
                let cache = self.cache.clone();
                request.keep(ToKeep { cache, key, status: *status, lifetime_s: *lifetime_s, value })?;
            }
            What::Add { value, lifetime_s } => {
                change(Change::Add(&value.fill(groups, request, world)), *lifetime_s);
            }
            What::Read { variable, is_number } => {
                let value = world.cached(&self.cache, &key).map(|found| found.value).unwrap_or_default();
                let value = match is_number {
                    true => <[u8; 8]>::try_from(value).map_or(0, i64::from_ne_bytes).to_string().into_bytes(),
                    false => value,
                };
                request.set(variable.as_bytes(), value)?;
            }
            What::Calculate { how, by, lifetime_s } => {
                let by = leading_integer(&by.fill(groups, request, world));
                change(Change::Calculate(*how, by), *lifetime_s);
            }
        }
        Ok(Step::Next)
    }
}
