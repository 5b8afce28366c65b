"""Werkzeug's own test application, and its request and response classes, at `/testapp` and beside it.

Nothing in an answer but the test application's depends on the server; python_rival.rs compares them.
"""

import datetime
import hashlib
import io
import json

from werkzeug.exceptions import abort
from werkzeug.http import generate_etag
from werkzeug.routing import Map, Rule
from werkzeug.testapp import test_app
from werkzeug.utils import redirect, send_file
from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import FileWrapper, get_current_url, responder, wrap_file

WHEN = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)


def as_json(value, **more):
    return Response(json.dumps(value, sort_keys=True), content_type="application/json", **more)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def asked(request):
    return as_json({
        "method": request.method,
        "path": request.path,
        "root_path": request.root_path,
        "url": request.url,
        "current": get_current_url(request.environ),
        "host": request.host,
        "remote": request.remote_addr,
        "args": request.args.to_dict(flat=False),
        "headers": sorted(request.headers.to_wsgi_list()),
        "accepts": list(request.accept_mimetypes.values()),
        "languages": request.accept_languages.to_header(),
        "authorization": str(request.authorization),
        "cookies": request.cookies.to_dict(flat=False),
        "secure": request.is_secure,
        "flags": [request.is_multithread, request.is_multiprocess, request.is_run_once],
    })


def form(request):
    files = {
        name: [[file.filename, file.content_type, digest(file.read())] for file in request.files.getlist(name)]
        for name in request.files
    }
    return as_json({"fields": request.form.to_dict(flat=False), "files": files})


def data(request):
    return as_json({"length": len(request.get_data()), "digest": digest(request.get_data())})


def lines(request):
    """The body line by line through Werkzeug's limited stream."""
    return as_json([line.decode() for line in request.stream])


def read_json(request):
    return as_json(request.get_json())


def streamed(request):
    return Response(("piece %d\n" % number for number in range(100)), content_type="text/plain")


def with_stream(request):
    """Werkzeug's own file-like response, written to before it is returned."""
    answer = Response(content_type="text/plain")
    answer.stream.write("one ")
    answer.stream.write("two")
    return answer


def file(request):
    return send_file(__file__, request.environ, mimetype="text/x-python", etag="a-tag", last_modified=WHEN)


def file_of_memory(request):
    return send_file(io.BytesIO(b"0123456789" * 100), request.environ, download_name="numbers.txt", conditional=True)


def wrapped(request):
    return Response(wrap_file(request.environ, io.BytesIO(b"wrapped")), direct_passthrough=True)


def own_wrapper(request):
    return Response(FileWrapper(io.BytesIO(b"in pieces" * 100), 7), direct_passthrough=True)


def conditional(request):
    answer = Response("conditional")
    answer.set_etag(generate_etag(b"conditional"))
    answer.last_modified = WHEN
    answer.accept_ranges = "bytes"
    return answer.make_conditional(request, accept_ranges=True, complete_length=11)


def cookies(request):
    answer = Response("cookies")
    answer.set_cookie("plain", "value")
    answer.set_cookie("all", "\u00e9 ;", secure=True, httponly=True, samesite="Lax", domain="app.example", expires=WHEN)
    answer.delete_cookie("gone")
    return answer


def moved(request):
    return redirect("/\u00e9?a=b c", code=303)


def closing(request):
    answer = Response("closed afterwards")
    answer.call_on_close(lambda: None)
    return answer


def early(request):
    return Response("before the body was read", status="299 Of Its Own")


def failing(request):
    raise RuntimeError("a view that fails")


def aborted(request, code):
    abort(code)


def own(request):
    """The server's test application is a plain WSGI application."""
    return test_app


VIEWS = {view.__name__: view for view in (
    asked, form, data, lines, read_json, streamed, with_stream, file, file_of_memory, wrapped, own_wrapper,
    conditional, cookies, moved, closing, early, failing,
)}
ROUTES = Map([
    *(Rule("/" + name, endpoint=name) for name in VIEWS),
    Rule("/aborted/<int:code>", endpoint="aborted"),
    Rule("/testapp", endpoint="testapp"),
    Rule("/slash/", endpoint="asked"),
])
VIEWS |= {"aborted": aborted, "testapp": own}


@responder
def application(environ, start_response):
    routes = ROUTES.bind_to_environ(environ)
    request = Request(environ)
    return routes.dispatch(lambda name, values: VIEWS[name](request, **values), catch_http_exceptions=True)
