"""The module `uwsgidecorators` that applications import (uWSGI's manual, "uWSGI API - Python decorators").

Compiled into the extension module. Every decorator but those that register an object of their own leaves the name what it
was, or makes it something that can be called like it and has the function as `__wrapped__`. A function that is to be found
again by its name, in a task or a message, is known by its bare name as in uWSGI, and by that of its module before it. Zygote,
worker, mule and spooler. Python 3.9 and later.
"""

import functools as _functools
import pickle as _pickle
import sys as _sys
import threading as _threading

import uwsgi

if uwsgi.masterpid() == 0:
    raise Exception("you have to enable the uWSGI master process to use this module")

#: What tasks, messages and forks are handed to; code that extends this module reads and changes them.
spooler_functions = {}
mule_functions = {}
postfork_chain = []


def _register(functions, function):
    functions[function.__name__] = function
    functions["%s.%s" % (function.__module__, function.__qualname__)] = function


# ----------------------------------------------------------------------------------------------------------------------
# After the fork


def postfork_chain_hook():
    """What runs after each fork, in the order of definition."""
    for function in postfork_chain:
        function()


uwsgi.post_fork_hook = postfork_chain_hook


before_refork_chain = []
after_refork_chain = []


def _run_before_refork():
    for function in before_refork_chain:
        function()


def _run_after_refork():
    for function in after_refork_chain:
        function()


uwsgi.before_refork = _run_before_refork
uwsgi.after_refork = _run_after_refork


def before_refork(function):
    """@before_refork: runs in a worker from which others are to be forked (refork), after its last request. Not in uWSGI."""
    before_refork_chain.append(function)
    return function


def after_refork(function):
    """@after_refork: runs in every worker that was forked from such a one, before @postfork. Not in uWSGI."""
    after_refork_chain.append(function)
    return function


def postfork(function_or_worker):
    """@postfork: runs after the fork in every worker, mule and spooler. @postfork(n): only in worker n."""
    if callable(function_or_worker):
        postfork_chain.append(function_or_worker)
        return function_or_worker

    def decorate(function):
        def run_there():
            if uwsgi.worker_id() == function_or_worker:
                function()

        postfork_chain.append(run_there)
        return function

    return decorate


# ----------------------------------------------------------------------------------------------------------------------
# Tasks


def manage_spool_request(variables):
    """Runs the function that a task is for; what it returns says what becomes of the task."""
    task = {_as_text(key): _as_text(value) for key, value in variables.items()}
    function = spooler_functions[task["ud_spool_func"]]
    outcome = task.get("ud_spool_ret")
    if "args" in task or "kwargs" in task:
        raw = {_as_text(key): value for key, value in variables.items()}
        arguments, keywords = _pickle.loads(raw["args"]), _pickle.loads(raw["kwargs"])
        returned = function(*arguments, **keywords)
    else:
        returned = function(task)
    return returned if outcome is None else int(outcome)


def _as_text(value):
    # What is no text stays what it is: an error would have the task run again for ever.
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    return value


uwsgi.spooler = manage_spool_request


class _Spooled:
    """A function that a spooler runs when it is called."""

    outcome = None
    #: Keywords of a call that say where, when and with what, where all others are the function's own.
    _OF_TASKS = ("message_dict", "spooler", "priority", "at", "body")

    def __init__(self, function, pass_arguments=False):
        if not hasattr(uwsgi, "spool"):
            raise Exception("you have to enable the uWSGI spooler to use @%s decorator" % type(self).__name__)
        _functools.update_wrapper(self, function)
        _register(spooler_functions, function)
        self.f = function
        self.pass_arguments = pass_arguments

    def spool(self, *arguments, **keywords):
        """Has the function run; returns the path of the task's file."""
        task = {}
        if self.pass_arguments:
            task.update(keywords.pop("message_dict", None) or {})
            task.update((name, keywords.pop(name)) for name in self._OF_TASKS[1:] if name in keywords)
            task.update(args=_pickle.dumps(arguments), kwargs=_pickle.dumps(keywords))
        else:
            task.update(arguments[0] if arguments else {}, **keywords)
        task = {key.encode() if isinstance(key, str) else key: value for key, value in task.items()}
        task[b"ud_spool_func"] = self.f.__name__
        if self.outcome is not None:
            task[b"ud_spool_ret"] = str(self.outcome)
        return uwsgi.spool(task)

    __call__ = spool


