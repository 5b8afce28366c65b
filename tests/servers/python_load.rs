//! Loading Python applications: every way to name one, several at once, and everything that can be wrong with one.
//! uWSGI's manual, "Quickstart for Python/WSGI applications".

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::harness::{Gate, Instance, Launch, wait_until, write_executable};
use crate::monitoring::bytes_after;
use crate::pythons::{Python, launch_in, one, supported, too_old};
use loadgen::packet::Request;
use nix::sys::signal::Signal;
use tempfile::TempDir;

/// Exit code of an instance whose application cannot be loaded (uWSGI's manual, "Things to know").
const LOAD_FAILED: i32 = 22;

/// Files of one application in a directory of their own.
struct Files(TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = Self(tempfile::tempdir().expect("a temporary directory"));
        for (name, text) in files {
            directory.write(name, text);
        }
        directory
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, text).expect("write a file");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn launch(&self, python: &Python) -> Launch {
        launch_in(python, self.0.path())
    }
}

/// An application that answers with an expression.
fn saying(expression: &str) -> String {
    format!(
        "import os, sys\n\
         def application(environ, start_response):\n\
         \x20   start_response('200 OK', [('Content-Type', 'text/plain')])\n\
         \x20   return [str({expression}).encode()]\n"
    )
}

fn get(instance: &Instance, target: &str) -> String {
    String::from_utf8_lossy(instance.get(target).body()).into_owned()
}

#[test]
fn an_application_can_be_named_in_every_way() {
    let package = format!("{}app = application\ndef make():\n    return application\n", saying("__name__"));
    let files = Files::new(&[("package/__init__.py", ""), ("package/web.py", &package), ("a file.wsgi", &package)]);
    let ways: [(&[(&str, &str)], &str); 7] = [
        (&[("module", "package.web")], "package.web"),
        (&[("wsgi", "package.web:app")], "package.web"),
        (&[("module", "package.web:make()")], "package.web"),
        (&[("module", "package.web"), ("callable", "app")], "package.web"),
        (&[("wsgi-file", "package/web.py")], "uwsgi_file_package_web"),
        (&[("file", "a file.wsgi"), ("callable", "app")], "uwsgi_file_a file_wsgi"),
        // Of both, the module wins.
        (&[("wsgi-file", "package/web.py"), ("module", "package.web")], "package.web"),
    ];
    for (options, name) in ways {
        let launch = options.iter().fold(files.launch(&one()), |launch, (key, value)| launch.set(key, value));
        let mut instance = launch.start();
        instance.expect_log("wsgi-file = package/web.py: has no effect: `module` names the application");
        assert_eq!(get(&instance, "/"), name, "{options:?}");
    }
}

#[test]
fn the_interpreter_is_what_applications_expect() {
    let text =
        saying("[sys.argv, sys.path[:3], os.environ.get('SET'), os.getcwd(), sys.flags.optimize, sys.executable]");
    let files = Files::new(&[("web.py", &text), ("one/first.py", ""), ("two/second.py", "")]);
    for python in supported() {
        let launch = files.launch(python).set("module", "web").set("pyargv", "--flag value").set("optimize", 1);
        let instance = launch.line("pythonpath = one").line("pythonpath = two").line("env = SET=to this").start();
        let directory = fs::canonicalize(files.0.path()).expect("the directory");
        assert_eq!(
            get(&instance, "/"),
            format!(
                "[['uwsgi', '--flag', 'value'], ['two', 'one', '.'], 'to this', '{}', 1, '{}']",
                directory.display(),
                python.path.display()
            )
        );
    }
}

#[test]
fn a_virtualenv_runs_its_own_interpreter() {
    let files = Files::new(&[("web.py", &saying("sys.prefix"))]);
    let python = one();
    make_virtualenv(&python, &files.path("venv"));
    // Relative to chdir, and absolute.
    for home in ["venv".to_owned(), files.path("venv").display().to_string()] {
        let launch = files.launch(&python).without("python-executable").set("module", "web").set("home", home);
        let server = launch.start();
        assert_says_who_it_is(&server, &python);
        let prefix = get(&server, "/");
        assert_eq!(fs::canonicalize(prefix).ok(), fs::canonicalize(files.path("venv")).ok());
    }
    // Where `bin/python` cannot be executed, `bin/python3` is its interpreter.
    let interpreter = fs::canonicalize(files.path("venv/bin/python")).expect("an interpreter");
    for name in ["venv/bin/python", "venv/bin/python3"] {
        fs::remove_file(files.path(name)).expect("one of the virtualenv's names");
    }
    files.write("venv/bin/python", "");
    symlink(interpreter, files.path("venv/bin/python3")).expect("a link");
    let launch = files.launch(&python).without("python-executable").set("module", "web").set("home", "venv");
    let prefix = get(&launch.start(), "/");
    assert_eq!(fs::canonicalize(prefix).ok(), fs::canonicalize(files.path("venv")).ok());
}

