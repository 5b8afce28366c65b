//! docs/TROUBLESHOOTING.md: what it quotes is what nginx and rhinod say when a thing goes wrong. Each test brings one
//! symptom about, with a real nginx, and holds that the page has the words which stand in the logs then.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use crate::harness::{Gate, Instance, Launch, Nginx, NginxSetup};
use crate::pythons::{applications, launch_in, one};
use crate::reloading::operator;

const APPLICATION: &str = "\
import os, time
def application(environ, start_response):
    path = environ['PATH_INFO']
    if path == '/raise':
        raise ValueError('no such thing')
    if path == '/die':
        os.kill(os.getpid(), 9)
    if path == '/wait':
        open(environ['QUERY_STRING'], 'rb').read()
    body = environ['wsgi.input'].read()
    start_response('200 OK', [])
    return [b'hello']
";

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/TROUBLESHOOTING.md")).expect("the page")
}

/// The page quotes it, in one line or over the end of one.
fn assert_quoted(words: &str) {
    let page = page().split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(page.contains(words), "the page does not say {words:?}");
}

/// nginx logs it, and the page has it.
fn assert_nginx_says(nginx: &mut Nginx, words: &str) {
    assert_quoted(words);
    nginx.expect_log(words);
    nginx.log.wait_for(words);
}

fn assert_logged(server: &mut Instance, words: &str) {
    assert_quoted(words);
    server.wait_for_expected(words);
}

fn python() -> Launch {
    let launch = launch_in(&one(), &applications()).set("module", "app");
    fs::write(launch.dir().join("app.py"), APPLICATION).expect("write the application");
    let (directory, pid_file) = (launch.dir().display().to_string(), launch.dir().join("pid").display().to_string());
    launch.set("chdir", directory).set("pidfile", pid_file)
}

#[test]
fn a_502_has_its_reason_in_the_log_of_nginx() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("app.sock");
    let mut nginx = NginxSetup::default().start(&format!("unix:{}", socket.display()));
    assert_eq!(nginx.get("/").status, 502);
    assert_nginx_says(&mut nginx, "failed (2: No such file or directory)");
    // Bound, and nobody listens any more.
    drop(UnixListener::bind(&socket).expect("a socket"));
    assert_eq!(nginx.get("/").status, 502);
    assert_nginx_says(&mut nginx, "failed (111: Connection refused)");
    fs::remove_file(&socket).expect("removed");
    let full = UnixListener::bind(&socket).expect("a socket");
    nix::sys::socket::listen(&full, nix::sys::socket::Backlog::new(0).expect("a backlog")).expect("listen");
    let _waiting = std::os::unix::net::UnixStream::connect(&socket).expect("the one place there is");
    assert_eq!(nginx.get("/").status, 502);
    assert_nginx_says(&mut nginx, "failed (11: Resource temporarily unavailable)");
}

/// Root may connect to everything; nginx's worker has to be somebody else.
#[test]
fn a_502_of_a_closed_socket_is_one_of_rights() {
    if !nix::unistd::Uid::effective().is_root() {
        return;
    }
    let server = Launch::hello().set("chmod-socket", "600").start();
    fs::set_permissions(server.dir(), fs::Permissions::from_mode(0o755)).expect("permissions");
    let mut nginx = NginxSetup::default().running_as("nobody nogroup").before(&server);
    assert_eq!(nginx.get("/").status, 502);
    assert_nginx_says(&mut nginx, "failed (13: Permission denied)");
    fs::set_permissions(server.socket(), fs::Permissions::from_mode(0o666)).expect("permissions");
    assert_eq!(nginx.get("/").status, 200);
}

#[test]
fn a_502_of_a_worker_that_dies_names_the_signal() {
    let mut server = python().start();
    let mut nginx = Nginx::before(&server);
    assert_eq!(nginx.get("/die").status, 502);
    assert_nginx_says(&mut nginx, "upstream prematurely closed connection");
    assert_quoted("DAMN ! worker 1 (pid: …) died");
    let line = server.wait_for_expected("DAMN ! worker 1 (pid: ");
    assert!(line.text.contains("killed by signal 9"), "{line:?}");
    server.log.wait_for("Respawned uWSGI worker 1");
}

#[test]
fn protocols_that_do_not_fit() {
    let mut server = Launch::hello().start();
    let passing = format!("proxy_pass http://unix:{}:;", server.socket().display());
    let nginx = NginxSetup::default().passing(passing).before(&server);
    assert_eq!(nginx.get("/").status, 400);
    assert_logged(&mut server, "the peer speaks HTTP to a uwsgi socket");
    let mut http = Launch::hello().set("protocol", "http").start();
    assert_eq!(Nginx::before(&http).get("/").status, 400, "what HTTP makes of a uwsgi packet");
    assert_logged(&mut http, "the peer speaks uwsgi to an HTTP socket");
}

