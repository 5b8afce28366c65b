"""Tells what an application sees of a request that rules have looked at, for tests/servers/routing_rival.rs.

The path /status/N answers with that status; /header/NAME/VALUE with that header as well.
"""

import uwsgi

uwsgi.register_rpc("said", lambda *arguments: b" ".join(arguments))
uwsgi.register_rpc("answer", lambda: b"HTTP/1.1 203 Own\r\nX-Own: yes\r\n\r\nraw")

SEEN = (
    "REQUEST_METHOD", "PATH_INFO", "SCRIPT_NAME", "QUERY_STRING", "REQUEST_URI", "REMOTE_USER", "REMOTE_ADDR",
    "HTTP_HOST", "HTTP_COOKIE", "DOCUMENT_ROOT", "A", "B", "C",
)


def application(environ, start_response):
    parts = environ.get("PATH_INFO", "").split("/")
    status, headers = "200 OK", [("Content-Type", "text/plain"), ("X-App", "here")]
    if parts[1:2] == ["status"] and len(parts) == 3:
        status = parts[2] + " As Asked"
    if parts[1:2] == ["header"] and len(parts) == 4:
        headers.append((parts[2], parts[3]))
    start_response(status, headers)
    seen = [name + "=" + environ[name] for name in SEEN if environ.get(name)]
    seen.append("scheme=" + environ["wsgi.url_scheme"])
    return ["\n".join(seen).encode("latin-1")]
