"""An application of which it is known beforehand what it answers: `?status=N` with `bytes=N`, after `ms=N`; `?raise` fails.

For measurements that compare what a server tells of itself with what a web server has counted. Runs in the contenders' workers.
"""

import time
from urllib.parse import parse_qs


def application(environ, start_response):
    query = parse_qs(environ["QUERY_STRING"], keep_blank_values=True)
    if "raise" in query:
        raise ValueError("as it should")
    number = lambda name, otherwise: int(query.get(name, [otherwise])[0])
    time.sleep(number("ms", 0) / 1000)
    body = b"x" * number("bytes", 13)
    start_response("%d As asked" % number("status", 200), [("Content-Length", str(len(body)))])
    return [body]
