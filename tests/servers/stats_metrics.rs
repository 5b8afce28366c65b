//! Metrics as Prometheus reads them: understood by its own parser in both forms, and true over deaths, reloads and scaling;
//! and health as balancers ask for it.

use std::path::Path;
use std::process::Command;

use loadgen::packet::Request;
use nix::sys::signal::Signal;

use crate::harness::{Instance, program_path, wait_until};
use crate::monitoring::{Samples, bytes_after, metrics_path, page, page_with, samples, stats_path, telling};
use crate::reloading::{Held, operator, reload, unsteady};

const OPEN_METRICS: &str = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";

/// The metrics of an instance, as the parser of the Prometheus project reads them.
fn read(server: &Instance) -> Option<Samples> {
    samples(&page(&metrics_path(server.dir()), "/metrics").body, false)
}

/// The same without that parser, for waiting.
fn value(server: &Instance, sample: &str) -> Option<f64> {
    let body = page(&metrics_path(server.dir()), "/metrics").body;
    let text = String::from_utf8(body).expect("metrics are text");
    text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
}

fn wait_for_value(server: &Instance, sample: &str, expected: f64) {
    let reached = wait_until(|| value(server, sample) == Some(expected));
    assert!(reached, "{sample} is {:?} and not {expected}", value(server, sample));
}

