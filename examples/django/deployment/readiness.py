"""Tells whether a daemon is ready, by asking it what a client would ask; with a limit on each answer."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request

ANSWER_SECONDS_MAX = 10


def redis_answers(path: str) -> bool:
    """Whether the Redis at a unix socket answers PING."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(ANSWER_SECONDS_MAX)
        try:
            client.connect(path)
            client.sendall(b"PING\r\n")
            return client.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def socket_accepts(path: str) -> bool:
    """Whether something listens at a unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(ANSWER_SECONDS_MAX)
        try:
            client.connect(path)
        except OSError:
            return False
        return True


def page_is_good(address: str) -> bool:
    """Whether a page answers with 200."""
    try:
        with urllib.request.urlopen(address, timeout=ANSWER_SECONDS_MAX) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False
