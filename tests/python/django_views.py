"""A Django site with one view for each thing that a server can get wrong; python_rival.rs compares the answers.

Nothing in an answer depends on time, chance or the process. Served by rhinod and by uWSGI, from one virtualenv.
"""

import datetime
import hashlib
import io

import django
from django.conf import settings

settings.configure(
    SECRET_KEY="compared",
    ALLOWED_HOSTS=["app.example"],
    ROOT_URLCONF=__name__,
    LOGGING_CONFIG=None,
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    MIDDLEWARE=[
        "django.middleware.security.SecurityMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ],
)
django.setup()

from django.core import exceptions  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import (  # noqa: E402
    FileResponse,
    Http404,
    HttpResponse,
    HttpResponseNotModified,
    HttpResponsePermanentRedirect,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.urls import path  # noqa: E402
from django.views.decorators.http import condition, require_POST  # noqa: E402


def meta(request):
    """What Django makes of the environ; keys of the server's own and objects are left out."""
    flags = {"wsgi.url_scheme", "wsgi.version", "wsgi.multithread", "wsgi.multiprocess", "wsgi.run_once"}
    kept = {key: value for key, value in request.META.items() if key.isupper() or key in flags}
    asked = {
        "path": request.path,
        "info": request.path_info,
        "full": request.get_full_path(),
        "uri": request.build_absolute_uri(),
        "host": request.get_host(),
        "port": request.get_port(),
        "secure": request.is_secure(),
        "headers": dict(request.headers),
        "query": dict(request.GET.lists()),
    }
    return JsonResponse({"meta": kept, "asked": asked}, json_dumps_params={"sort_keys": True})


def form(request):
    """Fields and files of a form, urlencoded or in parts."""
    files = {
        name: [[file.name, file.size, file.content_type, digest(file.read())] for file in files]
        for name, files in request.FILES.lists()
    }
    return JsonResponse({"fields": dict(request.POST.lists()), "files": files, "type": request.content_type})


def body(request):
    """The body in pieces of every kind, then all of the rest."""
    pieces = [request.read(3), request.readline(), request.read(7)]
    return JsonResponse({"pieces": [piece.decode() for piece in pieces], "rest": digest(request.read())})


def whole_body(request):
    return JsonResponse({"length": len(request.body), "digest": digest(request.body)})


def unread(request):
    return HttpResponse("answered before the body was read")


def digest(data):
    return hashlib.sha256(data).hexdigest()


def stream(request):
    return StreamingHttpResponse("piece %d\n" % number for number in range(100))


def failing_stream(request):
    def pieces():
        yield "the beginning\n"
        raise ValueError("in the middle of a stream")

    return StreamingHttpResponse(pieces())


def file(request):
    return FileResponse(open(__file__, "rb"))


def memory_file(request):
    return FileResponse(io.BytesIO(b"from memory\n" * 1000), as_attachment=True, filename="r\u00e9sum\u00e9 \u20ac.txt")


@condition(lambda request: '"a tag"', lambda request: datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc))
def conditional(request):
    return HttpResponse("fresh")


def tagged(request):
    """The middleware makes the tag."""
    return HttpResponse("the same each time")


def cookies(request):
    answer = JsonResponse(dict(request.COOKIES))
    answer.set_cookie("plain", "value")
    answer.set_cookie("quoted", "a b;c\u00e9", secure=True, httponly=True, samesite="Strict", path="/cookies")
    answer.delete_cookie("gone")
    return answer


def moved(request):
    return HttpResponseRedirect("/somewhere else/?a=\u00e9")


def moved_for_good(request):
    return HttpResponsePermanentRedirect("https://app.example/there")


def missing(request):
    raise Http404("there is no such thing")


def forbidden(request):
    raise exceptions.PermissionDenied


def suspicious(request):
    raise exceptions.SuspiciousOperation("no")


def failing(request):
    raise RuntimeError("a view that fails")


@require_POST
def only_post(request):
    return HttpResponse("posted")


def nothing(request):
    return HttpResponse(status=204)


def not_modified(request):
    return HttpResponseNotModified()


def status(request, code):
    return HttpResponse("status %d" % code, status=code, reason="Of Its Own" if code == 299 else None)


def headers(request):
    answer = HttpResponse("headers", content_type="text/x-own; charset=latin-1", charset="latin-1")
    answer["X-Latin"] = "caf\u00e9"
    answer["X-Empty"] = ""
    answer["Cache-Control"] = "no-store"
    return answer


def host(request):
    return HttpResponse(request.get_host())


def text(request, rest):
    return HttpResponse(rest)


urlpatterns = [
    path("meta/", meta),
    path("form", form),
    path("body", body),
    path("whole_body", whole_body),
    path("unread", unread),
    path("stream", stream),
    path("failing_stream", failing_stream),
    path("file", file),
    path("memory_file", memory_file),
    path("conditional", conditional),
    path("tagged", tagged),
    path("cookies", cookies),
    path("moved", moved),
    path("moved_for_good", moved_for_good),
    path("missing", missing),
    path("forbidden", forbidden),
    path("suspicious", suspicious),
    path("failing", failing),
    path("only_post", only_post),
    path("nothing", nothing),
    path("not_modified", not_modified),
    path("status/<int:code>", status),
    path("headers", headers),
    path("host", host),
    path("text/<path:rest>", text),
]

application = get_wsgi_application()