#[test]
fn the_parsers_of_prometheus_understand_both_forms() {
    let server = telling().start();
    server.get("/");
    wait_for_value(&server, "rhinod_requests_total", 1.0);
    let metrics = metrics_path(server.dir());
    let plain = page(&metrics, "/metrics");
    assert!(plain.head.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{}", plain.head);
    let open = page_with(&metrics, "/metrics", OPEN_METRICS);
    assert!(open.head.contains("Content-Type: application/openmetrics-text; version=1.0.0"), "{}", open.head);
    let (Some(plain), Some(open)) = (samples(&plain.body, false), samples(&open.body, true)) else { return };
    // What of the one is in the other under the same name, but for what goes on between the two.
    assert_eq!(plain.keys().collect::<Vec<_>>(), open.keys().collect::<Vec<_>>());
    for (name, expected) in [
        ("rhinod_requests_total", 1.0),
        ("rhinod_ready", 1.0),
        ("rhinod_generation", 1.0),
        ("rhinod_workers_wanted", 2.0),
        ("rhinod_workers|generation=1|state=idle", 2.0),
        ("rhinod_requests_running", 0.0),
        ("rhinod_requests_queued", 0.0),
        ("rhinod_desired_concurrency", 0.0),
        ("rhinod_request_duration_seconds_count", 1.0),
        ("rhinod_request_duration_seconds_bucket|le=+Inf", 1.0),
        ("rhinod_worker_boot_seconds_count", 2.0),
        ("rhinod_worker_spawns_total", 2.0),
        ("uwsgi_worker_requests_total|worker_id=1", plain["uwsgi_worker_requests_total|worker_id=1"]),
    ] {
        assert_eq!((plain.get(name), open.get(name)), (Some(&expected), Some(&expected)), "{name}");
    }
}

#[test]
fn an_autoscaler_finds_what_runs_and_what_waits() {
    let launch = unsteady().set("workers", 1);
    let metrics = metrics_path(launch.dir());
    let server = launch.set("metrics", metrics.display()).start();
    let held = Held::begin(&server);
    let waiting: Vec<_> =
        (0..3).map(|_| std::os::unix::net::UnixStream::connect(server.socket()).expect("connect")).collect();
    wait_for_value(&server, "rhinod_requests_running", 1.0);
    wait_for_value(&server, "rhinod_requests_queued", 3.0);
    wait_for_value(&server, "rhinod_desired_concurrency", 4.0);
    drop(waiting);
    held.finish();
    wait_for_value(&server, "rhinod_desired_concurrency", 0.0);
}

#[test]
fn nothing_that_only_grows_goes_back_when_workers_die_or_are_replaced() {
    let launch = unsteady().set("workers", 2);
    let metrics = metrics_path(launch.dir());
    let mut server = launch.set("metrics", metrics.display()).start();
    // A web server tells when a request came, here a minute ago.
    let early = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs() - 60;
    for _ in 0..20 {
        server.ask(&Request::get("/").var("REQUEST_MSEC", format!("{early}.000").as_bytes()));
    }
    wait_for_value(&server, "rhinod_requests_total", 20.0);
    wait_for_value(&server, "rhinod_queue_wait_seconds_count", 20.0);
    let before = value(&server, "rhinod_queue_wait_seconds_sum").expect("a sum");
    assert!((20.0 * 60.0..20.0 * 90.0).contains(&before), "{before}");
    assert_eq!(value(&server, "rhinod_queue_wait_seconds_bucket{le=\"10.0\"}"), Some(0.0));
    server.expect_log("DAMN");
    for worker in server.workers() {
        worker.signal(Signal::SIGKILL);
    }
    wait_for_value(&server, "rhinod_worker_ends_total{cause=\"SIGKILL\"}", 2.0);
    reload(&server);
    wait_for_value(&server, "rhinod_worker_ends_total{cause=\"replaced\"}", 2.0);
    assert_eq!(value(&server, "rhinod_requests_total"), Some(20.0));
    assert_eq!(value(&server, "rhinod_request_duration_seconds_count"), Some(20.0));
    assert_eq!(value(&server, "rhinod_queue_wait_seconds_sum"), Some(before));
    assert_eq!(value(&server, "rhinod_reloads_total{kind=\"graceful\",outcome=\"done\"}"), Some(1.0));
    let Some(read) = read(&server) else { return };
    assert_eq!(read["rhinod_worker_spawns_total"], 6.0);
    assert_eq!(read["rhinod_generation"], 2.0);
}

#[test]
fn what_a_worker_holds_when_it_dies_is_counted_and_what_another_has_answered_is_not() {
    let launch = unsteady().set("workers", 2);
    let metrics = metrics_path(launch.dir());
    let mut server = launch.set("metrics", metrics.display()).start();
    server.expect_log("DAMN");
    let held = Held::begin(&server);
    wait_for_value(&server, "rhinod_requests_running", 1.0);
    assert_eq!(value(&server, "rhinod_lost_requests_total"), Some(0.0));
    for worker in server.workers() {
        worker.signal(Signal::SIGKILL);
    }
    wait_for_value(&server, "rhinod_worker_ends_total{cause=\"SIGKILL\"}", 2.0);
    assert_eq!(value(&server, "rhinod_lost_requests_total"), Some(1.0));
    drop(held);
    server.get("/");
    assert_eq!(value(&server, "rhinod_lost_requests_total"), Some(1.0));
}

#[test]
fn a_decision_is_counted_by_its_reason() {
    let launch = unsteady().set("workers", 2).set("cheaper", 1);
    let (metrics, fifo) = (metrics_path(launch.dir()), launch.dir().join("fifo"));
    let server = launch.set("metrics", metrics.display()).set("master-fifo", fifo.display()).start();
    crate::reloading::tell_fifo(&fifo, "+");
    wait_for_value(&server, "rhinod_scaling_decisions_total{direction=\"up\",reason=\"asked\"}", 1.0);
    wait_for_value(&server, "rhinod_workers{state=\"idle\",generation=\"1\"}", 2.0);
}

#[test]
fn names_of_sockets_that_would_end_a_line_do_not() {
    let launch = telling();
    let odd = launch.dir().join("a\"b\\c.sock");
    let server = launch.set("socket", odd.display()).start();
    let Some(read) = read(&server) else { return };
    let name = format!("uwsgi_socket_max_queue_length|name={}|proto=uwsgi", odd.display());
    assert!(read.contains_key(&name), "{read:#?}");
}

#[test]
fn an_instance_told_to_stop_says_so_and_serves_until_the_delay_is_over() {
    let server = telling().set("stop-delay", 600).start();
    server.signal(Signal::SIGTERM);
    server.log.wait_for("stopping in 600 s");
    let ready = page(&metrics_path(server.dir()), "/readyz");
    assert_eq!((ready.status, ready.body.as_slice()), (503, b"stopping\n".as_slice()));
    assert_eq!(page(&metrics_path(server.dir()), "/livez").status, 200);
    assert_eq!(server.get("/").status(), Some(200));
    // Told again it waits no longer.
    server.stop();
    let mut server = telling().set("stop-delay", 1).start();
    server.signal(Signal::SIGTERM);
    server.log.wait_for("stopping in 1 s");
    assert_eq!(server.wait_exit(), 0);
    server.ends_with(0);
}

#[test]
fn a_ping_is_answered_by_a_worker_or_by_nobody() {
    let ping = |address: &Path| {
        let words = ["--ping".as_ref(), address.as_os_str(), "--ping-timeout".as_ref(), "30".as_ref()];
        Command::new(program_path("rhinod")).args(words).output().expect("execute rhinod")
    };
    let server = telling().start();
    let answered = ping(server.socket());
    assert_eq!(answered.status.code(), Some(0), "{answered:?}");
    let expected = format!("PING uwsgi host {} (timeout: 30)\n", server.socket().display());
    assert_eq!(String::from_utf8_lossy(&answered.stdout), expected);
    assert_eq!(ping(&server.dir().join("nobody")).status.code(), Some(1));
    // What answers at once and speaks something else.
    assert_eq!(ping(&stats_path(server.dir())).status.code(), Some(1));
}

#[test]
fn health_is_told_at_both_addresses_and_the_way_to_metrics_too() {
    let server = telling().set("stats-http", true).start();
    for socket in [stats_path(server.dir()), metrics_path(server.dir())] {
        assert_eq!(page(&socket, "/livez").body, b"alive\n");
        let ready = page(&socket, "/readyz");
        assert_eq!((ready.status, ready.body.as_slice()), (200, b"ready\n".as_slice()));
        assert!(page(&socket, "/metrics").body.starts_with(b"# HELP rhinod_"));
    }
    assert_eq!(page(&metrics_path(server.dir()), "/elsewhere").status, 404);
    assert!(operator(&server, "--pause").status.success());
    let paused = page(&metrics_path(server.dir()), "/readyz");
    assert_eq!((paused.status, paused.body.as_slice()), (503, b"paused\n".as_slice()));
    assert_eq!(page(&metrics_path(server.dir()), "/livez").status, 200);
    assert_eq!(value(&server, "rhinod_ready"), Some(0.0));
}

#[test]
fn the_page_for_people_needs_nothing_from_elsewhere_and_every_metric_that_it_reads_is_there() {
    let server = telling().set("stats-http", true).start();
    let (metrics, stats) = (metrics_path(server.dir()), stats_path(server.dir()));
    let html = page(&metrics, "/");
    assert!(html.status == 200 && html.head.contains("Content-Type: text/html"), "{}", html.head);
    assert_eq!([&html.body, &html.body], [&page(&metrics, "/top").body, &page(&stats, "/top").body]);
    assert!(page(&stats, "/").head.contains("application/json"), "as uWSGI, which answers whatever is asked");
    let text = String::from_utf8(html.body).expect("text");
    assert!(
        !["//", "src=", "@import", "url("]
            .iter()
            .any(|word| { text.lines().any(|line| line.contains(word) && !line.trim_start().starts_with("//")) })
    );
    let told = String::from_utf8(page(&metrics, "/metrics").body).expect("text");
    let names: Vec<&str> =
        text.split('"').filter(|word| ["rhinod_", "uwsgi_"].iter().any(|own| word.starts_with(own))).collect();
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let family = name.trim_end_matches("_bucket");
        assert!(told.contains(&format!("# TYPE {family} ")), "{name} is not told");
    }
}

