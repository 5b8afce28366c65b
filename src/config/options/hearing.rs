//! What the rows of the subscription server set: where routers hear instances that announce themselves, and whom they believe.
//!
//! The rows are in `routers` and `emperor`. Pure; runs wherever a configuration is read.

use super::draft::Draft;
use super::http_router::ask;
use super::known_address::known_address;
use super::parsed::Parsed;
use super::subscriptions::digest;
use crate::config::error::ConfigError;
use crate::config::model::{Address, SignCheck, Turns};

/// More than anybody has; each is a descriptor of every router.
const SERVERS_MAX: usize = 64;

/// What only says how announcements are heard.
const MANNERS: [&str; 8] = [
    "http-subscription-fallback-key",
    "subscription-algo",
    "subscription-dotsplit",
    "subscription-tolerance",
    "subscriptions-credentials-check",
    "subscriptions-sign-check",
    "subscriptions-sign-check-tolerance",
    "subscriptions-sign-skip-uid",
];

/// `http-subscription-server`: where routers hear announcements.
pub(super) fn listen(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    const FORM: &str = "such as http-subscription-server = 127.0.0.1:4040, or a path";
    let Some(address) = known_address(draft, value) else { return };
    if !matches!(address, Address::Unix(_) | Address::Tcp(_)) {
        return draft.refuse("announcements are heard at IP:PORT or a path", FORM);
    }
    if draft.config.routers.hearing.at.len() == SERVERS_MAX {
        return draft.refuse(format!("announcements are heard at {SERVERS_MAX} addresses at most"), FORM);
    }
    ask(draft, |routers| routers.hearing.at.push(address));
}

/// `http-subscription-fallback-key`.
pub(super) fn fall_back(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    draft.config.routers.hearing.fallback_key = Some(value.text.to_ascii_lowercase()).filter(|key| !key.is_empty());
}

/// `subscription-algo`.
pub(super) fn turns(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    draft.config.routers.hearing.turns = Turns::of(value.text);
}

/// `subscriptions-sign-check`: `DIGEST:DIRECTORY`.
pub(super) fn signatures(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let read = value.text.split_once(':').filter(|(_, directory)| !directory.is_empty());
    let read = read.ok_or_else(|| "expected DIGEST:DIRECTORY".to_owned());
    match read.and_then(|(name, directory)| Ok((digest(name)?, directory))) {
        Ok((digest, directory)) => {
            draft.config.routers.hearing.signatures = Some(SignCheck { digest, directory: directory.into() });
        }
        Err(problem) => draft.refuse(problem, "such as subscriptions-sign-check = SHA256:/etc/rhinod/keys"),
    }
}

/// `subscriptions-sign-skip-uid`.
pub(super) fn trust_user(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match value.text.trim().parse() {
        Ok(0) => draft.does_nothing("root signs like everybody"),
        Ok(user) => draft.config.routers.hearing.trusted_users.push(user),
        Err(_) => draft.refuse("expected the number of a user", "`id -u NAME` tells it"),
    }
}

/// What the options mean together.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let hearing = draft.config.routers.hearing.clone();
    if !hearing.is_on() {
        let given: Vec<_> = MANNERS.iter().filter_map(|name| draft.given(name)).collect();
        for directive in given {
            draft.idle(ConfigError::about(directive, "has no effect without `http-subscription-server`"));
        }
        return;
    }
    let Some(directive) = draft.given("http-subscription-server") else { return };
    let is_remote = |address: &&Address| matches!(address, Address::Tcp(address) if !address.ip().is_loopback());
    if let (Some(address), None) = (hearing.at.iter().find(is_remote), &hearing.signatures) {
        let problem = format!("whoever reaches {address} can have the requests of any site sent to himself");
        let suggestion = "add subscriptions-sign-check = SHA256:DIRECTORY with the sites' public keys, or listen on 127.0.0.1 \
                          or a path";
        draft.warning(ConfigError::about(directive, problem).suggest(suggestion));
    }
    let is_udp = hearing.at.iter().any(|address| matches!(address, Address::Tcp(_)));
    if let (true, Some(directive)) = (is_udp, draft.given("subscriptions-credentials-check")) {
        let problem =
            "nobody is believed who announces himself over UDP: whose process that is, only a unix socket tells";
        draft.warning(ConfigError::about(directive, problem).suggest("have http-subscription-server name a path"));
    }
}