/// In three lines: version, application, interpreter and virtualenv; workers; address.
#[track_caller]
fn assert_says_who_it_is(server: &Instance, python: &Python) {
    let lines = server.log.lines();
    let start: Vec<&String> = lines.iter().skip_while(|line| !line.contains(" serves ")).take(3).collect();
    let [first, second, third] = start[..] else { panic!("{lines:#?}") };
    let ((major, minor), version) = (python.version, env!("CARGO_PKG_VERSION"));
    let who =
        format!("rhinod {version} (pid {}) serves the Python module web, by Python {major}.{minor}.", server.pid());
    assert!(first.starts_with(&who) && first.contains(", the virtualenv "), "{first}");
    assert_eq!(second, "1 worker with 1 thread");
    assert!(third.contains(&format!("bound to {}", server.socket().display())), "{third}");
}

/// A virtualenv without packages.
fn make_virtualenv(python: &Python, place: &Path) {
    let mut venv = std::process::Command::new(&python.path);
    assert!(venv.args(["-m", "venv", "--without-pip"]).arg(place).status().expect("execute Python").success());
}

#[test]
fn imports_come_before_the_application_and_may_fail() {
    let files = Files::new(&[
        ("web.py", &saying("[sys.modules[name].__name__ for name in ('early', '__late')]")),
        ("early.py", "print('early is imported')\n"),
        ("late.py", "import early\nprint('late is imported')\n"),
        ("wrong.py", "raise ValueError('an import of no importance')\n"),
    ]);
    let launch = files.launch(&one()).set("module", "web").set("shared-import", "early");
    let mut instance = launch.line("import = ./late.py").line("import = wrong").start();
    instance.expect_log("import = wrong failed");
    assert_eq!(get(&instance, "/"), "['early', '__late']");
    instance.log.wait_for("import = wrong failed");
    instance.log.wait_for("ValueError: an import of no importance");
}

#[test]
fn mounts_split_the_path_where_it_is_asked_for() {
    let told = |name: &str| saying(&format!("['{name}', environ['SCRIPT_NAME'], environ['PATH_INFO']]"));
    let files = Files::new(&[("root.py", &told("root")), ("app.py", &told("app")), ("sub.wsgi", &told("sub"))]);
    let launch = || {
        let launch = files.launch(&one()).set("module", "root").line("mount = /app/=app:application");
        launch.line("mount = /app/sub=sub.wsgi")
    };
    // Columns: SCRIPT_NAME and PATH_INFO as sent; who answers, SCRIPT_NAME and PATH_INFO with manage-script-name.
    let rows = [
        ("", "/app/sub/y", "['sub', '/app/sub', '/y']"),
        ("", "/app/x", "['app', '/app', '/x']"),
        ("", "/app/", "['app', '/app', '/']"),
        // uWSGI hands out 64 KiB of memory here, for the slash at the mountpoint's end (a fault of uWSGI's).
        ("", "/app", "['app', '/app', '']"),
        ("", "/appx", "['root', '', '/appx']"),
        ("", "/other", "['root', '', '/other']"),
        // uWSGI leaves SCRIPT_NAME out here.
        ("", "/", "['root', '', '/']"),
        ("/app", "/x", "['app', '/app', '/x']"),
        ("/bogus", "/app/x", "['app', '/app', '/x']"),
        ("/bogus", "/other", "['root', '/bogus', '/other']"),
    ];
    let managed = launch().set("manage-script-name", true).start();
    for (script_name, path, expected) in rows {
        let mut request = Request::get("/").var("PATH_INFO", path.as_bytes());
        if !script_name.is_empty() {
            request = request.var("SCRIPT_NAME", script_name.as_bytes());
        }
        assert_eq!(String::from_utf8_lossy(managed.ask(&request).body()), expected, "{script_name} {path}");
    }
    let plain = launch().start();
    assert_eq!(get(&plain, "/app/x"), "['root', '', '/app/x']");
    let request = Request::get("/app/x").var("SCRIPT_NAME", b"/app");
    assert_eq!(String::from_utf8_lossy(plain.ask(&request).body()), "['app', '/app', '/app/x']");
}

