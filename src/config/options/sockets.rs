//! Where the instance listens.
//!
//! The rows of the option table for the group [`Sockets`](super::Group::Sockets).
//! Not for what they mean together (`build`). Read in the master before anything else, and by the commands.

use super::{Kind, Opt, address, bytes, flag, int, list, text, value};

// What stands behind several rows.
const TCP: &str = "options of TCP sockets";

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    address("socket").short('s').list().sets(|d, v| d.listen(v)).works()
        .says("Listen on HOST:PORT or a unix path; speaks the uwsgi protocol"),
    address("uwsgi-socket").list().sets(|d, v| d.listen(v)).works()
        .says("Listen on HOST:PORT or a unix path; speaks the uwsgi protocol"),
    text("protocol").aka(&["socket-protocol"]).default("uwsgi").sets(|d, v| d.protocol(v)).works()
        .says("What is spoken on `socket`; only uwsgi so far"),
    address("shared-socket").list().not_yet("shared sockets; sockets are bound before privileges are dropped anyway")
        .says("Bind early (before privilege drop); referenced elsewhere as =N"),
    address("undeferred-shared-socket").list()
        .not_yet("shared sockets; sockets are bound before privileges are dropped anyway")
        .says("shared-socket without TCP_DEFER_ACCEPT"),
    flag("skip-zero").accepted("a descriptor on standard input is used only when it is a socket")
        .says("Never inherit a listening socket from file descriptor 0"),
    int("listen", 1, i32::MAX as i64).short('l').default("100").sets(|d, v| d.listen_queue(v)).works()
        .says("Connections that may wait for a worker on each socket; at most net.core.somaxconn"),
    flag("abstract-socket").short('a').sets(|d, v| d.abstract_sockets = v.on()).works()
        .says("Create UNIX sockets in the abstract namespace"),
    value("chmod-socket", Kind::Mode).aka(&["chmod"]).short('C').optional()
        .sets(|d, v| d.config.chmod_socket = u32::try_from(v.number).ok()).works()
        .says("Permissions of unix sockets; 666 without a value"),
    text("chown-socket").sets(|d, v| d.config.chown_socket = Some(v.string())).works()
        .says("user[:group] owner for UNIX sockets; delays privilege drop"),
    flag("freebind").not_yet(TCP).says("Set IP_FREEBIND on listeners"),
    list("map-socket").not_yet("sockets for some of the workers only")
        .says("Give listener N only to the listed workers"),
    flag("no-defer-accept").accepted("accept is never deferred").says("Do not set TCP_DEFER_ACCEPT"),
    flag("tcp-nodelay").not_yet(TCP).says("Set TCP_NODELAY on client connections"),
    flag("so-keepalive").not_yet(TCP).says("Set SO_KEEPALIVE on client connections"),
    bytes("socket-sndbuf").default("0").not_yet(TCP).says("SO_SNDBUF bytes on listeners"),
    bytes("socket-rcvbuf").default("0").not_yet(TCP).says("SO_RCVBUF bytes on listeners"),
    flag("shutdown-sockets").accepted("sockets of a stopping instance are shut down as needed")
        .says("Also shutdown() listeners when destroying them"),
    flag("reuse-port").sets(|d, v| d.reuse_port = v.on()).works().says("Set SO_REUSEPORT on listeners"),
];
