"""One small application for each row of the WSGI reference: the path chooses the function of the same name.

Served by the tests as it is, and wrapped in wsgiref's validator (rows_validated.py); both by rhinod and by uWSGI.
"""

import bz2
import gzip
import io
import json
import lzma
import os
import sys
import tempfile
import threading

TEXT = [("Content-Type", "text/plain")]


def application(environ, start_response):
    name = environ.get("PATH_INFO", "/").strip("/").partition("/")[0] or "hello"
    return globals()["row_" + name](environ, start_response)


def reply(start_response, text):
    body = text.encode() if isinstance(text, str) else text
    start_response("200 OK", [*TEXT, ("Content-Length", str(len(body)))])
    return [body]


def row_hello(environ, start_response):
    return reply(start_response, "Hello\n")


# environ


def row_environ(environ, start_response):
    """Key, type and value of everything."""
    shown = {key: [type(value).__name__, value if isinstance(value, (str, int, bool, tuple)) else repr(value)]
             for key, value in environ.items()}
    return reply(start_response, json.dumps(shown, sort_keys=True))


def row_variable(environ, start_response):
    """The value of the variable that the query names, escaped."""
    return reply(start_response, ascii(environ.get(environ["QUERY_STRING"])))


def row_mine(environ, start_response):
    """The test's own variables; then nothing is left of the environ."""
    mine = {key: value for key, value in environ.items() if key.startswith("HTTP_MINE_")}
    environ.clear()
    return reply(start_response, json.dumps(mine))


SAVED = []


def row_environ_kept(environ, start_response):
    """How many environs of earlier requests have changed since: none may."""
    changed = sum(1 for kept, copy in SAVED if kept != copy)
    same = any(kept is environ for kept, _ in SAVED)
    SAVED.append((environ, dict(environ)))
    return reply(start_response, "%d changed, same: %s" % (changed, same))


def row_errors(environ, start_response):
    stream = environ["wsgi.errors"]
    stream.write("a line for the log: \u20ac\n")
    stream.writelines(["and ", "another\n"])
    stream.flush()
    return reply(start_response, "written")


def row_print(environ, start_response):
    print("printed by the application")
    return reply(start_response, "printed")


# start_response


def attempt(start_response, *arguments):
    """What a call raises, as text, in a reply of its own."""
    try:
        start_response(*arguments)
    except BaseException as error:
        return "%s: %s" % (type(error).__name__, error)
    return "nothing raised"


def row_status_int(environ, start_response):
    return reply(start_response, attempt(start_response, 200, TEXT))


def row_status_bytes(environ, start_response):
    return reply(start_response, attempt(start_response, b"200 OK", TEXT))


def row_status_not_latin1(environ, start_response):
    return reply(start_response, attempt(start_response, "200 \u20ac", TEXT))


def row_status_short(environ, start_response):
    return reply(start_response, attempt(start_response, "20", TEXT))


def row_status_words(environ, start_response):
    return reply(start_response, attempt(start_response, "OK 200", TEXT))


def row_status_only_code(environ, start_response):
    start_response("404", TEXT)
    return [b"not here"]


def row_status_unknown(environ, start_response):
    start_response("299 ", TEXT)
    return [b"odd"]


def row_status_joined(environ, start_response):
    start_response(" 404Not Found", TEXT)
    return [b"not here"]


def row_status_long(environ, start_response):
    return reply(start_response, attempt(start_response, "2000 OK", TEXT))


def row_status_injection(environ, start_response):
    return reply(start_response, attempt(start_response, "200 OK\r\nX-Injected: 1", TEXT))


def row_headers_tuple(environ, start_response):
    return reply(start_response, attempt(start_response, "200 OK", tuple(TEXT)))


def row_headers_lists(environ, start_response):
    return reply(start_response, attempt(start_response, "200 OK", [["A", "b"]]))


def row_headers_bytes(environ, start_response):
    return reply(start_response, attempt(start_response, "200 OK", [(b"A", "b")]))


def row_headers_int(environ, start_response):
    return reply(start_response, attempt(start_response, "200 OK", [("A", 1)]))


def row_headers_not_latin1(environ, start_response):
    return reply(start_response, attempt(start_response, "200 OK", [("A", "\u20ac")]))


def row_headers_empty_name(environ, start_response):
    return reply(start_response, attempt(start_response, "200 OK", [("", "")]))


def row_headers_long(environ, start_response):
    return reply(start_response, attempt(start_response, "200 OK", [("A", "b" * 70000)]))


def row_headers_latin1(environ, start_response):
    start_response("200 OK", [*TEXT, ("X-Name", "caf\xe9")])
    return [b"ok"]


