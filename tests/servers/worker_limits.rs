//! What workers may take of the machine, and who is replaced for having lived, worked or grown enough.

use std::fs;
use std::path::Path;

use loadgen::client::{Target, exchange};
use loadgen::packet::Request;

use crate::harness::{Instance, Launch, PATIENCE, Process, wait_until};
use crate::pythons::{launch_in, one};
use crate::reloading::Traffic;

/// What the application answers.
fn text(server: &Instance) -> String {
    String::from_utf8_lossy(server.get("/").body()).into_owned()
}

/// A line of `/proc/PID/FILE` that begins with `start`, without that.
fn told(process: &Process, file: &str, start: &str) -> String {
    let text = fs::read_to_string(format!("/proc/{}/{file}", process.pid)).expect("a living process");
    let line = text.lines().find_map(|line| line.strip_prefix(start)).unwrap_or_else(|| panic!("{start} in {text}"));
    line.split_whitespace().next().unwrap_or("").to_owned()
}

#[test]
fn workers_have_the_standing_that_is_asked_for_and_the_master_keeps_its_own() {
    let launch = Launch::hello().set("limit-as", 900).set("limit-nproc", 4000).set("max-fd", 777).set("prio", 3);
    let server = launch.set("oom-score-adj", 321).set("cpu-affinity", 1).start();
    let master = Process { pid: server.pid(), name: String::new() };
    let workers = server.workers();
    for worker in &workers {
        let limit = |name| told(worker, "limits", name);
        assert_eq!(limit("Max address space"), (900_u64 << 20).to_string());
        assert_eq!(limit("Max processes"), "4000");
        assert_eq!(limit("Max open files"), "777");
        assert_eq!(told(worker, "oom_score_adj", ""), "321");
        assert_eq!(nice(worker), "3");
    }
    let cpus: Vec<String> = workers.iter().map(|worker| told(worker, "status", "Cpus_allowed_list:")).collect();
    assert!(cpus.iter().all(|list| list.parse::<u32>().is_ok()), "one for each: {cpus:?}");
    assert_ne!(told(&master, "limits", "Max address space"), (900_u64 << 20).to_string());
    assert_ne!(told(&master, "oom_score_adj", ""), "321");
}

/// A kernel before 6.4 has no such thing, which the log says.
#[test]
fn equal_pages_of_workers_may_be_kept_once_where_the_kernel_can() {
    let mut server = Launch::hello().set("ksm", 10).start();
    server.expect_log("ksm: ");
    let may = |process: &Process| {
        let text = fs::read_to_string(format!("/proc/{}/ksm_stat", process.pid)).unwrap_or_default();
        text.lines().any(|line| line == "ksm_merge_any: yes")
    };
    let refused = !server.log.lines_with("what was inherited stays").is_empty();
    assert!(server.workers().iter().all(|worker| may(worker) != refused), "{}", server.log.tail());
    assert!(!may(&Process { pid: server.pid(), name: String::new() }), "the master keeps its own");
}

fn nice(process: &Process) -> String {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.pid)).expect("a living process");
    let (_, fields) = stat.rsplit_once(") ").expect("the name is in parentheses");
    fields.split(' ').nth(16).expect("the nineteenth field").to_owned()
}

#[test]
fn workers_that_had_enough_requests_are_replaced_one_after_the_other_and_nobody_notices() {
    let launch = Launch::hello().set("workers", 4).set("max-requests", 400).set("min-worker-lifetime", 0);
    let server = launch.set("disable-logging", true).start();
    let traffic = Traffic::start(&server, 8, "/");
    let lines = |text: &str| server.log.lines_with(text).len();
    let asked = || lines("serves until its successor is ready: max requests reached");
    // On a busy machine a tenth more requests may come before the successor does.
    assert!(wait_until(|| asked() >= 8 && lines("buried after") >= 1), "{}", server.log.tail());
    let report = traffic.stop();
    assert_eq!(report.counts.failed(), 0, "{:?}", report.counts);
}

const EATER: &str = "\
import threading
KEPT = []

def application(environ, start_response):
    if environ['PATH_INFO'] == '/eat':
        KEPT.append(b'x' * (200 << 20))
        threading.Event().wait(60)
    start_response('200 OK', [])
    return [b'small']
";

#[test]
fn a_worker_that_takes_too_much_memory_is_killed_in_the_middle_of_a_request() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("eater.py"), EATER).expect("write the application");
    let launch = launch_in(&one(), directory.path()).set("module", "eater").set("workers", 1);
    let mut server = launch.set("evil-reload-on-rss", 150).set("mem-collector-freq", 1).start();
    server.expect_log("MB (evil-reload-on-rss): killed");
    assert_eq!(server.get("/eat").status(), None);
    assert_eq!(text(&server), "small");
    assert_eq!(server.log.lines_with("(evil-reload-on-rss): killed").len(), 1, "{}", server.log.tail());
}

const ENDS: &str = "\
import atexit, os, threading
import uwsgi

@atexit.register
def told():
    print('atexit ran', flush=True)

def application(environ, start_response):
    threading.Thread(target=threading.Event().wait).start()
    start_response('200 OK', [])
    return [b'begun']
";

fn ends(directory: &Path) -> Launch {
    fs::write(directory.join("ends.py"), ENDS).expect("write the application");
    launch_in(&one(), directory).set("module", "ends").set("workers", 1)
}

