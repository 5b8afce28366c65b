//! The address that a value means, with the name of its host looked up. Pure but for that question, which the surroundings
//! answer; runs wherever a configuration is read.

use std::net::SocketAddr;

use super::address::shared_number;
use super::draft::Draft;
use super::parsed::Parsed;
use crate::config::model::Address;

/// The address of a value, with the name of its host looked up; a complaint if nobody knows that.
pub(super) fn known_address(draft: &mut Draft<'_>, value: &Parsed<'_>) -> Option<Address> {
    let address = value.address.clone().or_else(|| look_up(draft, value.text));
    if shared_number(value.text).is_some() {
        draft.refuse("a shared socket can only be served by workers here", "write the address itself");
    } else if address.is_none() {
        draft.refuse("expected an address; the host's name is not known", "write its IP address");
    }
    address
}

/// The address of a host's name and a port, if anybody knows the name.
pub(super) fn look_up(draft: &Draft<'_>, text: &str) -> Option<Address> {
    let (host, port) = text.rsplit_once(':')?;
    let end = port.find(|c: char| !c.is_ascii_digit()).unwrap_or(port.len());
    let port = port.get(..end)?.parse().ok()?;
    Some(Address::Tcp(SocketAddr::new((draft.surroundings().resolve)(host)?, port)))
}
