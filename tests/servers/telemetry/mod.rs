//! OpenTelemetry: what a collector gets, and that nobody waits for one.

mod agent;
mod collector;

use std::fs;
use std::time::Instant;

use loadgen::packet::Request;
use nix::sys::signal::Signal;

use self::agent::Agent;
use self::collector::{Collector, Manner};
use crate::harness::{Instance, Launch, NginxSetup, PATIENCE, free_address, wait_until};
use crate::monitoring::{metrics_path, page};
use crate::pythons::{EVALUATES, launch_in, one, target_of};
use crate::rivals;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// An instance whose application says what it is asked, and fails where it is told to.
fn evaluating(directory: &std::path::Path, collector: &Collector) -> Launch {
    evaluating_for(directory, &collector.url())
}

fn evaluating_for(directory: &std::path::Path, url: &str) -> Launch {
    let fails = "\nevaluates = application\n\
                 def application(environ, start_response):\n    \
                     if environ['PATH_INFO'] == '/fails':\n        raise ValueError('as it should')\n    \
                     return evaluates(environ, start_response)\n";
    fs::write(directory.join("web.py"), format!("{EVALUATES}{fails}")).expect("write the application");
    let launch = launch_in(&one(), directory).set("module", "web");
    let metrics = metrics_path(launch.dir());
    launch.set("metrics", metrics.display()).set("otlp", url).set("otlp-interval", 1)
}

/// What the application is told of the trace of a request that came with this header.
fn told(instance: &Instance, header: &str) -> String {
    let expression = target_of("environ.get('HTTP_TRACEPARENT'), environ.get('HTTP_TRACESTATE')");
    let request = Request::get(&expression).var("HTTP_TRACEPARENT", header.as_bytes());
    let reply = instance.ask(&request.var("HTTP_TRACESTATE", b"vendor=1"));
    String::from_utf8_lossy(reply.body()).into_owned()
}

/// Trace, span and flags of what an application was told.
fn parts(told: &str) -> (&str, &str, &str) {
    let header = told.trim_start_matches("('").split('\'').next().expect("a header");
    assert_eq!((header.len(), &header[..3]), (55, "00-"), "{told}");
    (&header[3..35], &header[36..52], &header[53..])
}

