"""The `uwsgi` module as applications use it: the query is an expression, the answer its value, or what it raised."""

import os
import sys
import threading
import time

import uwsgi
import uwsgidecorators

HOOKS = []
SERVED = []
uwsgi.after_req_hook = lambda: SERVED.append(uwsgi.request_id())
uwsgi.atexit = lambda: print("uwsgi.atexit ran in worker %d" % uwsgi.worker_id())


@uwsgidecorators.postfork
def in_every_worker():
    HOOKS.append("every")


@uwsgidecorators.postfork(2)
def in_worker_two():
    HOOKS.append("two")


@uwsgidecorators.lock
def locked_add(path):
    """Adds one to the number in a file, slowly."""
    with open(path) as file:
        number = int(file.read())
    time.sleep(0.002)
    with open(path, "w") as file:
        file.write(str(number + 1))


@uwsgidecorators.thread
def in_a_thread(results):
    results.append(threading.current_thread() is not threading.main_thread())


def threaded():
    results = []
    in_a_thread(results).join()
    return results


def add_often(path, times):
    for _ in range(times):
        locked_add(path)
    return "added"


def lock_in_child():
    """Forks while the lock is held, gives it back, and tells whether the child gets it."""
    uwsgi.lock()
    child = os.fork()
    if child == 0:
        uwsgi.lock()
        os._exit(7)
    uwsgi.unlock()
    return {7: "taken"}.get(os.WEXITSTATUS(os.waitpid(child, 0)[1]), "not taken")


def hold(number):
    """Takes a lock and dies with it."""
    uwsgi.lock(number)
    os._exit(1)


import atexit

atexit.register(lambda: print("Python's atexit ran in worker %d" % uwsgi.worker_id()))


def application(environ, start_response):
    from urllib.parse import unquote

    start_response("200 OK", [("Content-Type", "text/plain")])
    try:
        result = repr(eval(unquote(environ["QUERY_STRING"])))
    except Exception as error:
        result = "%s: %s" % (type(error).__name__, error)
    return [result.encode()]
