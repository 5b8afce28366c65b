"""What applications lean on besides requests, for the measurements: tasks, timers, websockets.

Each task notes its number in the file `done`, and `overlaps` has a byte for each that was run by two at once. With TIMERS in the
environment there are as many timers, and `fired` has the number of each signal and when it came. `/spool?n=N` writes N tasks,
`/ws` is a websocket on which nothing is said, every other path says hello. Runs in the contenders' workers, spoolers and mules.
"""

import fcntl
import os
import struct
import time
from urllib.parse import parse_qs

import uwsgi

BODY = b"Hello, world\n"
HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY)))]

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND
DONE, RUNNING, OVERLAPS, FIRED = [os.open(name, _FLAGS, 0o600) for name in ("done", "running", "overlaps", "fired")]
TASK_MS = int(os.environ.get("TASK_MS", "0"))


def run(task):
    number = int(task[b"n"])
    try:
        # A lock that the kernel takes away from whoever is killed.
        fcntl.lockf(RUNNING, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
    except OSError:
        os.write(OVERLAPS, b"x")
        return uwsgi.SPOOL_OK
    if TASK_MS:
        time.sleep(TASK_MS / 1000)
    os.write(DONE, struct.pack("<I", number))
    fcntl.lockf(RUNNING, fcntl.LOCK_UN, 1, number)
    return uwsgi.SPOOL_OK


uwsgi.spooler = run


def fired(number):
    os.write(FIRED, struct.pack("<Bd", number, time.time()))


for _timer in range(int(os.environ.get("TIMERS", "0"))):
    _signal = _timer % 250
    if _timer < 250:
        uwsgi.register_signal(_signal, "mule%d" % (_signal % 4 + 1), fired)
    # As many of each order of magnitude, from 10 ms to an hour.
    uwsgi.add_timer(_signal, round(10 * 360000 ** (_timer / 1000)) / 1000)


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/ws":
        uwsgi.websocket_handshake(environ["HTTP_SEC_WEBSOCKET_KEY"], environ.get("HTTP_ORIGIN", ""))
        while True:
            uwsgi.websocket_recv()
    if path == "/spool":
        for number in range(int(parse_qs(environ["QUERY_STRING"])["n"][0])):
            uwsgi.spool({b"n": b"%d" % number})
    start_response("200 OK", HEADERS)
    return [BODY]
