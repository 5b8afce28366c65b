//! Where the instance listens.
//!
//! The rows of the option table for the group [`Sockets`](super::Group::Sockets).
//! Read in the master before anything else, and by the commands.

use super::address::shared_number;
use super::change::{keeps_socket_file, keeps_tcp_socket, kept};
use super::draft::Draft;
use super::kind::Kind;
use super::known_address::known_address;
use super::parsed::Parsed;
use super::row::{Opt, address, bytes, flag, int, list, text, value};
use super::shared_sockets;
use crate::config::error::ConfigError;
use crate::config::model::{Address, Listener, Protocol};

// What stands behind several rows.
const OPEN: &str = "for sockets that are open";

/// Options of uWSGI's that listen on an address as well.
const OTHER_LISTENERS: &[&str] = &["stats", "metrics", "zerg-server"];

/// Options of uWSGI's that give an instance work without `socket`.
const OTHER_WORK: &[&str] = &["zerg", "emperor", "fastrouter"];

/// The rows.
#[rustfmt::skip]
pub(super) const OPTIONS: &[Opt] = &[
    address("socket").short('s').list().sets(|d, v| listen(d, v, None)).works()
        .says("Listen on HOST:PORT or a unix path; speaks what `protocol` says"),
    address("uwsgi-socket").list().sets(|d, v| listen(d, v, Some(Protocol::Uwsgi))).works()
        .says("Listen on HOST:PORT or a unix path; speaks the uwsgi protocol"),
    text("protocol").aka(&["socket-protocol"]).default("uwsgi").sets(protocol).works()
        .says("What is spoken on `socket`: uwsgi, http, fastcgi, fastcgi-nph, scgi or scgi-nph"),
    address("shared-socket").list().sets(|d, v| shared_sockets::share(d, v, true)).works()
        .says("Open a socket before privileges are dropped; other options serve it as =N, the first one as =0"),
    address("undeferred-shared-socket").list().sets(|d, v| shared_sockets::share(d, v, false)).works()
        .says("The same, without holding connections back until their first bytes are there"),
    flag("skip-zero").sets(|d, v| d.config.skip_zero = v.on()).works().at_start()
        .says("Never inherit a listening socket from file descriptor 0"),
    int("listen", 1, i32::MAX as i64).short('l').default("100").sets(listen_queue).works()
        .says("Connections that may wait for a worker on each socket; at most net.core.somaxconn"),
    flag("abstract-socket").short('a').sets(|d, v| d.abstract_sockets = v.on()).works()
        .says("Create UNIX sockets in the abstract namespace"),
    value("chmod-socket", Kind::Mode).aka(&["chmod"]).short('C').optional()
        .sets(|d, v| d.config.chmod_socket = u32::try_from(v.number).ok()).works()
        .restart(|old, new| old.chmod_socket != new.chmod_socket && keeps_socket_file(old, new)).but(OPEN)
        .says("Permissions of unix sockets; 666 without a value"),
    text("chown-socket").sets(|d, v| d.config.chown_socket = Some(v.string())).works()
        .restart(|old, new| old.chown_socket != new.chown_socket && keeps_socket_file(old, new)).but(OPEN)
        .says("user[:group] owner for UNIX sockets; delays privilege drop"),
    flag("freebind").sets(|d, v| d.config.socket_tuning.freebind = v.on()).works()
        .restart(|old, new| old.socket_tuning.freebind != new.socket_tuning.freebind && keeps_tcp_socket(old, new)).but(OPEN)
        .says("Listen on addresses also while the machine does not have them (IP_FREEBIND)"),
    list("map-socket").sets(shared_sockets::map).works()
        .says("SOCKET:WORKER[,WORKER…]: only these workers serve that socket; sockets count from 0, workers from 1"),
    flag("no-defer-accept").sets(|d, v| d.defer_accept = !v.on()).works()
        .says("Do not hold TCP connections back until their first bytes are there (TCP_DEFER_ACCEPT)"),
    flag("tcp-nodelay").sets(|d, v| d.config.socket_tuning.nodelay = v.on()).works()
        .says("Send small pieces at once (TCP_NODELAY); HTTP and FastCGI sockets always do"),
    flag("so-keepalive").sets(|d, v| d.config.socket_tuning.keep_alive = v.on()).works()
        .says("Have the kernel ask silent clients whether they are still there (SO_KEEPALIVE)"),
    bytes("socket-sndbuf").default("0").sets(|d, v| d.config.socket_tuning.send_bytes = buffer(v)).works()
        .says("Bytes of the kernel's buffer for what is sent on a connection (SO_SNDBUF); 0 leaves it to the kernel"),
    bytes("socket-rcvbuf").default("0").sets(|d, v| d.config.socket_tuning.receive_bytes = buffer(v)).works()
        .says("Bytes of the kernel's buffer for what is received on a connection (SO_RCVBUF); 0 leaves it to the kernel"),
    flag("shutdown-sockets").accepted("sockets of a stopping instance are shut down as needed")
        .says("Also shutdown() listeners when destroying them"),
    flag("reuse-port").sets(|d, v| d.reuse_port = v.on()).works()
        .restart(|old, new| kept(old, new).any(|(old, new)| old.reuse_port != new.reuse_port)).but(OPEN)
        .says("Set SO_REUSEPORT on listeners"),
];

