//! rhinod's measurements: what `make bench` runs, and the client that other crates' tests reuse.
//!
//! Four programs come out of this crate:
//!
//! - `loadgen`: N uwsgi clients against any uwsgi server, usable alone;
//! - `floor`: the least a pre-fork server can do for a request: accept4, read, write, close;
//! - `bench`: named scenarios that start rhinod and its rivals, measure them in turns and print tables;
//! - `study`: policies for the number of workers against each other in the product's simulator, for docs/SCALING-STUDY.md.
//!
//! Nothing here is linked into the server, and the client shares no code with the server's codec: a mistake made on
//! both sides would go unseen.

pub mod client;
pub mod contender;
pub mod findings;
pub mod lab;
mod nginx;
pub mod packet;
pub mod proc;
mod pythons;
pub mod scenario;
pub mod server;
pub mod statistics;
