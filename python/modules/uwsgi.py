"""The module `uwsgi` that applications import (uWSGI's manual, "uWSGI API - the Python module"): uWSGI's API as far as rhinod has it.

Compiled into the extension module and registered before any application is loaded. Text values are bytes, as uWSGI's are
on Python 3. What rhinod does not have (yet) is there by name and raises NotImplementedError, which says so. Zygote and
worker. Python 3.9 and later.
"""

import fcntl as _fcntl
import os as _os
import select as _select
import socket as _socket
import sys as _sys
import threading as _threading
import time as _time

import _rhinod
import rhinod_areas as _shared_areas
import rhinod_mule as _mules
import rhinod_rpc as _rpc
import rhinod_signals as _signals
import rhinod_spooler as _spoolers
from rhinod_mule import farm_get_msg, farm_msg, in_farm, mule_get_msg, mule_id, mule_msg
from rhinod_rpc import call, register_rpc, rpc, rpc_list
from rhinod_signals import (
    add_cron,
    add_file_monitor,
    add_rb_timer,
    add_timer,
    alarm,
    register_signal,
    signal,
    signal_received,
    signal_registered,
    signal_wait,
)
from rhinod_spooler import i_am_the_spooler

#: The version of uWSGI whose API this is.
version = b"2.0.31"
version_info = (2, 0, 31, 0, b"")
#: rhinod's own version.
rhinod_version = _rhinod.__version__.encode()

hostname = _socket.gethostname().encode()
started_on = int(_time.time())
has_threads = True
loop = b"uwsgi"
SPOOL_OK, SPOOL_RETRY, SPOOL_IGNORE = -2, -1, 0

#: Set by the configuration, see _configure.
opt = {}
numproc = 1
cores = 1
buffer_size = 0
applications = None
magic_table = {}
pidfile = None

#: Whether an older generation of the application serves, or has served.
is_a_reload = False

# Callables without arguments that an application may set while it is loaded: `post_fork_hook`; `after_req_hook`, which runs
# after each request; `atexit`; `mule_msg_hook`, which gets the messages to mules that run no program. As in uWSGI there are
# no such attributes before, and libraries ask whether there are.

_master_pid = 0
_user_locks = []
_applications = 0


def _configure(settings):
    """Takes over what the configuration says. Called once, in the zygote."""
    global opt, numproc, cores, buffer_size, pidfile, magic_table, is_a_reload, _master_pid, _user_locks, _applications
    opt = _options(settings["given"])
    numproc, cores, buffer_size = settings["workers"], settings["threads"], settings["buffer_size"]
    pidfile = _bytes_or_none(settings["pidfile"])
    magic_table = {letter.encode(): value.encode() for letter, value in settings["magic"]}
    _mules.configure(settings)
    _signals.configure(settings)
    _rpc.configure(settings)
    # As in uWSGI there are no such functions without a spooler.
    if _spoolers.configure(settings):
        for name in (
            "spool",
            "spooler_jobs",
            "spooler_get_task",
            "spooler_pid",
            "spooler_pids",
            "set_spooler_frequency",
        ):
            globals()[name] = getattr(_spoolers, name)
        globals().update(send_to_spooler=_spoolers.spool, spoolers=_spoolers.names())
    # The same without a queue, and without a shared area.
    if settings["queue"]:
        for name in ("push", "pop", "pull", "get", "set", "last", "slot", "pull_slot"):
            globals()["queue_" + name] = getattr(_rhinod, "queue_" + name)
        globals()["queue_size"] = settings["queue"]
    if _shared_areas.configure(settings):
        globals().update(_shared_areas.functions())
    _applications, is_a_reload = settings["applications"], settings["is_a_reload"]
    # As in uWSGI there is no such attribute without the option.
    if isinstance(opt.get("mode"), bytes):
        globals()["mode"] = opt["mode"]
    # The zygote is the master's child.
    _master_pid = _os.getppid()
    _user_locks = [_UserLock(number) for number in range(settings["locks"] + 1)]
    _os.register_at_fork(after_in_child=_forget_locks)


#: What holds in every instance, whether it is written or not. Libraries that trace or report ask for these before they
#: start their threads.
_ALWAYS = ("master", "enable-threads", "single-interpreter", "py-call-osafterfork", "py-call-uwsgi-fork-hooks")


def _options(given):
    """Options as uWSGI shows them: keys are text, values bytes, flags True, repeated ones lists."""
    options = {}
    for name, value in given:
        value = True if value is None else value.encode()
        if name not in options:
            options[name] = value
        elif isinstance(options[name], list):
            options[name].append(value)
        else:
            options[name] = [options[name], value]
    for name in _ALWAYS:
        options.setdefault(name, True)
    return options


def _bytes_or_none(text):
    return None if text is None else text.encode()