/// One more listener; `None` is for what `protocol` says.
pub(super) fn listen(draft: &mut Draft<'_>, value: &Parsed<'_>, protocol: Option<Protocol>) {
    listen_at(draft, value, protocol);
}

/// The same. Whether there is one more.
pub(super) fn listen_at(draft: &mut Draft<'_>, value: &Parsed<'_>, protocol: Option<Protocol>) -> bool {
    let address = match shared_number(value.text) {
        Some(_) => shared_sockets::borrow(draft),
        None => match known_address(draft, value) {
            Some(address) => address,
            None => return false,
        },
    };
    match protocol {
        Some(protocol) => draft.config.sockets.push(Listener { protocol, ..Listener::on(address) }),
        None => {
            draft.plain_sockets.push(draft.config.sockets.len());
            draft.config.sockets.push(Listener::on(address));
        }
    }
    draft.sockets_from.push(draft.current());
    true
}

/// The size of a buffer; zero leaves it to the kernel.
fn buffer(value: &Parsed<'_>) -> Option<usize> {
    Some(value.size()).filter(|bytes| *bytes > 0)
}

/// `protocol`: what plain sockets speak.
fn protocol(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    // uWSGI tells an HTTP socket that keeps connections from one that does not.
    let name = if value.text == "http11" { "http" } else { value.text };
    match Protocol::ALL.iter().find(|protocol| protocol.name() == name) {
        Some(protocol) => draft.plain_protocol = *protocol,
        None => draft.refuse(
            "expected uwsgi, http, fastcgi, fastcgi-nph, scgi or scgi-nph",
            "leave the line out for uwsgi, which nginx's uwsgi_pass speaks",
        ),
    }
}

/// `listen`: the length of the queue, bounded by the kernel (uWSGI's manual, "Things to know").
fn listen_queue(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let wanted = u32::try_from(value.number).unwrap_or(u32::MAX);
    match draft.surroundings().somaxconn {
        Some(most) if wanted > most => draft.refuse(
            format!("longer than net.core.somaxconn allows ({most})"),
            format!("raise it with `sysctl -w net.core.somaxconn={wanted}`, or use listen = {most}"),
        ),
        _ => draft.config.listen = wanted,
    }
}

/// Users that web servers run as.
const WEB_SERVERS: [&str; 5] = ["www-data", "nginx", "http", "apache", "_www"];

/// What the options mean together.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let for_zergs = draft.config.zerg.server.is_some();
    let (reuse_port, abstract_sockets, defer_accept) = (draft.reuse_port, draft.abstract_sockets, draft.defer_accept);
    for index in std::mem::take(&mut draft.plain_sockets) {
        if let Some(listener) = draft.config.sockets.get_mut(index) {
            listener.protocol = draft.plain_protocol;
        }
    }
    shared_sockets::lend(draft);
    for listener in &mut draft.config.sockets {
        listener.defer_accept &= defer_accept;
        listener.for_zergs = for_zergs;
        listener.reuse_port = reuse_port && matches!(listener.address, Address::Tcp(_));
        if let (true, Address::Unix(path)) = (abstract_sockets, &listener.address) {
            listener.address = Address::Abstract(path.as_os_str().as_encoded_bytes().to_vec());
        }
    }
    if let (Some(false), Some(directive)) =
        (draft.surroundings().migrates_connections, draft.given("reuse-port").filter(|_| reuse_port))
    {
        let problem = "what waits in the queue when this instance ends is reset, although others have the port";
        let suggestion = "set `sysctl -w net.ipv4.tcp_migrate_req=1` (Linux 5.14), which hands it to them";
        draft.warning(ConfigError::about(directive, problem).suggest(suggestion));
    }
    tell_of_open_doors(draft);
    refuse_doubled_sockets(draft);
    shared_sockets::judge_maps(draft);
    tell_of_closed_doors(draft);
    if let (Some(most), false) = (draft.surroundings().somaxconn, draft.given("listen").is_some())
        && most < draft.config.listen
    {
        draft.config.listen = most;
    }
    if draft.config.sockets.is_empty() {
        judge_no_sockets(draft);
    }
}

/// No worker is wanted, and so no application is loaded, until a reload brings a socket and somebody connects to it.
pub(super) fn want_no_worker(draft: &mut Draft<'_>) {
    draft.config.lazy_apps = true;
    draft.config.scaling.cheap = true;
}