#[test]
fn a_request_is_a_span_below_its_callers_and_above_those_of_its_application() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::begin();
    let mut instance = evaluating(directory.path(), &collector)
        .env("OTEL_SERVICE_NAME", "the shop")
        .env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test,service.name=other")
        .line("otlp-header = api-key: secret")
        .start();
    let taken_on = told(&instance, &format!("00-{TRACE}-{CALLER}-01"));
    let (trace, span, flags) = parts(&taken_on);
    assert_eq!((trace, flags), (TRACE, "01"));
    assert!(span != CALLER && taken_on.contains("vendor=1"), "{taken_on}");
    let unsampled = told(&instance, &format!("00-{TRACE}-{CALLER}-00"));
    assert_eq!((parts(&unsampled).0, parts(&unsampled).2), (TRACE, "00"));
    let begun = told(&instance, "00-nonsense-01");
    let (new_trace, new_span, _) = parts(&begun);
    assert!(new_trace != TRACE && !begun.contains("vendor"), "a state without its trace says nothing: {begun}");
    instance.expect_log("exception in BREW /fails");
    let failing = Request::get("/fails?secret=1").var("REQUEST_METHOD", b"BREW").var("HTTP_HOST", b"shop.example:8443");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs_f64();
    instance.ask(&failing.var("REQUEST_MSEC", format!("{:.3}", now - 2.0).as_bytes()));
    let Some(spans) = collector.wait_for_spans(3) else { return };
    assert_eq!(spans.len(), 3, "nothing of the one that is not sampled: {spans:#?}");
    let of =
        |id: &str| spans.iter().find(|other| other["spanId"] == id).unwrap_or_else(|| panic!("no {id}: {spans:#?}"));
    let below = of(span);
    assert_eq!(below["traceState"], "vendor=1");
    assert_eq!((below["traceId"].as_str(), below["parentSpanId"].as_str()), (Some(TRACE), Some(CALLER)));
    assert_eq!((below["name"].as_str(), below["kind"].as_str()), (Some("GET"), Some("SPAN_KIND_SERVER")));
    assert_eq!(below["flags"], 0x301, "sampled, and the parent is elsewhere");
    let attributes = &below["attributes"];
    for (name, value) in [("http.request.method", "GET"), ("url.path", "/"), ("url.scheme", "http")] {
        assert_eq!(attributes[name], value, "{name}: {attributes:#}");
    }
    assert_eq!(attributes["http.response.status_code"], 200);
    assert_eq!((&attributes["rhinod.worker"], &attributes["rhinod.generation"]), (&1.into(), &1.into()));
    assert!(below.get("status").is_none_or(|status| status.get("code").is_none()), "{below:#}");
    let resource = &below["resource"];
    assert_eq!(resource["service.name"], "the shop");
    assert_eq!(resource["deployment.environment.name"], "test");
    assert_eq!(resource["process.pid"], instance.pid().to_string());
    let root = of(new_span);
    assert!(root.get("traceState").is_none(), "it belongs to a trace that was not taken on: {root:#}");
    assert_eq!((root["traceId"].as_str(), root["parentSpanId"].as_str()), (Some(new_trace), Some("")));
    let failed = spans.iter().find(|span| span["name"] == "HTTP").expect("the failed one");
    let attributes = &failed["attributes"];
    for (name, value) in [
        ("http.request.method", "_OTHER"),
        ("http.request.method_original", "BREW"),
        ("url.path", "/fails"),
        ("server.address", "shop.example"),
        ("error.type", "500"),
    ] {
        assert_eq!(attributes[name], value, "{name}: {attributes:#}");
    }
    assert_eq!(
        (attributes["server.port"].as_i64(), failed["status"]["code"].as_str()),
        (Some(8443), Some("STATUS_CODE_ERROR"))
    );
    let waited = attributes["rhinod.queue_wait_seconds"].as_f64().expect("how long it waited");
    assert!((1.9..PATIENCE.as_secs_f64()).contains(&waited), "{waited}");
    let messages = collector.messages("/v1/traces");
    let head = &messages[0].head;
    assert!(head.contains("Content-Type: application/x-protobuf") && head.contains("api-key: secret"), "{head}");
    assert!(
        !messages.iter().any(|message| String::from_utf8_lossy(&message.body).contains("secret")),
        "no query strings"
    );
    instance.stop();
}

/// What a collector that others wrote has understood it passes on, whole.
#[test]
fn a_real_collector_takes_what_it_gets() {
    let Some(program) = rivals::collector() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let behind = Collector::begin();
    let agent = Agent::start(program, &behind.url());
    let instance = evaluating_for(directory.path(), &agent.url()).start();
    let taken_on = told(&instance, &format!("00-{TRACE}-{CALLER}-01"));
    let Some(spans) = behind.wait_for_spans(1) else { return };
    let span = &spans[0];
    assert_eq!((span["traceId"].as_str(), span["spanId"].as_str()), (Some(TRACE), Some(parts(&taken_on).1)));
    assert_eq!((span["parentSpanId"].as_str(), span["traceState"].as_str()), (Some(CALLER), Some("vendor=1")));
    assert_eq!(span["attributes"]["http.response.status_code"], 200);
    assert_eq!(span["resource"]["process.pid"], instance.pid().to_string());
    assert!(wait_until(|| behind.metric("rhinod_requests") == Some(1.0)), "{:#?}", behind.metrics());
    let samples = behind.metrics().expect("as before");
    let duration = samples.iter().find(|sample| sample["key"] == "rhinod_request_duration_seconds");
    let duration = duration.unwrap_or_else(|| panic!("no durations: {samples:#?}"));
    assert_eq!((&duration["kind"], &duration["value"]), (&"histogram".into(), &1.into()));
    instance.stop();
}

