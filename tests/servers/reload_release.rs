//! Deployments that switch a link to another release (capistrano's way): each generation serves the release that the link
//! leads to when it begins, as a whole, also when the one of the start is deleted; and what a reload leaves as it was is
//! part of its outcome.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::harness::{Instance, Launch, example_path, wait_for_text, wait_until, write_executable};
use crate::pythons::{Python, launch_in, one};
use crate::reloading::{
    RELOAD_FAILED, complaint, edit, operator, reload, tell, tell_fifo, unsteady, wait_for_generation, who,
};
use loadgen::client::{Target, exchange};
use loadgen::packet::Request;
use nix::sys::signal::Signal;

/// Makes a release with these files.
fn release(base: &Path, number: u32, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = base.join(format!("releases/{number}")).join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, text).expect("a file");
    }
}

/// Has `current` lead to a release, in one step.
fn switch(base: &Path, number: u32) {
    let fresh = base.join("fresh");
    symlink(format!("releases/{number}"), &fresh).expect("a link");
    fs::rename(fresh, base.join("current")).expect("put it in place");
}

fn delete(base: &Path, number: u32) {
    fs::remove_dir_all(base.join(format!("releases/{number}"))).expect("delete the release");
}

/// A Python application whose two modules say which release they are of.
fn shop(base: &Path, number: u32) {
    let version = format!("RELEASE = {number}\n");
    let application = format!(
        "import os\n\
         from shop.version import RELEASE\n\
         def application(environ, start_response):\n\
         \x20   start_response('200 OK', [('Content-Type', 'text/plain')])\n\
         \x20   return [('{number} %s %s' % (RELEASE, os.environ.get('VENV', '-'))).encode()]\n"
    );
    release(base, number, &[("shop/__init__.py", ""), ("shop/version.py", &version), ("shop/wsgi.py", &application)]);
}

/// An instance of that application in `directory`, one of its own directory.
fn selling(python: &Python, directory: &str) -> Launch {
    let launch = launch_in(python, Path::new(directory)).set("module", "shop.wsgi");
    let (pid, fifo) = (launch.dir().join("pid"), launch.dir().join("fifo"));
    [1, 2, 3].into_iter().for_each(|number| shop(launch.dir(), number));
    switch(launch.dir(), 1);
    launch.set("pidfile", pid.display()).set("master-fifo", fifo.display())
}

fn said(server: &Instance) -> String {
    String::from_utf8_lossy(server.get("/").body()).into_owned()
}

fn assert_sells(server: &Instance, release: u32) {
    let expected = format!("{release} {release} -");
    assert!(wait_until(|| said(server) == expected), "{} and not {expected}:\n{}", said(server), server.log.tail());
}

#[test]
fn a_reload_serves_the_release_that_chdir_leads_to_also_after_an_upgrade() {
    for directory in ["current", "releases/../current"] {
        let server = selling(&one(), directory).start();
        assert_sells(&server, 1);
        switch(server.dir(), 2);
        delete(server.dir(), 1);
        reload(&server);
        assert_sells(&server, 2);
        switch(server.dir(), 3);
        delete(server.dir(), 2);
        tell(&server, "u");
        server.log.wait_for("the master (pid");
        reload(&server);
        assert_sells(&server, 3);
        shop(server.dir(), 1);
        switch(server.dir(), 1);
        reload(&server);
        assert_sells(&server, 1);
    }
}

#[test]
fn a_generation_that_nobody_ordered_is_of_one_release() {
    let mut server = selling(&one(), "current").start();
    switch(server.dir(), 2);
    delete(server.dir(), 1);
    server.expect_log("zygote");
    server.zygotes().iter().for_each(|zygote| zygote.signal(Signal::SIGKILL));
    assert_sells(&server, 2);
}

#[test]
fn a_worker_that_loads_by_itself_loads_the_release_that_chdir_leads_to() {
    let server = selling(&one(), "current").set("lazy-apps", true).start();
    assert_sells(&server, 1);
    switch(server.dir(), 2);
    tell(&server, "c");
    server.log.wait_for("chain reloading complete");
    assert_sells(&server, 2);
}

#[test]
fn an_instance_that_is_started_within_the_release_follows_its_name() {
    let python = one();
    let launch = selling(&python, "current").without("chdir").arguments(["../../app.ini"]);
    let words = ["sh", "-c", "cd current && export PWD && exec \"$@\"", "sh"];
    let server = launch.through(words).start();
    assert_sells(&server, 1);
    switch(server.dir(), 2);
    delete(server.dir(), 1);
    reload(&server);
    assert_sells(&server, 2);
}

/// An interpreter below `venv` of a release that says which one it is.
fn venv(base: &Path, number: u32, python: &Python) {
    let script = format!("#!/bin/sh\nVENV=venv{number} exec {} \"$@\"\n", python.path.display());
    let place = base.join(format!("releases/{number}/venv/bin"));
    fs::create_dir_all(&place).expect("a directory");
    write_executable(&place.join("python"), script.as_bytes());
}

