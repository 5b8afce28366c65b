"""py-tracebacker: tells whoever connects where each thread of this worker is (uWSGI's manual, "Python Tracebacker").

Compiled into the extension module; runs as a thread of each worker. Python 3.9 and later.
"""

import os
import socket
import stat
import sys
import threading
import traceback

#: How long a client may take to read.
PATIENCE_S = 4


def start(path):
    """Listens at `path`, in a thread. What a worker before has left there goes."""
    _clear(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fresh = "%s.%d" % (path, os.getpid())
    mask = os.umask(0o177)
    try:
        listener.bind(fresh)
    finally:
        os.umask(mask)
    listener.listen(8)
    # Nobody finds the path without a listener, nor a listener without the path.
    os.rename(fresh, path)
    threading.Thread(target=_serve, args=(listener,), name="rhinod tracebacker", daemon=True).start()


def _clear(path):
    """Removes the sockets of workers that died before theirs had their name."""
    directory, name = os.path.split(path)
    for found in os.scandir(directory or "."):
        base, _, process = found.name.rpartition(".")
        if base == name and process.isdigit() and not os.path.exists("/proc/" + process):
            try:
                if stat.S_ISSOCK(found.stat(follow_symlinks=False).st_mode):
                    os.unlink(found.path)
            except OSError:
                # Somebody else has removed it, or it is somebody else's.
                continue


def _serve(listener):
    while True:
        client, _ = listener.accept()
        with client:
            client.settimeout(PATIENCE_S)
            try:
                client.sendall(report().encode("utf-8", "backslashreplace"))
            except OSError:
                # It has gone, or does not read.
                continue


def report():
    """The stacks of all threads but the one that asks, outermost call first, in uWSGI's form."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    lines = ["*** uWSGI Python tracebacker output ***", ""]
    for number, frame in sys._current_frames().items():
        if number == threading.get_ident():
            continue
        name = names.get(number, number)
        for call in traceback.extract_stack(frame):
            place = (name, call.filename, call.lineno, call.name, call.line)
            lines.append("thread_id = %s filename = %s lineno = %s function = %s line = %s" % place)
        lines.append("")
    return "\n".join(lines) + "\n"
