//! What can be read from a running instance, and alarms.
//!
//! The rows of the option table for the group [`Statistics`](super::Group::Statistics).
//! Read in the master before anything else, and by the commands.

use std::time::Duration;

use super::alarms;
use super::draft::Draft;
use super::kind::Kind;
use super::known_address::known_address;
use super::metrics;
use super::parsed::Parsed;
use super::row::{Opt, address, bytes, count, flag, list, path, seconds, text, value};
use super::telemetry;
use crate::config::error::ConfigError;
use crate::config::model::{Address, IdleAverage};

// What stands behind several rows.
const SCRAPE: &str = "let the monitoring scrape `metrics`";

/// Shortest time between two times.
const LEAST: Duration = Duration::from_secs(1);

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    flag("enable-metrics").accepted("the instance's own are always counted; `metric` adds the application's").says("Turn on counters/gauges collection"),
    list("metric").sets(metrics::metric).works()
        .says("A number that the application changes: NAME, or name=NAME,type=counter|gauge|absolute,initial_value=N,oid=OID"),
    list("metric-threshold").aka(&["metric-alarm", "alarm-metric"])
        .sets(metrics::threshold).works()
        .says("What is done when a metric reaches a value: key=METRIC,value=N,alarm=NAME,rate=SECONDS,msg=TEXT,reset=N"),
    path("metrics-dir").aka(&["metric-dir"]).sets(|d, v| d.config.metrics.directory = Some(v.path())).works()
        .says("Write each metric of the application into a file of its name in this directory, once a second if it has changed"),
    flag("metrics-dir-restore").aka(&["metric-dir-restore"]).sets(|d, v| d.config.metrics.restore = v.on()).works()
        .says("Metrics begin with what stands in their files"),
    flag("metrics-no-cores").sets(|d, v| d.config.telemetry.push_cores = !v.on()).works()
        .says("Leave single threads out of what stats-push and carbon send"),
    address("stats").aka(&["stats-server"])
        .sets(|d, v| d.config.statistics.server = own_address(d, v)).works()
        .says("Tell statistics as JSON to whoever connects to this address (TCP, UNIX)"),
    flag("stats-http").sets(|d, v| d.config.statistics.http = v.on()).works()
        .says("Wait for an HTTP request first; /metrics, /livez and /readyz are there as well"),
    flag("stats-minified").aka(&["stats-min"]).sets(|d, v| d.config.statistics.minified = v.on()).works()
        .says("Emit compact stats JSON"),
    list("stats-push").sets(telemetry::push).works()
        .says("Send uWSGI's metrics as datagrams: statsd:HOST:PORT[,PREFIX], or socket:HOST:PORT[,PREFIX]"),
    seconds("stats-pusher-default-freq").aka(&["stats-pushers-default-freq"]).default("3")
        .sets(|d, v| d.config.telemetry.push_every = v.duration().max(LEAST)).works()
        .says("Seconds between two times that stats-push sends"),
    flag("stats-no-cores").sets(|d, v| d.config.statistics.cores = !v.on()).works().says("Omit per-core data from stats"),
    flag("stats-no-metrics").sets(|d, v| d.config.statistics.own_metrics = !v.on()).works()
        .says("Omit metrics from stats"),
    list("alarm").sets(alarms::alarm).works()
        .says("What is done when something is wrong: NAME cmd:COMMAND (the message is its input), log:TEXT, udp:IP:PORT, \
               signal:NUMBER or mule:NUMBER"),
    flag("alarm-cheap").required().accepted("alarms hold nobody up").says("Run curl alarms in the main alarm thread"),
    seconds("alarm-freq").default("3").sets(|d, v| d.config.logging.alarms.between = v.duration()).works()
        .says("For so long an alarm is not raised with the same message again, nor more than ten times"),
    list("alarm-fd").sets(alarms::descriptor).works()
        .restart(|old, new| !old.descriptors_of("alarm-fd").eq(new.descriptors_of("alarm-fd")))
        .says("Raise an alarm when an inherited descriptor becomes readable: NAME FD[:BYTES] MESSAGE"),
    list("alarm-segfault").aka(&["segfault-alarm"])
        .sets(|d, v| d.config.logging.alarms.on_fault.push(v.string())).works()
        .says("Raise the alarm of this name when a worker dies of a memory fault"),
    list("alarm-backlog").aka(&["backlog-alarm", "lq-alarm", "alarm-lq", "alarm-listen-queue", "listen-queue-alarm"])
        .sets(|d, v| d.config.logging.alarms.on_backlog.push(v.string())).works()
        .says("Raise the alarm of this name when the queue of a socket is full"),
    list("log-alarm").aka(&["alarm-log"]).sets(alarms::line_alarm).works()
        .says("Raise alarms when a line of the log matches: NAME[,NAME] REGEX"),
    list("not-log-alarm").aka(&["not-alarm-log"]).sets(alarms::exempt).works()
        .says("Lines of the log that match raise no alarm"),
    bytes("alarm-msg-size").default("8192").sets(alarms::message_size).works()
        .says("Largest message of an alarm in bytes"),
    list("carbon").sets(telemetry::carbon).works().says("Send figures to this server of carbon: HOST:PORT"),
    seconds("carbon-timeout").default("3").sets(|d, v| d.config.telemetry.carbon.patience = v.duration().max(LEAST)).works()
        .says("How long a server of carbon may take for each step"),
    seconds("carbon-freq").default("60").sets(|d, v| d.config.telemetry.carbon.every = v.duration().max(LEAST)).works()
        .says("Seconds between two times that carbon is sent to"),
    text("carbon-id").sets(|d, v| telemetry::part(d, v, |d, text| d.config.telemetry.carbon.id = Some(text))).works()
        .says("What the instance is called in the names; else its first socket"),
    flag("carbon-no-workers").sets(|d, v| d.config.telemetry.carbon.with_workers = !v.on()).works()
        .says("Leave single workers out"),
    count("carbon-max-retry").default("1").sets(|d, v| d.config.telemetry.carbon.retries = v.amount().try_into().unwrap_or(u32::MAX)).works()
        .says("How often it is tried again where a server does not take the figures"),
    seconds("carbon-retry-delay").default("7").sets(|d, v| d.config.telemetry.carbon.retry_after = v.duration().max(LEAST)).works()
        .says("Seconds before it is tried again"),
    text("carbon-root").default("uwsgi").sets(|d, v| telemetry::part(d, v, |d, text| d.config.telemetry.carbon.root = text)).works()
        .says("What the names begin with"),
    text("carbon-hostname-dots").sets(|d, v| telemetry::part(d, v, |d, text| d.config.telemetry.carbon.dots = Some(text))).works()
        .says("What stands for the dots in the machine's name"),
    flag("carbon-name-resolve").aka(&["carbon-resolve-names"]).accepted("names of servers are always looked up")
        .says("Allow DNS name for carbon server"),
    value("carbon-idle-avg", Kind::Choice(IdleAverage::NAMES)).default("last").sets(|d, v| d.config.telemetry.carbon.idle = IdleAverage::of(v.text)).works()
        .says("What is sent as the average time of requests where there were none"),
    flag("carbon-use-metrics").sets(|d, v| d.config.telemetry.carbon.by_metrics = v.on()).works()
        .says("Send uWSGI's metrics by their names instead"),
    list("rrdtool").unsupported(SCRAPE).says("Directory for RRD files"),
    seconds("rrdtool-freq").default("300").unsupported(SCRAPE).says("Seconds between RRD updates"),
    text("rrdtool-lib").default("librrd.so").unsupported(SCRAPE).says("Name of the rrd library"),
];

