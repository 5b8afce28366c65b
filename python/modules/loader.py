"""Loads the WSGI applications that a configuration names (uWSGI's manual, "Quickstart for Python/WSGI applications").

Runs in the zygote, with lazy-apps in each worker instead. Compiled into the extension module, which calls `prepare`,
`import_shared` and `load`; it serves nothing itself. Python 3.9 and later.
"""

import functools
import glob
import importlib.machinery
import importlib.util
import io
import os
import sys
import threading
import traceback
import types

import _rhinod


class LoadError(Exception):
    """An application cannot be loaded; the text is what the operator reads."""


class EmbeddedFinder:
    """Imports the modules that are compiled into the extension, before any of the same name on sys.path."""

    def __init__(self, sources):
        self.sources = sources

    def find_spec(self, name, path=None, target=None):
        if name not in self.sources:
            return None
        return importlib.machinery.ModuleSpec(name, self, origin="<rhinod %s>" % name)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        name = module.__spec__.name
        exec(compile(self.sources[name], "<rhinod %s>" % name, "exec", dont_inherit=True), module.__dict__)

    def get_source(self, name):
        """For tracebacks."""
        return self.sources.get(name)


def prepare(settings, sources):
    """Makes sys.path, sys.argv, the standard streams and the server's own modules what applications expect."""
    sys.meta_path.insert(0, EmbeddedFinder(sources))
    # The entry of `python -c`.
    if sys.path and sys.path[0] == "":
        del sys.path[0]
    sys.path.insert(0, ".")
    for pattern in settings["path"]:
        for directory in sorted(glob.glob(pattern)) or [pattern]:
            sys.path.insert(0, directory)
    sys.argv[:] = ["uwsgi", *settings["argv"]]
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)
    import uwsgi

    uwsgi._configure(settings)
    os.register_at_fork(after_in_child=_rhinod.note_child)


def _in_one_process(act):
    """For what runs code of the application, which may fork: a child that comes back ends here."""

    @functools.wraps(act)
    def guarded(settings):
        process = os.getpid()
        error = None
        try:
            return act(settings)
        except BaseException as raised:
            error = raised
            raise
        finally:
            if os.getpid() != process:
                import uwsgi

                # What hides behind the loader's own error is what the child was to end with.
                uwsgi._end_stray(error.__context__ if isinstance(error, LoadError) else error)

    return guarded


@_in_one_process
def import_shared(settings):
    """shared-import: in the zygote, also with lazy-apps."""
    _import_all("shared-import", settings["shared_imports"])


@_in_one_process
def load(settings):
    """Imports what is to be imported and returns the applications: a list of (mountpoint, callable)."""
    # With lazy-apps the process may stand elsewhere than its zygote, which has looked through relative directories.
    sys.path_importer_cache.clear()
    _import_all("import", settings["imports"])
    name = settings["callable"] or "application"
    applications = []
    for option, setting in (("module", "module"), ("wsgi-file", "file")):
        if settings[setting] == "":
            raise LoadError("%s is empty: it names the application" % option)
    if settings["module"]:
        applications += _from_module("module = " + settings["module"], settings["module"], name)
    if settings["file"] and not applications:
        applications.append(("", _from_file("wsgi-file = " + settings["file"], settings["file"], name)))
    for mountpoint, target in settings["mounts"]:
        applications.append((mountpoint, _mounted(mountpoint, target, name)))
    if not applications and settings["callable"]:
        raise LoadError("callable = %s names no module: set module or wsgi-file too" % name)
    return applications


def watched(settings):
    """Files to watch under py-autoreload even when no loaded module has them, because loading failed."""
    files = [settings["file"]] if settings["file"] else []
    if settings["module"]:
        try:
            spec = importlib.util.find_spec(settings["module"].partition(":")[0])
        except (ImportError, ValueError):
            spec = None
        if spec is not None and spec.has_location:
            files.append(spec.origin)
    return files


def error_stream():
    """wsgi.errors: text to the log, a line at a time, whatever the application makes of sys.stderr."""
    raw = io.FileIO(2, "w", closefd=False)
    writer = io.BufferedWriter(raw)
    return io.TextIOWrapper(writer, encoding="utf-8", errors="backslashreplace", line_buffering=True)


def freeze():
    """Takes everything that is loaded out of the garbage collector's sight, so that workers go on sharing its memory."""
    import gc

    gc.collect()
    gc.freeze()


def live_threads():
    """Names of the threads besides this one; those that Python does not know by the name of their task."""
    known = {thread.native_id: thread.name for thread in threading.enumerate()}
    names = []
    for task in sorted(int(number) for number in os.listdir("/proc/self/task")):
        if task != threading.get_native_id():
            names.append(known.get(task) or _task_name(task))
    return names


def _task_name(task):
    try:
        with open("/proc/self/task/%d/comm" % task) as file:
            return file.read().strip()
    except OSError:
        return "thread %d" % task