def _to_bytes(value):
    # Not bytes(value), which makes zeros of a number.
    return value.encode() if isinstance(value, str) else bytes(memoryview(value))


def _hook(name):
    """What an application has set under one of the names of hooks, or None."""
    return globals().get(name)


def _begin_worker(grown=False):
    """Called in each worker that has its application; `grown`: it was forked from a worker that has served (refork)."""
    if grown and _hook("after_refork") is not None:
        _hook("after_refork")()
    if _hook("post_fork_hook") is not None:
        _hook("post_fork_hook")()


def _name_thread():
    """Names the thread of a core as uWSGI does."""
    thread = _threading.current_thread()
    core = 0 if thread is _threading.main_thread() else _rhinod.core_of_thread()
    thread.name = "uWSGIWorker%dCore%d" % (worker_id(), core)


def _end_worker(handlers=True, threads=True):
    """The end of a worker: what an interpreter does when it exits, unless it is to do without (skip-atexit, no-threads-wait)."""
    import atexit

    try:
        if handlers and _hook("atexit") is not None:
            _hook("atexit")()
    finally:
        if threads:
            _threading._shutdown()
        if handlers:
            atexit._run_exitfuncs()
        _flush()


def _flush():
    for stream in (_sys.stdout, _sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):
            pass


def _end_stray(error):
    """Ends a process that the application forked and that came back to the server: what it came back with is its parent's
    business. A SystemExit is obeyed, anything else is said."""
    try:
        code = int(error is not None)
        if isinstance(error, SystemExit):
            code = 0 if error.code is None else error.code
            if not isinstance(code, int):
                print(code, file=_sys.stderr)
                code = 1
        else:
            said = "process %d, which the application forked, came back to the server and ends" % _os.getpid()
            if error is None:
                log(said)
            else:
                import traceback

                lines = traceback.format_exception(type(error), error, error.__traceback__)
                _rhinod.complain("%s\n%s" % (said, "".join(lines).rstrip()))
        _flush()
    finally:
        _os._exit(code & 0xFF)


# ----------------------------------------------------------------------------------------------------------------------
# Processes


def worker_id():
    """Number of this worker, from 1, from the fork on; 0 in the zygote."""
    return _rhinod.worker_id()


def masterpid():
    """Process id of the master."""
    return _master_pid


def mypid():
    """Process id of this process."""
    return _os.getpid()


def workers():
    """A tuple with one dict for each number that a worker can have. Where nobody has it, the status is b"cheap"."""
    numbered = {}
    for worker in map(_with_derived, _rhinod.workers()):
        # The seat of a worker that has left stays as it was until another takes it; of two that live, the one that
        # leaves and its successor, the successor counts.
        rank = worker["respawn_count"]
        if worker["last_spawn"] and rank >= numbered.get(worker["id"], worker)["respawn_count"]:
            numbered[worker["id"]] = worker
    vacant = (_with_derived(dict(_VACANT, id=number)) for number in range(1, numproc + 1) if number not in numbered)
    return tuple(sorted([*numbered.values(), *vacant], key=lambda worker: worker["id"]))


_COUNTERS = ("respawn_count", "requests", "exceptions", "rss", "vsz", "running_time", "avg_rt", "tx", "signals")
_VACANT = {"pid": 0, "status": b"cheap", **dict.fromkeys(_COUNTERS, 0)}


def _with_derived(worker):
    """Adds the keys that follow from what is known of a worker.

    Counters are those of the process. Nobody counts by application, so only a single one is listed.
    """
    started_on = _started_on(worker["pid"]) if worker["pid"] else 0
    worker.update(delta_requests=worker["requests"], last_spawn=started_on, apps=())
    if _applications == 1:
        counters = {"requests": worker["requests"], "exceptions": worker["exceptions"]}
        worker["apps"] = ({"id": 0, "modifier1": 0, "mountpoint": b"", "chdir": b"", **counters},)
    return worker