fn refuse_doubled_sockets(draft: &mut Draft<'_>) {
    let mut errors = Vec::new();
    let (sockets, lines) = (&draft.config.sockets, &draft.sockets_from);
    for (index, (listener, line)) in sockets.iter().zip(lines).enumerate() {
        let earlier = sockets.iter().zip(lines).take(index).find(|(other, _)| other.address == listener.address);
        if let Some((_, earlier)) = earlier.filter(|_| !is_any_port(&listener.address)) {
            let problem = format!("the same address is listened on at {}", earlier.origin);
            errors.push(ConfigError::about(line, problem).suggest("remove one of them"));
        }
    }
    for other in OTHER_LISTENERS.iter().filter_map(|name| draft.given(name)) {
        let address = Kind::Address.parse(other.value.as_deref()).ok().and_then(|parsed| parsed.address);
        let same = sockets.iter().zip(lines).find(|(listener, _)| Some(&listener.address) == address.as_ref());
        if let Some((_, line)) = same {
            let problem = format!("the same address is listened on by {} at {}", line.key, line.origin);
            errors.push(ConfigError::about(other, problem).suggest("give each its own"));
        }
    }
    errors.into_iter().for_each(|error| draft.error(error));
}

/// Nothing to listen on. When another option was to give it work, the instance would stand idle: an error. Else
/// init may hand a socket in.
fn judge_no_sockets(draft: &mut Draft<'_>) {
    let problem = "nothing to listen on: no `socket`, and no socket was handed in";
    let suggestion = "add socket = PATH or HOST:PORT";
    let unfit = draft.is_unfit("socket") || draft.is_unfit("uwsgi-socket");
    let known = draft.surroundings().inherited_sockets;
    if unfit || known.is_some_and(|sockets| sockets > 0) {
        return;
    }
    if OTHER_WORK.iter().any(|name| draft.gives_what_works(name)) {
        return;
    }
    if !draft.config.zerg.pools.is_empty() {
        return want_no_worker(draft);
    }
    if let Some(other) = OTHER_WORK.iter().rev().find_map(|name| draft.given(name)) {
        let problem = "rhinod does not have this yet, and there is no `socket` to listen on";
        return draft.error(ConfigError::about(other, problem).suggest(suggestion));
    }
    if !draft.config.daemons.list.is_empty() {
        return run_alone(draft, "daemons");
    }
    if !draft.config.crons.is_empty() {
        return run_alone(draft, "crons");
    }
    let complaint = ConfigError::at(draft.whole(), problem).suggest(suggestion);
    match known {
        Some(_) => draft.error(complaint),
        None => draft.warning(complaint),
    }
}

/// There is work without a socket.
fn run_alone(draft: &mut Draft<'_>, who: &str) {
    want_no_worker(draft);
    draft.warning(ConfigError::at(draft.whole(), format!("nothing to listen on: only the {who} run")));
}

/// Says where only its owner may connect to a socket: to connect takes the right to write (unix(7)), which the usual mask
/// leaves to nobody else, and web servers run as users of their own.
fn tell_of_closed_doors(draft: &mut Draft<'_>) {
    const OTHERS: u32 = 0o022;
    let config = &draft.config;
    let mask = config.identity.umask.or(draft.surroundings().umask);
    let Some(mode) = config.chmod_socket.or(mask.map(|mask| 0o777 & !mask)) else { return };
    let chosen =
        config.chown_socket.as_deref().and_then(|owner| owner.split(':').next()).filter(|user| !user.is_empty());
    let owner = chosen.or(config.identity.uid.as_deref());
    // Who names the socket's owner, or serves as the web server's user, means it.
    if mode & OTHERS != 0 || chosen.is_some() || owner.is_some_and(|owner| WEB_SERVERS.contains(&owner)) {
        return;
    }
    let files = config.sockets.iter().zip(&draft.sockets_from);
    let Some(line) = files.into_iter().find(|(one, _)| matches!(one.address, Address::Unix(_))).map(|(_, line)| *line)
    else {
        return;
    };
    let owner = owner.map_or(String::new(), |owner| format!(" ({owner})"));
    let problem =
        format!("only its owner{owner} may connect (mode {mode:o}): a web server that runs as another user gets 502");
    let suggestion =
        "add chmod-socket = 660 and chown-socket = USER:GROUP with the web server's group, such as www-data";
    draft.warning(ConfigError::about(line, problem).suggest(suggestion));
}

/// Says where anybody who reaches a port may say who a client is: such a protocol is for web servers, who are believed.
fn tell_of_open_doors(draft: &mut Draft<'_>) {
    if !draft.config.request.web_servers.is_empty() {
        return;
    }
    let is_open = |one: &Listener| match one.address {
        Address::Tcp(socket) => one.protocol != Protocol::Http && !socket.ip().is_loopback(),
        _ => false,
    };
    let sockets = draft.config.sockets.iter().zip(&draft.sockets_from);
    let Some((protocol, line)) =
        sockets.into_iter().find(|(one, _)| is_open(one)).map(|(one, line)| (one.protocol.name(), *line))
    else {
        return;
    };
    let problem =
        format!("whoever reaches this port may say in {protocol} who the client is (REMOTE_ADDR, REMOTE_USER)");
    let suggestion = "add uwsgi-allow-from = ADDRESS with the web server's, or listen on 127.0.0.1 or a unix socket";
    draft.warning(ConfigError::about(line, problem).suggest(suggestion));
}

fn is_any_port(address: &Address) -> bool {
    matches!(address, Address::Tcp(socket) if socket.port() == 0)
}