#[test]
fn a_worker_ends_without_handlers_and_without_threads_of_its_application_where_that_is_asked_for() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (handlers, lines) in [(true, 1), (false, 0)] {
        let server = ends(directory.path()).set("no-threads-wait", true).set("skip-atexit", !handlers).start();
        assert_eq!(text(&server), "begun");
        let log = server.log.clone();
        // The thread would never end.
        server.stop();
        assert_eq!(log.lines_with("atexit ran").len(), lines);
    }
}

#[test]
fn a_request_that_has_waited_too_long_is_refused_while_nobody_is_free_and_a_health_check_is_not() {
    let early = |server: &Instance, path: &str| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
        server.ask(&Request::get(path).var("REQUEST_MSEC", format!("{}.000", now - 60).as_bytes()))
    };
    let launch = || Launch::hello().set("queue-timeout", 5);
    let server = launch().set("queue-timeout-except", "/").set("workers", 1).start();
    let refused = early(&server, "/other?a=/");
    assert_eq!((refused.status(), refused.header("Retry-After").as_deref()), (Some(503), Some("5")));
    assert_eq!(early(&server, "/?full=1").status(), Some(200), "as a health check is");
    assert_eq!(server.get("/other").status(), Some(404), "that has not waited");
    let server = launch().set("workers", 2).start();
    assert_eq!(early(&server, "/").status(), Some(200), "the other worker has nothing to do");
}

#[test]
fn web_servers_come_from_where_they_may_only() {
    let launch = |from: &str| Launch::hello().line("uwsgi-socket = 127.0.0.1:0").set("uwsgi-allow-from", from);
    for (from, admitted) in [("192.0.2.0/24", false), ("127.0.0.0/8", true)] {
        let mut server = launch(from).start();
        server.expect_log("is cut off, and all others that uwsgi-allow-from does not name");
        let bound = server.log.wait_for("bound to 127.0.0.1:").text;
        let address = bound.rsplit(' ').next().expect("an address").parse().expect("an address");
        let packet = Request::get("/").to_uwsgi().expect("a request that fits a packet");
        let reply = exchange(&Target::Tcp(address), &packet, PATIENCE);
        assert_eq!(reply.ok().and_then(|reply| reply.status()), admitted.then_some(200), "{from}");
        assert_eq!(server.get("/").status(), Some(200), "unix sockets have permissions");
    }
}

#[test]
fn titles_say_what_workers_do_when_asked_for() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let title = "def application(environ, start_response):\n    start_response('200 OK', [])\n    \
        return [open('/proc/self/cmdline', 'rb').read().rstrip(b'\\0')]\n";
    fs::write(directory.path().join("title.py"), title).expect("write the application");
    let launch = launch_in(&one(), directory.path()).set("module", "title").set("workers", 1);
    let server = launch.set("procname-requests", true).start();
    let shown = server.get("/report?token=secret");
    assert_eq!(String::from_utf8_lossy(shown.body()), "rhinod worker 1: GET /report");
    assert!(wait_until(|| server.workers()[0].title() == "rhinod worker 1: idle"), "{}", server.workers()[0].title());
}

/// The limit is the kernel's highest where we may raise it to that, and else the highest of our own.
#[test]
fn as_many_descriptors_as_can_be_take_no_memory() {
    let limited = |limit: &str| {
        let server = Launch::hello().through(["sh", "-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")]).start();
        assert_eq!(server.get("/").status(), Some(200));
        let worker = server.workers().remove(0);
        let most = told(&worker, "limits", "Max open files").parse::<u64>().expect("a limit");
        let zygote = server.zygotes().remove(0);
        let master = Process { pid: server.pid(), name: String::new() };
        // Not what is mapped of files, which depends on what has run so far.
        let own_kb = |process: &Process| told(process, "status", "RssAnon:").parse::<u64>().expect("kilobytes");
        (most, [&master, &zygote, &worker].map(own_kb))
    };
    let (many, few) = (limited("$(cat /proc/sys/fs/nr_open) 2>/dev/null || ulimit -n $(ulimit -Hn)"), limited("1024"));
    assert!(many.0 > few.0 && few.0 == 1_024, "{many:?} {few:?}");
    for (with_many, with_few) in many.1.into_iter().zip(few.1) {
        // A table with a word for each descriptor would have eight thousand.
        assert!(with_many < with_few + 2_048, "{many:?} {few:?}");
    }
}

/// The bits of a set of capabilities of a process.
fn capabilities(process: &Process, set: &str) -> u64 {
    u64::from_str_radix(&told(process, "status", set), 16).expect("a set of capabilities")
}

#[test]
fn only_named_capabilities_are_kept_also_as_an_ordinary_user() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    const NET_BIND_SERVICE: u64 = 1 << 10;
    for as_root in [false, true] {
        let launch = Launch::hello().set("cap", "net_bind_service").set("no-new-privs", true);
        std::os::unix::fs::chown(launch.dir(), Some(65534), Some(65534)).expect("give the directory away");
        let server = launch.set("uid", 65534).set("gid", 65534).set("master-as-root", as_root).start();
        for worker in server.workers() {
            let sets = ["CapEff:", "CapPrm:", "CapBnd:", "CapAmb:"].map(|set| capabilities(&worker, set));
            assert_eq!(sets, [NET_BIND_SERVICE; 4]);
            assert_eq!(told(&worker, "status", "NoNewPrivs:"), "1");
        }
        let master = Process { pid: server.pid(), name: String::new() };
        assert_eq!(capabilities(&master, "CapEff:") != NET_BIND_SERVICE, as_root);
    }
}
