//! What the master sets a zygote up with: waited for, and seen to be all there. Zygote only.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use worker_protocol::control::{SETUP_DESCRIPTORS, ToZygote};
use worker_protocol::ids::Generation;
use worker_protocol::scoreboard::Layout;

use crate::config::model::{Address, Config};
use crate::member::born::{Common, Listening};
use crate::member::hear::LaterKinds;
use crate::member::memories::Memories;
use crate::routing::Rules;
use crate::sys::control::{ControlSocket, Received};
use crate::sys::mailbox::Mailbox;
use crate::sys::shared_memory::{SharedWords, read_memory_file};
use crate::sys::wait::{Doorbell, wait_any};
use crate::travel::SETTINGS;

/// Waits for the set-up and takes it.
///
/// # Errors
/// When it is not whole, which no later record could mend.
pub(super) fn take_set_up(control: &ControlSocket, later: &LaterKinds) -> io::Result<Common> {
    let (first, beside) = next_order(control, later)?;
    let ToZygote::Setup { generation, seats, threads, listeners } = first else {
        return Err(io::Error::other(format!("the master's first record is {first:?}, not the set-up")));
    };
    let mut beside = beside.into_iter();
    let own: Vec<OwnedFd> = beside.by_ref().take(SETUP_DESCRIPTORS).collect();
    let mut sockets: Vec<OwnedFd> = beside.collect();
    while sockets.len() < listeners as usize {
        match next_order(control, later)? {
            (ToZygote::Listeners { first, .. }, more) if first as usize == sockets.len() => sockets.extend(more),
            (other, _) => {
                let there = sockets.len();
                return Err(io::Error::other(format!(
                    "of {listeners} listening sockets {there} have come, and then {other:?}"
                )));
            }
        }
    }
    let layout = Layout::new(seats, threads).map_err(io::Error::other)?;
    let mut common = assemble(generation, layout, own, sockets)?;
    common.mailboxes = take_mailboxes(control, later, &common.config.mailboxes)?;
    common.memories = take_memories(&common.config, control, later)?;
    Ok(common)
}

/// The mailboxes that the settings name, with their names.
fn take_mailboxes(
    control: &ControlSocket,
    later: &LaterKinds,
    names: &[String],
) -> io::Result<BTreeMap<String, Mailbox>> {
    let mut ends = Vec::new();
    while ends.len() < names.len() * 2 {
        match next_order(control, later)? {
            (ToZygote::Mailboxes { first, .. }, more) if first as usize * 2 == ends.len() => ends.extend(more),
            (other, _) => {
                let (there, all) = (ends.len() / 2, names.len());
                return Err(io::Error::other(format!("of {all} mailboxes {there} have come, and then {other:?}")));
            }
        }
    }
    let mut ends = ends.into_iter();
    let pair = |name: &String| Some((name.clone(), Mailbox::from_owned(ends.next()?, ends.next()?)));
    Ok(names.iter().filter_map(pair).collect())
}

/// Waits for the memories that the settings name.
fn take_memories(config: &Config, control: &ControlSocket, later: &LaterKinds) -> io::Result<Memories> {
    let mut come: Vec<OwnedFd> = Vec::new();
    while come.len() < config.memories.len() {
        match next_order(control, later)? {
            (ToZygote::Memories { first, .. }, more) if first as usize == come.len() => come.extend(more),
            (other, _) => {
                let (named, there) = (config.memories.len(), come.len());
                return Err(io::Error::other(format!("of {named} memories {there} have come, and then {other:?}")));
            }
        }
    }
    let named = config.memories.iter().cloned().zip(come);
    let mapped = named.map(|(name, memory)| Ok((name, SharedWords::map(memory)?))).collect::<io::Result<_>>()?;
    Memories::take(config, mapped)
}

/// The next record, waiting for it.
fn next_order(control: &ControlSocket, later: &LaterKinds) -> io::Result<(ToZygote, Vec<OwnedFd>)> {
    loop {
        wait_any(&[control.as_fd()])?;
        match later.receive(control)? {
            Received::Message(order, beside) => return Ok((order, beside)),
            Received::Unfit(unfit) => return Err(io::Error::other(unfit)),
            Received::Nothing => {}
            Received::EndOfFile => return Err(io::Error::other("the master is gone")),
        }
    }
}

/// By which a web server learns which generation has answered (`generation-header`).
const GENERATION_HEADER: &str = "X-Rhinod-Generation";

/// `own`: scoreboard, doorbell, settings.
fn assemble(generation: Generation, layout: Layout, own: Vec<OwnedFd>, sockets: Vec<OwnedFd>) -> io::Result<Common> {
    let [scoreboard, master_bell, settings] = <[OwnedFd; SETUP_DESCRIPTORS]>::try_from(own)
        .map_err(|own| io::Error::other(format!("the set-up has {} descriptors of its own", own.len())))?;
    let mut config: Config = SETTINGS.open(&read_memory_file(settings)?).map_err(io::Error::other)?;
    if config.sockets.len() != sockets.len() {
        let (named, there) = (config.sockets.len(), sockets.len());
        return Err(io::Error::other(format!("the settings name {named} listening sockets, and {there} have come")));
    }
    let rules = Rules::compile(&config.routing.rules).map_err(|errors| {
        // The master has compiled them before; only one of another version could have another opinion.
        let told = errors.iter().map(|(rule, error)| format!("{}: {}", rule.place, error.problem));
        io::Error::other(told.collect::<Vec<_>>().join("; "))
    })?;
    if config.answers.names_generation {
        config.answers.added.push((GENERATION_HEADER.to_owned(), generation.0.to_string()));
    }
    let listeners = sockets.into_iter().zip(&config.sockets).map(|(socket, listener)| Listening {
        socket,
        protocol: listener.protocol,
        behind_router: matches!(listener.address, Address::BehindRouter(_)),
        workers: listener.workers.clone(),
    });
    Ok(Common {
        listeners: listeners.collect(),
        config,
        rules,
        generation,
        scoreboard: SharedWords::map(scoreboard)?,
        layout,
        mailboxes: BTreeMap::new(),
        master_bell: Doorbell::from_owned(master_bell),
        memories: Memories::default(),
    })
}
