"""The settings of the Django example, with what the release that is deployed puts in front of it."""

from configuration.settings import *  # noqa: F403
from configuration.settings import MIDDLEWARE

MIDDLEWARE = ["release.middleware", *MIDDLEWARE]
