#!/usr/bin/env python
"""Django's command line for this project: migrations, tests, a shell.

Runs in a process of its own, by hand or from `run.py`; the server does not use it.
Settings come from the environment (see `configuration/settings.py`).
"""

import os
import sys

from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "configuration.settings")
    execute_from_command_line(sys.argv)
