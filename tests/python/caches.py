"""Django's own tests of its cache backends, run in a worker, and Flask-Caching on the same cache. See `evaluating`.

`tests/rivals/caches.sh` puts both, and Django's tests, into the virtualenv.
"""

import io
import os
import sys
import unittest

sys.path.insert(0, os.path.join(sys.prefix, "tests"))

from django.conf import settings

DATABASE = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
settings.configure(
    INSTALLED_APPS=["cache"],
    DATABASES={"default": DATABASE},
    CACHES={"default": {"BACKEND": "rhinod_django.CacheBackend", "LOCATION": "counted"}},
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
    ALLOWED_HOSTS=["testserver"],
    SECRET_KEY="of no secret",
)

import django

django.setup()

from cache import tests
from django.core.cache import cache, caches
from django.core.management import call_command
from django.test import TestCase, override_settings
from flask import Flask
from flask_caching import Cache

import uwsgi
from evaluating import evaluating


def shard(number, count):
    """Runs one part of Django's tests on a cache of its own. How many there were, and what was skipped or went wrong."""
    call_command("migrate", run_syncdb=True, verbosity=0)
    backend = {"BACKEND": "rhinod_django.CacheBackend", "LOCATION": "django%d" % number}

    # There is no culling in steps: rhinod's caches have a size, and rules for when they are full.
    @override_settings(CACHES=tests.caches_setting_for_tests(base=backend, exclude={"cull", "zero_cull"}))
    class RhinodCacheTests(tests.BaseCacheTests, TestCase):
        pass

    # The longest first.
    slow = ["test_touch", "test_expiration", "test_set_many_expiration", "test_forever_timeout"]
    names = sorted(unittest.defaultTestLoader.getTestCaseNames(RhinodCacheTests), key=lambda name: (name not in slow, name))
    suite = unittest.TestSuite(map(RhinodCacheTests, names[number::count]))
    output = io.StringIO()
    result = unittest.TextTestRunner(stream=output, verbosity=0).run(suite)
    if not result.wasSuccessful():
        print(output.getvalue())
    skipped = sorted(case.id().rpartition(".")[2] for case, _ in result.skipped)
    return result.testsRun, skipped, len(result.failures) + len(result.errors)


def counted_at_once(count, processes, times):
    """Has so many processes add to a counter, each so often; how they ended."""
    children = []
    for _ in range(processes):
        children.append(os.fork())
        if children[-1] == 0:
            for _ in range(times):
                count()
            os._exit(0)
    return [os.waitpid(child, 0)[1] for child in children]


def changed(values):
    """Those that do not come back from the cache as they were."""
    return [value for value in values if cache.set("v", value) or repr(cache.get("v", 7)) != repr(value)]


def flask(**settings):
    return Cache(Flask(__name__), config={"CACHE_TYPE": "rhinod_flask.CacheBackend", **settings})


application = evaluating(globals())