#[test]
fn a_504_keeps_the_worker_busy() {
    let launch = python();
    let gate = Gate::at(launch.dir().join("until"));
    let mut server = launch.start();
    let mut nginx = NginxSetup::default().location("uwsgi_read_timeout 200ms;").before(&server);
    assert_eq!(nginx.get(&format!("/wait?{}", gate.path().display())).status, 504);
    assert_nginx_says(&mut nginx, "upstream timed out (110: Connection timed out)");
    gate.open(b"on");
    assert_quoted("the client of GET /… went away before the end");
    server.expect_log("went away before the end");
    server.log.wait_for("the client of GET /wait");
}

#[test]
fn a_500_is_the_applications_or_for_want_of_one() {
    let mut server = python().start();
    let nginx = Nginx::before(&server);
    assert_eq!(nginx.get("/raise").status, 500);
    assert_quoted("[error] exception in GET /…");
    server.wait_for_expected("[error] exception in GET /raise");
    let launch = python();
    fs::remove_file(launch.dir().join("app.py")).expect("removed");
    let mut server = launch.start();
    assert_eq!(Nginx::before(&server).get("/").status, 500);
    server.expect_log("unable to load app");
    server.expect_log("no python application found");
    assert_logged(&mut server, "*** no app loaded: every request is answered with 500");
}

#[test]
fn a_413_is_of_either_side() {
    let server = python().set("limit-post", 1000).start();
    let mut nginx = NginxSetup::default().location("client_max_body_size 4k;").before(&server);
    assert_eq!(nginx.post("/", &[b'x'; 5000]).status, 413);
    assert_nginx_says(&mut nginx, "client intended to send too large body");
    assert_eq!(nginx.post("/", &[b'x'; 2000]).status, 413);
    assert_quoted("(HTTP/1.1 413)");
    server.log.wait_for("(HTTP/1.1 413)");
}

#[test]
fn a_431_is_ours_and_nginx_says_400() {
    let mut server = Launch::hello().set("buffer-size", 20_000).start();
    let mut nginx = NginxSetup::default().server("large_client_header_buffers 4 32k;").before(&server);
    let long = "a".repeat(25_000);
    assert_eq!(nginx.request("GET", "/", &[("X-Long", &long)], &[]).status, 431);
    assert_quoted("exceeds the … that buffer-size allows");
    server.wait_for_expected("exceeds the 20000 that buffer-size allows");
    let many: Vec<String> = (0..120).map(|number| format!("X-{number}")).collect();
    let headers: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(nginx.request("GET", "/", &headers, &[]).status, 431);
    assert_logged(&mut server, "request block holds more than 128 variables");
    let longer = "a".repeat(40_000);
    assert_eq!(nginx.request("GET", "/", &[("X-Long", &longer)], &[]).status, 400);
    assert_nginx_says(&mut nginx, "client sent too long header line");
}

#[test]
fn a_worker_that_has_grown_says_so() {
    let mut server = python().set("reload-on-rss", 1).set("min-worker-lifetime", 0).start();
    let nginx = Nginx::before(&server);
    assert_eq!(nginx.get("/").status, 200);
    let line = server.wait_for_expected("memory");
    assert!(line.text.contains("worker 1 (pid: "), "{line:?}");
    server.log.wait_for("Respawned uWSGI worker 1");
}

#[test]
fn a_reload_that_fails_says_so_where_it_is_asked_for() {
    let mut server = python().start();
    fs::write(server.dir().join("app.py"), "def (").expect("write the application");
    let output = operator(&server, "--reload");
    assert_eq!(output.status.code(), Some(75), "{output:?}");
    server.expect_log("generation 2 failed");
    server.expect_log("unable to load app");
    assert_logged(&mut server, "reload failed");
    assert_quoted("serving what was there before the last reload");
    let status = std::process::Command::new(crate::harness::program_path("rhinod"))
        .args(["status", "pid"])
        .current_dir(server.dir())
        .output()
        .expect("execute status");
    let said = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(said.starts_with("serving what was there before the last reload"), "{said}");
}

#[test]
fn what_only_a_restart_changes_is_named() {
    let launch = python();
    let ini = launch.ini_path();
    let text = launch.ini_text();
    let mut server = launch.start();
    fs::write(ini, format!("{text}umask = 027\n")).expect("write the ini file");
    let output = operator(&server, "--reload");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_logged(&mut server, "changes only with a restart");
}