def _of_tasks(name, outcome, text):
    kind = type(name, (_Spooled,), {"outcome": outcome, "__doc__": text})

    def decorate(function=None, pass_arguments=False):
        if function is None:
            return _functools.partial(kind, pass_arguments=pass_arguments)
        return kind(function, pass_arguments)

    decorate.__name__ = decorate.__qualname__ = name
    decorate.__doc__ = text
    return decorate


spool = _of_tasks("spool", uwsgi.SPOOL_OK, "@spool: a call makes a task, which runs once.")
spoolforever = _of_tasks("spoolforever", uwsgi.SPOOL_RETRY, "@spoolforever: the task runs again and again.")
spoolraw = _of_tasks("spoolraw", None, "@spoolraw: what the function returns says whether it runs again.")


# ----------------------------------------------------------------------------------------------------------------------
# Signals


def get_free_signal():
    """The lowest number that has no function."""
    for number in range(256):
        if not uwsgi.signal_registered(number):
            return number
    raise Exception("No free uwsgi signal available")


class _Signalled:
    """Registers a function for a signal, and has that raised; the name stays the function's."""

    def __init__(self, *what, signum=None, target=""):
        self.what, self.signum, self.target = what, signum, target

    def __call__(self, function):
        number = get_free_signal() if self.signum is None else self.signum
        uwsgi.register_signal(number, self.target, function)
        self.add(number)
        return function


class signal(_Signalled):
    """@signal(n): called with each signal n."""

    def __init__(self, num, **keywords):
        super().__init__(signum=num, target=keywords.get("target", ""))

    def add(self, number):
        """There is nothing that raises it."""


class timer(_Signalled):
    """@timer(seconds): called every so many seconds, once for the instance."""

    def __init__(self, secs, **keywords):
        super().__init__(secs, signum=keywords.get("signum"), target=keywords.get("target", ""))

    def add(self, number):
        uwsgi.add_timer(number, *self.what)


class rbtimer(timer):
    """@rbtimer(seconds): the same."""

    def add(self, number):
        uwsgi.add_rb_timer(number, *self.what)


class cron(_Signalled):
    """@cron(minute, hour, day, month, weekday): called at certain minutes, once for the instance."""

    def __init__(self, minute, hour, day, month, dayweek, **keywords):
        super().__init__(
            minute, hour, day, month, dayweek, signum=keywords.get("signum"), target=keywords.get("target", "")
        )

    def add(self, number):
        uwsgi.add_cron(number, *self.what)


class filemon(_Signalled):
    """@filemon(path): called whenever a file changes, or what is in a directory."""

    def __init__(self, fsobj, **keywords):
        super().__init__(fsobj, signum=keywords.get("signum"), target=keywords.get("target", ""))

    def add(self, number):
        uwsgi.add_file_monitor(number, *self.what)


# ----------------------------------------------------------------------------------------------------------------------
# Mules and farms


def _run_or_end(function, *arguments):
    """An error of a mule's own function ends the mule, and another one begins."""
    import rhinod_mule

    try:
        function(*arguments)
    except Exception as error:
        rhinod_mule.complain(error)
        _sys.exit(1)


def mule(number):
    """@mule(n): runs once in mule n, before it does what it is there for."""

    def decorate(function):
        def run_there():
            if uwsgi.mule_id() == int(number):
                _run_or_end(function)

        postfork_chain.append(run_there)
        return function

    return decorate