#[test]
fn a_dictionary_of_applications_is_mounted() {
    let text = format!("{}applications = {{'': application, '/other': 'other'}}\n", saying("'root'"));
    let text = text + &saying("'other'").replace("application(", "other(");
    let files = Files::new(&[("web.py", &text)]);
    let instance = files.launch(&one()).set("module", "web").set("manage-script-name", true).start();
    assert_eq!((get(&instance, "/"), get(&instance, "/other/x")), ("root".to_owned(), "other".to_owned()));
}

/// Options that name an application which cannot be loaded.
type Options = &'static [(&'static str, &'static str)];

/// What is wrong with an application, and what the operator reads.
const WRONG: &[(Options, &[&str])] = &[
    (&[("module", "")], &["module is empty: it names the application"]),
    (
        &[("module", "missing.web")],
        &["module = missing.web cannot be loaded", "No module named 'missing'", "Looked for the module missing"],
    ),
    (
        &[("module", "web.py")],
        &["web.py is a file, not a module: write module = web:application, or wsgi-file = web.py"],
    ),
    (
        &[("module", "web:missing")],
        &["module = web:missing: module web (", "has no 'missing'", "Callables there: application"],
    ),
    (&[("module", "web:text")], &["the application is of type str, which cannot be called"]),
    (&[("module", "web:failing()")], &["module = web:failing(): failing() failed", "ValueError: no application today"]),
    (&[("module", "raising")], &["Traceback", "raising.py\", line 2", "ZeroDivisionError"]),
    (&[("module", "leaving")], &["SystemExit: 31"]),
    (&[("module", "wrong_syntax")], &["SyntaxError"]),
    (&[("module", "importing")], &["importing.py", "No module named 'not_installed'"]),
    (
        &[("wsgi-file", "missing.py")],
        &["wsgi-file = missing.py: No such file or directory (looked for /", "/missing.py)"],
    ),
    (&[("wsgi-file", "raising.py")], &["wsgi-file = raising.py cannot be loaded", "ZeroDivisionError"]),
    (&[("mount", "/x=missing:app")], &["mount = /x=missing:app cannot be loaded"]),
];

fn wrong_files() -> Files {
    let web = saying("'fine'") + "text = 'text'\ndef failing():\n    raise ValueError('no application today')\n";
    Files::new(&[
        ("web.py", &web),
        ("raising.py", "x = 1\nx / 0\n"),
        ("leaving.py", "import sys\nsys.exit(31)\n"),
        ("wrong_syntax.py", "def application(:\n"),
        ("importing.py", "import not_installed\n"),
    ])
}

#[test]
fn an_application_that_cannot_be_loaded_ends_the_start_with_need_app() {
    let files = wrong_files();
    for (options, says) in WRONG {
        let launch = files.launch(&one()).set("need-app", true);
        let failed = options.iter().fold(launch, |launch, (key, value)| launch.set(key, value)).fails();
        let text = failed.lines.join("\n");
        for part in *says {
            assert!(text.contains(part), "no {part:?} in\n{text}");
        }
        assert_eq!(failed.code, LOAD_FAILED, "{text}");
        assert!(!text.contains("rhinod loader"), "our own frames are of no interest:\n{text}");
    }
}

#[test]
fn without_need_app_every_request_gets_500_until_the_reload_works() {
    let files = wrong_files();
    let mut instance = files.launch(&one()).set("need-app", false).set("module", "raising").start();
    instance.expect_log("[error] ");
    instance.log.wait_for("ZeroDivisionError");
    instance.log.wait_for("*** no app loaded: every request is answered with 500");
    assert_eq!(instance.get("/").status(), Some(500));
    instance.log.wait_for("--- no python application found, check your startup logs for errors ---");
    files.write("raising.py", &saying("'repaired'"));
    instance.signal(Signal::SIGHUP);
    instance.log.wait_for("generation 2 loaded");
    instance.log.wait_for("worker 1 buried");
    assert_eq!(get(&instance, "/"), "repaired");
}

#[test]
fn a_reload_that_cannot_load_leaves_the_old_generation_serving() {
    let files = Files::new(&[("web.py", &saying("'first'"))]);
    let mut instance = files.launch(&one()).set("need-app", false).set("module", "web").start();
    files.write("web.py", "import nothing_of_that_name\n");
    instance.expect_log("[error]");
    instance.signal(Signal::SIGHUP);
    instance.log.wait_for("No module named 'nothing_of_that_name'");
    instance.log.wait_for("reload failed");
    assert_eq!(get(&instance, "/"), "first");
}

