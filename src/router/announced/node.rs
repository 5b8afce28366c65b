//! One instance that has announced itself, as the table of nodes and the choice among them see it. Pure; used in the router.

use std::rc::Rc;

use super::record::Record;

/// One node.
#[derive(Debug)]
pub(super) struct Node {
    /// No other one has had it.
    pub(super) id: u64,
    pub(super) record: Record,
    pub(super) shunned_until_us: u64,
    pub(super) requests: u64,
    /// The same since it was last heard.
    pub(super) since_heard: u64,
    pub(super) failures: u64,
    /// What turns by weight go by.
    pub(super) credit: i64,
    pub(super) held: Held,
}

/// Something that each request has of its node while that has it.
#[derive(Debug, Clone, Default)]
pub(in crate::router) struct Held(Rc<()>);

impl Node {
    /// Requests of this router's that it has.
    pub(super) fn open(&self) -> u64 {
        (Rc::strong_count(&self.held.0) - 1) as u64
    }

    pub(super) fn weight(&self) -> u64 {
        self.record.weight.max(1)
    }
}
