"""Requests that take too long, each in a way of its own: the path says how."""

import ctypes
import time

import uwsgi

LIBC = ctypes.PyDLL(None)


def stuck_in_sleep():
    time.sleep(60)


def stuck_in_a_loop():
    while True:
        pass


def stuck_with_the_lock():
    """Sleeps in C without letting go of the interpreter's lock, as long as it takes."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        LIBC.usleep(900_000)


def own_deadline():
    uwsgi.set_user_harakiri(1)
    stuck_in_sleep()


def taken_back():
    uwsgi.set_user_harakiri(1)
    uwsgi.set_user_harakiri(0)
    time.sleep(1.5)


def swallowed():
    try:
        stuck_in_sleep()
    except uwsgi.Harakiri:
        pass


WAYS = {
    "/sleep": stuck_in_sleep,
    "/loop": stuck_in_a_loop,
    "/gil": stuck_with_the_lock,
    "/own": own_deadline,
    "/back": taken_back,
    "/swallowed": swallowed,
    "/quick": lambda: time.sleep(0.02),
}


def application(environ, start_response):
    WAYS.get(environ["PATH_INFO"], lambda: None)()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"worker %d\n" % uwsgi.mypid()]
