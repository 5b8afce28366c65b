//! The master's children: who there is (`registry`), what is done to them (`zygotes`, `members`), what they say
//! (`hearing`) and how they end (`reaping`, `untold`), and how the next image of the master gets them (`handover`).
//!
//! Turns what the kernel and the control sockets say into events of the machine, and its actions into records and
//! signals. Decides nothing and waits for nothing. Master only.

mod ahead;
mod budget;
pub(super) mod environment;
pub(super) mod executed;
mod handover;
mod hearing;
mod interpreter;
mod launch;
mod mailboxes;
mod members;
mod molds;
mod orders;
mod python_version;
mod reaping;
mod registry;
mod router_ears;
mod untold;
mod zygotes;

pub(super) use ahead::Ahead;
pub(super) use handover::ChildrenHandover;
pub(super) use hearing::Said;
pub(super) use mailboxes::Mailboxes;
pub(super) use python_version::python_version;
pub(super) use registry::Children;
pub(super) use zygotes::Equipment;