#[test]
fn a_collector_gets_the_metrics_that_prometheus_gets() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::begin();
    let instance = evaluating(directory.path(), &collector).line("metric = shop.orders").set("otlp-sampled", 0).start();
    for _ in 0..20 {
        told(&instance, "");
    }
    if collector.spans().is_none() {
        return;
    }
    assert!(wait_until(|| collector.metric("rhinod_requests") == Some(20.0)), "{:#?}", collector.metrics());
    let samples = collector.metrics().expect("as before");
    let sample = |key: &str| samples.iter().find(|sample| sample["key"] == key).unwrap_or_else(|| panic!("no {key}"));
    let durations = sample("rhinod_request_duration_seconds");
    assert_eq!(
        (&durations["value"], &durations["kind"], &durations["unit"]),
        (&20.into(), &"histogram".into(), &"s".into())
    );
    assert!(durations["sum"].as_f64().is_some_and(|sum| sum > 0.0 && sum < 600.0), "{durations:#}");
    assert_eq!(
        (durations["bounds"][0].as_f64(), durations["buckets"].as_array().map(Vec::len)),
        (Some(0.000_25), Some(16))
    );
    assert_eq!(sample("rhinod_application_counter|name=shop.orders")["kind"], "sum");
    assert_eq!(sample("rhinod_response_bytes")["unit"], "By");
    assert_eq!(sample("rhinod_ready")["kind"], "gauge");
    // Every family of the one is in the other.
    let text = String::from_utf8(page(&metrics_path(instance.dir()), "/metrics").body).expect("text");
    let names = text.lines().filter_map(|line| line.split(['{', ' ']).next()).filter(|name| !name.starts_with('#'));
    for name in names {
        let short = ["_total", "_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        // The names of gauges may end like those of histograms.
        let names = [Some(name), short, short.and_then(|short| short.strip_suffix("_total"))];
        let is_name = |sample: &serde_json::Value| {
            sample["key"].as_str().is_some_and(|key| names.contains(&key.split('|').next()))
        };
        assert!(samples.iter().any(is_name), "{name} is not in {samples:#?}");
    }
    assert!(collector.messages("/v1/traces").is_empty(), "nobody's trace is told of");
    instance.stop();
}

#[test]
fn a_collector_that_is_full_gets_everything_later_and_one_that_is_gone_keeps_nobody_waiting() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::begin();
    collector.turn(Manner::Refuses(503));
    let mut instance = evaluating(directory.path(), &collector).start();
    instance.expect_log("does not take what is sent");
    told(&instance, "");
    instance.log.wait_for("does not take what is sent: it answers 503");
    assert!(wait_until(|| collector.refused("/v1/metrics") >= 2), "it comes again");
    collector.turn(Manner::Takes);
    instance.log.wait_for("takes what is sent again; 0 messages were lost");
    let Some(spans) = collector.wait_for_spans(1) else { return };
    assert_eq!(spans.len(), 1);
    // What it never will take is not sent again.
    collector.turn(Manner::Refuses(400));
    told(&instance, "");
    assert!(wait_until(|| collector.refused("/v1/traces") > 0), "it comes");
    let refused = collector.refused("/v1/traces");
    collector.turn(Manner::Takes);
    assert!(
        wait_until(|| collector.metric("rhinod_otlp_spans|outcome=not_taken") == Some(1.0)),
        "{:#?}",
        collector.metrics()
    );
    assert_eq!(collector.metric("rhinod_otlp_spans|outcome=delivered"), Some(1.0));
    assert_eq!((collector.refused("/v1/traces"), instance.log.lines_with("it answers 400").len()), (refused, 1));
    // The process that sends dies; another one follows.
    instance.expect_log("the process for otlp");
    let exporter = instance.processes().into_iter().find(|process| process.name == "rhinod otlp");
    exporter.expect("a process that sends").signal(Signal::SIGKILL);
    instance.log.wait_for("another one follows");
    told(&instance, "");
    collector.wait_for_spans(2);
    instance.stop();
}

#[test]
fn what_finds_no_room_on_the_way_to_a_collector_that_sleeps_is_counted_and_requests_go_on() {
    const REQUESTS: usize = 6_000;
    let collector = Collector::begin();
    let launch = Launch::hello().set("workers", 2).set("disable-logging", true).set("otlp-interval", 1);
    let mut server = launch.set("otlp", collector.url()).start();
    if collector.spans().is_none() {
        return;
    }
    server.expect_log("does not take what is sent");
    assert!(wait_until(|| collector.metric("rhinod_requests").is_some()));
    collector.turn(Manner::Sleeps);
    assert!(wait_until(|| collector.asleep() > 0), "it is waited for");
    let began = Instant::now();
    for _ in 0..REQUESTS {
        assert_eq!(server.get("/").status(), Some(200));
    }
    assert!(collector.asleep() > 0 && began.elapsed() < PATIENCE, "{:?}", began.elapsed());
    collector.turn(Manner::Takes);
    let outcomes = ["delivered", "no_room_in_mailbox", "no_room_in_exporter", "not_taken"];
    let counts =
        || outcomes.map(|outcome| collector.metric(&format!("rhinod_otlp_spans|outcome={outcome}")).unwrap_or(0.0));
    let accounted = wait_until(|| counts().iter().sum::<f64>() == REQUESTS as f64);
    assert!(accounted && counts()[1] + counts()[2] > 0.0, "{:?}", counts());
    assert_eq!(collector.spans().map(|spans| spans.len() as f64), Some(counts()[0]));
    server.stop();
}

