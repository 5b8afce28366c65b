"""The pages of the guest book. Run in the workers of the server, one request at a time each."""

import logging
import os
import time
from functools import partial

from django.core.cache import cache
from django.db import transaction
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from kombu.exceptions import OperationalError

from guestbook.forms import EntryForm
from guestbook.models import Entry
from guestbook.tasks import count_words

logger = logging.getLogger(__name__)

ENTRIES_SHOWN = 20
FIGURES_KEY = "guestbook:figures"
FIGURES_SECONDS = 30
WAIT_MS_MAX = 5000


@require_http_methods(["GET", "HEAD", "POST"])
def book(request: HttpRequest) -> HttpResponse:
    """The newest entries and the form for another one. The session remembers the visitor's name."""
    if request.method == "POST":
        form = EntryForm(request.POST)
        if form.is_valid():
            write_entry(request, form)
            return redirect("guestbook:book")
    else:
        form = EntryForm(initial={"name": request.session.get("name", "")})
    context = {
        "form": form,
        "entries": Entry.objects.all()[:ENTRIES_SHOWN],
        "written": request.session.get("written", 0),
    }
    return render(request, "guestbook/book.html", context, status=400 if form.errors else 200)


def write_entry(request: HttpRequest, form: EntryForm) -> None:
    """Stores the entry; Celery is told once the transaction is through, or it could look before there is an entry."""
    with transaction.atomic():
        entry = form.save()
        transaction.on_commit(partial(have_words_counted, entry.pk))
    request.session["name"] = entry.name
    request.session["written"] = request.session.get("written", 0) + 1


def have_words_counted(entry_id: int) -> None:
    """Puts the task into the broker. The entry stands without a count when the broker is gone."""
    try:
        count_words.delay(entry_id)
    except OperationalError:
        logger.exception("entry %d stays without a count of words", entry_id)


@require_safe
def figures(request: HttpRequest) -> HttpResponse:
    """How many entries and words there are, computed at most every 30 seconds for all workers together."""
    found = cache.get_or_set(FIGURES_KEY, compute_figures, FIGURES_SECONDS)
    return render(request, "guestbook/figures.html", {"figures": found, "seconds": FIGURES_SECONDS})


def compute_figures() -> dict:
    """`entries` and `words` (numbers) and `computed` (when)."""
    found = Entry.objects.aggregate(entries=Count("pk"), words=Sum("word_count", default=0))
    return found | {"computed": timezone.now()}


@require_safe
@never_cache
def wait(_request: HttpRequest, wait_ms: int) -> JsonResponse:
    """Stands for a page that waits for something outside, at most 5 s: what makes a server need more workers."""
    waited_ms = min(wait_ms, WAIT_MS_MAX)
    time.sleep(waited_ms / 1000)
    return JsonResponse({"waited_ms": waited_ms, "worker_pid": os.getpid()})


@require_safe
def hello(_request: HttpRequest) -> HttpResponse:
    """The plainest view, for measuring what server and framework cost."""
    return HttpResponse("Hello, world\n", content_type="text/plain")