/// Kibibytes of a line of `/proc/PID/smaps_rollup`.
fn rollup_kib(pid: i32, key: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).expect("a living process");
    let line = text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_else(|| panic!("{key} in {text}"));
    line.trim().strip_suffix(" kB").and_then(|kib| kib.parse().ok()).expect("a size")
}

#[test]
fn what_processes_hold_of_the_memory_is_told_by_metrics_statistics_and_status() {
    let server = telling().set("workers", 1).start();
    server.get("/");
    let worker = server.workers().pop().expect("a worker");
    let pss = value(&server, "rhinod_worker_memory_bytes{worker_id=\"1\",part=\"pss\"}").expect("it is told") / 1024.0;
    // Without a request neither changes by much, and what it shares depends on how many others run.
    let private = value(&server, "rhinod_worker_memory_bytes{worker_id=\"1\",part=\"private\"}").expect("so is this");
    let expected = rollup_kib(worker.pid, "Private_Clean:") + rollup_kib(worker.pid, "Private_Dirty:");
    assert!((private / 1024.0 - expected).abs() < 1024.0, "{private} bytes, {expected} KiB");
    assert!(pss >= private / 1024.0, "{pss} KiB, {private} bytes");
    assert!(
        value(&server, "rhinod_zygote_memory_bytes{generation=\"1\",part=\"shared\"}").is_some_and(|some| some > 0.0)
    );
    assert_eq!(value(&server, "rhinod_memory_unread"), Some(0.0));
    let document: serde_json::Value =
        serde_json::from_slice(&bytes_after(&stats_path(server.dir()), b"")).expect("JSON");
    assert_eq!(document["workers"][0]["private"].as_f64(), Some(private), "{document:#}");
    assert!(document["zygotes"][0]["pss"].is_u64(), "{document:#}");
    let status = String::from_utf8(operator(&server, "status").stdout).expect("text");
    assert!(status.contains(" MiB for 1 workers and 1 that fork them (a worker has "), "{status}");
}
