"""A notice board that needs no Redis, no Celery and no crontab: what does what is in docs/SERVICES.md.

Visits and notices are counted in a cache. Each notice is mailed by the spooler (into data/outbox: a file for each), its words are
counted by a mule, open pages hear of it over a websocket. A timer forgets old notices, a cron writes a report each night. What
is in files is written under a lock.
"""

import html
import json
import os
import select
import time
import urllib.parse
from pathlib import Path

import uwsgi
from uwsgidecorators import cron, lock, mulefunc, spool, timer

DATA = Path(os.environ.get("BOARD_DATA", "data")).resolve()
NOTICES, OUTBOX, REPORT = DATA / "notices", DATA / "outbox", DATA / "report"
KEPT_SECONDS = int(os.environ.get("BOARD_KEPT_SECONDS", 7 * 24 * 3600))
# An open page looks this often whether there is anything new: a look is a word of shared memory.
LOOK_SECONDS = 0.2

OUTBOX.mkdir(parents=True, exist_ok=True)

PAGE = """<!doctype html><title>Notices</title><h1>Notices</h1>
<form method=post><input name=text><button>Put up</button></form><ul id=list>%s</ul><p>%d visits, %d words</p>
<script>
new WebSocket(location.href.replace("http", "ws") + "live").onmessage = event => {
    const item = document.createElement("li");
    item.textContent = event.data;
    document.getElementById("list").append(item);
};
</script>
"""


def read_notices():
    try:
        return [json.loads(line) for line in NOTICES.read_text().splitlines()]
    except FileNotFoundError:
        return []


def write_notices(notices):
    """In one step, so that whoever reads meanwhile has the old ones or the new ones."""
    new = NOTICES.with_suffix(".new")
    new.write_text("".join(json.dumps(notice) + "\n" for notice in notices))
    new.replace(NOTICES)


@lock
def add(text):
    notices = read_notices() + [{"text": text, "at": time.time()}]
    write_notices(notices)
    # The counter is what open pages look at: the text is there before.
    number = uwsgi.cache_num("notices", "board") + 1
    uwsgi.cache_update("notice %d" % number, text, 3600, "board")
    uwsgi.cache_inc("notices", 1, 0, "board")


def put_up(text):
    add(text)
    mail(to="readers@example.org", body=text)
    count_words(text)


@spool
def mail(task):
    """A task may run twice if the machine fails in the middle: its name makes the second time harmless."""
    name = Path(task["spooler_task_name"]).name
    (OUTBOX / name).write_text("To: %s\n\n%s\n" % (task["to"], task["body"]))


@mulefunc
def count_words(text):
    uwsgi.cache_inc("words", len(text.split()), 0, "board")


@timer(1)
def forget_old_notices(_signal):
    # In a worker, where uwsgi.lock can be had; the file is only written when something goes.
    oldest = time.time() - KEPT_SECONDS
    if any(notice["at"] < oldest for notice in read_notices()):
        forget(oldest)


@lock
def forget(oldest):
    write_notices([notice for notice in read_notices() if notice["at"] >= oldest])


@cron(30, 2, -1, -1, -1)
def report(_signal):
    counts = {name: uwsgi.cache_num(name, "board") for name in ("visits", "notices", "words")}
    REPORT.write_text(json.dumps(counts))


def live(start):
    """Sends each notice that comes from now on, until the page goes."""
    uwsgi.websocket_handshake()
    seen = start
    while True:
        select.select([uwsgi.connection_fd()], [], [], LOOK_SECONDS)
        # Nothing is said there; but this is how the end is heard of.
        uwsgi.websocket_recv_nb()
        while seen < uwsgi.cache_num("notices", "board"):
            seen += 1
            text = uwsgi.cache_get("notice %d" % seen, "board")
            if text is not None:
                uwsgi.websocket_send(text)


def application(environ, start_response):
    path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
    if path == "/live":
        return live(uwsgi.cache_num("notices", "board"))
    if path != "/":
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"There is nothing here.\n"]
    if method == "POST":
        form = urllib.parse.parse_qs(environ["wsgi.input"].read().decode())
        put_up(form.get("text", ["(nothing)"])[0][:1000])
        start_response("303 See Other", [("Location", "/")])
        return []
    uwsgi.cache_inc("visits", 1, 0, "board")
    items = "".join("<li>%s" % html.escape(notice["text"]) for notice in read_notices())
    counts = (uwsgi.cache_num("visits", "board"), uwsgi.cache_num("words", "board"))
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [(PAGE % (items, *counts)).encode()]
