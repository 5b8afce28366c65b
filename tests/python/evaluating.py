"""An application whose query is an expression, evaluated where the names of a module hold, and `environ`: the answer is its
value, or what it raised."""

from urllib.parse import unquote


def evaluating(names):
    def application(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        try:
            result = repr(eval(unquote(environ["QUERY_STRING"]), names, {"environ": environ}))
        except Exception as error:
            result = "%s: %s" % (type(error).__name__, error)
        return [result.encode()]

    return application
