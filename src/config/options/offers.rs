//! What the options set that say who may ask for functions, caches and spoolers from outside. Their rows are in `ours` and `sharing`.
//! Read in the master before anything else, and by the commands.

use super::draft::Draft;
use super::parsed::Parsed;
use crate::config::error::ConfigError;
use crate::config::model::{Address, Network, Protocol};

/// `rpc-allow-from`.
pub(super) fn let_call(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    if let Some(network) = network(draft, value) {
        draft.config.offers.callers.push(network);
    }
}

/// `cache-allow-from`.
pub(super) fn let_use_caches(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    if let Some(network) = network(draft, value) {
        draft.config.offers.cache_users.push(network);
    }
}

/// `spool-allow-from`.
pub(super) fn let_spool(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    if let Some(network) = network(draft, value) {
        draft.config.offers.task_givers.push(network);
    }
}

fn network(draft: &mut Draft<'_>, value: &Parsed<'_>) -> Option<Network> {
    match value.text.parse() {
        Ok(network) => Some(network),
        Err(error) => {
            draft.refuse(error.to_string(), "for example 10.0.0.7, 10.0.0.0/8, or unix: for unix sockets");
            None
        }
    }
}

/// Clients of a socket with TLS come to workers over a unix socket, so that they cannot be told from others there.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let is_behind = |address: &Address| matches!(address, Address::BehindRouter(Protocol::Uwsgi));
    let sockets = &draft.config.sockets;
    let has_tls = sockets.iter().any(|listener| {
        is_behind(&listener.address) || (listener.tls.is_some() && listener.protocol == Protocol::Uwsgi)
    });
    let offers = &draft.config.offers;
    let allowed = [
        ("rpc-allow-from", &offers.callers),
        ("cache-allow-from", &offers.cache_users),
        ("spool-allow-from", &offers.task_givers),
    ];
    let open: Vec<&str> =
        allowed.iter().filter(|(_, list)| list.contains(&Network::Unix)).map(|(option, _)| *option).collect();
    for option in open.into_iter().filter(|_| has_tls) {
        if let Some(directive) = draft.given(option) {
            let problem = "unix: means the clients of suwsgi-socket, too, who come over one";
            draft.error(ConfigError::about(directive, problem).suggest("name addresses, on a `socket` of their own"));
        }
    }
}