/// An address at which the instance tells of itself: one that it opens.
pub(super) fn own_address(draft: &mut Draft<'_>, value: &Parsed<'_>) -> Option<Address> {
    match known_address(draft, value)? {
        Address::Inherited(_) => {
            draft.refuse("expected HOST:PORT, a path or @NAME; this is opened by rhinod", "name an address");
            None
        }
        address => Some(address),
    }
}

/// Two kinds of answers do not fit one address, and what is raised must be there.
pub(super) fn judge(draft: &mut Draft<'_>) {
    alarms::judge(draft);
    metrics::judge(draft);
    telemetry::judge(draft);
    let statistics = &draft.config.statistics;
    let same = statistics.metrics.is_some() && statistics.server == statistics.metrics;
    if let (true, false, Some(directive)) = (same, statistics.http, draft.given("metrics")) {
        let problem = "`stats` has this address as well, and does not speak HTTP there";
        draft.error(ConfigError::about(directive, problem).suggest("add stats-http = true, or give each its own"));
    }
    let statistics = &draft.config.statistics;
    let others = [&statistics.server, &statistics.metrics];
    if statistics.agent.is_some()
        && others.contains(&&statistics.agent)
        && let Some(directive) = draft.given("agent-check")
    {
        let problem = "`stats` or `metrics` has this address as well, and the agent speaks no HTTP";
        draft.error(ConfigError::about(directive, problem).suggest("give it an address of its own"));
    }
}
