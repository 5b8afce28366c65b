"""The hello example's routes as a WSGI application, for the Python contenders of the measurements.

`/` says hello, `/cache?do=get&n=N` looks N times into a cache (`set`, `mixed`, `nothing`), `/leak` keeps 1,000,000 bytes for ever, `/sleep?ms=N` sleeps first, `/burn?ms=N` spends N milliseconds of CPU time first. The environment
variable LOAD_MS makes the import take that long, as a large application's would. Runs in the contenders' workers.
"""

import os
import random
import time
from urllib.parse import parse_qs

BODY = b"Hello, world\n"
HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY)))]

LEAKED = []

time.sleep(int(os.environ.get("LOAD_MS", "0")) / 1000)


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/cache":
        use_cache(parse_qs(environ["QUERY_STRING"]))
    elif path == "/leak":
        LEAKED.append(b"x" * 1_000_000)
    elif path != "/":
        wait(path, int(parse_qs(environ["QUERY_STRING"]).get("ms", ["0"])[0]))
    start_response("200 OK", HEADERS)
    return [BODY]


def wait(path, ms):
    if path == "/sleep":
        time.sleep(ms / 1000)
    elif path == "/burn":
        end = time.thread_time() + ms / 1000
        while time.thread_time() < end:
            pass


KEYS = []
VALUE = b"x" * 100


def use_cache(query):
    import uwsgi

    if not KEYS:
        KEYS.extend(b"key-%d" % number for number in range(100000))
        if uwsgi.cache_exists(KEYS[-1]) is None:
            for key in KEYS:
                uwsgi.cache_update(key, VALUE)
    do, steps = query["do"][0], int(query["n"][0])
    get, update = uwsgi.cache_get, uwsgi.cache_update
    keys = KEYS
    # A walk over all keys that no two processes take together.
    place, stride = random.randrange(len(keys)), 7919
    for step in range(steps):
        place = (place + stride) % len(keys)
        key = keys[place]
        if do == "get" or do == "mixed" and step % 10:
            get(key)
        elif do != "nothing":
            update(key, VALUE)
