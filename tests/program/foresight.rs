//! What `rhinod check` foresees of a start: each thing that would keep an instance from starting, on a directory of the
//! test's own whose rights are told by rules, so that the tests hold for every user who runs them.

use std::fs;
use std::path::PathBuf;

use rhinod::cli::{self, Exit};
use rhinod::config::ground::Access;
use rhinod::config::report::paint::Paint;
use rhinod::config::{Host, Invocation};

use crate::configurations::{Case, Rules, surroundings};

/// A project: wsgi.py, a package `site` with `app.py`, a virtualenv, and rhinod with its extension module.
struct Project {
    directory: tempfile::TempDir,
    rules: Rules,
}

impl Project {
    fn new() -> Project {
        let directory = tempfile::tempdir().expect("a directory");
        let path = fs::canonicalize(directory.path()).expect("a path");
        for file in ["wsgi.py", "shop/__init__.py", "shop/app.py", "bin/rhinod", "bin/_rhinod.abi3.so"] {
            let file = path.join(file);
            fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
            fs::write(file, "").expect("a file");
        }
        fs::create_dir_all(path.join("venv/bin")).expect("a directory");
        fs::create_dir_all(path.join("venv/lib/python3.12/site-packages/flask")).expect("a directory");
        fs::write(path.join("venv/lib/python3.12/site-packages/flask/__init__.py"), "").expect("a file");
        fs::write(path.join("venv/pyvenv.cfg"), "home = /nonexistent/bin\n").expect("a file");
        fs::write(path.join("venv/bin/python"), "").expect("a file");
        Project { directory, rules: Rules::default() }
    }

    fn path(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.directory.path()).expect("a path").join(name)
    }

    /// What the server may not do.
    fn denied(mut self, name: &str, access: Access) -> Project {
        self.rules.denied.push((self.path(name), access, false));
        self
    }

    /// The report on lines, with `{}` in the place of the project's directory, and the status.
    fn check(&self, lines: &str) -> (String, Exit) {
        let here = self.path("").display().to_string().trim_end_matches('/').to_owned();
        let ini = self.path("app.ini");
        fs::write(&ini, format!("[uwsgi]\n{}", lines.replace("{}", &here))).expect("a file");
        let called = Invocation {
            program: self.path("bin/rhinod"),
            directory: self.path(""),
            ..Case::read("00-talk").invocation
        };
        let command = cli::Command::Check { arguments: vec![ini.into()], format: cli::Format::Text };
        let world = Host::new();
        let printed = cli::print(&command, &called, &world, &surroundings(), &self.rules, Paint::Bare);
        let printed = printed.expect("a printing command");
        (printed.output.replace(&here, "{}"), printed.exit)
    }

    fn assert_stopped(&self, lines: &str, says: &[&str]) {
        let (report, exit) = self.check(lines);
        assert_eq!(exit, Exit::WillNotStart, "{lines}: {report}");
        for text in says {
            assert!(report.contains(text), "no {text:?} in\n{report}");
        }
        assert!(report.ends_with("It will not start.\n"), "{report}");
    }

    /// It starts without an application; with `need-app` it does not start.
    fn assert_serves_nothing(&self, lines: &str, says: &[&str]) {
        let (report, exit) = self.check(lines);
        assert_eq!(exit, Exit::WillNotStart, "{lines}: {report}");
        assert!(report.ends_with("It starts, but answers every request with 500.\n"), "{report}");
        self.assert_stopped(&format!("{lines}\nneed-app = true\n"), says);
    }

    fn assert_fine(&self, lines: &str) -> String {
        let (report, exit) = self.check(lines);
        assert_eq!(exit, Exit::Success, "{lines}: {report}");
        report
    }
}

const GOOD: &str = "socket = {}/app.sock\nchmod-socket = 666\nchdir = {}\nhome = {}/venv\nuid = app\n";

fn with(more: &str) -> String {
    format!("{GOOD}module = wsgi:app\n{more}\n")
}

#[test]
fn a_project_that_is_whole_is_fine_and_what_was_not_tried_is_said() {
    let report = Project::new().assert_fine(&with("pidfile = app.pid\nlogto = app.log\nmaster-fifo = app.fifo"));
    assert!(report.contains("Not tried: importing wsgi:app and all that it imports; whether another"), "{report}");
}

