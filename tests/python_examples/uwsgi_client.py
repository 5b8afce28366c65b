"""A client of the uwsgi protocol, for examples that need no nginx. See reference: docs/PROTOCOL.md, the packet."""

import socket
import struct

ANSWER_SECONDS_MAX = 60


def ask(path: str, method: str, target: str, body: bytes = b"") -> tuple[str, bytes]:
    """Sends one request to the unix socket `path`; returns the status line without its protocol, and the body."""
    path_info, _, query = target.partition("?")
    variables = {
        "REQUEST_METHOD": method,
        "REQUEST_URI": target,
        "PATH_INFO": path_info,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)) if body else "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "HTTP_HOST": "localhost",
    }
    block = b"".join(entry(text) for pair in variables.items() for text in pair)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(ANSWER_SECONDS_MAX)
        client.connect(path)
        client.sendall(struct.pack("<BHB", 0, len(block), 0) + block + body)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, content = answer.partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0].partition(b" ")[2].decode(), content


def entry(text: str) -> bytes:
    """Length and text."""
    return struct.pack("<H", len(text.encode())) + text.encode()
