"""What mules are to an application (uWSGI's manual, "uWSGI Mules"): messages to them and farms, and the life of a mule.

Compiled into the extension module; the functions are those of the module `uwsgi`, which imports them. Zygote, worker and
mule. Python 3.9 and later.
"""

import contextlib as _contextlib
import os as _os
import select as _select
import sys as _sys
import threading as _threading
import time as _time

import _rhinod

#: The exit code of a process that was told to leave.
ORDERLY = 30

#: What each mule does: (file, callable), neither where it waits for messages; the first is that of mule 1.
_works = []
#: The numbers of the mules of each farm, by its name, in the order of the configuration.
_farms = {}
#: Seconds that the handler of a signal may run in a mule; 0 has no limit.
_harakiri = 0
#: The same in a spooler.
_spooler_harakiri = 0


def configure(settings):
    """Takes over what the configuration says. Called once, in the zygote."""
    global _works, _farms, _harakiri, _spooler_harakiri
    _works, _farms, _harakiri = settings["mules"], dict(settings["farms"]), settings["mule_harakiri"]
    _spooler_harakiri = settings["spoolers"]["harakiri"]


# ----------------------------------------------------------------------------------------------------------------------
# The functions of the module uwsgi


def mule_id():
    """Number of this mule, from 1; 0 in any other process."""
    role, number = _rhinod.companion() or (None, 0)
    return number if role == "mule" else 0


def in_farm(name=None):
    """Whether this mule is in a farm, or in the one of this name; None if not."""
    own = mule_id()
    if isinstance(name, bytes):
        name = name.decode("utf-8", "replace")
    member = any(own in numbers for farm, numbers in _farms.items() if name in (None, farm))
    return True if own and member else None


def mule_msg(message, mule=0):
    """Sends a message to a mule by its number, to a farm by its name, or to the first mule that has time for it. Whether
    there was room for it."""
    data = as_data(message)
    if not _works:
        raise ValueError("no mule configured")
    if isinstance(mule, (bytes, str)):
        name = mule.decode("utf-8", "replace") if isinstance(mule, bytes) else mule
        if name not in _farms:
            raise ValueError("unknown farm")
        return _post("farm " + name, data)
    if not isinstance(mule, int) or not 0 <= mule <= len(_works):
        raise ValueError("invalid mule")
    return _post("mule %d" % mule if mule else "mule", data)


def farm_msg(farm, message):
    """Sends a message to a farm: the first of its mules that has time takes it."""
    data = as_data(message)
    if not isinstance(farm, str):
        raise TypeError("farm_msg() argument 1 must be str, not %s" % type(farm).__name__)
    if farm in _farms:
        _post("farm " + farm, data)
    else:
        _rhinod.complain("unknown farm: %s" % farm)


def mule_get_msg(signals=True, farms=True, buffer_size=65536, timeout=-1):
    """The next message to this mule, to any mule or (with `farms`) to one of its farms, whole whatever `buffer_size` says;
    b"" when the time (seconds, -1 has no end) is over. Signals that come meanwhile are handled, unless they are to wait."""
    own = mule_id()
    if not own:
        raise ValueError("you can receive mule messages only in a mule !!!")
    return _receive(["mule %d" % own, "mule"], own_farms(own) if farms else [], bool(signals), timeout)


def farm_get_msg():
    """The next message to one of this mule's farms."""
    own = mule_id()
    if not own:
        raise ValueError("you can receive farm messages only in a mule !!!")
    farms = own_farms(own)
    if not farms:
        raise ValueError("mule %d is in no farm" % own)
    return _receive(farms, [], False, -1)


# ----------------------------------------------------------------------------------------------------------------------
# Messages


