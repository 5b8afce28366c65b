//! What has the router read the requests of `http` and `https`, and what it makes of them. Without any of it the workers
//! answer on those sockets themselves.
//!
//! The rows are in [`routers`](super::routers). Pure; runs wherever a configuration is read.

use super::address::parse_address;
use super::draft::Draft;
use super::kind::Kind;
use super::known_address::look_up;
use super::parsed::Parsed;
use super::secure;
use super::sockets::{listen_at, want_no_worker};
use super::statistics::own_address;
use crate::config::error::ConfigError;
use crate::config::model::{Address, Listener, Protocol, Routers, ToHttps};

/// `http`: a socket that a router serves, if there is to be one.
pub(super) fn listen(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let index = draft.config.sockets.len();
    if listen_at(draft, value, Some(Protocol::Http)) {
        draft.routable.push(index);
    }
}

/// `https` and `https2`: the same under TLS. `open` reads the line.
pub(super) fn listen_securely(
    draft: &mut Draft<'_>,
    value: &Parsed<'_>,
    open: impl FnOnce(&mut Draft<'_>, &Parsed<'_>),
) {
    let index = draft.config.sockets.len();
    open(draft, value);
    if draft.config.sockets.len() > index {
        draft.routable.push(index);
    }
}

/// `https`, its parts in order.
pub(super) fn listen_in_order(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    listen_securely(draft, value, |draft, value| secure::listen(draft, value, Protocol::Http));
}

/// `https2`, its parts by name.
pub(super) fn listen_by_name(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    listen_securely(draft, value, secure::listen_by_name);
}

/// `http-to-https`: `ADDRESS[,PORT]`, where the router sends everybody on to https.
pub(super) fn send_on(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    const FORM: &str = "such as http-to-https = :80, or :80,8443 for another port than https has";
    let (address, port) = match value.text.split_once(',') {
        Some((address, port)) => (address, Some(port.trim().parse().ok().filter(|port| *port > 0))),
        None => (value.text, None),
    };
    if port == Some(None) {
        return draft.refuse("expected ADDRESS[,PORT]", FORM);
    }
    match parse_address(address.trim()) {
        Ok(address) if listen_at(draft, &address, Some(Protocol::Http)) => {
            if let Some(listener) = draft.config.sockets.last_mut() {
                (listener.reads_requests, listener.to_https) = (true, Some(ToHttps { port: port.flatten() }));
            }
        }
        Ok(_) => {}
        Err(unfit) => draft.refuse(format!("expected {}", unfit.expected), unfit.hint.unwrap_or(FORM.to_owned())),
    }
}

/// Something that only a router can do.
pub(super) fn ask(draft: &mut Draft<'_>, note: impl FnOnce(&mut Routers)) {
    let line = draft.current();
    draft.router_from.push(line);
    note(&mut draft.config.routers);
}

/// `http-var`: a variable of every request.
pub(super) fn add_variable(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match value.text.split_once('=') {
        Some((key, text)) if !key.is_empty() => {
            let pair = (key.to_owned(), text.to_owned());
            ask(draft, |routers| routers.variables.push(pair));
        }
        _ => draft.refuse("expected KEY=VALUE", "such as http-var = SITE=shop"),
    }
}

/// `http-modifier1` and `http-modifier2`: a byte.
pub(super) fn modifier(draft: &mut Draft<'_>, value: &Parsed<'_>, place: fn(&mut (u8, u8)) -> &mut u8) {
    match u8::try_from(value.number) {
        Ok(modifier) => ask(draft, |routers| *place(&mut routers.modifiers) = modifier),
        Err(_) => draft.refuse("expected a number up to 255", "0 is for web requests, which need nothing else"),
    }
}

/// `http-stats`: where a router tells of itself.
pub(super) fn tell(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let Some(address) = own_address(draft, value) else { return };
    ask(draft, |routers| routers.statistics = Some(address));
}

