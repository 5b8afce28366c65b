"""py-autoreload: asks for a reload when the source of a loaded module changes (uWSGI's manual, "uWSGI Options"). For development.

Compiled into the extension module; runs as a thread of each worker. Python 3.9 and later.
"""

import fcntl
import os
import sys
import threading

import _rhinod
import uwsgi

#: The record lock that one worker holds while it asks, so that one change is one reload.
ASKING_BYTE = (1 << 41) - 1


def start(interval_s, extra_files):
    """Looks at all loaded modules, and at `extra_files`, every `interval_s` seconds, in a thread."""
    seen = {}
    look(seen, extra_files)
    arguments = (interval_s, extra_files, seen)
    threading.Thread(target=_watch, args=arguments, name="rhinod autoreload", daemon=True).start()


def _watch(interval_s, extra_files, seen):
    waiting = threading.Event()
    while True:
        waiting.wait(interval_s)
        changed = look(seen, extra_files)
        if changed:
            _ask(changed[0], interval_s, waiting)


def look(seen, extra_files):
    """Takes down the times of all files in `seen`; returns those whose time is not the one that was there."""
    changed = []
    for path in [*_loaded_files(), *extra_files]:
        try:
            time_ns = os.stat(path).st_mtime_ns
        except OSError:
            # Between two saves of an editor there may be no file.
            continue
        if seen.setdefault(path, time_ns) != time_ns:
            seen[path] = time_ns
            changed.append(path)
    return changed


def _loaded_files():
    for module in list(sys.modules.values()):
        try:
            path = getattr(module, "__file__", None)
        except Exception:
            # Modules that are made on demand may raise anything.
            continue
        if isinstance(path, str):
            yield path


def _ask(path, interval_s, waiting):
    descriptor = _rhinod.shared_memory()
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, ASKING_BYTE)
    except BlockingIOError:
        # Another worker saw the same change.
        return
    try:
        uwsgi.log("%s has changed, reloading" % path)
        uwsgi.reload()
        # The others look within this time.
        waiting.wait(interval_s)
    finally:
        fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, ASKING_BYTE)
