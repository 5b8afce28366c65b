//! Other protocols than uwsgi, TLS and event loops.
//!
//! The rows of the option table for the group [`Network`](super::Group::Network).
//! Read in the master before anything else, and by the commands.

use super::row::{Opt, address, bytes, count, flag, kilobytes, list, seconds, text};

// What stands behind several rows.
const TLS: &str = "let nginx terminate TLS";
const HTTP: &str = "HTTP spoken by workers; put nginx in front";
const FASTCGI: &str = "FastCGI and SCGI; use uwsgi_pass";
const OTHER_PROTOCOL: &str = "use the uwsgi protocol";
const LOOPS: &str = "use processes and threads";
const WEBSOCKETS: &str = "websockets";

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    list("suwsgi-socket").aka(&["ssl-socket"]).unsupported(TLS)
        .says("uwsgi-protocol listener wrapped in TLS (addr,cert,key)"),
    address("http-socket").list().not_yet(HTTP).says("Workers themselves speak HTTP on this address (behind a proxy)"),
    count("http-socket-modifier1").not_yet(HTTP).says("modifier1 assigned to requests from http-socket"),
    count("http-socket-modifier2").not_yet(HTTP).says("modifier2 assigned to requests from http-socket"),
    address("http11-socket").list().not_yet(HTTP).says("Like http-socket but with HTTP/1.1 keep-alive"),
    list("https-socket").unsupported(TLS).says("Workers speak HTTPS directly: addr,cert,key[,ciphers[,client-ca]]"),
    count("https-socket-modifier1").unsupported(TLS).says("modifier1 assigned to requests from https-socket"),
    count("https-socket-modifier2").unsupported(TLS).says("modifier2 assigned to requests from https-socket"),
    address("fastcgi-socket").list().not_yet(FASTCGI).says("Listen address speaking FastCGI"),
    address("fastcgi-nph-socket").list().not_yet(FASTCGI).says("FastCGI listener that emits a raw HTTP status line"),
    count("fastcgi-modifier1").not_yet(FASTCGI).says("modifier1 assigned to FastCGI requests"),
    count("fastcgi-modifier2").not_yet(FASTCGI).says("modifier2 assigned to FastCGI requests"),
    address("scgi-socket").list().not_yet(FASTCGI).says("Listen address speaking SCGI"),
    address("scgi-nph-socket").list().not_yet(FASTCGI).says("SCGI listener that emits a raw HTTP status line"),
    count("scgi-modifier1").not_yet(FASTCGI).says("modifier1 assigned to SCGI requests"),
    count("scgi-modifier2").not_yet(FASTCGI).says("modifier2 assigned to SCGI requests"),
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
    list("sni").unsupported(TLS).says("Certificate set for server name: name crt,key"),
    text("sni-dir").unsupported(TLS).says("Directory searched for per-name certificates"),
    text("sni-dir-ciphers").unsupported(TLS).says("Ciphers for sni-dir certificates"),
    flag("ssl-enable3").aka(&["ssl-enable-sslv3"]).unsupported(TLS).says("Allow SSLv3"),
    flag("ssl-enable-tlsv1").unsupported(TLS).says("Allow TLS 1.0"),
    list("ssl-option").bare().unsupported(TLS).says("Raw OpenSSL option bits (value only in files)"),
    list("sni-regexp").unsupported(TLS).says("Certificate set for names matching regex"),
    text("ssl-tmp-dir").unsupported(TLS).says("Directory for TLS temporary files"),
    count("async").default("1").unsupported(LOOPS).says("Cores per worker for async loops"),
    seconds("websockets-ping-freq").aka(&["websocket-ping-freq"]).default("30").not_yet(WEBSOCKETS)
        .says("Seconds between websocket pings"),
    seconds("websockets-pong-tolerance").aka(&["websocket-pong-tolerance"]).default("3").not_yet(WEBSOCKETS)
        .says("Seconds to wait for websocket pong"),
    kilobytes("websockets-max-size").aka(&["websocket-max-size"]).default("1024").not_yet(WEBSOCKETS)
        .says("Largest websocket message in kilobytes"),
    bytes("chunked-input-limit").default("1048576").not_yet(HTTP).says("Largest request chunk in bytes"),
    seconds("chunked-input-timeout").not_yet(HTTP).says("Seconds to wait for a request chunk"),
    flag("enable-proxy-protocol").not_yet(HTTP).says("Understand PROXY v1 header on HTTP sockets"),
    count("tcp-fast-open").aka(&["tcp-fastopen"]).not_yet("options of TCP sockets").says("TCP_FASTOPEN queue length"),
    flag("tcp-fast-open-client").aka(&["tcp-fastopen-client"]).not_yet("options of TCP sockets")
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