def _import_all(option, names):
    """A module that cannot be imported is reported and passed over, as in uWSGI."""
    for name in names:
        try:
            if "/" in name or name.endswith(".py"):
                _execute_file(name)
            else:
                __import__(name)
        except Exception:
            _rhinod.complain("%s = %s failed\n%s" % (option, name, _traceback()))


def _mounted(mountpoint, target, name):
    origin = "mount = %s=%s" % (mountpoint, target)
    if target.endswith((".py", ".wsgi")):
        return _from_file(origin, target, name)
    if ":" in target:
        return _from_module(origin, target, name)[0][1]
    raise LoadError(
        "%s: neither module:callable nor a file that ends in .py or .wsgi" % origin
    )


def _from_module(origin, target, name):
    """The application of `package.module`, `package.module:callable` or `package.module:factory()`."""
    module_name, colon, attribute = target.partition(":")
    try:
        __import__(module_name)
        module = sys.modules[module_name]
    except BaseException as error:
        raise LoadError(_import_failure(origin, module_name, error)) from None
    # Of the module's own, as a __getattr__ of it may raise anything for a name that nobody gave it.
    applications = getattr(module, "__dict__", {}).get("applications")
    if not colon and isinstance(applications, dict):
        return [
            (mountpoint, _callable(origin, module, one) if isinstance(one, str) else _checked(origin, one))
            for mountpoint, one in applications.items()
        ]
    return [("", _callable(origin, module, attribute or name))]


def _from_file(origin, path, name):
    try:
        module = _execute_file(path, "uwsgi_file_")
    except OSError as error:
        # An application's own OSError has the application's frames.
        if error.filename is None or os.path.abspath(str(error.filename)) != os.path.abspath(_source_of(path)):
            raise LoadError("%s cannot be loaded\n%s" % (origin, _traceback())) from None
        raise LoadError(
            "%s: %s (looked for %s)" % (origin, error.strerror, os.path.abspath(_source_of(path)))
        ) from None
    except BaseException:
        raise LoadError("%s cannot be loaded\n%s" % (origin, _traceback())) from None
    return _callable(origin, module, name)


def _source_of(path):
    return os.path.join(path, "__init__.py") if os.path.isdir(path) else path


def _execute_file(path, prefix=""):
    """Runs a file as a module that is named after its path without .py, as uWSGI names it: pickles, loggers and stores of
    jobs keep the name."""
    source = _source_of(path)
    with open(source, "rb") as file:
        code = compile(file.read(), source, "exec", dont_inherit=True)
    stem = path[:-3] if path.endswith(".py") else path
    name = prefix + stem.replace("/", "_").replace(".", "_")
    module = types.ModuleType(name)
    module.__file__ = source
    sys.modules[name] = module
    try:
        exec(code, module.__dict__)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def _callable(origin, module, expression):
    """The attribute that `expression` names, or what it returns if it ends in ()."""
    path = expression[:-2] if expression.endswith("()") else expression
    found = module
    for part in path.split("."):
        if not hasattr(found, part):
            raise LoadError(_missing_attribute(origin, module, path))
        found = getattr(found, part)
    if expression.endswith("()"):
        try:
            found = found()
        except BaseException:
            raise LoadError("%s: %s failed\n%s" % (origin, expression, _traceback())) from None
    return _checked(origin, found)


def _checked(origin, application):
    if not callable(application):
        raise LoadError("%s: the application is of type %s, which cannot be called" % (origin, type(application).__name__))
    return application


def _missing_attribute(origin, module, path):
    names = sorted(name for name, value in vars(module).items() if callable(value) and not name.startswith("_"))
    return "%s: module %s (%s) has no %r. Callables there: %s" % (
        origin,
        module.__name__,
        getattr(module, "__file__", "built in"),
        path,
        ", ".join(names[:20]) or "none",
    )


def _import_failure(origin, module_name, error):
    lines = ["%s cannot be loaded" % origin, _traceback()]
    missing = getattr(error, "name", None)
    if isinstance(error, ModuleNotFoundError) and missing and (module_name + ".").startswith(missing + "."):
        if module_name.endswith(".py"):
            stem = module_name[:-3].rpartition("/")[2]
            lines.append("%s is a file, not a module: write module = %s:%s, or wsgi-file = %s"
                         % (module_name, stem, origin.partition(":")[2] or "application", module_name))
        lines.append("Looked for the module %s in these directories (pythonpath adds one, . is %s):" % (missing, os.getcwd()))
        lines += ["  " + directory for directory in sys.path]
    lines.append("Python is %s, version %s" % (sys.executable, sys.version.split()[0]))
    return "\n".join(lines)


def _traceback():
    """The traceback of the current exception without frames of the loader and of import's machinery."""
    kind, error, frames = sys.exc_info()
    while frames and frames.tb_frame.f_globals is globals():
        frames = frames.tb_next
    return "".join(traceback.format_exception(kind, error, frames)).rstrip("\n")
