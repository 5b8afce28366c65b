"""A cache of the instance as the cache backends of frameworks want it: values of any kind, counters, times to live.

Knows no framework; rhinod_django and rhinod_flask do. Compiled into the extension module, and in the Python package as
well, so that a project's settings can name a backend wherever they are read: outside of the instance it can be made, and
says at its first use why there is nothing in it. Zygote, worker, mule, spooler. Python 3.9 and later.
"""

import logging
import os
import pickle
import sys
import time

try:
    import _rhinod
except ImportError:
    _rhinod = None

_log = logging.getLogger("rhinod.cache")

#: Length of a counter's value. Everything else has another one.
_COUNTER_BYTES = 8
_COUNTERS = range(-(1 << 63), 1 << 63)


class OutsideError(RuntimeError):
    """The cache is memory of an instance of rhinod, which this process does not belong to."""


def expiry(seconds):
    """The moment after so many seconds, in microseconds since the epoch; 0, for never, if they are None."""
    if seconds is None:
        return 0
    return max(1, int((time.time() + seconds) * 1_000_000)) if seconds > 0 else 1


class SharedCache:
    """One cache (`cache2`), by its name; the first one of the instance without."""

    def __init__(self, name=""):
        self.name = name

    def get(self, key, default=None):
        """The value of a key."""
        found = self._inside().cache_entry(self.name, key)
        return default if found is None else _value_of(found[0])

    def has(self, key):
        """Whether there is such a key."""
        return self._inside().cache_exists(key, self.name) is not None

    def set(self, key, value, expires_us):
        """Stores a value. False if it cannot be stored; then there is none, since the old one is not true any more."""
        if self._store(key, value, expires_us, None):
            return True
        self.delete(key)
        return False

    def add(self, key, value, expires_us):
        """Stores a value under a key that there is not yet. Whether it is stored."""
        return self._store(key, value, expires_us, b"")

    def touch(self, key, expires_us):
        """Has an entry expire at another moment. False: there is none."""
        inside = self._inside()
        while True:
            found = inside.cache_entry(self.name, key)
            if found is None:
                return False
            if inside.cache_store(self.name, key, found[0], expires_us, found[0]) == "done":
                return True

    def add_to(self, key, number, start=None):
        """Adds to the value of a key; the new value. Of several that do so at once none is lost, and the moment of its
        expiry stays. Where there is no such key: `start` says from what to begin, and the expiry; ValueError without."""
        inside = self._inside()
        while True:
            found = inside.cache_entry(self.name, key)
            if found is None and start is None:
                raise ValueError("Key %r not found" % key)
            old, expires_us = found or (b"", start[1])
            value = (_value_of(old) if found else start[0]) + number
            outcome = inside.cache_store(self.name, key, _bytes_of(value), expires_us, old)
            if outcome == "done":
                return value
            # Unless somebody else came between the two.
            if outcome not in ("another", "absent"):
                raise ValueError("the cache %r cannot hold %r under %r: %s" % (self.name, value, key, outcome))

    def delete(self, key):
        """Removes a key. False: there was none."""
        return self._inside().cache_del(key, self.name) is not None

    def clear(self):
        """Removes everything, whoever has stored it."""
        return self._inside().cache_clear(self.name) is not None

    def _store(self, key, value, expires_us, old):
        data = _bytes_of(value)
        outcome = self._inside().cache_store(self.name, key, data, expires_us, old)
        if outcome == "unfit":
            # What is full says so itself.
            _log.warning("the cache %r cannot hold %d bytes under a key of %d", self.name, len(data), len(key))
        return outcome == "done"

    def _inside(self):
        if _rhinod is None:
            raise OutsideError(
                "the cache %r is memory of a running rhinod, and process %d is none of its workers, mules or spoolers"
                % (self.name or "default", os.getpid())
            )
        return _rhinod


def _bytes_of(value):
    """Integers as uwsgi.cache_inc knows them; everything else pickled, and never as long as those."""
    if type(value) is int and value in _COUNTERS:
        return value.to_bytes(_COUNTER_BYTES, sys.byteorder, signed=True)
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    # What follows the end of a pickle is not looked at.
    return data if len(data) != _COUNTER_BYTES else data + b"\0"


def _value_of(data):
    if len(data) == _COUNTER_BYTES:
        return int.from_bytes(data, sys.byteorder, signed=True)
    return pickle.loads(data)
