//! The Python application and its interpreter.
//!
//! The rows of the option table for the group [`Python`](super::Group::Python).
//! Read in the master before anything else, and by the commands.

use std::path::{Path, PathBuf};

use super::draft::Draft;
use super::row::{Opt, count, flag, int, list, pair, path, seconds, text};
use crate::config::error::ConfigError;
use crate::config::model::{Application, EnvironmentChange};

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
    path("py-tracebacker").sets(|d, v| d.python.tracebacker = Some(v.path())).works()
        .says("Tell where each thread is to whoever connects to this path with the worker's number behind it"),
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

/// Names the application. `module` wins over `wsgi-file` (uWSGI's manual, "Quickstart for Python/WSGI
/// applications").
pub(super) fn judge(draft: &mut Draft<'_>) {
    let serves = draft.python.module.is_some() || draft.python.file.is_some() || !draft.python.mounts.is_empty();
    let runs = !draft.config.mules.list.is_empty() || !draft.config.spoolers.list.is_empty();
    let python = serves || runs;
    let rust = draft.rust_app.take();
    if let (true, Some(directive), Some(path)) = (python, draft.given("rust-app"), &rust) {
        let problem = format!("{} and a Python application were named; one instance serves one", path.display());
        draft.error(ConfigError::about(directive, problem).suggest("remove one of them"));
    }
    if let (Some(_), Some(_), Some(directive)) = (&draft.python.module, &draft.python.file, draft.given("wsgi-file")) {
        draft.idle(ConfigError::about(directive, "has no effect: `module` names the application"));
        draft.python.file = None;
    }
    draft.config.application = match rust {
        Some(path) => Application::Rust(path),
        None if python => Application::Python(std::mem::take(&mut draft.python)),
        None => Application::Embedded,
    };
    let own = draft.surroundings().own_interpreter.clone();
    if let Application::Python(python) = &mut draft.config.application {
        python.own_interpreter = own;
    }
    judge_interpreter(draft);
    if let (true, Application::Python(_), Some(directive)) =
        (draft.config.threads > 1, &draft.config.application, draft.given("threads"))
    {
        let problem = "several requests run at once in one worker; the application must be thread-safe";
        draft.warning(ConfigError::about(directive, problem));
    }
}

/// Whether the interpreter that was asked for can be executed. A hook may still make it.
fn judge_interpreter(draft: &mut Draft<'_>) {
    let Application::Python(python) = &draft.config.application else { return };
    let from_path = python.interpreters().is_empty();
    let candidates = if from_path { on_path(draft, "python3") } else { python.interpreters() };
    // The master is in `chdir` by the time it executes one. Where a relative one is cannot be told: at a reload the
    // master is there already.
    let chdir = draft.config.identity.chdir.as_deref();
    let is_unknown = |path: &Path| path.is_relative() && chdir.is_some_and(Path::is_relative);
    let place = |path: &Path| chdir.map_or_else(|| path.to_owned(), |directory| directory.join(path));
    let serves = |path: &PathBuf| is_unknown(path) || (draft.surroundings().executes)(&place(path));
    if candidates.is_empty() || candidates.iter().any(serves) || !draft.config.hooks.is_empty() {
        return;
    }
    let (options, suggestion) = match &python.home {
        Some(home) => (&["virtualenv"][..], format!("make the virtualenv: python3 -m venv {}", home.display())),
        None if from_path => {
            (&["module", "wsgi-file", "mount"][..], "name a virtualenv (home) or python-executable".to_owned())
        }
        None => (&["python-executable"][..], "name a CPython, 3.9 or later".to_owned()),
    };
    if let Some(directive) = options.iter().find_map(|option| draft.given(option)) {
        let places: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
        let whence = if from_path { " (PATH)" } else { "" };
        let problem = format!("no interpreter can be executed: looked for {}{whence}", places.join(" and "));
        draft.error(ConfigError::about(directive, problem).suggest(suggestion));
    }
}

/// Where a program is looked for, by the `PATH` that the configuration leaves to the process; nowhere without one.
fn on_path(draft: &Draft<'_>, program: &str) -> Vec<PathBuf> {
    let path = draft.config.environment.iter().rev().find_map(|change| match change {
        EnvironmentChange::Set(name, value) if name == "PATH" => Some(Some(value)),
        EnvironmentChange::Unset(name) if name == "PATH" => Some(None),
        _ => None,
    });
    let path = path.unwrap_or(draft.surroundings().search_path.as_ref());
    path.into_iter().flat_map(|path| path.split(':')).map(|directory| Path::new(directory).join(program)).collect()
}
