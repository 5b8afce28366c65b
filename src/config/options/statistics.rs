//! What can be read from a running instance, and alarms.
//!
//! The rows of the option table for the group [`Statistics`](super::Group::Statistics).
//! Read in the master before anything else, and by the commands.

use super::row::{Opt, bytes, count, flag, list, seconds, text};

// What stands behind several rows.
const METRICS: &str = "metrics";
const STATS: &str = "the statistics server";
const SCRAPE: &str = "let the monitoring scrape the statistics";
const ALARMS: &str = "alarms; watch the log";

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    flag("enable-metrics").not_yet(METRICS).says("Turn on counters/gauges collection"),
    list("metric").not_yet(METRICS).says("Define a custom metric (key=value list)"),
    list("metric-threshold").aka(&["metric-alarm", "alarm-metric"]).not_yet(METRICS)
        .says("Alarm when a metric crosses value"),
    text("metrics-dir").aka(&["metric-dir"]).not_yet(METRICS).says("Expose metrics as files in directory"),
    flag("metrics-dir-restore").aka(&["metric-dir-restore"]).not_yet(METRICS)
        .says("Restore metric values from metrics-dir"),
    flag("metrics-no-cores").not_yet(METRICS).says("Skip per-core metrics"),
    text("stats").aka(&["stats-server"]).not_yet(STATS).says("JSON stats server address (TCP, UNIX)"),
    flag("stats-http").not_yet(STATS).says("Let browsers read stats: adds an HTTP response head"),
    flag("stats-minified").aka(&["stats-min"]).not_yet(STATS).says("Emit compact stats JSON"),
    list("stats-push").unsupported(SCRAPE).says("Push stats JSON to a pusher plugin target"),
    seconds("stats-pusher-default-freq").aka(&["stats-pushers-default-freq"]).default("3").unsupported(SCRAPE)
        .says("Seconds between stats pushes"),
    flag("stats-no-cores").not_yet(STATS).says("Omit per-core data from stats"),
    flag("stats-no-metrics").not_yet(METRICS).says("Omit metrics from stats"),
    list("alarm").not_yet(ALARMS).says("Define alarm: name plugin:args"),
    flag("alarm-cheap").required().not_yet(ALARMS).says("Run curl alarms in the main alarm thread"),
    seconds("alarm-freq").default("3").not_yet(ALARMS).says("Minimum seconds between same alarms"),
    list("alarm-fd").not_yet(ALARMS).says("Raise alarm when descriptor readable"),
    list("alarm-segfault").aka(&["segfault-alarm"]).not_yet(ALARMS).says("Raise alarm on segmentation fault"),
    list("alarm-backlog").aka(&["backlog-alarm", "lq-alarm", "alarm-lq", "alarm-listen-queue", "listen-queue-alarm"])
        .not_yet(ALARMS).says("Raise alarm when listen queue is full"),
    list("log-alarm").aka(&["alarm-log"]).not_yet(ALARMS).says("Raise alarm when log line matches regex"),
    list("not-log-alarm").aka(&["not-alarm-log"]).not_yet(ALARMS).says("Exempt log lines matching regex from alarm"),
    bytes("alarm-msg-size").default("8192").not_yet(ALARMS).says("Largest alarm message in bytes"),
    list("carbon").unsupported(SCRAPE).says("Send metrics to carbon server"),
    seconds("carbon-timeout").default("3").unsupported(SCRAPE).says("Carbon connect timeout seconds"),
    seconds("carbon-freq").default("60").unsupported(SCRAPE).says("Seconds between carbon pushes"),
    text("carbon-id").unsupported(SCRAPE).says("Instance id in carbon keys"),
    flag("carbon-no-workers").unsupported(SCRAPE).says("Omit per-worker carbon metrics"),
    count("carbon-max-retry").unsupported(SCRAPE).says("Carbon retries after error"),
    seconds("carbon-retry-delay").default("7").unsupported(SCRAPE).says("Seconds between carbon retries"),
    text("carbon-root").default("uwsgi").unsupported(SCRAPE).says("Root of carbon metric names"),
    text("carbon-hostname-dots").unsupported(SCRAPE).says("Replacement for dots of hostname in keys"),
    flag("carbon-name-resolve").aka(&["carbon-resolve-names"]).unsupported(SCRAPE)
        .says("Allow DNS name for carbon server"),
    text("carbon-idle-avg").default("last").unsupported(SCRAPE).says("Average reported while idle: last, zero, none"),
    flag("carbon-use-metrics").unsupported(SCRAPE).says("Send metrics subsystem values to carbon"),
    list("rrdtool").unsupported(SCRAPE).says("Directory for RRD files"),
    seconds("rrdtool-freq").default("300").unsupported(SCRAPE).says("Seconds between RRD updates"),
    text("rrdtool-lib").default("librrd.so").unsupported(SCRAPE).says("Name of the rrd library"),
];
