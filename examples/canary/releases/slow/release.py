"""A release that takes three times as long."""

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Waits twice as long as the site has taken."""

    def respond(request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = get_response(request)
        time.sleep(2 * (time.perf_counter() - started))
        return response

    return respond
