"""What spoolers are to an application (uWSGI's manual, "The uWSGI Spooler"): tasks as files in a directory, and the life of
the processes that run them.

The files are those of uWSGI, byte for byte: each may write what the other runs, also at the same time. Compiled into the
extension module; the functions are those of the module `uwsgi`, which has them where a spooler is configured. Zygote, worker,
mule and spooler. Python 3.9 and later.
"""

import mmap as _mmap
import os as _os
import struct as _struct
import time as _time

import _rhinod
import rhinod_mule as _companion

OK, RETRY, IGNORE = -2, -1, 0

#: What the name of each task begins with.
PREFIX = "uwsgi_spoolfile_on_"

#: The mailbox of signals for spoolers.
_SIGNALS = "signals spooler"

#: What the configuration says, see configure.
_directories = []
_processes = []
_how = {}

#: What `set_spooler_frequency` has said, in memory that this process and all that it forks share: seconds, 0 for nothing.
_FREQUENCY = _struct.Struct("=I")
_told = _mmap.mmap(-1, _FREQUENCY.size)


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
    return _os.fsencode(_rhinod.spool(list(task.items())))


def spooler_jobs():
    """Paths of the tasks of the first spooler, those of priorities left out."""
    directory = _directories[0]
    return [_os.path.join(directory, name).encode() for name in _os.listdir(directory) if name.startswith(PREFIX)]


def spooler_get_task(path):
    """A task as its function would get it; None if there is none, or a process runs it."""
    return _rhinod.read_task(_os.fsdecode(path))


def set_spooler_frequency(seconds):
    """Changes the longest time between two looks, for all spoolers until the next reload; 0 takes that back."""
    if not isinstance(seconds, int):
        raise TypeError("%r object cannot be interpreted as an integer" % type(seconds).__name__)
    _FREQUENCY.pack_into(_told, 0, min(max(seconds, 0), 0xFFFFFFFF))
    for directory in _processes:
        _rhinod.post("spooler " + directory, b"1")
    return True


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


def _text(value):
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise ValueError("spooler callable dictionary must contains only bytes")


# ----------------------------------------------------------------------------------------------------------------------
# The life of a spooler


def live(number):
    """Runs the tasks of a directory until the master wants this process to leave; returns its exit code."""
    directory = _processes[number - 1]
    try:
        return _companion.guarded(lambda: _run_all(number, directory))
    finally:
        # It may have been woken for a task that it leaves to others.
        _rhinod.post("spooler " + directory, b"1")


def _run_all(number, directory):
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
    box, done = "spooler " + directory, 0
    own = [one for one, of in enumerate(_processes, 1) if of == directory]
    manner = _how["ordered"], _how["frequency"], _how["retry_delay"], _how["max_crashes"]
    spooler = _rhinod.Spooler(directory, *manner, (own.index(number), len(own)))
    while True:
        # Before the look: what comes after it, wakes.
        while _rhinod.take(box) is not None:
            pass
        spooler.set_frequency(_FREQUENCY.unpack_from(_told)[0] or _how["frequency"])
        spooler.look()
        while True:
            _companion.leave_if_told()
            task = spooler.begin()
            if task is None:
                break
            is_done = _handle(directory, task, uwsgi._hook("spooler"))
            try:
                spooler.end(is_done)
            except OSError as error:
                _rhinod.complain("[spooler %s] what became of a task cannot be noted: %s" % (directory, error))
            done += is_done
            if _how["max_tasks"] and done >= _how["max_tasks"]:
                _say(directory, "maximum number of tasks reached (%d) recycling ..." % done)
                return
        _handle_signals()
        _companion.wait([_rhinod.outlet(box), _rhinod.outlet(_SIGNALS)], spooler.until_next_look())


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

