//! The model that tries policies out: a server with a listen queue, workers, a zygote that forks them and cores they
//! compute on, driven by discrete events and a fake clock. It runs the same [`step`](super::step()) as the master.
//!
//! Not for predicting the absolute throughput of an application: what a request costs is an input. It runs in the
//! `simulate` command, in tests and in the benchmark, never in a server. One seed, one outcome.
//!
//! The model: a connection is taken at once by the first idle worker in slot order (epoll wakes the most recently added
//! waiter, so the first workers stay busy and the last ones stay visibly idle), else it joins the queue; beyond
//! `queue_max + 1` it is refused, as Linux does. A request computes first, sharing the cores evenly with all others that
//! compute, and then waits for something else (a database, a disk). Forks are made one after the other; what a worker
//! does until it is ready runs beside them. A look of the master happens `reaction_us` after the event that woke it.

pub mod chart;
mod cores;
mod engine;
pub mod load;
mod outcome;
pub mod outer;
pub mod picture;
pub mod report;
pub mod rivals;
pub mod sites;
pub mod traces;
mod trial;
mod world;

pub use engine::run;
pub use load::{Job, Load};
pub use outcome::{Histogram, Outcome};
pub use rivals::Scaler;
pub use trial::Trial;
pub use world::World;
