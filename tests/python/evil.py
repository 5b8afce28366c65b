"""An application that turns against its server: each path is a deed, done in the worker that gets the request.

The query is for how many seconds it is done again and again.
"""

import mmap
import os
import random
import socket
import struct
import threading
import time


def descriptors():
    for name in os.listdir("/proc/self/fd"):
        try:
            yield int(name), os.readlink("/proc/self/fd/" + name)
        except OSError:
            pass


def control():
    """The control socket to the master: made for this worker, and so after the queues that all processes have."""
    for number, target in sorted(descriptors(), reverse=True):
        if target.startswith("socket:"):
            found = socket.socket(fileno=os.dup(number))
            if found.type == socket.SOCK_SEQPACKET:
                return found
            found.close()
    raise LookupError("no control socket")


def board():
    return next(number for number, target in descriptors() if "rhinod-scoreboard" in target)


def flood():
    """What is no record, until somebody stops it."""
    way = control()
    way.setblocking(True)
    while True:
        way.send(os.urandom(64))


def surplus():
    """As many descriptors as may be beside a record, and beside each of some packets."""
    way = control()
    way.setblocking(True)
    numbers = [os.open("/dev/null", os.O_RDONLY) for _ in range(253)]
    beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("253i", *numbers))]
    try:
        for _ in range(8):
            way.sendmsg([b"x" * 64], beside)
    finally:
        for number in numbers:
            os.close(number)


def scribble():
    """Anything into the shared memory, which is cut short before."""
    number = board()
    try:
        os.ftruncate(number, 0)
    except OSError:
        pass
    size = os.fstat(number).st_size
    with mmap.mmap(number, size) as memory:
        for index in range(0, size, 8):
            memory[index : index + 8] = os.urandom(8)


def bell():
    """The eventfd that wakes the master, made blocking and emptied while it is looked at."""
    for number, target in descriptors():
        if "eventfd" in target:
            os.set_blocking(number, True)
            for _ in range(2000):
                os.write(number, struct.pack("Q", 1 + random.randrange(9)))


def operators():
    """Every place of the operators, taken and kept until they are taken again."""
    name = os.readlink("/proc/self/ns/pid")
    kept = []
    for _ in range(40):
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(5)
        line.connect("\0rhinod/%s/%d" % (name, masterpid()))
        kept.append(line)
    KEPT[:] = kept


def shout():
    """Lines without end, and what moves a terminal's cursor, in an exception's text."""
    raise RuntimeError("\x1b[2J\r" + "[pid: 1|app: 0] forged\n" * 100_000)


def links():
    """Links to another's file in the places of the instance's own, in a directory where that can be done."""
    import uwsgi

    victim = os.path.join(os.getcwd(), "victim")
    for option in ("pidfile", "cheaper-log", "master-fifo"):
        place = uwsgi.opt.get(option)
        if place:
            fresh = place + b".new"
            os.symlink(victim, fresh)
            os.rename(fresh, place)


def masterpid():
    import uwsgi

    return uwsgi.masterpid()


KEPT = []
DEEDS = {"/" + deed.__name__: deed for deed in (flood, surplus, scribble, bell, operators, shout, links)}

# Between a deed and its repetition: the evil is in what is done, and others need the processors as well.
BREATH_S = 0.02


def again_and_again(deed, seconds):
    until = time.monotonic() + seconds
    deed()
    while time.monotonic() < until:
        time.sleep(BREATH_S)
        deed()


def begin_flood():
    """In a thread, since it does not end."""
    threading.Thread(target=flood, daemon=True).start()


def application(environ, start_response):
    deed = DEEDS.get(environ["PATH_INFO"])
    if deed:
        again_and_again(begin_flood if deed is flood else deed, float(environ["QUERY_STRING"] or 0))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"%d" % os.getpid()]
