"""Names the application to Django."""

from django.apps import AppConfig


class GuestbookConfig(AppConfig):
    """`guestbook` in `INSTALLED_APPS`."""

    name = "guestbook"
    verbose_name = "Guest book"
