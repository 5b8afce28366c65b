//! Instances that announce themselves to the router (uWSGI's manual, "The uWSGI subscription server"): the nodes of each key.
//! Pure; used in the router, `hearing` has the sockets.
//!
//! `judging` says who is believed; `table` has the nodes (`node`) and those that have gone (`graves`), `choosing` which one is next; `record` is what routers of one instance
//! tell each other. Differs from uWSGI where that is at fault: packets are read strictly and what they ask for is bounded; the
//! order to go must be as new as any; hosts are compared without regard to case; who goes by weight is spread evenly.

mod choosing;
mod complaints;
mod graves;
mod judging;
mod node;
mod record;
mod table;
#[cfg(test)]
mod tests;

pub(super) use self::complaints::{Complaints, Said};
pub(super) use self::judging::{Judged, Sender, judge, notified};
pub(super) use self::node::Held;
pub(super) use self::record::{Record, read_lines, write_line};
pub(super) use self::table::{Applied, Choice, Parting, Table};