/// `http-to`: where uWSGI's router would have found the application.
pub(super) fn pass_on(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let to = Kind::Address.parse(Some(value.text)).ok().and_then(|parsed| parsed.address);
    let to = to.or_else(|| look_up(draft, value.text));
    if to.is_none() {
        return draft.refuse("expected an address; the host's name is not known", "write its IP address");
    }
    let line = draft.current();
    draft.passed_on.push((line, to));
}

/// What the options mean together.
pub(super) fn judge(draft: &mut Draft<'_>) {
    for (line, to) in std::mem::take(&mut draft.passed_on) {
        let Some(to) = to else { continue };
        // The workers answer for a socket of this very instance, whoever comes first.
        let is_own = draft.config.sockets.iter().any(|listener| listener.address == to);
        draft.config.routers.hearing.falls_to_workers |= is_own;
        if !is_own && is_reachable(&to) {
            draft.config.routers.to.push(to);
            draft.router_from.push(line);
        } else if !is_own {
            let problem = "requests cannot be passed on to such an address";
            draft.error(ConfigError::about(line, problem).suggest("write a path, @NAME or HOST:PORT"));
        }
    }
    let (lines, routable) = (std::mem::take(&mut draft.router_from), std::mem::take(&mut draft.routable));
    if lines.is_empty() {
        return;
    }
    let serves_others = draft.config.sockets.iter().any(Listener::is_routed);
    judge_statistics(draft, serves_others || !routable.is_empty());
    for line in lines.into_iter().filter(|_| routable.is_empty() && !serves_others) {
        let problem = "has no effect without `http` or `https`, whose sockets a router serves";
        draft.idle(ConfigError::about(line, problem));
    }
    draft.config.routers.reads_requests = !routable.is_empty();
    for index in &routable {
        if let Some(listener) = draft.config.sockets.get_mut(*index) {
            listener.reads_requests = true;
        }
    }
}

/// The sockets on which workers serve the router. To be called when it is known what that reads.
pub(super) fn open_behind(draft: &mut Draft<'_>) {
    let sockets = &draft.config.sockets;
    let passes_on = |protocol: Protocol| {
        move |listener: &Listener| listener.tls.is_some() && !listener.reads_requests && listener.protocol == protocol
    };
    let reads = |listener: &Listener| listener.reads_requests && listener.to_https.is_none();
    let hearing = &draft.config.routers.hearing;
    let is_meant = !hearing.is_on() || hearing.falls_to_workers;
    let asks = draft.config.routers.to.is_empty() && is_meant && sockets.iter().any(reads);
    let http = sockets.iter().any(passes_on(Protocol::Http));
    let uwsgi = asks || sockets.iter().any(passes_on(Protocol::Uwsgi));
    for protocol in [http.then_some(Protocol::Http), uwsgi.then_some(Protocol::Uwsgi)].into_iter().flatten() {
        draft.config.sockets.push(Listener { protocol, ..Listener::on(Address::BehindRouter(protocol)) });
    }
    if draft.config.is_router_only() {
        want_no_worker(draft);
    }
}

/// Where a router tells of itself nobody else does; without a router nobody does.
fn judge_statistics(draft: &mut Draft<'_>, is_there: bool) {
    let Some(address) = draft.config.routers.statistics.take().filter(|_| is_there) else { return };
    let instance = &draft.config.statistics;
    let is_taken =
        [&instance.server, &instance.metrics, &instance.agent].into_iter().flatten().any(|own| *own == address);
    if let (true, Some(directive)) = (is_taken, draft.given("http-stats")) {
        let problem = "the instance has this address for its own statistics";
        draft.error(ConfigError::about(directive, problem).suggest("give each its own"));
    }
    draft.config.routers.statistics = Some(address);
}

fn is_reachable(address: &Address) -> bool {
    matches!(address, Address::Unix(_) | Address::Abstract(_) | Address::Tcp(_))
}
