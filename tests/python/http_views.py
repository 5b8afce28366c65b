"""What an application sees and may do on HTTP sockets: the path chooses the function of the same name."""

import json
import os
import stat
import time

import uwsgi

TEXT = [("Content-Type", "text/plain")]


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/") or "hello"
    return globals()["view_" + name](environ, start_response)


def reply(start_response, value):
    start_response("200 OK", TEXT)
    return [json.dumps(value, sort_keys=True).encode()]


def view_hello(environ, start_response):
    start_response("200 OK", TEXT)
    return [b"Hello\n"]


def view_environ(environ, start_response):
    return reply(start_response, {key: value for key, value in environ.items() if isinstance(value, (str, bool))})


def view_read(environ, start_response):
    """The body, as wsgi.input gives it."""
    body = environ["wsgi.input"].read()
    return reply(start_response, {
        "body": body.decode("latin-1"), "terminated": environ.get("wsgi.input_terminated"),
        "length": environ.get("CONTENT_LENGTH"), "cl": uwsgi.cl(),
    })


def view_packed(environ, start_response):
    """A text that is to be packed, with its length or, piece by piece, without."""
    text = b"".join(b"line %d of a text that is much like the others\n" % number for number in range(4000))
    headers = TEXT + [("uWSGI-Encoding", "gzip"), ("ETag", '"4000"')]
    if environ["QUERY_STRING"] == "pieces":
        start_response("200 OK", headers)
        return iter(text.splitlines(True))
    start_response("200 OK", headers + [("Content-Length", str(len(text)))])
    return [text]


def view_big(environ, start_response):
    """So many MiB in one piece."""
    start_response("200 OK", TEXT)
    return [b"0123456789abcdef" * (int(environ["QUERY_STRING"]) << 16)]


def view_file(environ, start_response):
    """A file by its name."""
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](open(environ["QUERY_STRING"], "rb"))


def view_named(environ, start_response):
    """Names a file in the place of its body: HEADER&PATH."""
    header, path = environ["QUERY_STRING"].split("&")
    start_response("200 OK", [("Content-Length", "6"), (header, path), ("Content-Type", "video/mp4"), ("X-Own", "kept")])
    return [b"unsent"]


ASKED = [0]


def view_whole(environ, start_response):
    """A body that can be read again, and the size and the links of the file that it is in, if it is in one."""
    ASKED[0] += 1
    body = environ["wsgi.input"]
    line, told, rest = body.readline(), body.tell(), body.read()
    body.seek(0)
    again = body.read()
    body.seek(-1, 1)
    body.seek(-3, 2)
    file = os.fstat(body.fileno())
    return reply(start_response, {
        "line": line.decode("latin-1"), "told": told, "length": len(again), "same": line + rest == again,
        "end": body.read().decode("latin-1"), "file": stat.S_ISREG(file.st_mode) and [file.st_size, file.st_nlink],
    })


def view_asked(environ, start_response):
    """How often the application has seen a whole body."""
    return reply(start_response, ASKED[0])


def view_lines(environ, start_response):
    return reply(start_response, [line.decode("latin-1") for line in environ["wsgi.input"]])


def view_chunks(environ, start_response):
    """The body, chunk by chunk."""
    return reply(start_response, [chunk.decode("latin-1") for chunk in iter(uwsgi.chunked_read, b"")])


def view_polled(environ, start_response):
    """The same, without waiting in the server; a null at the front tells that it had to wait."""
    came = []
    while True:
        chunk = uwsgi.chunked_read_nb()
        if chunk == b"":
            break
        if chunk is None:
            time.sleep(0.001)
        if chunk is not None or not came:
            came.append(chunk and chunk.decode("latin-1"))
    return reply(start_response, came)


def view_failing(environ, start_response):
    try:
        chunk = uwsgi.chunked_read(1)
    except OSError as error:
        return reply(start_response, str(error))
    return reply(start_response, repr(chunk))


def view_pieces(environ, start_response):
    start_response("200 OK", TEXT)
    return (b"piece %d\n" % number for number in range(3))


def view_written(environ, start_response):
    write = start_response("200 OK", TEXT)
    write(b"written\n")
    return [b"returned\n"]


def view_broken(environ, start_response):
    start_response("200 OK", TEXT)
    yield b"the beginning\n"
    raise RuntimeError("in the middle")


def view_coded(environ, start_response):
    start_response("200 OK", [*TEXT, ("Transfer-Encoding", "chunked")])
    return [b"5\r\nhello\r\n0\r\n\r\n"]


def view_headers(environ, start_response):
    start_response("200 OK", [*TEXT, ("Date", "mine"), ("Server", "mine"), ("Connection", "close"), ("Keep-Alive", "x")])
    return [b"Hello\n"]


def view_short(environ, start_response):
    start_response("200 OK", [*TEXT, ("Content-Length", "10")])
    return [b"short"]


def view_long(environ, start_response):
    start_response("200 OK", [*TEXT, ("Content-Length", "4")])
    return [b"long, too long"]


def view_nothing(environ, start_response):
    start_response("204 No Content", [("Content-Length", "0")])
    return []


def view_unchanged(environ, start_response):
    start_response("304 Not Modified", [("ETag", '"x"')])
    return [b"never sent"]