def row_headers_repeated(environ, start_response):
    start_response("200 OK", [*TEXT, ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    return [b"ok"]


def row_headers_injection(environ, start_response):
    return reply(start_response, attempt(start_response, "200 OK", [("A", "b\r\nX-Injected: 1")]))


def row_headers_control(environ, start_response):
    start_response("200 OK", [*TEXT, ("X-Name", "a\x0b\x1b\x7fb")])
    return [b"ok"]


def row_headers_nul(environ, start_response):
    return reply(start_response, attempt(start_response, "200 OK", [("A", "b\0c")]))


def row_twice(environ, start_response):
    start_response("200 OK", TEXT)
    start_response("404 Not Found", TEXT)
    return [b"second"]


def row_exc_info_before(environ, start_response):
    start_response("200 OK", TEXT)
    try:
        raise ValueError("before any output")
    except ValueError:
        start_response("503 Service Unavailable", [*TEXT, ("Content-Length", "10")], sys.exc_info())
        return [b"error page"]


def row_exc_info_after(environ, start_response):
    write = start_response("200 OK", TEXT)
    write(b"first ")
    try:
        raise ValueError("after the output")
    except ValueError:
        try:
            start_response("500 Internal Server Error", TEXT, sys.exc_info())
        except ValueError as error:
            return [b"raised again: ", str(error).encode()]
    return [b"not raised"]


def row_after_sent(environ, start_response):
    write = start_response("200 OK", TEXT)
    write(b"first ")
    return [attempt(start_response, "200 OK", TEXT).encode()]


def row_never(environ, start_response):
    return [b"a body without a head"]


def row_never_empty(environ, start_response):
    return []


def row_late(environ, start_response):
    """A generator that calls start_response before its first piece."""
    start_response("200 OK", TEXT)
    yield b"late"


def row_too_late(environ, start_response):
    yield b"early"
    start_response("200 OK", TEXT)


def row_write(environ, start_response):
    write = start_response("200 OK", TEXT)
    results = [write(b"one "), write(b""), write(b"two ")]
    return [repr(results).encode()]


def row_write_str(environ, start_response):
    write = start_response("200 OK", TEXT)
    return [attempt(write, "text").encode()]


# The result


def row_generator(environ, start_response):
    start_response("200 OK", TEXT)
    for number in range(3):
        yield b"piece %d\n" % number


def row_empty_first(environ, start_response):
    start_response("200 OK", TEXT)
    return [b"", b"", b"then", b"", b" more"]


def row_tuple(environ, start_response):
    start_response("200 OK", TEXT)
    return (b"a ", b"tuple")


def row_empty(environ, start_response):
    start_response("200 OK", TEXT)
    return []


def row_empty_piece(environ, start_response):
    start_response("200 OK", TEXT)
    return [b""]


def row_bytes(environ, start_response):
    start_response("200 OK", TEXT)
    return b"bytes themselves"


def row_none_piece(environ, start_response):
    start_response("200 OK", TEXT)
    return [b"one ", None, b"two"]


def row_empty_pieces(environ, start_response):
    """What is no bytes, and carries none."""
    start_response("200 OK", TEXT)
    return ["", b"nothing ", [], (), {}, set(), b"lost", ""]


def row_write_empty(environ, start_response):
    write = start_response("200 OK", TEXT)
    write("")
    write(None)
    write(bytearray(b"nothing "))
    write(b"lost")
    return [""]


def row_none_at_all(environ, start_response):
    pass


def row_str_piece(environ, start_response):
    start_response("200 OK", TEXT)
    return ["text"]


def row_int_piece(environ, start_response):
    start_response("200 OK", TEXT)
    return [b"first ", 1, b"last"]


def row_bytearray(environ, start_response):
    start_response("200 OK", TEXT)
    return [bytearray(b"a bytearray, "), memoryview(b"a view")]


def row_none(environ, start_response):
    start_response("200 OK", TEXT)


def row_number(environ, start_response):
    start_response("200 OK", TEXT)
    return 5


def row_str(environ, start_response):
    start_response("200 OK", TEXT)
    return "text"


CLOSED = []


class Closing:
    """An iterable that tells whether it was closed."""

    def __init__(self, name, pieces, fail=False, fail_close=False):
        self.name, self.pieces, self.fail, self.fail_close = name, iter(pieces), fail, fail_close

    def __iter__(self):
        return self

    def __next__(self):
        if self.fail:
            raise ValueError("in the iteration")
        return next(self.pieces)

    def close(self):
        CLOSED.append(self.name)
        if self.fail_close:
            raise ValueError("in close")


def row_closing(environ, start_response):
    start_response("200 OK", TEXT)
    return Closing("whole", [b"to be closed"])


def row_closing_failed(environ, start_response):
    start_response("200 OK", TEXT)
    return Closing("failed", [], fail=True)


def row_closing_fails(environ, start_response):
    start_response("200 OK", TEXT)
    return Closing("fails", [b"close fails"], fail_close=True)


def row_closed(environ, start_response):
    closed = " ".join(CLOSED)
    CLOSED.clear()
    return reply(start_response, closed)


def row_length_short(environ, start_response):
    start_response("200 OK", [*TEXT, ("Content-Length", "10")])
    return [b"short"]


def row_length_long(environ, start_response):
    start_response("200 OK", [*TEXT, ("Content-Length", "5")])
    return [b"exactly", b" and more"]


def row_length_invalid(environ, start_response):
    start_response("200 OK", [*TEXT, ("Content-Length", environ["QUERY_STRING"])])
    return [b"whole"]


def row_length_twice(environ, start_response):
    """Two lengths, of which one would cut the answer."""
    return reply(start_response, attempt(start_response, "200 OK", [("Content-Length", "5"), ("Content-Length", "4")]))


def row_no_content(environ, start_response):
    start_response("204 No Content", [])
    return [b"not to be sent"]


def row_not_modified(environ, start_response):
    start_response("304 Not Modified", [("ETag", '"a"')])
    return [b"not to be sent"]


# Exceptions


def row_raise(environ, start_response):
    raise ValueError("before start_response")


def row_raise_after_start(environ, start_response):
    start_response("200 OK", TEXT)
    raise ValueError("after start_response")


def row_raise_in_generator(environ, start_response):
    start_response("200 OK", TEXT)
    yield b"first"
    raise ValueError("in the middle")


def row_exit(environ, start_response):
    sys.exit(int(environ["QUERY_STRING"]))


def row_interrupt(environ, start_response):
    raise KeyboardInterrupt


def row_raise_unprintable(environ, start_response):
    class Unprintable(Exception):
        def __str__(self):
            raise ValueError("no text")

    raise Unprintable


def row_pid(environ, start_response):
    return reply(start_response, str(os.getpid()))


# wsgi.input

KEPT = []


def row_input(environ, start_response):
    """Runs the calls that the query lists on wsgi.input: `read:5,readline,readlines:10,iterate,tell`."""
    body = environ["wsgi.input"]
    results = []
    for call in environ["QUERY_STRING"].split(","):
        name, _, argument = call.partition(":")
        arguments = [int(argument)] if argument else []
        try:
            results.append(list(body) if name == "iterate" else getattr(body, name)(*arguments))
        except OSError as error:
            results.append("%s: %s" % (type(error).__name__, error))
    return reply(start_response, repr(results))


def row_input_kept(environ, start_response):
    """What an input object that was kept beyond its request still gives."""
    result = "nothing was kept"
    if KEPT:
        try:
            result = repr(KEPT[0].read())
        except OSError as error:
            result = "OSError: %s" % error
    KEPT[:] = [environ["wsgi.input"]]
    return reply(start_response, result)


def row_input_threads(environ, start_response):
    """Four threads read the body at once; together they get each byte once."""
    body, pieces, lock = environ["wsgi.input"], [], threading.Lock()

    def read():
        while True:
            piece = body.read(1000)
            if not piece:
                return
            with lock:
                pieces.append(piece)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = b"".join(pieces)
    return reply(start_response, "%d bytes, sum %d" % (len(whole), sum(whole)))


def row_input_sum(environ, start_response):
    """Length and checksum of the body, read in pieces, and the largest memory that this process has had, in KiB."""
    import resource
    import zlib

    checksum = length = 0
    while True:
        piece = environ["wsgi.input"].read(65536)
        if not piece:
            break
        length += len(piece)
        checksum = zlib.crc32(piece, checksum)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return reply(start_response, "%d %d %d" % (length, checksum, peak))


# wsgi.file_wrapper


def temporary_file(text):
    file = tempfile.TemporaryFile()
    file.write(text)
    file.seek(0)
    return file


def row_file(environ, start_response):
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](temporary_file(b"0123456789"))


def row_file_position(environ, start_response):
    file = temporary_file(b"0123456789")
    file.read(5)
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](file, 4096)


