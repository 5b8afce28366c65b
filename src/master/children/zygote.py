# rhinod zygote, or a worker forked by it: what the master tells the virtualenv's interpreter with -c.
# Arguments: path of the extension, number of the control socket. Old versions of Python must be able to read this too.
import sys


def become_zygote(path, control):
    import importlib.machinery
    import importlib.util

    loader = importlib.machinery.ExtensionFileLoader("_rhinod", path)
    spec = importlib.util.spec_from_loader("_rhinod", loader)
    try:
        module = importlib.util.module_from_spec(spec)
        loader.exec_module(module)
    except ImportError as error:
        sys.stderr.write("rhinod: %s cannot load %s: %s\n" % (sys.executable, path, error))
        return 22
    if path.startswith("/proc/self/fd/"):
        # It was opened for us, where we may not go.
        import os

        os.close(int(path.rpartition("/")[2]))
    sys.modules["_rhinod"] = module
    return module.run_zygote(int(control))


def leave(code):
    # Not through sys.exit: what the application has registered with atexit is for its workers, and threads that it has
    # started while it was loaded may never end.
    import os

    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass
    os._exit(code)


if sys.version_info < (3, 9):
    sys.stderr.write(
        "rhinod: %s is Python %d.%d; applications need CPython 3.9 or later: make the virtualenv anew\n"
        % ((sys.executable,) + tuple(sys.version_info[:2]))
    )
    sys.exit(22)
if "t" in getattr(sys, "abiflags", ""):
    sys.stderr.write(
        "rhinod: %s is a free-threaded Python, which has no stable ABI, so the extension module cannot be loaded;"
        " make the virtualenv with an ordinary CPython\n" % sys.executable
    )
    sys.exit(22)
leave(become_zygote(*sys.argv[1:]))
