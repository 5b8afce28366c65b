//! The Python application and its interpreter.
//!
//! The rows of the option table for the group [`Python`](super::Group::Python).
//! Not for what they mean together (`build`). Read in the master before anything else, and by the commands.

use super::{Opt, count, flag, int, list, pair, path, seconds, text};

// What stands behind several rows.
const MODULE: &str = "write a module that has the application and name it with module";

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    count("max-apps").default("64").accepted("there is no limit on applications")
        .says("Maximum apps loadable in one worker"),
    flag("enable-threads").short('T').default("true").accepted("threads of the application always run")
        .says("Allow Python threads; a no-op since 2.0.27 (always on)"),
    flag("single-interpreter").short('i').accepted("a worker has one interpreter")
        .says("Load every app in the main Python interpreter"),
    flag("no-default-app").not_yet("the finer rules of several applications")
        .says("Do not fall back to default app; unmatched gives 500"),
    flag("manage-script-name").sets(|d, v| d.python.manage_script_name = v.on()).works()
        .says("Split SCRIPT_NAME/PATH_INFO by mounted app"),
    flag("ignore-script-name").not_yet("the finer rules of several applications")
        .says("Do not use SCRIPT_NAME to choose the app"),
    flag("catch-exceptions").sets(|d, v| d.python.catch_exceptions = v.on()).works()
        .says("Return Python traceback as response body (debug only)"),
    pair("mount").aka(&["worker-mount"]).list().sets(|d, v| d.python.mounts.push(v.pair())).works()
        .says("Load an app under a URL prefix: /prefix=app"),
    path("wsgi-file").aka(&["file"]).sets(|d, v| d.python.file = Some(v.path())).works()
        .says("Load WSGI app from a file path"),
    text("eval").unsupported(MODULE).says("Load WSGI app from inline Python code"),
    text("module").aka(&["wsgi"]).short('w').sets(|d, v| d.python.module = Some(v.string())).works()
        .says("Load WSGI app: package.module[:callable[()]]"),
    text("callable").default("application").sets(|d, v| d.python.callable = Some(v.string())).works()
        .says("Name of the WSGI callable"),
    path("virtualenv").aka(&["home", "venv", "pyhome"]).short('H').sets(|d, v| d.python.home = Some(v.path())).works()
        .says("Python home or virtual environment directory"),
    text("py-programname").aka(&["py-program-name"]).accepted("the interpreter is that of the virtual environment")
        .says("Python program name (prefix discovery)"),
    list("pythonpath").aka(&["python-path", "pp"]).sets(|d, v| d.python.path.push(v.string())).works()
        .says("Directory (glob) put at the front of sys.path"),
    list("pymodule-alias").unsupported("set sys.modules in a module named by shared-import")
        .says("Alias module name: alias=module or path"),
    list("post-pymodule-alias").unsupported("set sys.modules in a module named by shared-import")
        .says("Module alias set after uwsgi module exists"),
    list("import").aka(&["pyimport", "py-import", "python-import"]).sets(|d, v| d.python.imports.push(v.string()))
        .works().says("Import module or file before the app loads"),
    list("shared-import").aka(&["shared-pyimport", "shared-py-import", "shared-python-import"])
        .sets(|d, v| d.python.shared_imports.push(v.string())).works().says("Import module in master before apps"),
    text("pyargv").sets(|d, v| d.python.argv = v.text.split_whitespace().map(str::to_owned).collect()).works()
        .says("Words for sys.argv[1:], split on whitespace"),
    int("optimize", 0, 2).short('O').default("0").sets(|d, v| d.python.optimize = u8::try_from(v.number).unwrap_or(0))
        .works().says("Interpreter optimisation level, as python -O"),
    text("pecan").unsupported(MODULE).says("Build the app with pecan.deploy from this file"),
    text("paste").unsupported(MODULE).says("Load app from paste.deploy URI (config:/path)"),
    flag("paste-logger").unsupported("configure logging in the module").says("Configure logging from the paste file"),
    text("web3").unsupported(MODULE).says("Application following the abandoned web3 draft"),
    text("pump").unsupported(MODULE).says("Application following the abandoned pump draft"),
    text("wsgi-lite").unsupported(MODULE).says("Application following the experimental WSGI-lite draft"),
    flag("reload-os-env").accepted("os.environ is that of the worker").says("Refresh os.environ for each loaded app"),
    flag("no-site").not_yet("starting Python without site").says("Start Python without the site module (-S)"),
    text("pyshell").optional().unsupported("run it with the interpreter of the virtual environment")
        .says("Interactive Python in worker 1"),
    text("pyshell-oneshot").optional().unsupported("run it with the interpreter of the virtual environment")
        .says("Interactive Python once in worker 1"),
    path("pyrun").aka(&["python", "py"]).unsupported("run it with the interpreter of the virtual environment")
        .says("Execute a Python script with the server API available"),
    text("py-tracebacker").not_yet("tracebacks on demand").says("UNIX socket prefix printing thread tracebacks"),
    seconds("py-autoreload").aka(&["py-auto-reload", "python-auto-reload", "python-autoreload"]).default("0")
        .sets(|d, v| d.python.autoreload = v.duration().as_secs()).works()
        .says("Reload when a loaded module's file changes (seconds)"),
    list("py-auto-reload-ignore").not_yet("exceptions from py-autoreload").says("Module excluded from py-autoreload"),
    text("wsgi-env-behaviour").aka(&["wsgi-env-behavior"]).default("cheat")
        .accepted("every request has its own environ").says("WSGI environ reuse: cheat (default) or holy"),
    flag("start_response-nodelay").accepted("headers leave with the first piece of the body")
        .says("Send headers as soon as start_response is called"),
    flag("wsgi-strict").accepted("the rules of PEP 3333 always hold").says("Disable non-PEP shortcuts"),
    flag("wsgi-accept-buffer").aka(&["wsgi-accept-buffers"]).accepted("any bytes-like chunk is accepted")
        .says("Accept buffer objects as response chunks"),
    flag("wsgi-disable-file-wrapper").not_yet("hiding wsgi.file_wrapper").says("Do not offer wsgi.file_wrapper"),
    text("python-raw").unsupported("use the uwsgi protocol and WSGI").says("Python file handling raw connections"),
    flag("py-call-osafterfork").accepted("CPython's own fork hooks always run")
        .says("Call Python after-fork hook so workers get signals"),
    flag("py-call-uwsgi-fork-hooks").accepted("CPython's own fork hooks always run")
        .says("Run Python fork hooks around every fork"),
    text("python-worker-override").unsupported("the worker's loop is rhinod's own")
        .says("Run this script in place of the worker loop"),
    text("py-executable").aka(&["py-sys-executable"]).not_yet("another sys.executable")
        .says("Value for sys.executable"),
];
