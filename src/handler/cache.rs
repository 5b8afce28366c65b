//! Caches of the instance (`cache2`) for handlers: what [`Request::cache`](super::Request::cache) gives. Pure; the worker is behind
//! it.

use std::time::Duration;

/// A cache that all workers share, and that outlives them: docs/SERVICES.md in the repository says what holds of it. Keys and
/// values are bytes; an empty key, and an empty value, is none. What expires is not seen any more from that moment on.
///
/// ```
/// use rhinod::{Request, Response};
///
/// fn front(request: &mut Request<'_>) -> Response {
///     let Some(cache) = request.cache("pages") else { return Response::text("no such cache\n").with_status(500) };
///     let page = cache.get(b"front").unwrap_or_else(|| {
///         let page = b"made with much effort\n".to_vec();
///         cache.put(b"front", &page, Some(std::time::Duration::from_secs(60)));
///         page
///     });
///     Response::bytes("text/plain", page)
/// }
/// // There are none in tests.
/// assert_eq!(rhinod::test::call(&front, rhinod::test::get("/")).status, 500);
/// ```
pub struct Cache<'r> {
    pub(crate) link: Box<dyn CacheLink + 'r>,
}

/// Who has the cache. What lives for so many seconds; 0: for ever.
pub(crate) trait CacheLink {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>>;
    fn exists(&self, key: &[u8]) -> bool;
    /// Stores a value; `is_new`: only where there is none.
    fn store(&self, key: &[u8], value: &[u8], lifetime_s: i64, is_new: bool) -> bool;
    fn count(&self, key: &[u8], by: i64, lifetime_s: i64) -> bool;
    fn number(&self, key: &[u8]) -> i64;
    fn delete(&self, key: &[u8]) -> bool;
    fn clear(&self) -> bool;
}

impl Cache<'_> {
    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.link.get(key)
    }

    /// Whether a key has a value.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.link.exists(key)
    }

    /// Stores a value under a key in any case, for so long (whole seconds, at least one) or for ever. False: it is too large, or
    /// there is no room.
    pub fn put(&self, key: &[u8], value: &[u8], lifetime: Option<Duration>) -> bool {
        self.link.store(key, value, seconds(lifetime), false)
    }

    /// The same where the key has no value yet; otherwise false.
    pub fn add(&self, key: &[u8], value: &[u8], lifetime: Option<Duration>) -> bool {
        self.link.store(key, value, seconds(lifetime), true)
    }

    /// Adds to a counter, over all workers; one that is not there begins at `math_initial`. What it counts with is a number, not a
    /// text: [`Cache::number`] reads it. False: there is no room, or something else there.
    pub fn count(&self, key: &[u8], by: i64, lifetime: Option<Duration>) -> bool {
        self.link.count(key, by, seconds(lifetime))
    }

    /// The value of a counter; 0 where there is none.
    pub fn number(&self, key: &[u8]) -> i64 {
        self.link.number(key)
    }

    /// Removes a key. Whether it was there.
    pub fn delete(&self, key: &[u8]) -> bool {
        self.link.delete(key)
    }

    /// Removes all keys.
    pub fn clear(&self) -> bool {
        self.link.clear()
    }
}

impl std::fmt::Debug for Cache<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

/// 0: for ever.
fn seconds(lifetime: Option<Duration>) -> i64 {
    lifetime.map_or(0, |lifetime| i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX).max(1))
}
