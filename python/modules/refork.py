"""A worker that becomes the mold of others (`refork`): what it gives back before workers are forked from it.

Connections of Django (databases and caches) and of Celery are closed without being asked for; the application's own are its
hooks' to close (`uwsgi.before_refork`, `uwsgidecorators.before_refork`). What is open still is found by the server itself.
Compiled into the extension module. In that worker only, after its last request. Python 3.9 and later.
"""

import sys as _sys

import uwsgi as _uwsgi


def cool_down():
    """Runs the application's hook, closes what is known, and takes what is left out of the garbage collector's sight."""
    import gc

    hook = getattr(_uwsgi, "before_refork", None)
    if hook is not None:
        hook()
    for close in (_close_django, _close_celery):
        close()
    _uwsgi._flush()
    # What was frozen when it was loaded is left alone: looking at it writes to it, and it would not be shared any more with
    # the process that has loaded it.
    gc.collect()
    gc.freeze()


def scour():
    """Frees also what hangs together with something that was frozen when it was loaded."""
    import gc

    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _close_django():
    db = _sys.modules.get("django.db")
    if db is not None:
        db.connections.close_all()
        for connection in db.connections.all():
            # Pools of connections (Django 5.1, PostgreSQL) outlive close_all.
            getattr(connection, "close_pool", lambda: None)()
    cache = _sys.modules.get("django.core.cache")
    if cache is not None:
        for backend in _made(cache.caches):
            backend.close()
            # Django's own Redis backend keeps its pools over requests.
            pools = getattr(getattr(backend, "_cache", None), "_pools", {})
            for pool in list(getattr(pools, "values", lambda: pools)()):
                getattr(pool, "disconnect", lambda: None)()


def _made(caches):
    """The backends that there are in this thread; asking for one by its name would make it."""
    try:
        return caches.all(initialized_only=True)
    except TypeError:
        return caches.all()


def _close_celery():
    pools = _sys.modules.get("kombu.pools")
    if pools is not None:
        pools.reset()
    celery = _sys.modules.get("celery._state")
    if celery is not None:
        for app in list(celery._get_active_apps()):
            pool = getattr(app, "_pool", None)
            if pool is not None:
                pool.force_close_all()
                app._pool = None
            # It keeps a pool that is closed for ever, and the connections of that with what these wait by.
            amqp = vars(app).get("amqp")
            if getattr(amqp, "_producer_pool", None) is not None:
                amqp._producer_pool = None