#[test]
fn the_configuration_of_an_embedding_binary_needs_no_application() {
    let mut project = Project::new();
    project.assert_stopped(
        "socket = {}/app.sock\nchmod-socket = 666\n",
        &["no application is named", "module = wsgi:app"],
    );
    project.rules.embeds = true;
    project.assert_fine("socket = {}/app.sock\nchmod-socket = 666\n");
}

#[test]
fn directories_that_are_missing_or_closed() {
    let project = Project::new();
    let moved = with("").replace("chdir = {}\n", "chdir = {}/away\n");
    project.assert_stopped(&moved, &["app.ini:4  chdir = {}/away", "there is no {}/away; make it (mkdir -p {}/away)"]);
    project.assert_stopped(&with("chdir2 = wsgi.py"), &["{}/wsgi.py is not a directory"]);
    project.assert_stopped(&with("touch-reload = away/flag"), &["touch-reload = away/flag", "there is no {}/away"]);
    let closed = Project::new().denied("venv", Access::Execute);
    let says = ["user app may not go through the directory {}/venv", "chmod o+x {}/venv"];
    closed.assert_stopped(&with(""), &says);
}

/// What a link leads through counts as well: a virtualenv's interpreter may lie in somebody's home.
#[test]
fn what_a_link_leads_through_must_be_open_too() {
    let project = Project::new().denied("private", Access::Execute);
    fs::create_dir(project.path("private")).expect("a directory");
    fs::rename(project.path("venv/bin/python"), project.path("private/python")).expect("renamed");
    std::os::unix::fs::symlink(project.path("private/python"), project.path("venv/bin/python")).expect("a link");
    project.assert_stopped(&with(""), &["app.ini:5  home", "user app may not go through the directory {}/private"]);
}

#[test]
fn files_that_may_not_be_written_each_by_who_writes_it() {
    let project = Project::new().denied("shop", Access::Write);
    for line in [
        "pidfile2 = shop/pid",
        "safe-pidfile = shop/pid",
        "safe-pidfile2 = shop/pid",
        "master-fifo = shop/f",
        "logto2 = shop/log",
        "logger = all file:shop/log",
        "req-logger = file:shop/log",
    ] {
        project.assert_stopped(&with(line), &[line, "user app may not make files in {}/shop; chown {}/shop"]);
    }
    for line in [
        "pidfile = shop/pid",
        "logto = shop/log",
        "cheaper-log = shop/log",
        "daemonize = shop/log",
        "pidfile2 = shop/pid\nmaster-as-root = true",
    ] {
        project.assert_fine(&with(line));
    }
    project.assert_stopped(&with("pidfile = away/pid"), &["there is no {}/away"]);
    project.assert_stopped(&with("pidfile = shop"), &["it is a directory"]);
    fs::write(project.path("shop/pid"), "").expect("a file");
    let project = project.denied("shop/pid", Access::Write);
    project.assert_stopped(&with("pidfile2 = shop/pid"), &["user app may not write to it"]);
}

#[test]
fn sockets_that_cannot_be_bound() {
    let mut project = Project::new().denied("shop", Access::Write);
    project.rules.first_port = 1024;
    let there = with("").replace("app.sock", "shop/app.sock");
    project.assert_stopped(&there, &["app.ini:2  socket", "user app may not make files in {}/shop"]);
    project.assert_fine(&there.replace("666", "666\nchown-socket = app:www"));
    project.assert_stopped(&with("").replace("app.sock", "wsgi.py"), &["it exists and is not a socket"]);
    let port = with("http-socket = :80");
    project.assert_stopped(&port, &["http-socket = :80", "may not listen on port 80", "CAP_NET_BIND_SERVICE"]);
    project.assert_fine(&with("http-socket = :8080"));
}

#[test]
fn addresses_of_statistics_that_cannot_be_had() {
    let mut project = Project::new().denied("shop", Access::Write);
    project.rules.first_port = 1024;
    for option in ["stats", "metrics"] {
        let told = |value: &str| with(&format!("{option} = {value}"));
        project.assert_fine(&told("127.0.0.1:9191"));
        project.assert_stopped(&told(":80"), &[option, "may not listen on port 80"]);
        project.assert_stopped(&told("shop/stats.sock"), &[option, "user app may not make files in {}/shop"]);
        project.assert_stopped(&told("app.sock"), &[option, "a socket of this configuration has that address"]);
    }
}

