"""The `uwsgi` module as applications use it: see `evaluating`."""

import os
import sys
import threading
import time

import uwsgi
import uwsgidecorators
from evaluating import evaluating

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


def killed_writers(times, items):
    """Has processes write into a cache and kills them at any moment. Tells the longest wait of a reader in milliseconds, how
    many values were not whole, and how many entries the cache still has room for."""
    import random
    import signal

    def value(number):
        return b"%d:" % number + bytes([number % 256]) * (number % 90)

    longest, torn = 0, 0
    for _ in range(times):
        child = os.fork()
        if child == 0:
            while True:
                number = random.randrange(10000)
                key = "key-%d" % random.randrange(items)
                if number % 5:
                    uwsgi.cache_update(key, value(number))
                else:
                    uwsgi.cache_del(key)
        end = time.monotonic() + random.random() / 500
        while time.monotonic() < end:
            start = time.monotonic()
            found = uwsgi.cache_get("key-%d" % random.randrange(items))
            longest = max(longest, time.monotonic() - start)
            torn += found is not None and found != value(int(found.partition(b":")[0]))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        start = time.monotonic()
        uwsgi.cache_update("mine", b"written after a death")
        longest = max(longest, time.monotonic() - start)
    uwsgi.cache_clear()
    room = sum(bool(uwsgi.cache_set("new-%d" % number, b"v")) for number in range(2 * items))
    return round(longest * 1000), torn, room


import atexit

atexit.register(lambda: print("Python's atexit ran in worker %d" % uwsgi.worker_id()))


application = evaluating(globals())
