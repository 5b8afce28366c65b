"""A release that fails at one request in five."""

import itertools
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseServerError


def middleware(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answers every fifth request of a worker with 500."""
    numbers = itertools.count(1)

    def respond(request: HttpRequest) -> HttpResponse:
        if next(numbers) % 5 == 0:
            return HttpResponseServerError("the new code forgot something\n")
        return get_response(request)

    return respond
