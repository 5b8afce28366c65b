"""`manage.py prepare`: everything between an empty directory and the first request, in one process.

Brings the database up to date, collects the static files and makes the administrator. Harmless when repeated.
"""

from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    """`migrate`, `collectstatic`, `ensure_superuser`; the last two say one line each."""

    help = "Bring database and static files up to date and make the superuser."

    def handle(self, *_arguments: str, **_options: object) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        call_command("ensure_superuser", stdout=self.stdout)