def as_data(value):
    """What a message, a key or a value may be: text as UTF-8, or bytes that nobody can change meanwhile."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes):
        return value
    try:
        view = memoryview(value)
    except TypeError:
        raise TypeError("a bytes-like object is required, not %r" % type(value).__name__) from None
    if not view.readonly:
        raise TypeError("a read-only bytes-like object is required, not %s" % type(value).__name__)
    return bytes(view)


def _post(name, data):
    outcome = _rhinod.post(name, data)
    if outcome == "full":
        _rhinod.complain(
            "*** MULE MSG QUEUE IS FULL: buffer size %d bytes (you can tune it with --mule-msg-size) ***"
            % _rhinod.mailbox_bytes(name)
        )
    elif outcome != "queued":
        _rhinod.complain("mule_send_msg(): Message too long: %d bytes" % len(data))
    return outcome == "queued"


def own_farms(number):
    return ["farm " + name for name, numbers in _farms.items() if number in numbers]


def _receive(first, then, signals, timeout):
    """The next message of these mailboxes, the first ones before the others. Who asks for it is done with the last one."""
    mind_orders()
    _rhinod.end_task(False)
    until = None if timeout < 0 else _time.monotonic() + timeout
    import rhinod_signals

    boxes = rhinod_signals.boxes() if signals else []
    sources = [_rhinod.outlet(name) for name in [*first, *then, *boxes]]
    while True:
        for name in first:
            message = _rhinod.take(name)
            if message is not None:
                _rhinod.begin_task()
                return message
        handled = False
        for name in boxes:
            message = _rhinod.take(name)
            if message:
                rhinod_signals.handle(message[0])
                handled = True
        for name in then:
            message = _rhinod.take(name)
            if message is not None:
                _rhinod.begin_task()
                return message
        leave_if_told()
        if handled:
            continue
        rest = None if until is None else until - _time.monotonic()
        if rest is not None and rest <= 0:
            return b""
        wait(sources, rest)


def mind_orders():
    """What runs here looks by itself whether it is to leave, so that nothing cuts short what it does in between."""
    if _threading.current_thread() is _threading.main_thread():
        _rhinod.mind_orders()


def leave_if_told():
    """Ends this process, or this thread of it, if the master wants it to leave."""
    mind_orders()
    if _rhinod.is_leaving():
        raise SystemExit(ORDERLY)


def wait(descriptors, seconds):
    """Waits until one of these descriptors is readable, the master wants this process to leave, or the time is over."""
    poll = _select.poll()
    for descriptor in [*descriptors, _rhinod.orders()]:
        poll.register(descriptor, _select.POLLIN)
    poll.poll(None if seconds is None else max(0, seconds * 1000))


# ----------------------------------------------------------------------------------------------------------------------
# The life of a mule


def live(number):
    """Does what the configuration says of this mule; returns the exit code of the process."""
    file, name = _works[number - 1]
    if file is not None:
        return guarded(lambda: _run_file(file))
    if name is not None:
        return guarded(lambda: _run_callable(name))
    return guarded(_handle_messages)


#: Whether this process runs what the application does before its own work begins.
_loading = True


def is_loading():
    """Whether a companion has not come to its own work yet, so that what it registers is what all register."""
    return _loading


@_contextlib.contextmanager
def deadline(role):
    """Gives what is done within so much time as the configuration says of this kind of process."""
    seconds = {"mule": _harakiri, "spooler": _spooler_harakiri}.get(role, 0)
    if seconds:
        _rhinod.set_work_deadline(seconds)
    try:
        yield
    finally:
        if seconds:
            _rhinod.set_work_deadline(0)


def guarded(act):
    """Begins a companion's life and runs what it is there for; returns the exit code that comes of it. A process that the
    application forks and that comes back here ends."""
    global _loading
    import uwsgi

    process = _os.getpid()
    error = None
    try:
        _leave_at_signals()
        try:
            uwsgi._begin_worker()
        except Exception as failed:
            complain(failed)
        _loading = False
        act()
    except BaseException as raised:
        error = raised
    if _os.getpid() != process:
        uwsgi._end_stray(error)
    if error is None:
        return 0
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return int(error.code or 0) & 0xFF
        _rhinod.complain(str(error.code))
        return 1
    complain(error)
    return 1


def complain(error):
    """Writes the traceback of an error to the log."""
    import traceback

    _rhinod.complain("".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip("\n"))


def _leave_at_signals():
    """A program that never asks whether it is to leave hears of it as any program does; handlers of its own win."""
    import signal

    def leave(_number, _frame):
        raise SystemExit(ORDERLY)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, leave)


def _run_file(path):
    import types

    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    _sys.argv[:] = ["uwsgi"]
    main = types.ModuleType("__main__")
    main.__file__ = path
    _sys.modules["__main__"] = main
    exec(code, main.__dict__)


def _run_callable(name):
    import importlib

    module, _colon, attribute = name.partition(":")
    found = importlib.import_module(module)
    for part in (attribute[:-2] if attribute.endswith("()") else attribute).split("."):
        found = getattr(found, part)
    found()


def _handle_messages():
    """Hands each message to the application's `mule_msg_hook`."""
    import uwsgi

    mind_orders()
    while True:
        message = mule_get_msg()
        hook = uwsgi._hook("mule_msg_hook")
        if hook is None:
            uwsgi.log("*** mule %d received a %d bytes message ***" % (mule_id(), len(message)))
            continue
        try:
            hook(message)
        except Exception as error:
            complain(error)
            _rhinod.end_task(True)