/// An exception into whose message somebody else has put what he likes: a name in a database, an answer of another host.
const FORGING: &str = "\
raise ValueError('no such shop: a\\n[pid: 1|app: 0|req: 1/1] 6.6.6.6 () GET /admin\\r\\x1b[2J\\0' + 'x' * 60000)
";

fn assert_forges_nothing(lines: &[String]) {
    let text = lines.join("\n");
    assert!(text.contains("[pid: 1|app: 0|req: 1/1] 6.6.6.6 () GET /admin\\x0d\\x1b[2J\\x00xxx"), "{text}");
    assert!(!lines.iter().any(|line| line.starts_with("[pid: 1|")), "{text}");
    assert!(!text.contains(|letter: char| letter.is_control() && letter != '\n'), "{text:?}");
    assert!(lines.iter().all(|line| line.len() < 3_000), "a line of {:?} bytes", lines.iter().map(String::len).max());
}

#[test]
fn no_message_of_an_exception_while_loading_forges_a_line() {
    let files = Files::new(&[("web.py", FORGING)]);
    for lazy in [false, true] {
        let launch = files.launch(&one()).set("need-app", true).set("module", "web").set("lazy-apps", lazy);
        assert_forges_nothing(&launch.fails().lines);
    }
    let launch = files.launch(&one()).set("need-app", false).set("module", "web");
    let pid_file = launch.dir().join("pid");
    let mut instance = launch.set("pidfile", pid_file.display()).start();
    instance.expect_log("unable to load app");
    instance.expect_log("*** no app loaded");
    assert_forges_nothing(&instance.log.lines());
    // What the operator reads who asks for a reload, and afterwards for the state.
    instance.expect_log("reload failed");
    instance.expect_log("generation 2 failed");
    let output = crate::reloading::operator(&instance, "--reload");
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert_forges_nothing(&said.lines().map(str::to_owned).collect::<Vec<_>>());
}

/// Code that cannot serve, and what the log says of it. (What raises in a hook after the fork serves, as in uWSGI.)
const BAD_CODE: &[(&str, &str)] = &[
    ("import nothing_of_that_name\n", "No module named 'nothing_of_that_name'"),
    ("raise ValueError('no database')\n", "ValueError: no database"),
    ("def application(:\n", "SyntaxError"),
    ("import sys\nsys.exit(31)\n", "SystemExit: 31"),
    ("import os\nos._exit(7)\n", "7"),
    ("import ctypes\nctypes.string_at(0)\n", "signal 11"),
    ("import time\nwhile True: time.sleep(60)\n", "load-timeout"),
    ("import os, uwsgidecorators as d\n@d.postfork\ndef f():\n    os._exit(8)\n", "8"),
    ("application = None\n", "NoneType"),
];

/// Brings bad code to an instance that serves, then good code again.
fn bad_code_is_survived(change: impl FnOnce(Launch) -> Launch) {
    let first = saying("'first'");
    let files = Files::new(&[("web.py", &first)]);
    let launch = files.launch(&one()).set("need-app", true).set("load-timeout", 3).set("module", "web");
    let launch = change(launch);
    let pid_file = launch.dir().join("pid");
    let mut instance = launch.set("pidfile", pid_file.display()).start();
    for word in ["[error]", "[warn]", "DAMN"] {
        instance.expect_log(word);
    }
    for (code, reason) in BAD_CODE {
        let seen = instance.log.position();
        files.write("web.py", &format!("{first}\n{code}"));
        let output = crate::reloading::operator(&instance, "--reload");
        assert_eq!(output.status.code(), Some(crate::reloading::RELOAD_FAILED), "{code}: {output:?}");
        instance.log.wait_for_after(seen, reason);
        assert_eq!(get(&instance, "/"), "first", "{code}");
    }
    files.write("web.py", &saying("'mended'"));
    let old = instance.workers();
    crate::reloading::reload(&instance);
    assert!(old.iter().all(crate::reloading::goes), "an old worker stays");
    assert_eq!(get(&instance, "/"), "mended");
}

#[test]
fn bad_code_is_survived_with_one_worker() {
    bad_code_is_survived(|launch| launch);
}

#[test]
fn bad_code_is_survived_with_cheaper_and_lazy_applications() {
    bad_code_is_survived(|launch| launch.set("workers", 3).set("cheaper", 1).set("lazy-apps", true));
}

#[test]
fn lazy_applications_are_loaded_in_each_worker() {
    let text = format!("import os\nLOADED = os.getpid()\n{}", saying("LOADED == os.getpid()"));
    let files = Files::new(&[("web.py", &text), ("shared.py", "import os\nPID = os.getpid()\n")]);
    let lazy = files.launch(&one()).set("module", "web").set("lazy-apps", true).start();
    assert_eq!(get(&lazy, "/"), "True");
    let shared = files.launch(&one()).set("module", "web").start();
    assert_eq!(get(&shared, "/"), "False");
}

