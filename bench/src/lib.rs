//! rhinod's measurements: what `make bench` runs. What asks the servers is the crate `loadgen`.
//!
//! Three programs come out of this crate:
//!
//! - `floor`: the least a pre-fork server can do for a request: accept4, read, write, close;
//! - `bench`: named scenarios that start rhinod and its rivals, measure them in turns and print tables;
//! - `study`: policies for the number of workers against each other in the product's simulator, for docs/SCALING-STUDY.md.
//!
//! Nothing here is linked into the server.

pub mod contender;
pub mod findings;
pub mod lab;
mod nginx;
pub mod proc;
mod pythons;
pub mod scenario;
pub mod server;
pub mod statistics;
