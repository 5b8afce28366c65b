//! Other protocols than uwsgi, TLS and event loops.
//!
//! The rows of the option table for the group [`Network`](super::Group::Network).
//! Not for what they mean together (`build`). Read in the master before anything else, and by the commands.

use super::{Opt, address, bytes, count, flag, kilobytes, list, seconds, text};

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    list("suwsgi-socket").aka(&["ssl-socket"]).unsupported("let nginx terminate TLS")
        .says("uwsgi-protocol listener wrapped in TLS (addr,cert,key)"),
    address("http-socket").list().not_yet("HTTP spoken by workers; put nginx in front")
        .says("Workers themselves speak HTTP on this address (behind a proxy)"),
    count("http-socket-modifier1").not_yet("HTTP spoken by workers; put nginx in front")
        .says("modifier1 assigned to requests from http-socket"),
    count("http-socket-modifier2").not_yet("HTTP spoken by workers; put nginx in front")
        .says("modifier2 assigned to requests from http-socket"),
    address("http11-socket").list().not_yet("HTTP spoken by workers; put nginx in front")
        .says("Like http-socket but with HTTP/1.1 keep-alive"),
    list("https-socket").unsupported("let nginx terminate TLS")
        .says("Workers speak HTTPS directly: addr,cert,key[,ciphers[,client-ca]]"),
    count("https-socket-modifier1").unsupported("let nginx terminate TLS")
        .says("modifier1 assigned to requests from https-socket"),
    count("https-socket-modifier2").unsupported("let nginx terminate TLS")
        .says("modifier2 assigned to requests from https-socket"),
    address("fastcgi-socket").list().not_yet("FastCGI and SCGI; use uwsgi_pass")
        .says("Listen address speaking FastCGI"),
    address("fastcgi-nph-socket").list().not_yet("FastCGI and SCGI; use uwsgi_pass")
        .says("FastCGI listener that emits a raw HTTP status line"),
    count("fastcgi-modifier1").not_yet("FastCGI and SCGI; use uwsgi_pass")
        .says("modifier1 assigned to FastCGI requests"),
    count("fastcgi-modifier2").not_yet("FastCGI and SCGI; use uwsgi_pass")
        .says("modifier2 assigned to FastCGI requests"),
    address("scgi-socket").list().not_yet("FastCGI and SCGI; use uwsgi_pass").says("Listen address speaking SCGI"),
    address("scgi-nph-socket").list().not_yet("FastCGI and SCGI; use uwsgi_pass")
        .says("SCGI listener that emits a raw HTTP status line"),
    count("scgi-modifier1").not_yet("FastCGI and SCGI; use uwsgi_pass").says("modifier1 assigned to SCGI requests"),
    count("scgi-modifier2").not_yet("FastCGI and SCGI; use uwsgi_pass").says("modifier2 assigned to SCGI requests"),
    address("raw-socket").list().unsupported("use the uwsgi protocol")
        .says("Listener handing the untouched connection to a raw handler"),
    count("raw-modifier1").unsupported("use the uwsgi protocol").says("modifier1 assigned to raw-socket connections"),
    count("raw-modifier2").unsupported("use the uwsgi protocol").says("modifier2 assigned to raw-socket connections"),
    address("puwsgi-socket").list().unsupported("use the uwsgi protocol")
        .says("Listener for the persistent (keep-open) uwsgi protocol variant"),
    flag("cgi-mode").short('c').unsupported("an instance serves one application and ignores modifiers")
        .says("Make plugins emit CGI-style status lines"),
    flag("force-gateway").unsupported("an instance serves one application and ignores modifiers")
        .says("Run first gateway in foreground without master"),
    flag("ssl-verbose").unsupported("let nginx terminate TLS").says("Log TLS errors"),
    count("ssl-verify-depth").optional().default("1").unsupported("let nginx terminate TLS")
        .says("Certificate chain depth limit"),
    text("ssl-sessions-use-cache").aka(&["ssl-session-use-cache"]).optional().unsupported("let nginx terminate TLS")
        .says("Keep TLS sessions in a uwsgi cache"),
    seconds("ssl-sessions-timeout").aka(&["ssl-session-timeout"]).default("300")
        .unsupported("let nginx terminate TLS").says("TLS session lifetime seconds"),
    list("sni").unsupported("let nginx terminate TLS").says("Certificate set for server name: name crt,key"),
    text("sni-dir").unsupported("let nginx terminate TLS").says("Directory searched for per-name certificates"),
    text("sni-dir-ciphers").unsupported("let nginx terminate TLS").says("Ciphers for sni-dir certificates"),
    flag("ssl-enable3").aka(&["ssl-enable-sslv3"]).unsupported("let nginx terminate TLS").says("Allow SSLv3"),
    flag("ssl-enable-tlsv1").unsupported("let nginx terminate TLS").says("Allow TLS 1.0"),
    list("ssl-option").bare().unsupported("let nginx terminate TLS")
        .says("Raw OpenSSL option bits (value only in files)"),
    list("sni-regexp").unsupported("let nginx terminate TLS").says("Certificate set for names matching regex"),
    text("ssl-tmp-dir").unsupported("let nginx terminate TLS").says("Directory for TLS temporary files"),
    count("async").default("1").unsupported("use processes and threads").says("Cores per worker for async loops"),
    seconds("websockets-ping-freq").aka(&["websocket-ping-freq"]).default("30").not_yet("websockets")
        .says("Seconds between websocket pings"),
    seconds("websockets-pong-tolerance").aka(&["websocket-pong-tolerance"]).default("3").not_yet("websockets")
        .says("Seconds to wait for websocket pong"),
    kilobytes("websockets-max-size").aka(&["websocket-max-size"]).default("1024").not_yet("websockets")
        .says("Largest websocket message in kilobytes"),
    bytes("chunked-input-limit").default("1048576").not_yet("HTTP spoken by workers; put nginx in front")
        .says("Largest request chunk in bytes"),
    seconds("chunked-input-timeout").not_yet("HTTP spoken by workers; put nginx in front")
        .says("Seconds to wait for a request chunk"),
    flag("enable-proxy-protocol").not_yet("HTTP spoken by workers; put nginx in front")
        .says("Understand PROXY v1 header on HTTP sockets"),
    count("tcp-fast-open").aka(&["tcp-fastopen"]).not_yet("options of TCP sockets").says("TCP_FASTOPEN queue length"),
    flag("tcp-fast-open-client").aka(&["tcp-fastopen-client"]).not_yet("options of TCP sockets")
        .says("Use TCP fast open when connecting"),
    text("loop").unsupported("use processes and threads").says("Select event loop engine"),
    text("allowed-modifiers").unsupported("an instance serves one application and ignores modifiers")
        .says("Comma list of accepted modifier1 values"),
    text("remap-modifier").unsupported("an instance serves one application and ignores modifiers")
        .says("Redirect modifiers: from:to list"),
    count("gevent").unsupported("use processes and threads").says("Use gevent loop with N greenlets per worker"),
    flag("gevent-monkey-patch").unsupported("use processes and threads").says("Monkey-patch at startup"),
    flag("gevent-early-monkey-patch").unsupported("use processes and threads")
        .says("Monkey-patch before the app loads"),
    flag("gevent-wait-for-hub").unsupported("use processes and threads").says("Wait for gevent hub on shutdown"),
    count("rsyslog-packet-size").default("1024").not_yet("logging to other places").says("Largest syslog packet"),
    flag("rsyslog-split-messages").not_yet("logging to other places").says("Split long messages over packets"),
    flag("ugreen").unsupported("use processes and threads").says("Use ugreen coroutines"),
    count("ugreen-stacksize").unsupported("use processes and threads").says("ugreen stack pages"),
    count("asyncio").unsupported("use processes and threads").says("Use asyncio loop with N cores"),
    flag("greenlet").unsupported("use processes and threads").says("Suspend/resume through the greenlet package"),
    count("tornado").unsupported("use processes and threads").says("Use tornado loop with N cores"),
    flag("stackless").unsupported("use processes and threads").says("Suspend/resume through Stackless Python"),
];