def row_file_length(environ, start_response):
    start_response("200 OK", [*TEXT, ("Content-Length", "3")])
    return environ["wsgi.file_wrapper"](temporary_file(b"0123456789"))


def row_file_memory(environ, start_response):
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](io.BytesIO(b"in memory"), 4)


def row_file_at(environ, start_response):
    """The file that the query names."""
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](open(environ["QUERY_STRING"], "rb"))


def row_file_of_pipe(environ, start_response):
    reading, writing = os.pipe()
    os.write(writing, b"out of a pipe")
    os.close(writing)
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](os.fdopen(reading, "rb"))


def unpacked(module, environ, start_response):
    """A file that is unpacked while it is read, and whose descriptor is that of the packed one."""
    file = temporary_file(module.compress(b"unpacked"))
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](module.open(file))


def row_file_of_gzip(environ, start_response):
    return unpacked(gzip, environ, start_response)


def row_file_of_bz2(environ, start_response):
    return unpacked(bz2, environ, start_response)


def row_file_of_lzma(environ, start_response):
    return unpacked(lzma, environ, start_response)


def row_file_buffered_gzip(environ, start_response):
    file = gzip.open(temporary_file(gzip.compress(b"unpacked")))
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](io.BufferedReader(file))


class Part:
    """A part of a file that has the whole one's descriptor, as wrappers for ranges have it."""

    def __init__(self, file, length):
        self.file, self.left, self.fileno, self.tell = file, length, file.fileno, file.tell

    def read(self, size=-1):
        piece = self.file.read(min(size, self.left))
        self.left -= len(piece)
        return piece


