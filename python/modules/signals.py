"""What signals, timers, crons and alarms are to an application (uWSGI's manual, "The uWSGI Signal Framework"): numbers that the master
hands to processes, each of which knows a function for them.

Who gets a signal and when one is due the master knows; functions belong to the process that registered them, and those that are
forked from it. Compiled into the extension module; the functions are those of the module `uwsgi`, which imports them. Zygote,
worker, mule and spooler. Python 3.9 and later.
"""

import os as _os
import select as _select

import _rhinod
import rhinod_mule as _companion

#: The functions of this process, by number.
_functions = {}
#: What was registered before the fork of this process.
_loaded = set()
_generation = 0
#: The number from the last signal_wait; 0 before, -1 while one waits.
_received = 0

#: The mailbox that the master reads.
_MASTER = "master"
_NUMBERS = 256
_ENTRIES_MAX = 1000
_SECONDS_LEAST = 0.01
_entries = 0


def configure(settings):
    """Takes over what the configuration says. Called once, in the zygote."""
    global _generation
    _generation = settings["generation"]
    _os.register_at_fork(after_in_child=lambda: _loaded.update(_functions))


# ----------------------------------------------------------------------------------------------------------------------
# The functions of the module uwsgi


def register_signal(number, target, function):
    """Has a function called with a signal's number where `target` says; the empty one is the first worker that has time."""
    number = _checked(number)
    if not isinstance(target, str):
        raise TypeError("register_signal() argument 2 must be str, not %s" % type(target).__name__)
    worker = _rhinod.worker_id()
    if _rhinod.companion() and not _companion.is_loading():
        _rhinod.complain("only the master and the workers can register signal handlers")
        raise ValueError("unable to register signal")
    if number in _functions and worker == 0:
        _rhinod.complain("[uwsgi-signal] you cannot re-register a signal as the master !!!")
        raise ValueError("unable to register signal")
    _functions[number] = function
    if number not in _loaded:
        _wish("register", number, target)
    told = target or "default, any worker"
    _rhinod.write_log("[uwsgi-signal] signum %d registered (wid: %d modifier1: 0 target: %s)" % (number, worker, told))


def signal(number, address=None):
    """Raises a signal."""
    if address is not None:
        raise NotImplementedError("uwsgi.signal: rhinod has no signals to other instances")
    _wish("raise", _checked(number))


def signal_registered(number):
    """True if this process has a function for a signal, else None."""
    return True if _checked(number) in _functions else None


def signal_wait(number=None):
    """Waits for a signal (for this one), and has those that come meanwhile handled."""
    global _received
    awaited = None if number is None else _checked(number)
    _received = -1
    while True:
        _companion.leave_if_told()
        came = take()
        if came is None:
            _wait()
            continue
        if came in _functions:
            handle(came)
        if awaited in (None, came):
            _received = came
            return b""


def signal_received():
    """The number that the last signal_wait of this process has waited for."""
    return _received


def add_timer(number, seconds):
    """Has a signal raised every so many seconds, also every 0.01 of one."""
    if not isinstance(seconds, float) and seconds <= 0:
        _checked(number)
        return
    _add("timer", number, "unable to add timer", _parts_too(seconds, "unable to add timer"))


def add_rb_timer(number, seconds, iterations=0):
    """The same, so many times; 0 is without end."""
    refusal = "unable to add rb_timer"
    if not isinstance(seconds, float) and seconds < 1 or iterations < 0:
        raise ValueError(refusal)
    _add("timer", number, refusal, _parts_too(seconds, refusal), iterations)


def _parts_too(seconds, refusal):
    """Seconds as the master is told of them, of which there may be parts."""
    if not isinstance(seconds, float):
        return seconds
    if not _SECONDS_LEAST <= seconds < float("inf"):
        raise ValueError(refusal)
    return "%.6f" % seconds


def add_cron(number, minute, hour, day, month, weekday):
    """Has a signal raised at certain minutes: a number is that minute or hour, -1 is every one, -n every n-th."""
    _add("cron", number, "unable to add cron", minute, hour, day, month, weekday)
    return True


def add_file_monitor(number, path):
    """Has a signal raised whenever a file or what is in a directory changes."""
    if not isinstance(path, str):
        raise TypeError("add_file_monitor() argument 2 must be str, not %s" % type(path).__name__)
    _add("file", number, "unable to add file monitor", _os.path.abspath(path))


def alarm(name, message):
    """Raises the alarm of this name. None, also where there is none."""
    for part in (name, message):
        if not isinstance(part, str):
            raise TypeError("alarm() takes two str, not %s" % type(part).__name__)
    told = "%d alarm %s %s" % (_generation, name.replace(" ", "_"), message)
    if _rhinod.post(_MASTER, told.encode("utf-8", "replace")) != "queued":
        _rhinod.complain("*** SIGNAL QUEUE IS FULL: could not raise the alarm %s ***" % name)


# ----------------------------------------------------------------------------------------------------------------------
# To and from the master


def _checked(number):
    if not isinstance(number, int):
        raise TypeError("%r object cannot be interpreted as an integer" % type(number).__name__)
    if not 0 <= number < _NUMBERS:
        raise ValueError("there is no signal %d: they are 0 to %d" % (number, _NUMBERS - 1))
    return number


def _add(kind, number, refusal, *rest):
    global _entries
    number = _checked(number)
    for part in rest:
        if not isinstance(part, (int, str)):
            raise TypeError("%r object cannot be interpreted as an integer" % type(part).__name__)
    _entries += 1
    if _entries > _ENTRIES_MAX:
        _rhinod.complain("you can register max %d timers, crons and file monitors !!!" % _ENTRIES_MAX)
        raise ValueError(refusal)
    _wish(kind, number, " ".join(map(str, rest)))


def _wish(kind, number, rest=""):
    message = ("%d %s %d %s" % (_generation, kind, number, rest)).rstrip(" ")
    if _rhinod.post(_MASTER, message.encode("utf-8", "surrogateescape")) != "queued":
        _rhinod.complain("*** SIGNAL QUEUE IS FULL: could not deliver signal %d ***" % number)


def handle(number):
    """Calls this process's function for a signal."""
    role, own = _rhinod.companion() or ("worker", _rhinod.worker_id())
    failed = number not in _functions
    _rhinod.begin_signal(number)
    try:
        if not failed:
            with _companion.deadline(role):
                _functions[number](number)
    except Exception as error:
        _companion.complain(error)
        failed = True
    finally:
        _rhinod.end_signal()
    if failed:
        where = "spooler %d" % _os.getpid() if role == "spooler" else "%s %d" % (role, own)
        _rhinod.complain("error managing signal %d on %s" % (number, where))


def boxes():
    """The mailboxes with signals for this mule or spooler, first its own."""
    role, own = _rhinod.companion() or (None, 0)
    if role == "spooler":
        return ["signals spooler"]
    if role == "mule":
        return ["signals mule %d" % own, "signals mule", *("signals " + farm for farm in _companion.own_farms(own))]
    return []


def take():
    """The next signal for this process; None if there is none."""
    for box in boxes():
        message = _rhinod.take(box)
        if message:
            return message[0]
    return _rhinod.take_signal()


def _wait():
    poll = _select.poll()
    for descriptor in [*map(_rhinod.outlet, boxes()), *_rhinod.signal_sources(), _rhinod.orders()]:
        if descriptor >= 0:
            poll.register(descriptor, _select.POLLIN)
    poll.poll()
