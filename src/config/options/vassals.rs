//! What the rows of the Emperor set, and what they mean together.
//!
//! The rows are in `emperor`. Pure; read in the master before anything else, and by the commands.

use super::draft::Draft;
use super::parsed::Parsed;
use crate::config::error::ConfigError;
use crate::config::model::Capabilities;

/// Schemes of uWSGI's that ask a server for vassals.
const SERVERS: [&str; 5] = ["amqp", "pg", "mongodb", "zmq", "ldap"];

/// `emperor`: one more directory or pattern.
pub(super) fn monitor(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let scheme = value.text.split_once("://").map(|(scheme, _)| scheme);
    match scheme {
        Some(scheme) if SERVERS.contains(&scheme) => draft.refuse(
            format!("vassals cannot be asked for at {scheme}:// servers"),
            "have their configurations written into a directory",
        ),
        Some("dir" | "glob") | None => draft.config.emperor.monitors.push(value.string()),
        Some(other) => draft.refuse(format!("there is no monitor {other}://"), "name a directory or a pattern"),
    }
}

/// `vassals-include` and its relatives: one more template.
pub(super) fn template(draft: &mut Draft<'_>, value: &Parsed<'_>, option: &str, before: bool) {
    let start = &mut draft.config.emperor.start;
    let list = if before { &mut start.templates_before } else { &mut start.templates_after };
    list.push((option.to_owned(), value.string()));
}

/// `vassals-set`: one more variable.
pub(super) fn set(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match value.text.split_once('=') {
        Some((key, _)) if !key.is_empty() => draft.config.emperor.start.set.push(value.string()),
        _ => draft.refuse("expected KEY=VALUE", "for example home=/srv"),
    }
}

/// `emperor-cap`: what vassals may have at most.
pub(super) fn bound(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match value.text.parse::<Capabilities>() {
        Ok(named) => draft.config.emperor.start.capabilities = Some(named),
        Err(error) => draft.refuse(error.to_string(), "for example net_bind_service,sys_nice"),
    }
}

/// An Emperor has work enough: what would be served beside it is a vassal's to serve.
pub(super) fn judge(draft: &mut Draft<'_>) {
    let Some(directive) = draft.given("emperor").filter(|_| !draft.config.emperor.monitors.is_empty()) else { return };
    let config = &draft.config;
    let other = [
        ("socket", !config.sockets.is_empty()),
        ("zerg", !config.zerg.from.is_empty()),
        ("zergpool", !config.zerg.pools.is_empty()),
        ("attach-daemon", !config.daemons.list.is_empty()),
    ];
    if let Some((option, _)) = other.into_iter().find(|(_, given)| *given) {
        let problem = format!("an Emperor serves nothing itself, and there is `{option}`");
        draft.error(ConfigError::about(directive, problem).suggest("make what it is for a vassal of its own"));
    }
}