#[test]
fn interpreter_path_and_file_are_those_of_the_release() {
    let python = one();
    let launch = selling(&python, "current").without("python-executable").without("module");
    [1, 2].into_iter().for_each(|number| venv(launch.dir(), number, &python));
    let base = launch.dir().display().to_string();
    let launch = launch.set("chdir", &base).set("home", "current/venv").set("pythonpath", "current");
    let server = launch.set("mount", "/=current/shop/wsgi.py").start();
    assert_eq!(said(&server), "1 1 venv1");
    switch(server.dir(), 2);
    delete(server.dir(), 1);
    reload(&server);
    assert!(wait_until(|| said(&server) == "2 2 venv2"), "{}", said(&server));
}

/// Asks through a socket which is not that of the harness.
fn greeted(socket: PathBuf) -> String {
    let packet = Request::get("/").to_uwsgi().expect("a small request");
    let reply = exchange(&Target::Unix(socket), &packet, Duration::from_secs(60)).expect("a reply");
    String::from_utf8_lossy(reply.body()).trim_end().to_owned()
}

#[test]
fn sockets_fifos_logs_pid_files_and_watches_are_where_their_names_lead() {
    let launch = unsteady();
    let base = launch.dir().to_owned();
    [1, 2].into_iter().for_each(|number| release(&base, number, &[("run/touch", ""), ("log/keep", "")]));
    switch(&base, 1);
    let launch = launch
        .without("socket")
        .line("chdir = current")
        .line("socket = run/s")
        .line("cheaper-log = current/log/scaling");
    let launch = launch.set("cheaper", 1).set("cheaper-algo", "manual").set("logto2", "current/log/app");
    let launch = launch.set("master-fifo", "run/fifo").set("pidfile2", "run/pid").set("touch-reload", "run/touch");
    let server = launch.spawn();
    wait_for_text(&base.join("releases/1/log/app"), "ready to serve");
    switch(&base, 2);
    reload(&server);
    let there = |name: &str| base.join("releases/2").join(name);
    assert_eq!(greeted(there("run/s")), "worker 1 of generation 2");
    assert_eq!(fs::read_to_string(there("run/pid")).expect("the pid file"), format!("{}\n", server.pid()));
    assert!(!base.join("releases/1/run/pid").exists(), "the pid file of the old release");
    tell_fifo(&there("run/fifo"), "+");
    wait_for_text(&there("log/app"), "scaling: grow by 1 to 2 workers");
    wait_for_text(&there("log/scaling"), "grow");
    fs::write(there("run/touch"), "touched").expect("touch it");
    wait_for_text(&there("log/app"), "has been touched");
    wait_for_text(&there("log/app"), "reload done: generation 3 serves");
}

#[test]
fn the_program_itself_may_be_in_the_release() {
    let launch = unsteady();
    let base = launch.dir().to_owned();
    for number in [1, 2] {
        release(&base, number, &[("bin/keep", "")]);
        let place = base.join(format!("releases/{number}/bin/app"));
        write_executable(&place, &fs::read(example_path("unsteady")).expect("the example"));
    }
    switch(&base, 1);
    let words = ["sh", "-c", "exec current/bin/app \"$2\"", "sh"];
    let server = launch.through(words).start();
    switch(&base, 2);
    delete(&base, 1);
    reload(&server);
    wait_for_generation(&server, 2);
    tell(&server, "u");
    server.log.wait_for("the master (pid");
    let image = fs::read_link(format!("/proc/{}/exe", server.pid())).expect("its image");
    assert!(image.ends_with("releases/2/bin/app"), "{}", image.display());
}

#[test]
fn a_directory_that_is_not_there_makes_the_reload_fail() {
    let mut server = unsteady().start();
    edit(&server, |text| format!("{text}chdir = gone\n"));
    server.expect_log("cannot change to");
    let output = operator(&server, "--reload");
    assert_eq!(output.status.code(), Some(RELOAD_FAILED), "{output:?}");
    let said = complaint(&output);
    assert!(said.contains("app.ini:") && said.contains("chdir = gone") && said.contains("No such file"), "{said}");
    assert!(who(&server).ends_with("of generation 1"), "{}", who(&server));
}

#[test]
fn what_a_reload_leaves_as_it_was_is_part_of_its_outcome() {
    let mut server = unsteady().start();
    edit(&server, |text| format!("{text}umask = 027\n"));
    server.expect_log("umask changes only with a restart");
    let output = operator(&server, "--reload");
    assert!(output.status.success(), "{output:?}");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(told, "generation 2 serves, but umask changes only with a restart\n");
    server.log.wait_for("the reload is done, but umask changes only with a restart");
    let lines = server.log.lines();
    let place = |text: &str| lines.iter().position(|line| line.contains(text)).expect("the line");
    assert!(place("reload done: generation 2") < place("umask changes"), "{lines:?}");
    let standing = String::from_utf8_lossy(&operator(&server, "status").stdout).into_owned();
    assert!(standing.contains("umask changes only with a restart"), "{standing}");
    edit(&server, |text| text.replace("umask = 027\n", ""));
    reload(&server);
    assert!(!String::from_utf8_lossy(&operator(&server, "status").stdout).contains("umask"));
}
