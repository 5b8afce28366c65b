//! Metrics that an application changes: over all its processes and a reload, told in every document, with bounds.

use std::fs;

use nix::sys::signal::Signal;

use crate::harness::wait_until;
use crate::monitoring::{document, metrics_path, page, stats_path};
use crate::pythons::{EVALUATES, call, launch_in, one};

#[test]
fn metrics_of_an_application_are_shared_told_and_kept_and_raise_alarms() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("web.py"), format!("import uwsgi\n{EVALUATES}")).expect("write the application");
    let launch = launch_in(&one(), directory.path());
    let (stats, metrics) = (stats_path(launch.dir()), metrics_path(launch.dir()));
    let instance = launch
        .set("module", "web")
        .set("workers", 2)
        .set("stats", stats.display())
        .set("metrics", metrics.display())
        .line("metric = shop.orders")
        .line("metric = name=shop.stock,type=gauge,initial_value=5,oid=100.1")
        .line("alarm = note log:look")
        .line("metric-threshold = key=shop.stock,value=100,alarm=note,reset=7")
        .start();
    for (expression, value) in [
        ("[uwsgi.metric_inc('shop.orders') for _ in range(3)]", "[True, True, True]"),
        ("uwsgi.metric_get('shop.orders'), uwsgi.metric_get('shop.stock')", "(3, 5)"),
        ("uwsgi.metric_dec('shop.stock', 25), uwsgi.metric_mul('shop.stock', 2)", "(True, True)"),
        ("uwsgi.metric_set_max('shop.orders', 2), uwsgi.metric_set_min('shop.orders', 2)", "(True, True)"),
        ("uwsgi.metric_get('shop.orders'), uwsgi.metric_get('shop.stock'), uwsgi.metric_get('none')", "(2, -40, 0)"),
        (
            "uwsgi.metric_inc('none'), uwsgi.metric_set('worker.0.requests', 1), uwsgi.metric_div('shop.stock', 0)",
            "(None, None, None)",
        ),
        ("uwsgi.metric_get('worker.0.requests') > 0", "True"),
    ] {
        assert_eq!(call(&instance, expression), value, "{expression}");
    }
    let told = document(&instance);
    assert_eq!(told["metrics"]["shop.stock"], serde_json::json!({"type": 1, "oid": "100.1", "value": -40}));
    assert_eq!(told["metrics"]["shop.orders"]["value"], 2);
    let text = String::from_utf8(page(&metrics, "/metrics").body).expect("text");
    for line in [
        "rhinod_application_counter_total{name=\"shop.orders\"} 2",
        "rhinod_application_gauge{name=\"shop.stock\"} -40",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} is not in {text}");
    }
    assert_eq!(call(&instance, "uwsgi.metric_set('shop.stock', 100)"), "True");
    instance.log.wait_for("ALARM: look the metric shop.stock is 100");
    assert!(wait_until(|| call(&instance, "uwsgi.metric_get('shop.stock')") == "7"), "it was set back");
    let position = instance.log.position();
    instance.signal(Signal::SIGHUP);
    instance.log.wait_for_after(position, "reload done");
    assert_eq!(call(&instance, "uwsgi.metric_get('shop.orders'), uwsgi.metric_get('shop.stock')"), "(2, 7)");
    instance.stop();
}

#[test]
fn metrics_have_files_from_which_the_next_instance_goes_on() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::write(directory.path().join("web.py"), format!("import uwsgi\n{EVALUATES}")).expect("write the application");
    let files = directory.path().join("metrics");
    fs::create_dir(&files).expect("a directory");
    let text = |name: &str| fs::read_to_string(files.join(name)).unwrap_or_default();
    let launch = || {
        let launch = launch_in(&one(), directory.path()).set("module", "web").line("metric = shop.orders");
        launch.line("metric = name=shop.stock,type=gauge,initial_value=5").set("metrics-dir", files.display())
    };
    let instance = launch().start();
    assert!(wait_until(|| text("shop.orders") == "0\n" && text("shop.stock") == "5\n"), "{files:?}");
    assert_eq!(call(&instance, "[uwsgi.metric_inc('shop.orders') for _ in range(3)]"), "[True, True, True]");
    let keeper = instance.processes().into_iter().find(|process| process.name == "rhinod metrics");
    let mut instance = instance;
    instance.expect_log("the process for metrics-dir");
    keeper.expect("a process that writes").signal(Signal::SIGKILL);
    instance.log.wait_for("another one follows");
    assert!(wait_until(|| text("shop.orders") == "3\n"), "another one writes");
    // Where there is no directory that is said, and that there is one again.
    instance.expect_log("metrics-dir");
    fs::remove_dir_all(&files).expect("remove the directory");
    assert_eq!(call(&instance, "uwsgi.metric_set('shop.stock', -6)"), "True");
    instance.log.wait_for(&format!("[error] metrics-dir {}: ", files.display()));
    fs::create_dir(&files).expect("a directory");
    instance.log.wait_for("metrics are written again");
    assert_eq!(call(&instance, "uwsgi.metric_set('shop.stock', -7)"), "True");
    instance.stop();
    assert_eq!((text("shop.orders").as_str(), text("shop.stock").as_str()), ("3\n", "-7\n"), "to the last");
    let instance = launch().set("metrics-dir-restore", true).start();
    assert_eq!(call(&instance, "uwsgi.metric_get('shop.orders'), uwsgi.metric_get('shop.stock')"), "(3, -7)");
    instance.stop();
}
