//! The router: a process of its own, executed by the master, that takes clients' connections for the workers. It takes TLS
//! off them and passes the bytes on, or reads the requests itself and has the workers answer one after the other. It runs no
//! code of an application, and no worker has a key in its memory.
//!
//! `life` makes what the master has said; `rounds` has the loop; a connection is a `tunnel`, whose bytes are passed on, or a
//! `session`, whose requests are read: what is to be done about those is decided in `conversation`. Instances that announce
//! themselves are heard in `hearing`, and kept in `announced`; `whom` says who is asked.

mod alarms;
mod announced;
pub(crate) mod birth;
#[cfg(feature = "tls")]
mod certificates;
mod client;
mod connection;
mod conversation;
mod doors;
mod hearing;
mod life;
mod nodes;
mod pipe;
mod report;
mod rounds;
#[cfg(feature = "tls")]
mod secure;
mod session;
pub(crate) mod settings;
mod source;
mod telling;
mod tunnel;
mod turn;
mod whom;

pub(crate) use life::run;
