//! What the rows of the Emperor set, and what they mean together.
//!
//! The rows are in `emperor`. Pure; read in the master before anything else, and by the commands.

use super::draft::Draft;
use super::parsed::Parsed;
use crate::config::error::ConfigError;
use crate::config::model::{Capabilities, SharedMemory};

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

/// `emperor-survive`: where vassals, each in a directory of its own, meet the next Emperor.
pub(super) fn survive(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match value.path() {
        path if path.is_absolute() => draft.config.emperor.survive = Some(path),
        _ => draft.refuse("expected a path from the root on", "for example /run/rhinod/emperor.reunion"),
    }
}

/// `emperor-memory`: `auto`, or bytes with a unit.
pub(super) fn memory(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    match memory_of(value.text) {
        Some(memory) => draft.config.emperor.memory = Some(memory),
        None => draft.refuse("expected a size, or auto", "for example 4G or 512M"),
    }
}

fn memory_of(text: &str) -> Option<SharedMemory> {
    let text = text.trim();
    if text == "auto" {
        return Some(SharedMemory::Auto);
    }
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let shift = match text[end..].trim().to_ascii_lowercase().trim_end_matches("ib").trim_end_matches('b') {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    let bytes = text[..end].parse::<u64>().ok()?.checked_mul(1 << shift)?;
    (bytes > 0).then_some(SharedMemory::Bytes(bytes))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_has_a_unit_or_is_what_there_is() {
        let bytes = |bytes| Some(SharedMemory::Bytes(bytes));
        for (text, expected) in [("4G", bytes(4 << 30)), ("512 MiB", bytes(512 << 20)), ("100kb", bytes(102_400))] {
            assert_eq!(memory_of(text), expected, "{text}");
        }
        assert_eq!((memory_of("auto"), memory_of("1024")), (Some(SharedMemory::Auto), bytes(1024)));
        for text in ["", "0", "G", "4X", "-1G", "99999999T", "1.5G", "4Gib4"] {
            assert_eq!(memory_of(text), None, "{text}");
        }
    }
}
