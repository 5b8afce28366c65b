//! How a process begins that a zygote forks: what it is given, its title, and what it must not outlive. Zygote, and every
//! process below it.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use worker_protocol::ids::{Generation, Life, Seat};
use worker_protocol::post::Post;
use worker_protocol::wire::Protocol;

use worker_protocol::scoreboard::Layout;

use super::memories::Memories;
use crate::config::model::Config;
use crate::routing::Rules;
use crate::sys::mailbox::Mailbox;
use crate::sys::process;
use crate::sys::shared_memory::SharedWords;
use crate::sys::title::set_title;
use crate::sys::wait::Doorbell;

/// What came with the master's first record, common to all processes of the generation.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) config: Config,
    /// Its rules of routing, compiled.
    pub(crate) rules: Rules,
    pub(crate) generation: Generation,
    pub(crate) scoreboard: SharedWords,
    /// As the master says: what the memory itself says may have been overwritten.
    pub(crate) layout: Layout,
    pub(crate) master_bell: Doorbell,
    pub(crate) listeners: Vec<Listening>,
    /// Queues between the processes of the instance, by name.
    pub(crate) mailboxes: BTreeMap<String, Mailbox>,
    pub(crate) memories: Memories,
}

/// A listening socket, and what is spoken on it.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) socket: OwnedFd,
    pub(crate) protocol: Protocol,
    /// Whether nobody connects to it but a router, which says whose a connection is.
    pub(crate) behind_router: bool,
    /// The numbers of the workers that serve it; empty: all.
    pub(crate) workers: Vec<u32>,
}

impl Listening {
    /// Whether a worker of this number serves it.
    pub(crate) fn is_served_by(&self, number: u32) -> bool {
        self.workers.is_empty() || self.workers.contains(&number)
    }
}

/// What one process is born as.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Birth {
    /// Where it writes its state.
    pub(crate) seat: Seat,
    /// Who it is.
    pub(crate) post: Post,
    /// Which fork it is.
    pub(crate) life: Life,
    /// The how many-th in its post.
    pub(crate) nth: u32,
}

/// Does something that may take for ever, such as running code of the application, and during which nobody hears that
/// the parent has died: then this process dies too. `also_after`: and ever after.
pub(crate) fn while_parent_lives<R>(also_after: bool, act: impl FnOnce() -> R) -> R {
    if let Err(error) = process::die_with_parent() {
        log::warn!("should the parent die now, this process will not notice: {error}");
    }
    let result = act();
    if !also_after && let Err(error) = process::outlive_parent() {
        log::warn!("should the parent die, this process will too: {error}");
    }
    result
}

/// Gives this process a title; without one it works as well.
pub(crate) fn title_process(title: &str) {
    if let Err(error) = set_title(title) {
        log::warn!("the process cannot be called {title}: {error}");
    }
}
