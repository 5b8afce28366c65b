"""`/health`: whether this instance can serve, for load balancers and monitoring.

Asks what every page needs: the database and the cache. 200 when both answer, 503 when one does not. It does not ask
Celery: pages are served while tasks wait, so a stopped Celery is a matter for its own monitoring and no reason to
take the instance out of the balancer. Runs in a worker of the server.
"""

import logging
import secrets
from collections.abc import Callable

from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache

logger = logging.getLogger(__name__)

CACHE_SECONDS = 10


@never_cache
def health(_request: HttpRequest) -> JsonResponse:
    """`{"database": "ok", "cache": "ok"}`; a part that fails says `unreachable`, and the log says why."""
    report = {"database": outcome(ask_database), "cache": outcome(ask_cache)}
    healthy = all(state == "ok" for state in report.values())
    return JsonResponse(report, status=200 if healthy else 503)


def outcome(question: Callable[[], None]) -> str:
    """`ok`, or `unreachable` when the question raises: whatever it raises, the instance cannot serve."""
    try:
        question()
    except Exception:
        logger.exception("%s failed", question.__name__)
        return "unreachable"
    return "ok"


def ask_database() -> None:
    """Reads from a table that every page with a session reads."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM django_session LIMIT 1")
        cursor.fetchone()


def ask_cache() -> None:
    """Writes a value and reads it back: a cache that is full or read-only is no help."""
    key, value = "health:" + secrets.token_hex(8), secrets.token_hex(8)
    cache.set(key, value, CACHE_SECONDS)
    found = cache.get(key)
    cache.delete(key)
    if found != value:
        raise RuntimeError(f"the cache returned {found!r} for a value just written")
