//! What the rows of zergs set: servers, pools, and what both mean for an instance without sockets of its own.
//!
//! The rows are in `emperor`. Pure; read in the master before anything else, and by the commands.

use super::draft::Draft;
use super::kind::Kind;
use super::parsed::Parsed;
use crate::config::model::{Address, Config, Listener, ZergPool};

/// Most sockets that travel in one message (unix(7), SCM_RIGHTS).
const SOCKETS_MAX: usize = 253;

/// `zerg`: one more server to take sockets from.
pub(super) fn take_from(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    if let Some(address) = unix_address(draft, value.text) {
        draft.config.zerg.from.push(address);
    }
}

/// `zerg-server`: where to give the own sockets away.
pub(super) fn serve(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    draft.config.zerg.server = unix_address(draft, value.text);
}

/// `zerg-pool`: a path, a colon, and addresses with commas between them.
pub(super) fn hold(draft: &mut Draft<'_>, value: &Parsed<'_>) {
    let (door, list) = value.text.split_once(':').unwrap_or((value.text, ""));
    let Some(door) = unix_address(draft, door) else { return };
    let mut sockets: Vec<Listener> = Vec::new();
    for text in list.split(',') {
        let address = match Kind::Address.parse(Some(text)) {
            Ok(Parsed { address: Some(address), .. }) if !matches!(address, Address::Inherited(_)) => address,
            _ => {
                return draft.refuse(
                    format!("expected PATH:ADDRESS[,ADDRESS…]; `{text}` is no address"),
                    "for example /run/app/pool.sock:127.0.0.1:3031",
                );
            }
        };
        if sockets.iter().any(|other| other.address == address) {
            return draft.refuse(format!("{address} is there twice"), "remove one of them");
        }
        sockets.push(Listener { for_zergs: true, ..Listener::on(address) });
    }
    if sockets.len() > SOCKETS_MAX {
        return draft.refuse(format!("at most {SOCKETS_MAX} sockets can be given at once"), "make two pools");
    }
    draft.config.zerg.pools.push(ZergPool { door, sockets });
}

/// Whether what an instance takes, or holds for others, differs: that is settled at its start.
pub(super) fn differs(in_force: &Config, new: &Config) -> bool {
    let (old, new) = (&in_force.zerg, &new.zerg);
    old.from != new.from || (!old.from.is_empty() && old.protocol != new.protocol)
}

/// The same for the pools.
pub(super) fn pools_differ(in_force: &Config, new: &Config) -> bool {
    in_force.zerg.pools != new.zerg.pools
}

/// What the options mean together.
pub(super) fn judge(draft: &mut Draft<'_>) {
    draft.config.zerg.protocol = draft.plain_protocol;
    if draft.config.zerg.fallback && draft.config.sockets.is_empty() && !draft.config.zerg.from.is_empty() {
        let complaint = "zerg-fallback has nothing to fall back to: there is no `socket`";
        if let Some(directive) = draft.given("zerg-fallback") {
            draft.warning(crate::config::error::ConfigError::about(directive, complaint));
        }
    }
}

/// A path or a name of Linux' abstract namespace.
fn unix_address(draft: &mut Draft<'_>, text: &str) -> Option<Address> {
    match Kind::Address.parse(Some(text)) {
        Ok(Parsed { address: Some(address @ (Address::Unix(_) | Address::Abstract(_))), .. }) => Some(address),
        _ => {
            draft.refuse("expected a path or @NAME: sockets are handed over on unix sockets", "name a path");
            None
        }
    }
}
