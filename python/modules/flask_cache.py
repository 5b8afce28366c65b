"""Flask-Caching on a cache of the instance: `CACHE_TYPE = "rhinod_flask.CacheBackend"`, with the name of the cache as
`CACHE_UWSGI_NAME`, which its backend for uWSGI reads as well.

All processes of the instance share it, with no server beside them. Beside that backend it counts without losing any, and
says what it cannot hold. Compiled into the extension module, and in the Python package for whoever reads the settings
outside of the instance. Python 3.9 and later.
"""

from flask_caching.backends.base import BaseCache

from rhinod_cache import SharedCache, expiry


class CacheBackend(BaseCache):
    """A cache that lives in the memory of the instance. A timeout of 0 is none."""

    def __init__(self, name="", default_timeout=300, ignore_delete_many_errors=False):
        super().__init__(default_timeout, ignore_delete_many_errors)
        self._cache = SharedCache(name)

    @classmethod
    def factory(cls, app, config, args, kwargs):
        """What Flask-Caching calls with the application's configuration."""
        return cls(config.get("CACHE_UWSGI_NAME", ""), **kwargs)

    def get(self, key):
        return self._cache.get(key)

    def set(self, key, value, timeout=None):
        return self._cache.set(key, value, self._expiry(timeout))

    def add(self, key, value, timeout=None):
        return self._cache.add(key, value, self._expiry(timeout))

    def has(self, key):
        return self._cache.has(key)

    def delete(self, key):
        return self._cache.delete(key)

    def clear(self):
        return self._cache.clear()

    def inc(self, key, delta=1):
        """Adds to a number, which begins at 0; the new value."""
        try:
            return self._cache.add_to(key, delta, start=(0, self._expiry(None)))
        except ValueError:
            # There is no room for it.
            return None

    def dec(self, key, delta=1):
        """Takes away from a number, which begins at 0; the new value."""
        return self.inc(key, -delta)

    def _expiry(self, timeout):
        seconds = self.default_timeout if timeout is None else timeout
        # A number, or a timedelta.
        seconds = getattr(seconds, "total_seconds", lambda: seconds)()
        return expiry(seconds or None)
