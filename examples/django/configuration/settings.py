"""Django's settings. What differs between two deployments comes from the environment, the rest stands here.

| variable | meaning | without it |
|---|---|---|
| `SECRET_KEY` | signs sessions and tokens | an error, unless `DEBUG` is on |
| `DEBUG` | error pages with source code, for development only | off |
| `ALLOWED_HOSTS` | host names served, separated by commas | `127.0.0.1,localhost,[::1]` |
| `DATABASE_PATH` | the SQLite file | `db.sqlite3` beside `manage.py` |
| `CACHE_URL` | Redis for cache and sessions, `unix:///path?db=1` or `redis://host/1` | a cache inside each process |
| `BROKER_URL` | Redis for Celery, `redis+socket:///path` or `redis://host/0` | tasks run at once, in the request |
| `STATIC_ROOT` | where `collectstatic` puts what nginx serves | static files by `manage.py runserver` only |

Loaded by the server's zygote, by Celery's processes and by `manage.py`.
"""

from pathlib import Path

from configuration import environment

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = environment.truth("DEBUG", default=False)
SECRET_KEY = environment.text("SECRET_KEY", default="only-for-development" if DEBUG else None)
ALLOWED_HOSTS = environment.words("ALLOWED_HOSTS", default="127.0.0.1,localhost,[::1]")

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "guestbook",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "configuration.urls"
WSGI_APPLICATION = "configuration.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": environment.text("DATABASE_PATH", default=str(BASE_DIR / "db.sqlite3")),
        # A transaction that writes takes the lock at its beginning and waits for it. One that takes it later, after
        # reading, fails at once when another process was faster.
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"},
    },
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHE_URL = environment.text("CACHE_URL", default="")
if CACHE_URL:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": CACHE_URL}}
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# A worker keeps nothing of a visitor in its memory, so that each request may go to any worker and a worker may go at
# any time. Sessions are in the database, and in the cache for speed.
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_COOKIE_SAMESITE = "Lax"

CELERY_BROKER_URL = environment.text("BROKER_URL", default="memory://")
CELERY_TASK_ALWAYS_EAGER = CELERY_BROKER_URL == "memory://"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 60
# A visitor does not wait for a broker that is gone.
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 2, "socket_timeout": 5}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True

STATIC_URL = "/static/"
STATIC_ROOT = environment.text("STATIC_ROOT", default="") or None
if STATIC_ROOT:
    # The name of a collected file carries a digest of its content, so nginx may tell browsers to keep it for ever.
    STORAGES = {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
    }

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
}
