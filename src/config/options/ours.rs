//! What uWSGI 2.0 does not have: rows of the option table, for the group [`Ours`](super::Group::Ours).
//! Read in the master before anything else, and by the commands.

use std::time::Duration;

use super::canary;
use super::draft::Draft;
use super::kind::Kind;
use super::offers;
use super::parsed::Parsed;
use super::refork;
use super::reload::reload_on_term;
use super::row::{Opt, address, count, flag, int, list, millis, pair, path, seconds, text, value};
use super::schedule;
use super::statistics::own_address;
use super::telemetry;
use super::vassals;
use crate::config::model::{NoReach, Undecided};

/// What some of them mean together.
pub(super) fn judge(draft: &mut Draft<'_>) {
    canary::judge(draft);
    refork::judge(draft);
}

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    path("rust-app").sets(|d, v| d.rust_app = Some(v.path())).works()
        .says("Serve the application of this binary, which embeds rhinod"),
    path("python-executable").sets(|d, v| d.python.interpreter = Some(v.path())).works()
        .says("Interpreter that runs the application when there is no virtualenv; else that of the virtualenv that rhinod is in, else python3 of PATH"),
    seconds("load-timeout").default("0").sets(|d, v| d.config.patience.load_timeout = v.duration_unless_zero()).works()
        .says("Time for the application to load before the start or the reload counts as failed; 0 waits for ever"),
    text("reload-canary").sets(canary::portion).works()
        .says("At a reload so many workers of the new generation, or such a part (10%, in an ini file 10%%), serve on trial beside the old ones; it takes over if it fails no more often and is not slower"),
    seconds("reload-canary-time").default("60").sets(|d, v| d.config.canary.time = v.duration()).works()
        .says("How long the trial of reload-canary lasts"),
    int("reload-canary-requests", 1, i32::MAX as i64).default("500").sets(|d, v| d.config.canary.requests = v.amount()).works()
        .says("Fewer requests than this tell nothing at the end of the trial of reload-canary"),
    value("reload-canary-verdict", Kind::Choice(Undecided::NAMES)).default("commit").sets(canary::verdict).works()
        .says("What becomes of a new generation of which too few requests tell: it takes over, is tried on, or goes"),
    text("refork").sets(refork::after).works()
        .says("Fork workers from one that has answered so many requests (auto: when its memory says that it saves), so that they share what it has come to hold; uWSGI's switch of this name, a second fork after dropping privileges, does nothing"),
    flag("refork-immortal").default("true").sets(|d, v| d.config.refork_immortal = v.on()).works()
        .says("With refork the modules, classes and functions of an application live as long as the process, and references to them are not counted, so that workers do not write to what they share (CPython 3.12 and 3.13)"),
    seconds("stop-delay").default("0").sets(|d, v| d.config.patience.stop_delay = v.duration_unless_zero()).works()
        .says("Serve on for so long when told to stop, while /readyz says that the instance stops; told again it stops at once"),
    int("oom-score-adj", -1000, 1000)
        .sets(|d, v| d.config.resources.oom_score = i32::try_from(v.number).ok()).works()
        .says("How much more readily the kernel kills workers than others when memory is short; the master keeps its own"),
    flag("no-new-privs").sets(|d, v| d.config.identity.no_new_privileges = v.on()).works()
        .says("Workers, and what they execute, never get more rights than they have (sudo and the like fail there)"),
    value("seccomp", Kind::Choice(&["default", "off"])).default("off").sets(|d, v| d.config.sandbox.refuses_calls = v.text == "default").works()
        .says("Refuse system calls to workers that no application needs: of kernel modules, mounts, namespaces, clocks, other processes"),
    list("landlock").sets(reach).works()
        .says("Leave workers only what is below such paths: ro:PATH to read and execute, rw:PATH to change as well"),
    flag("procname-requests").sets(|d, v| d.config.process_names.requests = v.on()).works()
        .says("Titles of workers name the request that they have, without its query"),
    flag("reload-on-term").sets(reload_on_term).works()
        .says("SIGTERM reloads brutally, as in uWSGI without die-on-term"),
    millis("cheaper-target-wait").default("10").sets(|d, v| d.config.scaling.target_wait = v.duration()).works()
        .says("Longest time that requests should wait for a worker under the rule `adaptive`"),
    count("cheaper-idle").default("10").sets(|d, v| d.config.scaling.idle = v.amount()).works()
        .says("Looks without need before the rule `spare2` drops a worker (uWSGI 2.1)"),
    list("cheaper-schedule").sets(schedule::period).works()
        .says("At least so many workers at a time of the week: mon-fri 08:00-18:00 8, perhaps with a time zone"),
    path("cheaper-log").sets(|d, v| d.config.scaling.log = Some(v.path())).works()
        .says("Write each scaling decision with its inputs to this file, for `rhinod simulate --replay`"),
    address("metrics").sets(|d, v| d.config.statistics.metrics = own_address(d, v)).works()
        .says("Tell metrics over HTTP at this address, as Prometheus reads them (/metrics), and health (/livez, /readyz)"),
    address("agent-check").sets(|d, v| d.config.statistics.agent = own_address(d, v)).works()
        .says("Tell HAProxy's agent at this address how much is spare (ready up 75%), and to drain while the instance stops"),
    value("otlp", Kind::FlagOrText).optional().sets(telemetry::otlp).works()
        .says("Send metrics, and a span for each request, to the OpenTelemetry collector at http://HOST:PORT or https://HOST:PORT; true: where OTEL_EXPORTER_OTLP_ENDPOINT says, else http://localhost:4318"),
    path("otlp-certificate").sets(|d, v| d.config.telemetry.otlp.certificate = Some(v.path())).works()
        .says("File with the certificates of the authorities that a collector at https:// may have one of (PEM); else OTEL_EXPORTER_OTLP_CERTIFICATE, else the system's"),
    list("otlp-header").sets(telemetry::header).works()
        .says("Header of each request to the collector, NAME: VALUE; else those of OTEL_EXPORTER_OTLP_HEADERS"),
    text("otlp-service-name").sets(|d, v| d.config.telemetry.otlp.service = Some(v.string())).works()
        .says("What the collector is told that the service is called; else OTEL_SERVICE_NAME"),
    pair("otlp-attribute").list().sets(|d, v| d.config.telemetry.otlp.attributes.push(v.pair())).works()
        .says("An attribute of the resource, over and above those of OTEL_RESOURCE_ATTRIBUTES"),
    seconds("otlp-interval").default("60").sets(|d, v| d.config.telemetry.otlp.interval = v.duration().max(Duration::from_secs(1))).works()
        .says("Seconds between two times that metrics go to the collector"),
    int("otlp-sampled", 0, 100).default("100").sets(|d, v| d.config.telemetry.otlp.percent = v.amount() as u32).works()
        .says("Of so many in a hundred traces that begin here the collector is told; whether it is of others, traceparent says"),
    value("chmod-stats", Kind::Mode).optional().sets(|d, v| d.config.statistics.mode = u32::try_from(v.number).ok()).works()
        .says("Mode of the unix socket of `stats`, which tells what requests are about; without it what chmod-socket or the umask gives, but nothing for users beside owner and group"),
    flag("stats-variables").sets(|d, v| d.config.statistics.variables = v.on()).works()
        .says("Tell all variables of requests under way in `stats`, also query strings, cookies and credentials"),
    flag("log-at-once").sets(|d, v| d.config.logging.at_once = v.on()).works()
        .says("Write each request line by itself, also where requests of less than a millisecond follow on each other, whose lines are written many with one call"),
    flag("log-format-json").sets(|d, v| d.config.logging.format_json = v.on()).works()
        .says("Escape values in log-format as the insides of JSON strings"),
    path("x-sendfile").sets(|d, v| d.config.answers.named_below = Some(v.path())).works()
        .says("Send the file that an application names in X-Sendfile or X-Accel-Redirect instead of a body, if it is below this directory"),
    seconds("queue-timeout").default("0").sets(|d, v| d.config.request.queue_timeout = v.duration_unless_zero()).works()
        .says("Answer requests that have waited longer for a worker with 503 and Retry-After; 0 serves them however late it is"),
    list("queue-timeout-except").sets(|d, v| d.config.request.queue_spared.push(v.string())).works()
        .says("Path of a health check, which is served however late it is"),
    list("uwsgi-allow-from").sets(admit).works()
        .says("Address or network from which a web server may come over TCP, on all sockets but HTTP's; others are cut off"),
    list("rpc-allow-from").sets(offers::let_call).works()
        .says("Address or network from which the application's functions may be called over uwsgi sockets; unix: for unix sockets; nobody without it"),
    list("cache-allow-from").sets(offers::let_use_caches).works()
        .says("Address or network from which the caches may be used over uwsgi sockets; unix: for unix sockets; nobody without it"),
    list("spool-allow-from").sets(offers::let_spool).works()
        .says("Address or network from which tasks for spoolers may come over uwsgi sockets; unix: for unix sockets; nobody without it"),
    list("trusted-proxy").sets(trust_proxy).works()
        .says("Address or network of a proxy whose X-Forwarded and X-Request-Start headers are believed; unix: for a unix socket"),
    count("emperor-starts").sets(|d, v| d.config.emperor.patience.starts = v.unless_zero().map(|starts| u32::try_from(starts).unwrap_or(u32::MAX))).works().at_start()
        .says("How many vassals may be starting at once; 0 is two for each processor"),
    path("emperor-survive").sets(vassals::survive).works().at_start()
        .says("Vassals outlive an Emperor that is killed; the next one meets them at this socket"),
    text("emperor-memory").sets(vassals::memory).works().at_start()
        .says("Memory for the workers of all vassals, with K, M, G or auto: idle ones go where others' requests wait"),
    flag("generation-header").sets(|d, v| d.config.answers.names_generation = v.on()).works()
        .says("Say in X-Rhinod-Generation which generation gives an answer, for the web server's log"),
    flag("server-header").default("true").sets(|d, v| d.config.http.names_server = v.on()).works()
        .says("Answers on HTTP sockets have a Server header"),
];

/// `trusted-proxy`: an address, a network, or whoever comes over a unix socket.
fn trust_proxy(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match value.text.parse() {
        Ok(network) => draft.config.request.trusted_proxies.push(network),
        Err(error) => draft.refuse(error.to_string(), "for example 10.0.0.0/8, or unix:"),
    }
}

/// `landlock`: a path, and what may be done there.
fn reach(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match value.text.parse() {
        Ok(reach) => draft.config.sandbox.files.push(reach),
        Err(NoReach) => draft.refuse("expected ro:PATH or rw:PATH", "for example ro:/ and rw:/srv/app/media"),
    }
}

/// `uwsgi-allow-from`: an address or a network.
fn admit(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match value.text.parse() {
        Ok(network) => draft.config.request.web_servers.push(network),
        Err(_) => draft.refuse("expected an IP address or ADDRESS/BITS", "for example 10.0.0.7, or 10.0.0.0/8"),
    }
}
