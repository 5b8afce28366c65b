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


def _missing(feature, names):
    for name in names.split():

        def decorate(*_arguments, _name=name, **_keywords):
            raise NotImplementedError("uwsgidecorators.%s: rhinod has no %s" % (_name, feature))

        decorate.__name__ = decorate.__qualname__ = name
        globals()[name] = decorate


_missing("spooler yet", "spool spoolforever spoolraw")
_missing("signals, timers and crons yet", "timer rbtimer cron filemon signal")
_missing("remote procedure calls", "rpc")
_missing("Erlang nodes", "erlang")
