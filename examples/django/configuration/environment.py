"""Reads settings from the environment, as text, truth value or list; decides nothing about Django.

Used by `configuration/settings.py` in every process that loads Django.
"""

import os

from django.core.exceptions import ImproperlyConfigured

TRUE_WORDS = {"1", "true", "yes", "on"}
FALSE_WORDS = {"", "0", "false", "no", "off"}


def text(name: str, default: str | None = None) -> str:
    """The value of `name`; without a default, an empty or missing variable is an error."""
    value = os.environ.get(name, "")
    if value:
        return value
    if default is None:
        raise ImproperlyConfigured(f"the environment variable {name} is not set (examples/django/run.py sets it)")
    return default


def truth(name: str, default: bool) -> bool:
    """The value of `name` as a truth value; any other word is an error."""
    value = os.environ.get(name)
    if value is None:
        return default
    word = value.strip().lower()
    if word in TRUE_WORDS:
        return True
    if word in FALSE_WORDS:
        return False
    raise ImproperlyConfigured(f"the environment variable {name} is {value!r}; expected true or false")


def words(name: str, default: str) -> list[str]:
    """The value of `name` as a list, separated by commas."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]
