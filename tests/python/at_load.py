"""What the `uwsgi` module says while an application is loaded: AT_LOAD lists expressions. The query is one more, for now."""

import json
import os
from urllib.parse import unquote

import uwsgi


def told(expression):
    try:
        return repr(eval(expression))
    except Exception as error:
        return "%s: %s" % (type(error).__name__, error)


HOOKED = []
os.register_at_fork(after_in_child=lambda: HOOKED.append(uwsgi.worker_id()))
FACTS = {expression: told(expression) for expression in json.loads(os.environ["AT_LOAD"])}


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    query = unquote(environ.get("QUERY_STRING", ""))
    return [json.dumps(told(query) if query else FACTS).encode()]
