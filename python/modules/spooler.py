"""What spoolers are to an application (uWSGI's manual, "The uWSGI Spooler"): tasks as files in a directory, and the life of
the processes that run them.

The files are those of uWSGI, byte for byte: each may write what the other runs, also at the same time. Compiled into the
extension module; the functions are those of the module `uwsgi`, which has them where a spooler is configured. Zygote, worker,
mule and spooler. Python 3.9 and later.
"""

import fcntl as _fcntl
import itertools as _itertools
import json as _json
import os as _os
import random as _random
import re as _re
import socket as _socket
import stat as _stat
import struct as _struct
import time as _time

import _rhinod
import rhinod_mule as _companion

OK, RETRY, IGNORE = -2, -1, 0

#: What the name of each task begins with.
PREFIX = "uwsgi_spoolfile_on_"
#: A task as it is being written, which nobody runs; and what is known of the runs of one, which nobody takes for a task.
_WRITTEN, _RUNS = ".uwsgi_spoolfile_written_", ".uwsgi_spoolfile_runs_"
#: Where a task goes that cannot be run, or takes each process with it that runs it.
_ASIDE = "set_aside"

#: The mailbox of signals for spoolers.
_SIGNALS = "signals spooler"

#: Modifier of a task, and the length of its variables.
_HEAD = _struct.Struct("<BHB")
_LENGTH = _struct.Struct("<H")
_SPOOL = 17
_LENGTH_MAX = 0xFFFF

#: An open file description's lock on a whole file (fcntl(2)): uWSGI's lock excludes it, and it is kept until the file is
#: closed that was opened for it.
_LOCK = _struct.pack("hhqqi4x", _fcntl.F_WRLCK, 0, 0, 0, 0)

#: What the configuration says, see configure.
_directories = []
_processes = []
_how = {}
_count = _itertools.count(1)


def configure(settings):
    """Takes over what the configuration says. Called once, in the zygote. Whether there is any spooler."""
    global _directories, _processes, _how
    _how = settings["spoolers"]
    _directories = _how["directories"]
    _processes = _how["processes"]
    for directory in _directories:
        try:
            _os.makedirs(directory, mode=0o750, exist_ok=True)
        except OSError as error:
            _rhinod.complain("the spool directory %s cannot be made: %s" % (directory, error.strerror))
    return bool(_directories)


def names():
    """The directory of each process."""
    return tuple(directory.encode() for directory in _processes)


# ----------------------------------------------------------------------------------------------------------------------
# The functions of the module uwsgi


def spool(message=None, **keywords):
    """Has a task run by a spooler; returns the path of its file. Keys and values are text or bytes; `spooler` (a directory),
    `at` (seconds since the epoch), `priority` (a number) and `body` (of any length) say where, when and with what."""
    if message is None and not keywords or not isinstance(message, (dict, type(None))):
        raise ValueError("The argument of spooler callable must be a dictionary")
    task = {_text(key): _text(value) for key, value in [*(message or {}).items(), *keywords.items()]}
    body = task.pop(b"body", b"")
    directory = _directory_of(task.get(b"spooler"))
    at = task.get(b"at")
    try:
        at = None if at is None else int(float(at))
    except ValueError:
        raise ValueError("at is no time in seconds: %r" % at) from None
    priority = task.get(b"priority")
    if priority is not None:
        if not _re.fullmatch(rb"[0-9]{1,6}", priority):
            raise ValueError("priority is no number from 0 to 999999: %r" % priority)
        directory = _os.path.join(directory, priority.decode())
        _os.makedirs(directory, exist_ok=True)
    path, length = _write(directory, _packed(task), body, at)
    if not _how["quiet"]:
        _rhinod.write_log("[spooler] written %d bytes to file %s" % (length, path))
    _wake(_directory_of(task.get(b"spooler")))
    return path.encode()


def spooler_jobs():
    """Paths of the tasks of the first spooler, those of priorities left out."""
    directory = _directories[0]
    return [_os.path.join(directory, name).encode() for name in _os.listdir(directory) if name.startswith(PREFIX)]


def spooler_get_task(path):
    """A task as its function would get it; None if there is none, or a process runs it."""
    try:
        with open(path, "r+b") as file:
            if not _lock(file):
                return None
            return _task(path, file.read())
    except (OSError, ValueError):
        return None


def spooler_pids():
    """Process ids of the spoolers; 0 for one that is not up."""
    return _rhinod.companion_pids("spooler", len(_processes))


def spooler_pid():
    """Process id of the first spooler."""
    return (spooler_pids() or [0])[0]


def i_am_the_spooler():
    """True in a spooler, None in any other process."""
    role, _number = _rhinod.companion() or (None, 0)
    return True if role == "spooler" else None


def _wake(directory):
    """Has a process of this directory look, and the master if all are busy. The byte stands for a task that nobody has seen."""
    _rhinod.post("spooler " + directory, b"1")
    _rhinod.call_for_spoolers(directory)


# ----------------------------------------------------------------------------------------------------------------------
# Files


