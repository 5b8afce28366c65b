//! The worker: accepts connections and has them answered, one at a time for each thread.
//!
//! A member of a generation (`member`) whose work is requests. `process` has the worker itself, `threads` the life of its
//! threads, `accept_loop` what one thread does, `keeping` the connections that it waits on, `connection` one connection, `supervisor` the deadlines of its requests.

mod accept_loop;
mod accepting;
mod attending;
pub mod body;
mod claim;
mod connection;
mod deadlines;
mod description;
mod eagerness;
mod exception;
mod exchange;
mod farewell;
mod finish_overdue;
mod hearsay;
mod home;
mod keeping;
mod offers;
mod offloading;
mod omission;
mod parking;
mod peer;
mod place;
mod process;
pub mod reply;
mod request_log;
mod routes;
mod rush;
mod share;
mod shedding;
mod signalled;
mod spans;
mod spare;
mod statics;
mod supervision;
mod supervisor;
mod threads;
mod titles;
mod tracing;
mod watch;
pub mod websocket;

pub use self::exception::Raised;
pub use self::exchange::{Exchange, Service};
pub(crate) use self::process::ORDERLY;
pub use self::process::{Worker, WorkerRuntime};
pub(crate) use self::reply::warn_of_missing_pages;
pub(crate) use self::routes::warn_of_missing_users;
pub(crate) use self::statics::warn_of_missing_places;
pub use self::watch::Watch;
pub use worker_protocol::rpc::Call;
