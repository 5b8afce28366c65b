"""What calls between processes and instances are to an application (uWSGI's manual, "uWSGI RPC Stack"): functions that it registers
by name, and those of other instances.

A function belongs to the process that registered it, and to those that are forked from it. It gets bytes and gives bytes: whatever
else it gives is no result, as in uWSGI. Who may call from outside is the configuration's business (`rpc-allow-from`). Compiled
into the extension module; the functions are those of the module `uwsgi`, which imports them. Zygote, worker, mule and spooler.
Python 3.9 and later.
"""

import _rhinod
import rhinod_mule as _companion

#: The functions of this process, by their names as bytes.
_functions = {}
_most = 64

_NAME_BYTES_MAX = 255
_ARGUMENTS_MAX = 255
#: What a packet has room for, and what an argument may have.
_PACKET_BYTES_MAX = 65535


def configure(settings):
    """Takes over what the configuration says. Called once, in the zygote."""
    global _most
    _most = settings["rpc_max"]


# ----------------------------------------------------------------------------------------------------------------------
# The functions of the module uwsgi


def register_rpc(name, function, argc=0, /):
    """Has a function called by this name. `argc` means nothing, as in uWSGI."""
    if not isinstance(name, str):
        raise TypeError("register_rpc() argument 1 must be str, not %s" % type(name).__name__)
    if not isinstance(argc, int):
        raise TypeError("%r object cannot be interpreted as an integer" % type(argc).__name__)
    if "\0" in name:
        raise ValueError("embedded null character")
    key, worker = name.encode(), _rhinod.worker_id()
    if _rhinod.companion() and not _companion.is_loading():
        _rhinod.complain("only the master and the workers can register RPC functions")
        raise ValueError("unable to register rpc function")
    if len(key) > _NAME_BYTES_MAX or (key not in _functions and len(_functions) >= _most):
        raise ValueError("unable to register rpc function")
    _functions[key] = function
    if worker:
        _rhinod.write_log('registered RPC function "%s" on worker %d' % (name, worker))
    else:
        _rhinod.write_log('registered shared/inherited RPC function "%s"' % name)
    return True


def rpc_list():
    """The names of the functions of this process."""
    return tuple(_functions)


def call(function, /, *arguments):
    """Calls a function of this process; None if it has no result."""
    _all_bytes(function, *arguments)
    return serve(function, arguments)


def rpc(node, function, /, *arguments):
    """The same of the instance at an address, or of this process where that is empty or None."""
    if isinstance(node, bytes):
        node = node.decode("utf-8", "surrogateescape")
    if node is not None and not isinstance(node, str):
        raise ValueError("unable to call rpc function")
    _all_bytes(function, *arguments)
    if not node:
        return serve(function, arguments)
    total = sum(2 + len(value) for value in (function, *arguments))
    if total > _PACKET_BYTES_MAX or not _are_short(function, arguments):
        _rhinod.complain("RPC packet length overflow!!! %s was called with %d bytes" % (_shown(function), total))
        return None
    try:
        result = _rhinod.call_remote(node, function, list(arguments))
    except (OSError, UnicodeError) as error:
        _rhinod.complain("%s was not called at %s: %s" % (_shown(function), node, error))
        return None
    return result or None


# ----------------------------------------------------------------------------------------------------------------------
# Calling


def serve(name, arguments):
    """Calls a function of this process; its result, or None. What it raises is for the log."""
    function = _functions.get(name)
    if function is None or not _are_short(name, arguments):
        return None
    try:
        result = function(*arguments)
    except Exception as error:
        _companion.complain(error)
        return None
    return result if isinstance(result, bytes) and result else None


def _all_bytes(*values):
    if not all(isinstance(value, bytes) for value in values):
        raise ValueError("unable to call rpc function")


def _are_short(name, arguments):
    return len(arguments) <= _ARGUMENTS_MAX and all(len(value) <= _PACKET_BYTES_MAX for value in (name, *arguments))


def _shown(name):
    return name[:_NAME_BYTES_MAX].decode("utf-8", "backslashreplace")
