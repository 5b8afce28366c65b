//! Other protocols than uwsgi, TLS and event loops.
//!
//! The rows of the option table for the group [`Network`](super::Group::Network).
//! Read in the master before anything else, and by the commands.

use super::draft::Draft;
use super::parsed::Parsed;
use super::row::{Opt, address, bytes, count, flag, kilobytes, list, seconds, text};
use super::secure;
use super::sockets::listen;
use crate::config::error::ConfigError;
use crate::config::model::Protocol;

// What stands behind several rows.
const TLS: &str = "TLS has rustls' safe settings: 1.2 and 1.3, certificates for names by `sni`";
const MODIFIER2: &str = "an instance serves one application, for which it means nothing";
const OTHER_PROTOCOL: &str = "use the uwsgi protocol";
const LOOPS: &str = "use processes and threads";

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    list("suwsgi-socket").aka(&["ssl-socket"]).sets(|d, v| secure::listen(d, v, Protocol::Uwsgi)).works()
        .says("Listen with the uwsgi protocol under TLS (nginx `uwsgi_pass suwsgi://`): ADDRESS,CERT,KEY[,CIPHERS[,CA]]"),
    address("http-socket").list().sets(|d, v| listen(d, v, Some(Protocol::Http))).works()
        .says("Listen on HOST:PORT or a unix path; speaks HTTP/1.1 to browsers, load balancers and proxies"),
    count("http-socket-modifier1").sets(modifier1).works()
        .says("modifier1 of requests from http-socket; only 0, a web request, means anything here"),
    count("http-socket-modifier2").accepted(MODIFIER2).says("modifier2 assigned to requests from http-socket"),
    address("http11-socket").list().sets(|d, v| listen(d, v, Some(Protocol::Http))).works()
        .says("The same as http-socket, which keeps connections here"),
    list("https-socket").sets(|d, v| secure::listen(d, v, Protocol::Http)).works()
        .says("Listen for HTTPS: ADDRESS,CERT,KEY[,CIPHERS[,CA]]; CA asks clients for certificates, !CA demands them"),
    count("https-socket-modifier1").sets(modifier1).works()
        .says("modifier1 of requests from https-socket; only 0, a web request, means anything here"),
    count("https-socket-modifier2").accepted(MODIFIER2).says("modifier2 assigned to requests from https-socket"),
    address("fastcgi-socket").list().sets(|d, v| listen(d, v, Some(Protocol::Fastcgi))).works()
        .says("Listen on HOST:PORT or a unix path; speaks FastCGI (nginx fastcgi_pass)"),
    address("fastcgi-nph-socket").list().sets(|d, v| listen(d, v, Some(Protocol::FastcgiNph))).works()
        .says("The same, answering with a status line in the place of a Status header"),
    count("fastcgi-modifier1").sets(modifier1).works()
        .says("modifier1 of requests from fastcgi-socket; only 0, a web request, means anything here"),
    count("fastcgi-modifier2").accepted(MODIFIER2).says("modifier2 assigned to FastCGI requests"),
    address("scgi-socket").list().sets(|d, v| listen(d, v, Some(Protocol::Scgi))).works()
        .says("Listen on HOST:PORT or a unix path; speaks SCGI (nginx scgi_pass)"),
    address("scgi-nph-socket").list().sets(|d, v| listen(d, v, Some(Protocol::ScgiNph))).works()
        .says("The same, answering with a status line in the place of a Status header"),
    count("scgi-modifier1").sets(modifier1).works()
        .says("modifier1 of requests from scgi-socket; only 0, a web request, means anything here"),
    count("scgi-modifier2").accepted(MODIFIER2).says("modifier2 assigned to SCGI requests"),
    address("raw-socket").list().unsupported(OTHER_PROTOCOL)
        .says("Listener handing the untouched connection to a raw handler"),
    count("raw-modifier1").unsupported(OTHER_PROTOCOL).says("modifier1 assigned to raw-socket connections"),
    count("raw-modifier2").unsupported(OTHER_PROTOCOL).says("modifier2 assigned to raw-socket connections"),
    address("puwsgi-socket").list().unsupported(OTHER_PROTOCOL)
        .says("Listener for the persistent (keep-open) uwsgi protocol variant"),
    flag("cgi-mode").short('c').unsupported(OTHER_PROTOCOL).says("Make plugins emit CGI-style status lines"),
    flag("force-gateway").unsupported("there are no gateways").says("Run first gateway in foreground without master"),
    flag("ssl-verbose").unsupported(TLS).says("Log TLS errors"),
    count("ssl-verify-depth").optional().default("1").unsupported(TLS).says("Certificate chain depth limit"),
    text("ssl-sessions-use-cache").aka(&["ssl-session-use-cache"]).optional().unsupported(TLS)
        .says("Keep TLS sessions in a uwsgi cache"),
    seconds("ssl-sessions-timeout").aka(&["ssl-session-timeout"]).default("300").unsupported(TLS)
        .says("TLS session lifetime seconds"),
    list("sni").sets(secure::certify_name).works()
        .says("NAME CERT,KEY: certificate for clients of sockets with TLS that ask for NAME, or for *.DOMAIN"),
    text("sni-dir").unsupported(TLS).says("Directory searched for per-name certificates"),
    text("sni-dir-ciphers").unsupported(TLS).says("Ciphers for sni-dir certificates"),
    flag("ssl-enable3").aka(&["ssl-enable-sslv3"]).unsupported(TLS).says("Allow SSLv3"),
    flag("ssl-enable-tlsv1").unsupported(TLS).says("Allow TLS 1.0"),
    list("ssl-option").bare().unsupported(TLS).says("Raw OpenSSL option bits (value only in files)"),
    list("sni-regexp").unsupported(TLS).says("Certificate set for names matching regex"),
    text("ssl-tmp-dir").unsupported(TLS).says("Directory for TLS temporary files"),
    count("async").default("1").unsupported(LOOPS).says("Cores per worker for async loops"),
    seconds("websockets-ping-freq").aka(&["websocket-ping-freq"]).default("30")
        .sets(|d, v| d.config.websockets.ask_after = v.duration_unless_zero()).works()
        .says("Seconds of silence after which the other side of a websocket is asked whether it is there (ping); 0 never asks"),
    seconds("websockets-pong-tolerance").aka(&["websocket-pong-tolerance"]).default("3")
        .sets(|d, v| d.config.websockets.answer_within = v.duration()).works()
        .says("Seconds within which something must come then, be it the pong"),
    kilobytes("websockets-max-size").aka(&["websocket-max-size"]).default("1024")
        .sets(|d, v| d.config.websockets.message_bytes_max = v.amount()).works()
        .says("Largest message of a websocket in kilobytes, whatever parts it comes in"),
    bytes("chunked-input-limit").default("1048576").sets(|d, v| d.config.http.chunk_bytes_max = v.amount()).works()
        .says("Largest chunk in bytes that uwsgi.chunked_read returns"),
    seconds("chunked-input-timeout").sets(|d, v| d.config.http.chunk_patience = v.duration_unless_zero()).works()
        .says("Seconds for which uwsgi.chunked_read waits; socket-timeout without it"),
    flag("enable-proxy-protocol").sets(|d, v| d.config.http.proxy_protocol = v.on()).works()
        .says("Expect a PROXY protocol header, version 1 or 2, on HTTP sockets, from a trusted-proxy"),
    count("tcp-fast-open").aka(&["tcp-fastopen"])
        .sets(|d, v| d.config.socket_tuning.fast_open = v.unless_zero().and_then(|most| u32::try_from(most).ok())).works()
        .says("Take data with the first packet of a connection (TCP_FASTOPEN), from so many at a time; 0 leaves it off"),
    flag("tcp-fast-open-client").aka(&["tcp-fastopen-client"]).accepted("an instance connects to sockets of its own machine only")
        .says("Use TCP fast open when connecting"),
    text("loop").unsupported(LOOPS).says("Select event loop engine"),
    text("allowed-modifiers").unsupported("an instance serves one application and ignores modifiers")
        .says("Comma list of accepted modifier1 values"),
    text("remap-modifier").unsupported("an instance serves one application and ignores modifiers")
        .says("Redirect modifiers: from:to list"),
    count("gevent").unsupported(LOOPS).says("Use gevent loop with N greenlets per worker"),
    flag("gevent-monkey-patch").unsupported(LOOPS).says("Monkey-patch at startup"),
    flag("gevent-early-monkey-patch").unsupported(LOOPS).says("Monkey-patch before the app loads"),
    flag("gevent-wait-for-hub").unsupported(LOOPS).says("Wait for gevent hub on shutdown"),
    count("rsyslog-packet-size").default("1024").not_yet("logging to other places").says("Largest syslog packet"),
    flag("rsyslog-split-messages").not_yet("logging to other places").says("Split long messages over packets"),
    flag("ugreen").unsupported(LOOPS).says("Use ugreen coroutines"),
    count("ugreen-stacksize").unsupported(LOOPS).says("ugreen stack pages"),
    count("asyncio").unsupported(LOOPS).says("Use asyncio loop with N cores"),
    flag("greenlet").unsupported(LOOPS).says("Suspend/resume through the greenlet package"),
    count("tornado").unsupported(LOOPS).says("Use tornado loop with N cores"),
    flag("stackless").unsupported(LOOPS).says("Suspend/resume through Stackless Python"),
];

/// The `modifier1` of a protocol's requests: another one than 0 chooses a handler that is not there.
fn modifier1(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    if value.number != 0 {
        draft.refuse(
            "expected 0: other modifiers choose handlers of other languages and services, which rhinod does not have",
            "remove the line",
        );
    }
}

/// What the options mean together.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let trusts_nobody = draft.config.request.trusted_proxies.is_empty();
    let line = draft.given("enable-proxy-protocol").or(draft.given("http-enable-proxy-protocol"));
    if let (true, true, Some(line)) = (draft.config.http.proxy_protocol, trusts_nobody, line) {
        let problem = "needs a trusted-proxy: whoever may send the header says who the client is";
        let suggestion = "add trusted-proxy = ADDRESS of the load balancer, or trusted-proxy = unix:";
        draft.error(ConfigError::about(line, problem).suggest(suggestion));
    }
}
