"""Django's cache framework on a cache of the instance: `"BACKEND": "rhinod_django.CacheBackend"`, with the name of the cache
as LOCATION (Django's manual, "Django's cache framework").

All processes of the instance share it, with no server beside them. Compiled into the extension module, and in the Python
package for whoever reads the settings outside of the instance. Python 3.9 and later.
"""

from django.core.cache.backends.base import DEFAULT_TIMEOUT, BaseCache

from rhinod_cache import SharedCache, expiry


class CacheBackend(BaseCache):
    """A cache that lives in the memory of the instance. MAX_ENTRIES and CULL_FREQUENCY mean nothing: its size, and what goes
    when it is full, is in rhinod's configuration."""

    def __init__(self, location, params):
        super().__init__(params)
        self._cache = SharedCache(location)

    def get(self, key, default=None, version=None):
        return self._cache.get(self.make_and_validate_key(key, version=version), default)

    def set(self, key, value, timeout=DEFAULT_TIMEOUT, version=None):
        self._set(key, value, timeout, version)

    def add(self, key, value, timeout=DEFAULT_TIMEOUT, version=None):
        return self._cache.add(self.make_and_validate_key(key, version=version), value, self._expiry(timeout))

    def touch(self, key, timeout=DEFAULT_TIMEOUT, version=None):
        return self._cache.touch(self.make_and_validate_key(key, version=version), self._expiry(timeout))

    def incr(self, key, delta=1, version=None):
        return self._cache.add_to(self.make_and_validate_key(key, version=version), delta)

    def delete(self, key, version=None):
        return self._cache.delete(self.make_and_validate_key(key, version=version))

    def has_key(self, key, version=None):
        return self._cache.has(self.make_and_validate_key(key, version=version))

    def set_many(self, data, timeout=DEFAULT_TIMEOUT, version=None):
        """The keys that could not be stored."""
        return [key for key, value in data.items() if not self._set(key, value, timeout, version)]

    def clear(self):
        self._cache.clear()

    def _set(self, key, value, timeout, version):
        return self._cache.set(self.make_and_validate_key(key, version=version), value, self._expiry(timeout))

    def _expiry(self, timeout):
        return expiry(self.default_timeout if timeout is DEFAULT_TIMEOUT else timeout)
