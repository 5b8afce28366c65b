"""Shared areas (uWSGI's manual, "SharedArea – share memory pages between uWSGI components"): memory that all processes of the
instance use byte by byte.

Compiled into the extension module; the functions are those of the module `uwsgi`, which has them where there is an area.
Zygote, and every process below it. Python 3.9 and later.
"""

import fcntl as _fcntl
import mmap as _mmap
import operator as _operator
import os as _os
import sys as _sys
import threading as _threading

import _rhinod

#: Far behind the end of the memory file, and behind the user locks, where nothing is stored.
_FIRST_BYTE = 1 << 41

_areas = []


def configure(settings):
    """Makes the areas of the configuration usable. Called once, in the zygote. Whether there are any."""
    for number, (size, offset, is_object) in enumerate(settings["areas"]):
        _areas.append(_Area(number, size, offset, is_object))
    if _areas:
        _os.register_at_fork(after_in_child=_forget_locks)
    return bool(_areas)


class _Area:
    """One area, and its lock over all threads of all processes: one of this process, and a record lock on the memory that
    the instance shares, which the kernel releases when the process ends. Whoever has it may take it again."""

    def __init__(self, number, size, offset, is_object):
        self.byte = _FIRST_BYTE + number
        self.is_object = is_object
        memory = _mmap.mmap(_rhinod.area_descriptor(number), offset + size)
        self.bytes = memoryview(memory)[offset : offset + size]
        self.within, self.depth = _threading.RLock(), 0

    def __enter__(self):
        self.within.acquire()
        try:
            if self.depth == 0:
                _fcntl.lockf(_rhinod.shared_memory(), _fcntl.LOCK_EX, 1, self.byte)
            self.depth += 1
        except BaseException:
            self.within.release()
            raise

    def __exit__(self, *_failure):
        self.depth -= 1
        if self.depth == 0:
            _fcntl.lockf(_rhinod.shared_memory(), _fcntl.LOCK_UN, 1, self.byte)
        self.within.release()

    def is_ours(self):
        """Whether this thread has the lock."""
        # Only the owner may let go; what is taken in the same breath is given back.
        return self.depth > 0 and self.within._is_owned()


def _forget_locks():
    """In the child of a fork: record locks are its parent's, and a thread that held the other kind may be there no more."""
    for area in _areas:
        area.within, area.depth = _threading.RLock(), 0


def _failed(function):
    return ValueError("error calling uwsgi_sharedarea_%s()" % function)


def _area(number, function):
    number = _operator.index(number)
    if not 0 <= number < len(_areas):
        raise _failed(function)
    return _areas[number]


def _part(area, position, length, function):
    """The slice of so many bytes, which must be there."""
    position, length = _operator.index(position), _operator.index(length)
    if position < 0 or length < 0 or position + length > len(area.bytes):
        raise _failed(function)
    return slice(position, position + length)


def sharedarea_read(number, position, length=None, /):
    """So many bytes of an area from there on; without a number all to its end."""
    area = _area(number, "read")
    if length is None:
        length = len(area.bytes) - _operator.index(position)
    part = _part(area, position, length, "read")
    with area:
        return area.bytes[part].tobytes()


def sharedarea_write(number, position, data, /):
    """Writes bytes there."""
    area = _area(number, "write")
    data = data.encode() if isinstance(data, str) else bytes(memoryview(data))
    part = _part(area, position, len(data), "write")
    with area:
        area.bytes[part] = data


def _reader(size, name):
    function = "read%d" % (8 * size)

    def read(number, position, /):
        area = _area(number, function)
        part = _part(area, position, size, function)
        with area:
            return int.from_bytes(area.bytes[part], _sys.byteorder, signed=True)

    return _named(read, name, "A number of %d bits, signed, in the byte order of the machine." % (8 * size))


def _writer(size, name):
    function = "write%d" % (8 * size)
    least = 0 if size == 1 else -(1 << (8 * size - 1))

    def write(number, position, value, /):
        area = _area(number, function)
        part = _part(area, position, size, function)
        value = _operator.index(value)
        if not least <= value < 1 << (8 * size):
            raise OverflowError("%d does not fit into %d bits" % (value, 8 * size))
        with area:
            area.bytes[part] = (value % (1 << (8 * size))).to_bytes(size, _sys.byteorder)

    return _named(write, name, "Writes a number of %d bits." % (8 * size))


def _counter(size, sign, name):
    function = "%s%d" % ("inc" if sign > 0 else "dec", 8 * size)

    def count(number, position, step=1, /):
        area = _area(number, function)
        part = _part(area, position, size, function)
        step = sign * _operator.index(step)
        with area:
            value = int.from_bytes(area.bytes[part], _sys.byteorder) + step
            area.bytes[part] = (value % (1 << (8 * size))).to_bytes(size, _sys.byteorder)

    return _named(count, name, "Counts a number of %d bits; it wraps." % (8 * size))


def _named(function, name, text):
    function.__name__ = function.__qualname__ = "sharedarea_" + name
    function.__doc__ = text
    return function


def sharedarea_wlock(number, /):
    """Takes the lock of an area. Whoever has it uses the area as usual, and nobody else does until it is given back."""
    _area(number, "wlock").__enter__()


def sharedarea_rlock(number, /):
    """The same: there is one kind of lock."""
    _area(number, "rlock").__enter__()


def sharedarea_unlock(number, /):
    """Gives the lock back. Only its owner does; for others nothing happens."""
    area = _area(number, "unlock")
    if area.is_ours():
        area.__exit__()


def sharedarea_memoryview(number, /):
    """The memory itself, without any lock."""
    return _area(number, "memoryview").bytes[:]


def sharedarea_object(number, /):
    """The memory of a `py-sharedarea`. (A memoryview: a bytearray has memory of its own.)"""
    area = _area(number, "object")
    if not area.is_object:
        raise _failed("object")
    return area.bytes[:]


def functions():
    """All functions of the module `uwsgi`, by their names."""
    names = {name: value for name, value in globals().items() if name.startswith("sharedarea_")}
    for size, aliases in ((1, "byte"), (2, None), (4, None), (8, "long")):
        for word in filter(None, (str(8 * size), aliases)):
            names["sharedarea_read" + word] = _reader(size, "read" + word)
            names["sharedarea_write" + word] = _writer(size, "write" + word)
    for size, word in ((4, "32"), (8, "64"), (8, "long")):
        names["sharedarea_inc" + word] = _counter(size, 1, "inc" + word)
        if word != "long":
            names["sharedarea_dec" + word] = _counter(size, -1, "dec" + word)
    return names
