//! A request as workers are given it: a packet of the uwsgi protocol. Pure; used in the router.

use std::net::IpAddr;

use worker_protocol::http::answer::Asked;
use worker_protocol::http::caller::Caller;
use worker_protocol::http::coding::{Coding, acceptable};
use worker_protocol::http::packing::Packing;
use worker_protocol::http::request::{self, Body};
use worker_protocol::http::{self};
use worker_protocol::pairs::{Block, Misfit, append};
use worker_protocol::uwsgi::{HEADER_BYTES, Header};

use super::terms::{Moment, Terms};
use crate::config::model::{self, ToHttps};

/// One whose head is whole.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) asked: Asked,
    pub(super) body: Body,
    /// Whether the client waits for word before it sends the body.
    pub(super) expects_continue: bool,
    /// Whether the client offers to change the protocol.
    pub(super) upgrade: bool,
    /// Whether it may be asked for again, if nothing has come of it (RFC 9110 section 9.2.2).
    pub(super) is_repeatable: bool,
    /// The packet, its header not yet filled in.
    packet: Vec<u8>,
}

/// Methods by which whoever repeats a request asks for nothing else, and which carry no body to speak of.
const REPEATABLE: [&[u8]; 4] = [b"GET", b"HEAD", b"OPTIONS", b"TRACE"];

impl Request {
    /// Reads a head that was found.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub(super) fn read(head: &[u8], caller: &Caller, terms: &Terms) -> Result<Request, http::Refusal> {
        let trusts = |address: IpAddr| terms.limits.trusts_peer(model::Peer::Address(address));
        let is_trusted = terms.limits.trusts_peer(caller.address().map_or(model::Peer::Unix, model::Peer::Address));
        let trusts: Option<&dyn Fn(IpAddr) -> bool> = if is_trusted { Some(&trusts) } else { None };
        let peer = caller.seen_from(terms.server_name.as_bytes(), trusts);
        let mut packet = vec![0; HEADER_BYTES];
        let read = request::read(head, &peer, &terms.block_limits(), &mut packet)?;
        let method = head.split(|byte| *byte == b' ').next().unwrap_or_default();
        let persistent = read.persistent && terms.keeps_connections();
        Ok(Request {
            asked: Asked {
                version: read.version,
                is_head: method == b"HEAD",
                persistent,
                packing: packing(&packet, terms),
            },
            body: read.body,
            expects_continue: read.expects_continue,
            upgrade: read.upgrade,
            is_repeatable: REPEATABLE.contains(&method),
            packet,
        })
    }

    /// The host that is asked for, with its port if it has one, in lower case.
    pub(super) fn host(&self) -> Option<String> {
        let block = Block::parse(self.packet.get(HEADER_BYTES..)?, usize::MAX).ok()?;
        Some(String::from_utf8_lossy(block.get(b"HTTP_HOST")?).to_ascii_lowercase())
    }

    /// Where the same is, by https: at the host that was asked for (RFC 9110 section 7.2).
    pub(super) fn by_https(&self, to: ToHttps, terms: &Terms) -> String {
        let block = Block::parse(&self.packet[HEADER_BYTES..], usize::MAX).unwrap_or_default();
        let text = |key: &[u8]| String::from_utf8_lossy(block.get(key).unwrap_or_default());
        let (authority, uri) = (text(b"HTTP_HOST"), text(b"REQUEST_URI"));
        // The colons of an IPv6 address are within brackets.
        let end = authority.find(']').map_or_else(|| authority.find(':'), |at| Some(at + 1));
        let host = match &authority[..end.unwrap_or(authority.len())] {
            "" => &terms.server_name,
            host => host,
        };
        let port = to.port.map(|port| format!(":{port}")).unwrap_or_default();
        let uri = if uri.starts_with('/') { &uri } else { "/" };
        format!("https://{host}{port}{uri}")
    }

    /// The packet, now that its body is whole. `length`: of a body that came in chunks.
    ///
    /// # Errors
    /// It has no room for what is to be said.
    pub(super) fn pack(&mut self, terms: &Terms, moment: &Moment, length: Option<u64>) -> Result<Vec<u8>, Misfit> {
        let mut packet = std::mem::take(&mut self.packet);
        if let Some(length) = length {
            packet = without_coding(&packet)?;
            append(&mut packet, HEADER_BYTES, b"CONTENT_LENGTH", length.to_string().as_bytes())?;
        }
        let (told, host) = {
            let block = Block::parse(&packet[HEADER_BYTES..], usize::MAX).unwrap_or_default();
            let host = terms.routers.named_by_host.then(|| block.get(b"HTTP_HOST").map(<[u8]>::to_vec)).flatten();
            (block.get(b"REQUEST_MSEC").is_some(), host)
        };
        if let Some(host) = host {
            append(&mut packet, HEADER_BYTES, b"SERVER_NAME", &host)?;
        }
        append(&mut packet, HEADER_BYTES, b"UWSGI_ROUTER", b"http")?;
        if !told {
            // A proxy that is believed knows since when the client has waited.
            let (seconds, us) = (moment.epoch_us / 1_000_000, moment.epoch_us % 1_000_000);
            append(&mut packet, HEADER_BYTES, b"REQUEST_MSEC", format!("{seconds}.{us:06}").as_bytes())?;
        }
        for (key, value) in &terms.routers.variables {
            append(&mut packet, HEADER_BYTES, key.as_bytes(), value.as_bytes())?;
        }
        let (modifier1, modifier2) = terms.routers.modifiers;
        let datasize = u16::try_from(packet.len() - HEADER_BYTES).map_err(|_| Misfit::TooLarge)?;
        packet[..HEADER_BYTES].copy_from_slice(&Header { modifier1, datasize, modifier2 }.encode());
        Ok(packet)
    }
}

/// What becomes of an application's wish to have the answer packed.
fn packing(packet: &[u8], terms: &Terms) -> Packing {
    if !terms.routers.packs {
        return Packing::Off;
    }
    let block = Block::parse(&packet[HEADER_BYTES..], usize::MAX).unwrap_or_default();
    match acceptable(block.get(b"HTTP_ACCEPT_ENCODING")).contains(&Coding::Gzip) {
        true => Packing::Gzip,
        false => Packing::Unwanted,
    }
}

/// The same without the coding of a body that has been decoded.
fn without_coding(packet: &[u8]) -> Result<Vec<u8>, Misfit> {
    let block = Block::parse(&packet[HEADER_BYTES..], usize::MAX).unwrap_or_default();
    let mut without = Vec::with_capacity(packet.len());
    without.extend_from_slice(&packet[..HEADER_BYTES]);
    for (key, value) in block.pairs().filter(|(key, _)| *key != b"HTTP_TRANSFER_ENCODING") {
        append(&mut without, HEADER_BYTES, key, value)?;
    }
    Ok(without)
}
