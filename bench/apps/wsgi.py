"""The hello example's routes as a WSGI application, for the Python contenders of the measurements.

`/` says hello, `/sleep?ms=N` sleeps first, `/burn?ms=N` spends N milliseconds of CPU time first. The environment
variable LOAD_MS makes the import take that long, as a large application's would. Runs in the contenders' workers.
"""

import os
import time
from urllib.parse import parse_qs

BODY = b"Hello, world\n"
HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(BODY)))]

time.sleep(int(os.environ.get("LOAD_MS", "0")) / 1000)


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path != "/":
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