def muleloop(number):
    """@muleloop(n): runs in mule n, again and again."""

    def decorate(function):
        def run_there():
            import rhinod_mule

            while uwsgi.mule_id() == int(number):
                rhinod_mule.leave_if_told()
                _run_or_end(function)

        postfork_chain.append(run_there)
        return function

    return decorate


mule_loop = muleloop


def mulemsg(number):
    """@mulemsg(n): gets each message to mule n."""

    def decorate(function):
        def run_there():
            while uwsgi.mule_id() == int(number):
                message = uwsgi.mule_get_msg()
                if message:
                    _run_or_end(function, message)

        postfork_chain.append(run_there)
        return function

    return decorate


mule_msg_loop = mulemsg


def farm(name):
    """@farm(name): gets each message to a farm, in the first of its mules that has time."""

    def decorate(function):
        def run_there():
            while uwsgi.in_farm(name):
                message = uwsgi.farm_get_msg()
                if message:
                    _run_or_end(function, message)

        postfork_chain.append(run_there)
        return function

    return decorate


farm_loop = farm


class _MuleCall:
    """A function that runs in a mule when it is called."""

    def __init__(self, function, mule=0):
        _functools.update_wrapper(self, function)
        _register(mule_functions, function)
        self._mule = mule

    def __call__(self, *arguments, **keywords):
        name = "%s.%s" % (self.__wrapped__.__module__, self.__wrapped__.__qualname__)
        call = {"service": "uwsgi_mulefunc", "func": name, "args": arguments, "kwargs": keywords}
        uwsgi.mule_msg(_pickle.dumps(call), self._mule)


def mulefunc(function_or_mule):
    """@mulefunc: a call runs in a mule, and returns at once. @mulefunc(n), @mulefunc(farm): in that one."""
    if callable(function_or_mule):
        return _MuleCall(function_or_mule)
    return _functools.partial(_MuleCall, mule=function_or_mule)


def mule_msg_dispatcher(message):
    """Runs the function that a message of `mulefunc` calls."""
    call = _pickle.loads(message)
    if call["service"] == "uwsgi_mulefunc":
        return mule_functions[call["func"]](*call["args"], **call["kwargs"])
    return None


uwsgi.mule_msg_hook = mule_msg_dispatcher


# ----------------------------------------------------------------------------------------------------------------------
# Others


def lock(function):
    """@lock: one call at a time over all processes (user lock 0)."""

    @_functools.wraps(function)
    def locked(*arguments, **keywords):
        if uwsgi.i_am_the_spooler():
            # It has no locks.
            return function(*arguments, **keywords)
        uwsgi.lock()
        try:
            return function(*arguments, **keywords)
        finally:
            uwsgi.unlock()

    return locked


def thread(function):
    """@thread: each call runs in a thread of its own, which ends with the process."""

    @_functools.wraps(function)
    def started(*arguments, **keywords):
        runner = _threading.Thread(target=function, args=arguments, kwargs=keywords, daemon=True)
        runner.start()
        return runner

    return started


class harakiri:
    """@harakiri(seconds): gives each call so much time, after which the request, or the mule, comes to its end."""

    def __init__(self, seconds):
        self.seconds = seconds

    def __call__(self, function):
        @_functools.wraps(function)
        def timed(*arguments, **keywords):
            uwsgi.set_user_harakiri(self.seconds)
            try:
                return function(*arguments, **keywords)
            finally:
                uwsgi.set_user_harakiri(0)

        return timed


# ----------------------------------------------------------------------------------------------------------------------
# Calls from elsewhere


def rpc(name):
    """@rpc(name): other processes and instances call the function by this name."""

    def decorate(function):
        uwsgi.register_rpc(name, function)
        return function

    return decorate


# ----------------------------------------------------------------------------------------------------------------------
# What there is not


def _missing(feature, names):
    for name in names.split():

        def decorate(*_arguments, _name=name, **_keywords):
            raise NotImplementedError("uwsgidecorators.%s: rhinod has no %s" % (_name, feature))

        decorate.__name__ = decorate.__qualname__ = name
        globals()[name] = decorate


_missing("Erlang nodes", "erlang")