#[test]
fn files_of_users_that_rules_need_and_that_are_not_there() {
    let project = Project::new();
    let rule = |file: &str| with(&format!("route = ^/secret basicauth:Secret,{{}}/{file}"));
    for file in ["users", "venv"] {
        let (report, _) = project.check(&rule(file));
        let problem = format!("{{}}/{file} is no file of users, so that everybody is refused");
        assert!(report.contains(&problem) && report.contains("app.ini:8"), "{report}");
    }
    fs::write(project.path("users"), "ada:x\n").expect("a file");
    assert!(!project.assert_fine(&rule("users")).contains("everybody is refused"));
}

#[test]
fn users_that_do_not_exist() {
    let mut project = Project::new();
    project.rules.nobody = vec!["app", "www"];
    project.assert_stopped(&with(""), &["app.ini:6  uid = app", "there is no user \"app\""]);
    project.rules.nobody = vec!["www"];
    project.assert_stopped(&with("chown-socket = app:www"), &["chown-socket = app:www", "there is no user"]);
}

#[test]
fn modules_and_files_where_python_will_not_find_them() {
    let project = Project::new();
    for fine in [
        "module = wsgi",
        "module = shop.app:app",
        "module = shop:app",
        "module = flask:app",
        "wsgi-file = wsgi.py",
        "mount = /x=wsgi.py",
    ] {
        project.assert_fine(&format!("{GOOD}{fine}\n"));
    }
    for (line, says) in [
        ("module = wsgy:app", "no module `wsgy` was found: looked for wsgy.py in {}"),
        ("module = shop.wsgi:app", "there is no wsgi.py in {}/shop"),
        ("module = wsgi.py:app", "write `module = wsgi:app`"),
        ("wsgi-file = away.py", "there is no {}/away.py"),
        ("mount = /x=away.py", "there is no {}/away.py"),
        ("mount = /x=away:app", "no module `away` was found"),
    ] {
        project.assert_serves_nothing(&format!("{GOOD}{line}\n"), &[line, says]);
    }
    project.assert_fine(&with("").replace("module = wsgi:app", "module = app\npythonpath = sh*"));
    let unreadable = Project::new().denied("wsgi.py", Access::Read);
    unreadable.assert_serves_nothing(&with(""), &["user app may not read {}/wsgi.py"]);
}

/// An editable installation finds its modules by code, so that who does not execute it cannot know.
#[test]
fn where_python_may_know_more_a_missing_module_is_a_remark() {
    let project = Project::new();
    let packages = project.path("venv/lib/python3.12/site-packages");
    let lines = format!("{GOOD}module = away:app\n");
    fs::write(packages.join("distutils-precedence.pth"), "import os").expect("a file");
    project.assert_serves_nothing(&lines, &["no module `away`"]);
    fs::write(packages.join("__editable__.away.pth"), "import __editable___away_finder").expect("a file");
    let report = project.assert_fine(&lines);
    assert!(report.contains("no module `away` was found") && report.contains("Python may know more"), "{report}");
    let other = Project::new();
    fs::create_dir(other.path("elsewhere")).expect("a directory");
    fs::write(other.path("elsewhere/away.py"), "").expect("a file");
    let place = other.path("elsewhere").display().to_string();
    fs::write(other.path("venv/lib/python3.12/site-packages/away.pth"), format!("{place}\n")).expect("a file");
    assert!(!other.assert_fine(&lines).contains("no module"));
}

#[test]
fn what_hooks_may_still_make_is_a_remark() {
    let project = Project::new();
    let report = project.assert_fine(&with("pidfile = away/pid\nexec-asap = mkdir away"));
    assert!(report.contains("there is no {}/away; it will not start unless a hook changes that"), "{report}");
    assert!(report.contains("the hooks"), "{report}");
}

#[test]
fn an_extension_module_that_is_not_installed() {
    let project = Project::new();
    fs::remove_file(project.path("bin/_rhinod.abi3.so")).expect("removed");
    project.assert_stopped(&with(""), &["no extension module for Python beside {}/bin/rhinod"]);
}

/// A value that a command gives is empty here, and says nothing about a start.
#[test]
fn what_was_not_executed_leaves_doubt() {
    let project = Project::new();
    let (report, exit) = project.check(&with("pidfile = {}/run@(exec://echo -1)/pid"));
    assert_ne!(exit, Exit::WillNotStart, "{report}");
    assert!(report.contains("was not executed") && report.contains("so it seems without"), "{report}");
}
