"""Every function of the module `uwsgi`, for tests/servers/services_rival.rs: see `evaluating`. Beside it there are a mule, a farm,
a spooler, a queue, an area, locks, a cache and metrics."""

import os
import time
import types

import uwsgi
from evaluating import evaluating


def names():
    """Those of the module's functions."""
    return sorted(name for name in dir(uwsgi) if isinstance(getattr(uwsgi, name), (types.BuiltinFunctionType, types.FunctionType)))


application = evaluating(globals())