def _text(value):
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise ValueError("spooler callable dictionary must contains only bytes")


def _directory_of(wanted):
    if wanted is None:
        return _directories[0]
    wanted = wanted.decode("utf-8", "surrogateescape")
    if wanted not in _directories:
        raise ValueError("unable to find spooler %r" % wanted)
    return wanted


def _packed(task):
    pieces = []
    for pair in task.items():
        for piece in pair:
            if len(piece) > _LENGTH_MAX:
                raise ValueError("a value of %d bytes is too long for a task: use the body for it" % len(piece))
            pieces += [_LENGTH.pack(len(piece)), piece]
    block = b"".join(pieces)
    if len(block) > _LENGTH_MAX:
        _rhinod.complain("[uwsgi-spooler] args buffer is limited to 64k, use the 'body' for bigger values")
        raise ValueError("unable to spool job")
    return _HEAD.pack(_SPOOL, len(block), 0) + block


def _write(directory, block, body, at):
    """Writes a task; it is there as a whole or not at all."""
    now = _time.time()
    stamp = "%d_%d" % (now, now % 1 * 1_000_000)
    name = "%s_%d_%d_%d_%s" % (_socket.gethostname(), _os.getpid(), next(_count), _random.getrandbits(31), stamp)
    written = _os.path.join(directory, _WRITTEN + name)
    path = _os.path.join(directory, PREFIX + name)
    descriptor = _os.open(written, _os.O_WRONLY | _os.O_CREAT | _os.O_EXCL | _os.O_CLOEXEC, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(block)
            file.write(body)
            file.flush()
            if at is not None:
                _os.utime(file.fileno(), (at, at))
            _os.fsync(file.fileno())
        _os.rename(written, path)
    except BaseException:
        _remove(written)
        raise
    return path, len(block) + len(body)


def _lock(file):
    try:
        _fcntl.fcntl(file, _fcntl.F_OFD_SETLK, _LOCK)
        return True
    except OSError:
        return False


def _task(name, data):
    """The dictionary of a task; ValueError if the file has none."""
    if len(data) < _HEAD.size:
        raise ValueError("it is cut short")
    _modifier, size, _zero = _HEAD.unpack_from(data)
    if len(data) < _HEAD.size + size:
        raise ValueError("it is cut short")
    task = {"spooler_task_name": name.encode() if isinstance(name, str) else name}
    pieces, at, end = [], _HEAD.size, _HEAD.size + size
    while at < end:
        if at + 2 > end or at + 2 + _LENGTH.unpack_from(data, at)[0] > end:
            raise ValueError("its variables are malformed")
        (length,) = _LENGTH.unpack_from(data, at)
        pieces.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    if len(pieces) % 2:
        raise ValueError("its variables are malformed")
    task.update(zip(pieces[::2], pieces[1::2]))
    if data[end:]:
        task["body"] = data[end:]
    return task


def _remove(path):
    try:
        _os.unlink(path)
    except FileNotFoundError:
        pass


# ----------------------------------------------------------------------------------------------------------------------
# The life of a spooler


def live(number):
    """Runs the tasks of a directory until the master wants this process to leave; returns its exit code."""
    directory = _processes[number - 1]
    try:
        return _companion.guarded(lambda: _run_all(directory))
    finally:
        # It may have been woken for a task that it leaves to others.
        _rhinod.post("spooler " + directory, b"1")


def _run_all(directory):
    import importlib

    import uwsgi

    _rhinod.write_log("spawned the uWSGI spooler on dir %s with pid %d" % (directory, _os.getpid()))
    _os.nice(19)
    for name in _how["imports"]:
        try:
            if name.endswith(".py"):
                _run_file(name)
            else:
                importlib.import_module(name)
        except Exception as error:
            _companion.complain(error)
    _os.chdir(_how["chdir"] or directory)
    box, done, later = "spooler " + directory, 0, {}
    while True:
        # Before the look: what comes after it, wakes.
        while _rhinod.take(box) is not None:
            pass
        next_look = _time.time() + (_how["frequency"] or 1)
        paths = list(_eligible(directory))
        # When those of the last look are due that could not be done then.
        later, now = {path: later[path] for path in paths if path in later}, _time.time()
        waiting = sum(later.get(path, 0) <= now for path in paths)
        for path in paths:
            _companion.leave_if_told()
            waiting -= later.pop(path, 0) <= now
            _rhinod.tell_waiting(waiting)
            when = _run(directory, path, uwsgi._hook("spooler"))
            if when is None:
                done += 1
            else:
                next_look, later[path] = min(next_look, when), when
            if _how["max_tasks"] and done >= _how["max_tasks"]:
                _say(directory, "maximum number of tasks reached (%d) recycling ..." % done)
                return
        _companion.leave_if_told()
        _handle_signals()
        _companion.wait([_rhinod.outlet(box), _rhinod.outlet(_SIGNALS)], max(0, next_look - _time.time()))


def _handle_signals():
    import rhinod_signals

    while True:
        message = _rhinod.take(_SIGNALS)
        if message is None:
            return
        rhinod_signals.handle(message[0])


def _run_file(path):
    import runpy

    runpy.run_path(path)


def _eligible(directory):
    """Paths of what may be tasks, in the order in which they are to be run."""
    names = _os.listdir(directory)
    if _how["ordered"]:
        names.sort(key=_by_version)
    for name in names:
        path = _os.path.join(directory, name)
        if name.startswith(PREFIX):
            yield path
        elif _how["ordered"] and name.isdigit() and _os.path.isdir(path):
            yield from _eligible(path)


def _by_version(name):
    """Runs of digits compare as numbers."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in _re.split(r"(\d+)", name) if part]


def _run(directory, path, function):
    """Runs a task if it may be run now and nobody else does. None: it was done; else when to look at it again."""
    later = _time.time() + (_how["frequency"] or 1)
    try:
        file = open(path, "r+b")
    except OSError:
        return later
    with file:
        status = _os.fstat(file.fileno())
        now = _time.time()
        if status.st_mtime > now:
            return status.st_mtime
        # One that was done meanwhile has no name any more.
        if not _lock(file) or not _os.fstat(file.fileno()).st_nlink:
            return later
        runs = _Runs(path, file, status)
        if not runs.begin():
            _set_aside(directory, path, "it has taken %d processes with it" % runs.crashes)
            runs.forget()
            return later
        try:
            task = _task(_os.path.basename(path), file.read())
        except ValueError as error:
            _set_aside(directory, path, str(error))
            runs.forget()
            return later
        if _handle(directory, task, function):
            _os.unlink(path)
            runs.forget()
            return None
        delay = runs.fail()
        if delay:
            later = _time.time() + delay
            _os.utime(file.fileno(), (later, later))
        return later


def _handle(directory, task, function):
    """Whether a task is done."""
    if function is None:
        _rhinod.complain("unable to find the spooler function, have you loaded it into the spooler process ?")
        return False
    name = task["spooler_task_name"].decode("utf-8", "replace")
    if not _how["quiet"]:
        _say(directory, "managing request %s ..." % name)
    began = _time.monotonic()
    outcome = RETRY
    _rhinod.begin_task()
    _rhinod.call_for_spoolers(directory)
    _rhinod.set_work_deadline(_how["harakiri"])
    try:
        outcome = function(task)
    except Exception as error:
        _companion.complain(error)
    finally:
        _rhinod.set_work_deadline(0)
        _rhinod.end_task(outcome != OK)
    if outcome == IGNORE and not isinstance(outcome, bool) and outcome is not None:
        _rhinod.complain("unable to find the spooler function, have you loaded it into the spooler process ?")
    if outcome != OK:
        return False
    if not _how["quiet"]:
        _say(directory, "done with task %s after %d seconds" % (name, _time.monotonic() - began))
    return True


def _say(directory, text):
    _rhinod.write_log("[spooler %s pid: %d] %s" % (directory, _os.getpid(), text))


def _set_aside(directory, path, why):
    aside = _os.path.join(directory, _ASIDE)
    _os.makedirs(aside, exist_ok=True)
    _os.rename(path, _os.path.join(aside, _os.path.basename(path)))
    _rhinod.complain("[spooler %s] task %s is set aside in %s: %s" % (directory, _os.path.basename(path), aside, why))


class _Runs:
    """What is known of the runs of a task, since the process that runs it may be killed by it: that one is under way by the
    sticky bit of its file, which means nothing for files (chmod(2)), so that a task that is done costs no other file; what
    went wrong before in a file beside it."""

    def __init__(self, path, file, status):
        directory, name = _os.path.split(path)
        self.path = _os.path.join(directory, _RUNS + name[len(PREFIX) :])
        self.file, self.mode = file, _stat.S_IMODE(status.st_mode)
        self.crashes = self.failures = 0

    def begin(self):
        """Notes that a run begins. False: it has killed too many processes."""
        try:
            with open(self.path) as file:
                known = _json.load(file)
            self.crashes, self.failures = int(known["crashes"]), int(known["failures"])
        except (OSError, ValueError, KeyError, TypeError):
            pass
        if self.mode & _stat.S_ISVTX:
            self.crashes += 1
            self._write()
            if 0 < _how["max_crashes"] <= self.crashes:
                self._mark(0)
                return False
        self._mark(_stat.S_ISVTX)
        return True

    def fail(self):
        """Notes that it is to be run again; how many seconds later, 0 at the next look."""
        self.failures += 1
        self._write()
        self._mark(0)
        first = _how["retry_delay"]
        return min(first * 2 ** min(self.failures - 1, 20), 3600 if first < 3600 else first)

    def forget(self):
        _remove(self.path)

    def _mark(self, bit):
        try:
            _os.fchmod(self.file.fileno(), self.mode & ~_stat.S_ISVTX | bit)
        except PermissionError:
            # Another user's: nobody counts what it takes with it.
            pass

    def _write(self):
        with open(self.path, "w") as file:
            _json.dump({"crashes": self.crashes, "failures": self.failures}, file)
