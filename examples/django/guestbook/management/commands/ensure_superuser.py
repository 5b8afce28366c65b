"""`manage.py ensure_superuser`: an administrator for a new installation, without questions on the terminal.

Run by `run.py` at each start; does nothing when the user exists, so a changed password stays changed.
"""

import secrets

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand

from configuration import environment

PASSWORD_BYTES = 12


class Command(BaseCommand):
    """Takes `ADMIN_NAME` and `ADMIN_PASSWORD` from the environment; without a password it makes one and prints it."""

    help = "Create the superuser ADMIN_NAME (default admin) unless it exists."

    def handle(self, *_arguments: str, **_options: object) -> None:
        users = get_user_model()
        name = environment.text("ADMIN_NAME", default="admin")
        if users.objects.filter(username=name).exists():
            self.stdout.write(f"The superuser {name} exists.")
            return
        given = environment.text("ADMIN_PASSWORD", default="")
        password = given or secrets.token_urlsafe(PASSWORD_BYTES)
        users.objects.create_superuser(username=name, email="", password=password)
        self.stdout.write(f"Created the superuser {name}." if given else f"Created the superuser {name}: {password}")
