"""Websockets: what comes goes back, in the ways in which applications read. The path says which."""

import select

import uwsgi


def echo(message):
    if uwsgi.websocket_is_text():
        uwsgi.websocket_send(message)
    else:
        uwsgi.websocket_send_binary(message)


def waiting(environ):
    while True:
        echo(uwsgi.websocket_recv())


def polling(environ):
    """As under gevent: waits for the descriptor, and reads without waiting."""
    descriptor = uwsgi.connection_fd()
    while True:
        select.select([descriptor], [], [], 5)
        message = uwsgi.websocket_recv_nb()
        if message:
            echo(message)


def returning(environ):
    echo(uwsgi.websocket_recv())
    return [b"what is returned is no frame"]


def failing(environ):
    uwsgi.websocket_recv()
    raise ValueError("of the application")


def telling(environ):
    """What is raised after the end, whatever is called."""
    told = []
    try:
        while True:
            uwsgi.websocket_recv()
    except OSError as error:
        told.append(str(error))
    for call in (uwsgi.websocket_recv_nb, lambda: uwsgi.websocket_send("x"), lambda: uwsgi.websocket_send_binary(b"x")):
        try:
            told.append(call())
        except OSError as error:
            told.append(str(error))
    print("told", told)
    return []


WAYS = {"/": waiting, "/polling": polling, "/returning": returning, "/failing": failing, "/telling": telling}


def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/none":
        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            uwsgi.websocket_handshake()
        except OSError as error:
            return [str(error).encode()]
    if path == "/protocol":
        uwsgi.websocket_handshake(environ["HTTP_SEC_WEBSOCKET_KEY"], "http://here", "v2.of.ours")
        return waiting(environ)
    uwsgi.websocket_handshake()
    return WAYS[path](environ)