def _started_on(pid):
    """When a process began, in seconds since the epoch (proc(5), starttime); 0 if there is none."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as file:
            ticks = int(file.read().rpartition(b")")[2].split()[19])
    except OSError:
        return 0
    age = _time.clock_gettime(_time.CLOCK_BOOTTIME) - ticks / _os.sysconf("SC_CLK_TCK")
    return int(_time.time() - age)


def total_requests():
    """Requests of all workers that live."""
    return _rhinod.total_requests()


def request_id():
    """Requests of this worker before the present one."""
    return _rhinod.request_id()


def reload():
    """Asks the master for a graceful reload."""
    return True if _rhinod.ask_reload() else None


def stop():
    """Asks the master to stop the instance."""
    return True if _rhinod.ask_stop() else None


def cheap():
    """Asks the master to let this worker go without a successor, if that leaves as many as `cheaper` says."""
    return True if _rhinod.ask_cheap() else None


def accepting(flag=True):
    """A worker accepts once it has told the master; there is nothing left to tell."""


def ready():
    """Whether the instance serves."""
    return True if worker_id() else None


def setprocname(name):
    """Gives the process a title, as ps shows it."""
    _rhinod.set_process_name(name)


def mem():
    """Resident and virtual size of this process in bytes."""
    return _rhinod.memory()


class Harakiri(BaseException):
    """Raised in a request that is over its time; its client has had its answer."""


def set_user_harakiri(seconds):
    """Gives the request of this thread, or what a mule or spooler does, so many seconds from now on; 0 takes that back."""
    if not _rhinod.set_work_deadline(max(0, seconds)):
        _rhinod.set_deadline(seconds)


def _raise_at(signal_number):
    """Has a signal end the request of a worker's only thread, if that is over its time."""
    import signal

    if cores == 1 and _threading.current_thread() is _threading.main_thread():
        signal.signal(signal_number, _raise_if_overdue)


def _raise_if_overdue(_signal_number, _frame):
    if _rhinod.is_overdue():
        raise Harakiri("the request is over its time")


def _dump_at(signal_number, descriptor):
    """Has a signal write the stack of the thread that gets it."""
    import faulthandler

    faulthandler.register(signal_number, file=descriptor, all_threads=False, chain=True)


def log(message):
    """Writes a line to the log."""
    if isinstance(message, bytes):
        message = message.decode("utf-8", "backslashreplace")
    _rhinod.write_log(message)
    return True


def micros():
    """Microseconds since the epoch."""
    return _time.time_ns() // 1000


def async_sleep(seconds):
    """Sleeps; other threads of the worker run on. The result is for an application to give as a piece of its answer."""
    _time.sleep(seconds)
    return b""


def wait_fd_read(descriptor, timeout=0):
    """Waits until a descriptor can be read; False when the time (seconds, 0 is none) is over."""
    return bool(_select.select([descriptor], [], [], timeout or None)[0])


def wait_fd_write(descriptor, timeout=0):
    """Waits until a descriptor can be written; False when the time (seconds, 0 is none) is over."""
    return bool(_select.select([], [descriptor], [], timeout or None)[1])


# ----------------------------------------------------------------------------------------------------------------------
# The request of this thread


def connection_fd():
    """Descriptor of the client's connection."""
    return _rhinod.connection_fd()


def is_connected(descriptor=None):
    """Whether the client (or another connected socket) is still there."""
    return _rhinod.is_connected(connection_fd() if descriptor is None else descriptor)


def disconnect():
    """Ends the connection to the client; the application runs on."""
    _rhinod.disconnect()


def cl():
    """Length of the request body."""
    return _rhinod.content_length()


def chunked_read(timeout=0):
    """The next chunk of a request body that comes in chunks, b"" at its end."""
    return _rhinod.read_chunk(timeout, True)


def chunked_read_nb():
    """The next chunk if it is here already, otherwise None."""
    return _rhinod.read_chunk(0, False)


def set_logvar(name, value):
    """Sets a variable for the log line of this request."""
    _rhinod.set_logvar(_to_bytes(name), _to_bytes(value))


def get_logvar(name):
    """A variable of the log line, or None."""
    return _rhinod.get_logvar(_to_bytes(name))


def log_this_request():
    """Has the line of this request written to the log, also with disable-logging."""
    _rhinod.log_this_request()


def sendfile(file, chunk=0, position=0, length=0):
    """A result for an application to return: the file (an object, or a path), sent by the kernel."""
    if isinstance(file, (str, bytes, _os.PathLike)):
        file = open(file, "rb")
    if position:
        file.seek(position)
    return _rhinod.FileWrapper(file, chunk) if chunk else _rhinod.FileWrapper(file)


def __getattr__(name):
    if name == "env":
        environ = _rhinod.current_environ()
        return {} if environ is None else environ
    if name == "sockets":
        return _rhinod.sockets()
    raise AttributeError("module 'uwsgi' has no attribute %r" % name)


# ----------------------------------------------------------------------------------------------------------------------
# Caches, over all processes of the instance

cache_get, cache_set, cache_update = _rhinod.cache_get, _rhinod.cache_set, _rhinod.cache_update
cache_del, cache_exists, cache_clear = _rhinod.cache_del, _rhinod.cache_exists, _rhinod.cache_clear
cache_inc, cache_dec, cache_mul, cache_div = _rhinod.cache_inc, _rhinod.cache_dec, _rhinod.cache_mul, _rhinod.cache_div
cache_num, cache_keys = _rhinod.cache_num, _rhinod.cache_keys


# ----------------------------------------------------------------------------------------------------------------------
# The request of this thread as a websocket

