"""What an application can do that somebody has taken over: each path tries something and answers with what came of it."""

import ctypes
import errno
import os
import platform
import socket
import subprocess
import threading
from urllib.parse import parse_qs

LIBC = ctypes.CDLL(None, use_errno=True)
# Numbers of x86-64 and of aarch64.
CALLS = {
    "unshare": (272, 97),
    "ptrace": (101, 117),
    "mount": (165, 40),
    "bpf": (321, 280),
    "keyctl": (250, 219),
    "io_uring_setup": (425, 425),
    "clone3": (435, 435),
    "clone": (56, 220),
}
CLONE_NEWUSER = 0x10000000
CLONE_FS = 0x200


def call(name, *arguments, bit=0):
    number = CALLS[name][platform.machine() != "x86_64"] | bit
    came = LIBC.syscall(number, *arguments)
    return "done" if came != -1 else errno.errorcode[ctypes.get_errno()]


def told(act):
    try:
        act()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"


def dangerous(_):
    """Without a filter none of these does anything either: they ask for nothing, or for what cannot be."""
    nobody = 0x7FFFFFFF
    return [
        ("unshare", call("unshare", 0)),
        ("ptrace", call("ptrace", 0x4206, nobody, 0, 0)),
        ("mount", call("mount", 0, 0, 0, 0, 0)),
        ("bpf", call("bpf", 0, 0, 0)),
        ("keyctl", call("keyctl", 0, -3, 0, 0, 0)),
        ("io_uring_setup", call("io_uring_setup", 1, 0)),
        ("clone", call("clone", CLONE_NEWUSER | CLONE_FS, 0, 0, 0, 0)),
        ("clone3", call("clone3", 0, 0)),
    ]


def around(_):
    """The same by the second number that x86-64 has for each call."""
    return [("unshare", call("unshare", 0, bit=0x40000000))]


def usual(_):
    """What every application does."""
    ran = []
    thread = threading.Thread(target=lambda: ran.append(1))
    thread.start()
    thread.join()
    output = subprocess.run(["sh", "-c", "echo $((6 * 7))"], capture_output=True, check=True).stdout
    left, right = socket.socketpair()
    left.send(b"x")
    return [("threads", str(len(ran))), ("programs", output.decode().strip()), ("sockets", right.recv(1).decode())]


def read(path):
    with open(path, "rb") as file:
        file.read(1)


def write(path):
    with open(path, "ab") as file:
        file.write(b"x")


def files(query):
    """Reads and writes what is named; also by a program, and by cutting short what is there."""
    shell = 'echo x >> "$1" 2>/dev/null'
    for path in query["path"]:
        yield "read", told(lambda path=path: read(path))
        yield "write", told(lambda path=path: write(path))
        yield "truncate", told(lambda path=path: os.truncate(path, 0))
        yield "program", "done" if subprocess.run(["sh", "-c", shell, "sh", path]).returncode == 0 else "failed"


DEEDS = {"/" + deed.__name__: deed for deed in (dangerous, around, usual, files)}


def application(environ, start_response):
    query = parse_qs(environ.get("QUERY_STRING", ""))
    lines = list(DEEDS[environ["PATH_INFO"]](query))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [" ".join("%s=%s" % line for line in lines).encode()]