def row_file_part(environ, start_response):
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](Part(temporary_file(b"0123456789"), 4))


def row_file_other_read(environ, start_response):
    """A plain file that was given another method to read with."""
    file, pieces = temporary_file(b"0123456789"), [b"another", b""]
    file.read = lambda size: pieces.pop(0)
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](file)


class Passing:
    """A file that passes on to another what it is asked, as Django's and Werkzeug's do."""

    def __init__(self, file):
        self.file = file

    def __getattr__(self, name):
        return getattr(self.file, name)


def row_file_passed_on(environ, start_response):
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](Passing(temporary_file(b"0123456789")))


def row_file_written(environ, start_response):
    """A file of which a part waits in the buffer to be written, at the position and behind it."""
    file = temporary_file(b"0123456789")
    file.read(2)
    file.write(b"written")
    file.seek(2)
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](file)


def row_file_write_only(environ, start_response):
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](open(os.devnull, "wb"))


def row_file_text(environ, start_response):
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](io.TextIOWrapper(temporary_file(b"0123456789")))


def row_file_no_size(environ, start_response):
    """Block sizes that are no sizes: PEP 3333 calls them suggestions."""
    size = int(environ["QUERY_STRING"])
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](io.BytesIO(b"0123456789"), size)


class ClosingFile(io.BytesIO):
    def close(self):
        CLOSED.append("file")
        super().close()


def row_file_closed(environ, start_response):
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](ClosingFile(b"closed"))


def row_file_iterated(environ, start_response):
    """The wrapper as an iterable, as middleware sees it."""
    start_response("200 OK", TEXT)
    return [piece for piece in environ["wsgi.file_wrapper"](io.BytesIO(b"a piece at a time"), 3)]


def row_file_no_read(environ, start_response):
    try:
        environ["wsgi.file_wrapper"](object())
    except AttributeError:
        return reply(start_response, "AttributeError")


def row_file_large(environ, start_response):
    """A sparse file of as many MiB as the query says."""
    file = tempfile.TemporaryFile()
    file.truncate(int(environ["QUERY_STRING"]) << 20)
    file.seek(0)
    start_response("200 OK", [*TEXT, ("Content-Length", str(int(environ["QUERY_STRING"]) << 20))])
    return environ["wsgi.file_wrapper"](file)


def row_stream(environ, start_response):
    """As many pieces of 64 KiB as the query says; counts those that could be written."""
    start_response("200 OK", TEXT)

    def pieces():
        try:
            for _ in range(int(environ["QUERY_STRING"])):
                yield bytes(65536)
        except GeneratorExit:
            CLOSED.append("generator")
            raise

    return pieces()


def row_write_until_gone(environ, start_response):
    """Writes until the client has gone; what that raised is told by row_closed."""
    write = start_response("200 OK", TEXT)
    try:
        for _ in range(1000):
            write(bytes(65536))
        CLOSED.append("no exception")
    except OSError as error:
        CLOSED.append("OSError: %s" % error)
    return []


# Threads and processes


def row_thread(environ, start_response):
    return reply(start_response, "%s %s" % (threading.current_thread().name, environ.get("uwsgi.core")))


BARRIER = threading.Barrier(2)


def row_barrier(environ, start_response):
    """Returns only when two requests are here at once."""
    BARRIER.wait(20)
    return reply(start_response, "met")


TICKS = []


def row_tick(environ, start_response):
    """A thread of the application that runs between requests: the first call starts it, later ones wait for a tick."""
    if not TICKS:
        ticked = threading.Event()
        TICKS.append(ticked)
        threading.Timer(0.05, ticked.set).start()
        return reply(start_response, "started")
    return reply(start_response, "ticked" if TICKS[0].wait(20) else "stands still")
