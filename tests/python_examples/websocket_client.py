"""A client of PyPI's package websockets against an application that echoes: websocket_client.py URL... (`tests/rivals/websockets.sh`)

Prints "well" when everything came back through each of the URLs.
"""

import ssl
import sys

from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.sync.client import connect

LENGTHS = (0, 1, 125, 126, 65535, 65536, 1 << 19)


def converse(url):
    options = {"compression": None, "max_size": None, "open_timeout": 60, "close_timeout": 60}
    if url.startswith("wss:"):
        options["ssl"] = ssl.create_default_context()
        options["ssl"].check_hostname, options["ssl"].verify_mode = False, ssl.CERT_NONE
    with connect(url, subprotocols=["chat", "superchat"], **options) as socket:
        assert socket.subprotocol == "chat", socket.subprotocol
        for length in LENGTHS:
            for message in ("ö" * (length // 2), b"\xff" * length):
                socket.send(message)
                # Who waits for the descriptor cannot tell an empty message from none.
                assert message in ("", b"") and "polling" in url or socket.recv(60) == message, (url, length)
        socket.send(["in ", "several ", "parts"])
        assert socket.recv(60) == "in several parts", url
        assert socket.ping(b"are you there").wait(60), url
        for number in range(200):
            socket.send(str(number))
        assert [socket.recv(60) for _ in range(200)] == [str(number) for number in range(200)], url
    assert (socket.protocol.close_code, socket.protocol.close_reason) == (CloseCode.NORMAL_CLOSURE, ""), url
    with connect(url, **options) as socket:
        socket.send("x" * (1 << 20) + "x")
        try:
            socket.recv(60)
        except ConnectionClosed as closed:
            assert closed.rcvd.code == CloseCode.MESSAGE_TOO_BIG, (url, closed)
        else:
            raise AssertionError("it is no larger than may be")


for url in sys.argv[1:]:
    converse(url)
print("well")