#[test]
fn a_reload_begins_and_ends_telling_and_the_last_spans_are_told_at_the_end() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let collector = Collector::begin();
    let instance = evaluating(directory.path(), &collector).without("otlp-interval").without("otlp").start();
    let exporters = || instance.processes().into_iter().filter(|process| process.name == "rhinod otlp").count();
    let change = |text: String| {
        let position = instance.log.position();
        fs::write(instance.dir().join(ini_name(&instance)), text).expect("write the configuration");
        instance.signal(Signal::SIGHUP);
        instance.log.wait_for_after(position, "reload done");
    };
    let plain = fs::read_to_string(instance.dir().join(ini_name(&instance))).expect("the configuration");
    assert_eq!((exporters(), told(&instance, "").starts_with("('', ")), (0, true));
    change(format!("{plain}\notlp = {}\n", collector.url()));
    assert!(wait_until(|| exporters() == 1), "it is there");
    parts(&told(&instance, &format!("00-{TRACE}-{CALLER}-01")));
    change(plain.clone());
    assert!(wait_until(|| exporters() == 0), "it has gone");
    assert!(told(&instance, "").starts_with("('', "));
    let Some(spans) = collector.wait_for_spans(1) else { return };
    assert_eq!(spans[0]["attributes"]["rhinod.generation"], 2);
    change(format!("{plain}\notlp = {}\n", collector.url()));
    assert!(wait_until(|| exporters() == 1), "it is there again");
    told(&instance, "");
    // At once: the span has not waited for others.
    instance.stop();
    let spans = collector.spans().expect("as before");
    assert_eq!(spans.len(), 2, "{spans:#?}");
}

/// nginx takes TLS off in front of the collector.
#[test]
fn a_collector_is_spoken_to_with_tls_if_it_has_a_certificate_of_an_authority_that_is_believed() {
    let collector = Collector::begin();
    let data = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/tls");
    let file = |name: &str| data.join(name).display().to_string();
    let address = free_address();
    let tls = format!(
        "server {{ listen {address} ssl; listen 127.0.0.2:{} ssl; ssl_certificate {}; ssl_certificate_key {}; \
         location / {{ proxy_pass http://{}; }} }}",
        address.port(),
        file("server.crt"),
        file("server.key"),
        collector.address
    );
    let mut nginx = NginxSetup::default().http(&tls).start("unix:/nowhere");
    nginx.expect_log("SSL_do_handshake() failed");
    nginx.expect_log("shutdown() failed");
    // A stop ends what is under way.
    nginx.expect_log("recv() failed");
    let launch = |otlp: String| {
        let launch = Launch::hello().set("otlp", otlp).set("otlp-interval", 1);
        launch.set("otlp-certificate", file("ca.crt"))
    };
    let url = format!("https://localhost:{}/base", address.port());
    let server = launch(url.clone()).start();
    server.get("/");
    let metrics = || collector.messages("/base/v1/metrics").len();
    assert!(wait_until(|| metrics() > 0 && !collector.messages("/base/v1/traces").is_empty()), "they arrive");
    server.stop();
    for (launch, why) in [
        (launch(url.clone()).without("otlp-certificate"), "invalid peer certificate: UnknownIssuer"),
        (launch(url.replace("localhost", "127.0.0.2")), "invalid peer certificate: "),
        (launch(collector.url().replace("http:", "https:")), "does not take what is sent"),
    ] {
        let mut server = launch.start();
        server.expect_log("does not take what is sent");
        let said = server.log.wait_for("does not take what is sent: ").text;
        assert!(said.contains(why), "{said}");
        server.get("/");
        server.stop();
    }
}

fn ini_name(instance: &Instance) -> String {
    let names = fs::read_dir(instance.dir()).expect("its directory").flatten();
    let mut names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.find(|name| name.ends_with(".ini")).expect("an ini file")
}
