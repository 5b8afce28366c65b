"""The module `uwsgidecorators` that applications import (uWSGI's manual, "uWSGI API - Python decorators"), as far as rhinod has what they decorate.

Compiled into the extension module. A decorator for something that rhinod lacks raises NotImplementedError, which names it,
when it is applied. Zygote and worker. Python 3.9 and later.
"""

import functools as _functools
import threading as _threading

import uwsgi

if uwsgi.masterpid() == 0:
    raise Exception("you have to enable the uWSGI master process to use this module")

_post_fork_functions = []


def _run_post_fork_functions():
    for worker, function in _post_fork_functions:
        if worker in (None, uwsgi.worker_id()):
            function()


uwsgi.post_fork_hook = _run_post_fork_functions


def postfork(function_or_worker):
    """@postfork: runs after the fork in every worker. @postfork(n): only in worker n."""
    if callable(function_or_worker):
        _post_fork_functions.append((None, function_or_worker))
        return function_or_worker

    def decorate(function):
        _post_fork_functions.append((function_or_worker, function))
        return function

    return decorate


def lock(function):
    """@lock: one call at a time over all workers (user lock 0)."""

    @_functools.wraps(function)
    def locked(*arguments, **keywords):
        uwsgi.lock()
        try:
            return function(*arguments, **keywords)
        finally:
            uwsgi.unlock()

    return locked


def thread(function):
    """@thread: each call runs in a thread of its own, which ends with the worker."""

    @_functools.wraps(function)
    def started(*arguments, **keywords):
        runner = _threading.Thread(target=function, args=arguments, kwargs=keywords, daemon=True)
        runner.start()
        return runner

    return started


def _missing(feature, names):
    for name in names.split():

        def decorate(*_arguments, _name=name, **_keywords):
            raise NotImplementedError("uwsgidecorators.%s: rhinod has no %s" % (_name, feature))

        decorate.__name__ = decorate.__qualname__ = name
        globals()[name] = decorate


_missing("spooler yet", "spool spoolforever spoolraw")
_missing("mules and farms yet", "mule muleloop mulemsg mulefunc farm farm_loop mule_msg_dispatcher")
_missing("signals, timers and crons yet", "timer rbtimer cron filemon signal")
_missing("remote procedure calls", "rpc erlang")
_missing("harakiri that an application can set yet", "harakiri")