#[test]
fn interpreters_that_cannot_serve_are_named() {
    let files = wrong_files();
    let base = || files.launch(&one()).without("python-executable").set("module", "web");
    let said = |launch: Launch| launch.fails().lines.join("\n");
    for (option, value, says) in [
        ("home", "no-virtualenv", "no-virtualenv/bin/python"),
        ("python-executable", "/no/such/python", "/no/such/python"),
        ("python-executable", "/etc/passwd", "no interpreter can be executed: looked for /etc/passwd"),
    ] {
        let failed = base().set(option, value).fails();
        let text = failed.lines.join("\n");
        assert!(text.contains(says), "{text}");
        assert_eq!(failed.code, i32::from(rhinod::exit::Exit::Configuration.code()), "{text}");
    }
    write_executable(&files.path("script"), b"#!/bin/sh\necho no Python at all\nexit 3\n");
    for (program, says) in [
        ("/bin/true", "/bin/true (python-executable) must be CPython, 3.9 or later; it ended with status 0"),
        ("script", "script (python-executable) must be CPython, 3.9 or later; it ended with status 3"),
    ] {
        let text = said(base().set("python-executable", program));
        assert!(text.contains(says), "{text}");
    }
    if let Some(old) = too_old() {
        eprintln!("too old: {}", old.path.display());
        let text = said(base().set("python-executable", old.path.display()));
        let version = format!("is Python {}.{}; applications need CPython 3.9 or later", old.version.0, old.version.1);
        assert!(text.contains(&version), "{text}");
    }
    // Few machines have a free-threaded one; this is an ordinary one that says so.
    let python = one();
    make_virtualenv(&python, &files.path("free"));
    let packages = format!("free/lib/python{}.{}/site-packages", python.version.0, python.version.1);
    // Not by a `sitecustomize`: Debian's interpreter has one of its own, which comes first.
    files.write(&format!("{packages}/free.pth"), "import sys; sys.abiflags += 't'\n");
    let text = said(base().set("home", "free"));
    assert!(text.contains("free/bin/python is a free-threaded Python, which has no stable ABI"), "{text}");
}

#[test]
fn a_changed_source_reloads_under_py_autoreload() {
    let files = Files::new(&[("web.py", "from part import PART\n"), ("part.py", "PART = 'old'\n")]);
    files.write("web.py", &format!("from part import PART\n{}", saying("PART")));
    let instance = files.launch(&one()).set("module", "web").set("py-autoreload", 1).start();
    assert_eq!(get(&instance, "/"), "old");
    touch_with(&files.path("part.py"), "PART = 'new'\n");
    instance.log.wait_for("part.py has changed, reloading");
    instance.log.wait_for("worker 1 buried");
    assert_eq!(get(&instance, "/"), "new");
}

#[test]
fn whoever_connects_to_the_tracebacker_is_told_where_each_thread_is() {
    let application = "import os\ndef stuck_here():\n    open(os.environ['GATE']).read()\n\
        def application(environ, start_response):\n    stuck_here()\n    start_response('200 OK', [])\n    return [b'out']\n";
    let files = Files::new(&[("web.py", application)]);
    let gate = Gate::at(files.path("gate"));
    let launch = files.launch(&one()).set("module", "web").set("workers", 1).env("GATE", gate.path().display());
    // Of a worker that died before it had its name.
    let left = files.path("where.1.4294967295");
    drop(std::os::unix::net::UnixListener::bind(&left).expect("a socket"));
    let instance = launch.set("py-tracebacker", files.path("where.").display()).start();
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| get(&instance, "/"));
        let told = || String::from_utf8_lossy(&bytes_after(&files.path("where.1"), b"")).into_owned();
        let found = wait_until(|| told().contains("function = stuck_here line = open(os.environ['GATE']).read()"));
        let last = told();
        // Before anything may fail: lets it go.
        gate.open(b"");
        assert!(found && last.starts_with("*** uWSGI Python tracebacker output ***\n\nthread_id = "), "{last}");
        assert_eq!(answer.join().expect("an answer"), "out");
    });
    assert!(!left.exists(), "it is still there");
}

/// Writes a file anew, so that its time is surely another one.
fn touch_with(path: &Path, text: &str) {
    fs::write(path, text).expect("write the file");
    let file = fs::File::options().append(true).open(path).expect("the file");
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(5);
    file.set_modified(later).expect("set the time");
}
