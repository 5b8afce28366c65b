//! What a configuration under construction knows of sockets that are named by a number: the lines, until all are read.
//!
//! Not what becomes of them (`shared_sockets`). Pure.

use crate::config::directive::Directive;
use crate::config::model::Address;

/// What of sockets refers to others by their number, each with its line.
#[derive(Debug, Default)]
pub(super) struct References<'a> {
    /// `shared-socket`, in their order; `None` for one whose address cannot be read.
    pub(super) shared: Vec<(Option<Address>, bool, &'a Directive)>,
    /// Which listener is which shared socket.
    pub(super) borrowed: Vec<(usize, &'a Directive)>,
    /// `map-socket`.
    pub(super) mapped: Vec<(Result<Mapping, &'static str>, &'a Directive)>,
}

/// A socket, and the workers that serve it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    pub(super) socket: usize,
    pub(super) workers: Vec<u32>,
}
