"""What the server loads: `module = configuration.wsgi:application`.

Runs once in the zygote; the workers are forked from it with everything below already imported. Therefore nothing
here opens a connection: database, cache and broker are connected to by each worker when it first needs them.
"""

import os

import redis  # noqa: F401  (imported by Django's cache at its first use, so at the first request of each worker)
from django.core.wsgi import get_wsgi_application
from django.template.loader import get_template
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "configuration.settings")

application = get_wsgi_application()


def warm_up() -> None:
    """Does once what Django would do in every worker at its first request: import the views, compile the pages."""
    list(get_resolver().url_patterns)
    for name in ("guestbook/book.html", "guestbook/figures.html"):
        get_template(name)


warm_up()
