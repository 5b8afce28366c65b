//! Processes that take HTTP and other protocols and pass them on.
//!
//! The rows of the option table for the group [`Routers`](super::Group::Routers).
//! Read in the master before anything else, and by the commands.

use super::draft::Draft;
use super::kind::Kind;
use super::parsed::Parsed;
use super::row::{Opt, address, bytes, count, flag, list, seconds, text, value};
use super::{hearing, http_router, secure};

use crate::config::model::HttpSockets;

// What stands behind several rows.
const HTTP: &str = "the router has no such rule; put nginx in front";
const CHUNKS: &str = "bodies in chunks are always decoded for the application";
const ROUTERS: &str = "route with nginx or HAProxy";

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    address("http").aka(&["httprouter"]).list().sets(http_router::listen).works()
        .says("Listen for HTTP on HOST:PORT or a unix path; workers answer themselves, as on `http-socket`, or behind a router (`http-processes`)"),
    list("https").sets(http_router::listen_in_order).works()
        .says("Listen for HTTPS: ADDRESS,CERT,KEY[,CIPHERS[,CA]]; CA asks clients for certificates, !CA demands them"),
    list("https2").sets(http_router::listen_by_name).works()
        .says("The same as addr=ADDRESS,cert=FILE,key=FILE[,ciphers=LIST][,clientca=CA]; it is not HTTP/2"),
    flag("https-export-cert").unsupported("certificates of clients are judged (!CA), and not passed on; nginx hands them on").says("Pass client certificate as variable"),
    text("https-session-context").unsupported("sessions are resumed on the socket that they began on, without a name").says("TLS session id context"),
    list("http-to-https").sets(http_router::send_on).works()
        .says("Listen for HTTP on ADDRESS[,PORT] and send everybody on to https of the same host, at PORT"),
    count("http-processes").aka(&["http-workers"]).default("1")
        .sets(|d, v| http_router::ask(d, |routers| routers.processes = v.size().max(1))).works()
        .says("Processes that read the requests of `http` and `https` and have workers answer them; also those that take TLS off others"),
    list("http-var").sets(http_router::add_variable).works()
        .says("KEY=VALUE: a variable of each request on `http` and `https`, which a router then reads"),
    list("http-to").sets(http_router::pass_on).works()
        .says("Address of another server for the uwsgi protocol, whom a router asks in the place of the workers; several take turns"),
    text("http-zerg").not_yet(HTTP).says("HTTP router obtains sockets from a zerg server"),
    list("http-fallback").not_yet(HTTP).says("Backend used when others fail"),
    count("http-modifier1").sets(|d, v| http_router::modifier(d, v, |both| &mut both.0)).works()
        .says("modifier1 of each request that a router passes on"),
    count("http-modifier2").sets(|d, v| http_router::modifier(d, v, |both| &mut both.1)).works()
        .says("modifier2 of each request that a router passes on"),
    text("http-use-cache").optional().not_yet(HTTP).says("Map Host to backend with a cache"),
    text("http-use-pattern").not_yet(HTTP).says("Map Host to UNIX socket with a pattern"),
    text("http-use-base").not_yet(HTTP).says("Map Host to UNIX socket below directory"),
    count("http-events").default("64").accepted("a router takes what there is, up to a bound of its own").says("Events handled per router cycle"),
    address("http-subscription-server").list().sets(hearing::listen).works()
        .says("Where a router hears instances announce themselves: IP:PORT of UDP, or a path; requests go to the nodes of their host"),
    text("http-subscription-fallback-key").sets(hearing::fall_back).works()
        .says("Whose nodes a router asks for hosts that nobody has announced"),
    seconds("http-timeout").default("60").sets(|d, v| d.config.routers.patience = v.duration()).works()
        .says("Seconds of silence on a connection of a router's, or of offload-threads with an answer unread; elsewhere socket-timeout holds"),
    count("http-manage-expect").optional().accepted("`100-continue` is answered when the body is wanted; `limit-post` bounds it").says("Answer Expect: 100-continue (optional size limit)"),
    seconds("http-keepalive").optional().default("75").sets(keep_alive).works()
        .says("Seconds for which clients of HTTP sockets may be silent between requests; 0 ends each connection at once"),
    flag("http-auto-chunked").accepted("answers without a length go to HTTP/1.1 clients in chunks").says("Chunk responses lacking a length on keep-alive"),
    flag("http-auto-gzip").sets(|d, v| if v.on() { http_router::ask(d, |routers| routers.packs = true) }).works()
        .says("A router packs the answers that the application marks with the header uWSGI-Encoding: gzip, for clients that take gzip"),
    flag("http-raw-body").accepted(CHUNKS).says("Pass body bytes unchanged to backend"),
    flag("http-websockets").accepted("applications open websockets on every socket").says("Switch to raw mode on websocket upgrade"),
    flag("http-chunked-input").accepted(CHUNKS).says("Switch to raw mode on chunked requests"),
    text("http-use-code-string").not_yet(HTTP).says("Map Host to backend with plugin code"),
    count("http-use-socket").optional().accepted("workers are asked on a socket that is there for it").says("Forward to uwsgi socket number N"),
    seconds("http-gracetime").default("30").sets(|d, v| d.config.routers.grace = v.duration()).works()
        .says("Seconds for which a router leaves a server of http-to alone that cannot be connected to, while there are others"),
    flag("http-quiet").required().sets(|d, v| d.config.routers.quiet = v.on()).works()
        .says("A router says nothing of workers, or servers, that cannot be asked or do not answer"),
    flag("http-cheap").accepted("nobody waits for a node to announce itself: whose host nobody serves is told so (404)").says("Accept only while backends exist"),
    address("http-stats").aka(&["http-stats-server", "http-ss"]).sets(http_router::tell).works()
        .says("A router tells of itself as JSON to whoever connects to this address (TCP, UNIX)"),
    seconds("http-harakiri").default("0").accepted("nothing of the application's runs in a router").says("Kill a stuck router process after N seconds"),
    list("http-stud-prefix").not_yet(HTTP).says("Peer address sending stud/hitch prefix"),
    value("http-uid", Kind::User).accepted("a router is the instance's user (`uid`)").says("User for HTTP router"),
    value("http-gid", Kind::UserGroup).accepted("a router is of the instance's group (`gid`)").says("Group for HTTP router"),
    list("http-resubscribe").not_yet(HTTP).says("Forward announcements to another server"),
    bytes("http-buffer-size").default("65536").sets(|d, v| d.config.routers.body_in_memory = v.amount()).works()
        .says("Bytes of a request body that a router keeps in memory; more are in a file. buffer-size bounds heads"),
    flag("http-server-name-as-http-host").required()
        .sets(|d, v| if v.on() { http_router::ask(d, |routers| routers.named_by_host = true) }).works()
        .says("A router gives the host that a client asks for as SERVER_NAME"),
    seconds("http-headers-timeout").default("60").sets(|d, v| d.config.routers.head_patience = v.duration()).works()
        .says("Seconds for a whole head on a socket whose requests a router reads; on others with TLS for the handshake and the first byte"),
    seconds("http-connect-timeout").sets(|d, v| d.config.routers.connect_patience = v.duration_unless_zero()).works()
        .says("Seconds for which a router tries to connect to a worker or server; as http-timeout"),
    flag("http-manage-source").not_yet(HTTP).says("Support SOURCE method (icecast)"),
    flag("http-manage-rtsp").not_yet(HTTP).says("Support RTSP sessions"),
    flag("http-enable-proxy-protocol").optional().sets(|d, v| d.config.http.proxy_protocol = v.on()).works().says("Accept PROXY protocol on HTTP router"),
    address("fastrouter").list().unsupported(ROUTERS).says("uwsgi-protocol router listening on address"),
    count("fastrouter-processes").aka(&["fastrouter-workers"]).default("1").unsupported(ROUTERS)
        .says("Number of fastrouter processes"),
    text("fastrouter-zerg").unsupported(ROUTERS).says("fastrouter obtains sockets from a zerg server"),
    text("fastrouter-use-cache").optional().unsupported(ROUTERS).says("fastrouter: map key to backend with a cache"),
    text("fastrouter-use-pattern").unsupported(ROUTERS).says("fastrouter: map key to socket with a pattern"),
    text("fastrouter-use-base").unsupported(ROUTERS).says("fastrouter: map key to socket below directory"),
    list("fastrouter-fallback").unsupported(ROUTERS).says("fastrouter: backend used when others fail"),
    text("fastrouter-use-code-string").unsupported(ROUTERS).says("fastrouter: map key with plugin code"),
    count("fastrouter-use-socket").optional().unsupported(ROUTERS).says("fastrouter: forward to uwsgi socket number N"),
    list("fastrouter-to").unsupported(ROUTERS).says("fastrouter: backend address (repeatable)"),
    seconds("fastrouter-gracetime").default("30").unsupported(ROUTERS)
        .says("fastrouter: seconds before retrying dead backend"),
    count("fastrouter-events").default("64").unsupported(ROUTERS).says("fastrouter: events handled per cycle"),
    flag("fastrouter-quiet").required().unsupported(ROUTERS).says("fastrouter: do not log backend failures"),
    flag("fastrouter-cheap").unsupported(ROUTERS).says("fastrouter: accept only while backends exist"),
    address("fastrouter-subscription-server").list().unsupported(ROUTERS)
        .says("fastrouter: address accepting announcements"),
    text("fastrouter-subscription-slot").unsupported(ROUTERS).says("Deprecated no-op of fastrouter"),
    seconds("fastrouter-timeout").default("60").unsupported(ROUTERS).says("fastrouter: inactivity timeout seconds"),
    count("fastrouter-post-buffering").unsupported(ROUTERS).says("fastrouter: buffer request bodies to disk"),
    text("fastrouter-post-buffering-dir").unsupported(ROUTERS).says("No-op of fastrouter (TMPDIR is used)"),
    text("fastrouter-stats").aka(&["fastrouter-stats-server", "fastrouter-ss"]).unsupported(ROUTERS)
        .says("Stats address of fastrouter"),
    seconds("fastrouter-harakiri").default("0").unsupported(ROUTERS)
        .says("Kill stuck fastrouter process after N seconds"),
    value("fastrouter-uid", Kind::User).unsupported(ROUTERS).says("User for fastrouter"),
    value("fastrouter-gid", Kind::UserGroup).unsupported(ROUTERS).says("Group for fastrouter"),
    list("fastrouter-resubscribe").unsupported(ROUTERS).says("fastrouter: forward announcements to another server"),
    text("fastrouter-resubscribe-bind").unsupported(ROUTERS)
        .says("fastrouter: source address for forwarded announcements"),
    bytes("fastrouter-buffer-size").default("4096").unsupported(ROUTERS).says("fastrouter: buffer bytes"),
    flag("fastrouter-fallback-on-no-key").unsupported(ROUTERS).says("fastrouter: use fallback when key unknown"),
    text("fastrouter-subscription-fallback-key").unsupported(ROUTERS).says("fastrouter: key used when unknown"),
    address("rawrouter").list().unsupported(ROUTERS).says("TCP router listening on address"),
    count("rawrouter-processes").aka(&["rawrouter-workers"]).default("1").unsupported(ROUTERS)
        .says("Number of rawrouter processes"),
    text("rawrouter-zerg").unsupported(ROUTERS).says("rawrouter obtains sockets from a zerg server"),
    text("rawrouter-use-cache").optional().unsupported(ROUTERS).says("rawrouter: map key to backend with a cache"),
    text("rawrouter-use-pattern").unsupported(ROUTERS).says("rawrouter: map key to socket with a pattern"),
    text("rawrouter-use-base").unsupported(ROUTERS).says("rawrouter: map key to socket below directory"),
    list("rawrouter-fallback").unsupported(ROUTERS).says("rawrouter: backend used when others fail"),
    text("rawrouter-use-code-string").unsupported(ROUTERS).says("rawrouter: map key with plugin code"),
    count("rawrouter-use-socket").optional().unsupported(ROUTERS).says("rawrouter: forward to uwsgi socket number N"),
    list("rawrouter-to").unsupported(ROUTERS).says("rawrouter: backend address (repeatable)"),
    seconds("rawrouter-gracetime").default("30").unsupported(ROUTERS)
        .says("rawrouter: seconds before retrying dead backend"),
    count("rawrouter-events").default("64").unsupported(ROUTERS).says("rawrouter: events handled per cycle"),
    count("rawrouter-max-retries").default("3").unsupported(ROUTERS).says("rawrouter: attempts on other backends"),
    flag("rawrouter-quiet").required().unsupported(ROUTERS).says("rawrouter: do not log backend failures"),
    flag("rawrouter-cheap").unsupported(ROUTERS).says("rawrouter: accept only while backends exist"),
    address("rawrouter-subscription-server").list().unsupported(ROUTERS)
        .says("rawrouter: address accepting announcements"),
    text("rawrouter-subscription-slot").unsupported(ROUTERS).says("Deprecated no-op of rawrouter"),
    seconds("rawrouter-timeout").default("60").unsupported(ROUTERS).says("rawrouter: inactivity timeout seconds"),
    text("rawrouter-stats").aka(&["rawrouter-stats-server", "rawrouter-ss"]).unsupported(ROUTERS)
        .says("Stats address of rawrouter"),
    seconds("rawrouter-harakiri").default("0").unsupported(ROUTERS)
        .says("Kill stuck rawrouter process after N seconds"),
    flag("rawrouter-xclient").unsupported(ROUTERS).says("rawrouter: send XCLIENT with client address"),
    bytes("rawrouter-buffer-size").default("4096").unsupported(ROUTERS).says("rawrouter: buffer bytes"),
    list("sslrouter").unsupported(ROUTERS).says("TLS-terminating TCP router: addr,cert,key"),
    list("sslrouter2").unsupported(ROUTERS).says("TLS TCP router with key=value options"),
    text("sslrouter-session-context").unsupported(ROUTERS).says("sslrouter: TLS session id context"),
    count("sslrouter-processes").aka(&["sslrouter-workers"]).default("1").unsupported(ROUTERS)
        .says("Number of sslrouter processes"),
    text("sslrouter-zerg").unsupported(ROUTERS).says("sslrouter obtains sockets from a zerg server"),
    text("sslrouter-use-cache").optional().unsupported(ROUTERS).says("sslrouter: map key to backend with a cache"),
    text("sslrouter-use-pattern").unsupported(ROUTERS).says("sslrouter: map key to socket with a pattern"),
    text("sslrouter-use-base").unsupported(ROUTERS).says("sslrouter: map key to socket below directory"),
    list("sslrouter-fallback").unsupported(ROUTERS).says("sslrouter: backend used when others fail"),
    text("sslrouter-use-code-string").unsupported(ROUTERS).says("sslrouter: map key with plugin code"),
    count("sslrouter-use-socket").optional().unsupported(ROUTERS).says("sslrouter: forward to uwsgi socket number N"),
    list("sslrouter-to").unsupported(ROUTERS).says("sslrouter: backend address (repeatable)"),
    seconds("sslrouter-gracetime").default("30").unsupported(ROUTERS)
        .says("sslrouter: seconds before retrying dead backend"),
    count("sslrouter-events").default("64").unsupported(ROUTERS).says("sslrouter: events handled per cycle"),
    count("sslrouter-max-retries").default("3").unsupported(ROUTERS).says("sslrouter: attempts on other backends"),
    flag("sslrouter-quiet").required().unsupported(ROUTERS).says("sslrouter: do not log backend failures"),
    flag("sslrouter-cheap").unsupported(ROUTERS).says("sslrouter: accept only while backends exist"),
    address("sslrouter-subscription-server").list().unsupported(ROUTERS)
        .says("sslrouter: address accepting announcements"),
    seconds("sslrouter-timeout").default("60").unsupported(ROUTERS).says("sslrouter: inactivity timeout seconds"),
    text("sslrouter-stats").aka(&["sslrouter-stats-server", "sslrouter-ss"]).unsupported(ROUTERS)
        .says("Stats address of sslrouter"),
    seconds("sslrouter-harakiri").default("0").unsupported(ROUTERS)
        .says("Kill stuck sslrouter process after N seconds"),
    flag("sslrouter-sni").unsupported(ROUTERS).says("sslrouter: choose backend by SNI"),
    bytes("sslrouter-buffer-size").default("4096").unsupported(ROUTERS).says("sslrouter: buffer bytes"),
];

/// What options mean together.
pub(super) fn judge(draft: &mut Draft<'_>) {
    hearing::judge(draft);
    http_router::judge(draft);
    secure::judge(draft);
    http_router::open_behind(draft);
}

/// `http-keepalive`: 1, or a word for on, is the default; uWSGI takes it for the router's `http-timeout`.
fn keep_alive(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    draft.config.http.keep_alive = match value.duration().as_secs() {
        1 => HttpSockets::KEEP_ALIVE,
        _ => value.duration(),
    };
}