websocket_handshake = _rhinod.websocket_handshake
websocket_recv, websocket_recv_nb = _rhinod.websocket_recv, _rhinod.websocket_recv_nb
#: rhinod's own: uWSGI's functions do not tell text from bytes.
websocket_is_text = _rhinod.websocket_is_text
websocket_send, websocket_send_binary = _rhinod.websocket_send, _rhinod.websocket_send_binary


# ----------------------------------------------------------------------------------------------------------------------
# Locks


class _UserLock:
    """One lock over all threads of all workers: a lock of this process, and a record lock on the shared memory.

    Record locks belong to processes, and the kernel releases those of a process that ends.
    """

    #: Far behind the end of the memory file, where nothing is stored.
    FIRST_BYTE = 1 << 40

    def __init__(self, number):
        self.byte = self.FIRST_BYTE + number
        self.within = _threading.Lock()
        self.owner = None

    def lock(self):
        self.within.acquire()
        try:
            _fcntl.lockf(_rhinod.shared_memory(), _fcntl.LOCK_EX, 1, self.byte)
        except BaseException:
            self.within.release()
            raise
        self.owner = _threading.get_ident()

    def unlock(self):
        """Only its owner gives it back; for others nothing happens."""
        if self.within.locked() and self.owner == _threading.get_ident():
            self.owner = None
            _fcntl.lockf(_rhinod.shared_memory(), _fcntl.LOCK_UN, 1, self.byte)
            self.within.release()

    def is_locked(self):
        if not self.within.acquire(False):
            return True
        try:
            _fcntl.lockf(_rhinod.shared_memory(), _fcntl.LOCK_EX | _fcntl.LOCK_NB, 1, self.byte)
            _fcntl.lockf(_rhinod.shared_memory(), _fcntl.LOCK_UN, 1, self.byte)
            return False
        except BlockingIOError:
            return True
        finally:
            self.within.release()


def _forget_locks():
    """In the child of a fork: record locks are its parent's, and a thread that held the other kind may be there no more."""
    for lock in _user_locks:
        lock.within = _threading.Lock()
        lock.owner = None


def _lock_number(number):
    if not isinstance(number, int) or not 0 <= number < len(_user_locks):
        raise ValueError("there is no user lock %r: the last one is %d" % (number, len(_user_locks) - 1))
    return _user_locks[number]


def _not_in_a_spooler():
    if i_am_the_spooler():
        raise ValueError("The spooler cannot lock/unlock resources")


def lock(number=0):
    """Takes a lock, waiting for it."""
    _not_in_a_spooler()
    _lock_number(number).lock()


def unlock(number=0):
    """Gives a lock back."""
    _not_in_a_spooler()
    _lock_number(number).unlock()


def is_locked(number=0):
    """Whether anyone holds a lock."""
    _not_in_a_spooler()
    return _lock_number(number).is_locked()


# ----------------------------------------------------------------------------------------------------------------------
# What rhinod does not have


# ----------------------------------------------------------------------------------------------------------------------
# Metrics


def metric_get(name):
    """The value of a metric; 0 where there is none of this name."""
    return _rhinod.metric_get(name)


def _metric_function(how, does):
    def change(name, value=1):
        return True if _rhinod.metric_change(how, name, value) else None

    change.__name__ = change.__qualname__ = "metric_" + how
    change.__doc__ = does + " None where there is no such metric of the application's."
    globals()[change.__name__] = change


_metric_function("set", "Gives a metric a value.")
_metric_function("set_max", "Gives a metric a value if it is less.")
_metric_function("set_min", "Gives a metric a value if it is more.")
_metric_function("inc", "Adds to a metric.")
_metric_function("dec", "Takes away from a metric.")
_metric_function("mul", "Multiplies a metric.")
_metric_function("div", "Divides a metric.")


def _missing(feature, names):
    for name in names.split():

        def call(*_arguments, _name=name, **_keywords):
            raise NotImplementedError("uwsgi.%s: rhinod has no %s" % (_name, feature))

        call.__name__ = call.__qualname__ = name
        call.__doc__ = "Not available: rhinod has no %s." % feature
        globals()[name] = call


_missing("websockets out of shared areas", "websocket_send_from_sharedarea websocket_send_binary_from_sharedarea")
_missing("greenlets or other suspension of a request", "suspend green_schedule async_connect ready_fd")
_missing("sockets of its own for applications (use the socket module)", "connect send recv close")
_missing("offloading and routing from an application", "offload route parsefile")
_missing("request variables that are set after the environ is made", "add_var")
_missing("record of the size of its log", "logsize")
_missing("reading of the listen queue from an application yet", "listen_queue")
_missing("warning messages for pings", "set_warning_message")
_missing("embedded data", "embedded_data extract")
_missing("emperor or lord from an application", "i_am_the_lord lord_scroll scrolls")
