//! What a worker does for other instances beside answering web requests: calling functions of the application, looking
//! after caches, and having tasks run (uWSGI's manual, "uWSGI RPC Stack", "The uWSGI caching framework", "The uWSGI Spooler").
//! Worker only.
//!
//! Nobody gets any of it whom the configuration does not name: none of these protocols knows of passwords.
//!
//! - `functions` has functions called, with the deadline of a request.
//! - `caches` reads and changes caches, `tasks` writes tasks; no application has a part in it.

mod caches;
mod functions;
mod question;
mod tasks;

use worker_protocol::wire::Offer;

pub(super) use self::question::{Question, Stand};

use super::connection::Answered;
use super::exchange::Service;
use super::process::Worker;
use crate::config::model::{Offers, Peer};
use crate::sys::stream::{Stream, peer_address};

/// Why somebody gets nothing of it.
#[derive(Debug)]
pub(super) enum Stranger {
    /// It is offered to others.
    Offered { told: String },
    /// It is offered to nobody.
    NotOffered { told: String },
}

/// Why the peer may not have it; `None` if it may.
pub(super) fn refusal(worker: &Worker<'_>, stream: &Stream, offer: Offer) -> Option<Stranger> {
    let offers = &worker.member().config().offers;
    let (what, option, allowed) = match offer {
        Offer::Functions => ("a function is called (modifier1 173)", "rpc-allow-from", &offers.callers),
        Offer::Caches => ("a cache is asked (modifier1 111)", "cache-allow-from", &offers.cache_users),
        Offer::Spoolers => ("a task is sent (modifier1 17)", "spool-allow-from", &offers.task_givers),
    };
    if allowed.is_empty() {
        return Some(Stranger::NotOffered { told: format!("{what}, and {option} names nobody who may do that") });
    }
    let (peer, named) = match peer_address(stream) {
        Ok(Some(address)) => (Peer::Address(address.ip().to_canonical()), address.to_string()),
        Ok(None) => (Peer::Unix, "unix:".to_owned()),
        // It has gone.
        Err(error) => return Some(Stranger::Offered { told: format!("{what} by nobody: {error}") }),
    };
    let is_allowed = Offers::include(allowed, peer);
    (!is_allowed).then(|| Stranger::Offered { told: format!("{what} from {named}, which {option} does not name") })
}

/// Answers somebody who may ask, and gives an account of it if the application had a part in that.
pub(super) fn answer<S: Service + ?Sized>(
    service: &S,
    offer: Offer,
    question: &Question<'_>,
    stand: &Stand<'_>,
    account: impl FnOnce(&Answered<'_>),
) {
    match offer {
        Offer::Functions => functions::answer(service, question, stand, account),
        Offer::Caches => caches::answer(question, stand),
        Offer::Spoolers => tasks::answer(question, stand),
    }
}
