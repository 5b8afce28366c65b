//! The API for applications written in Rust: a [`Handler`] answers [`Request`]s with [`Response`]s.
//!
//! Runs in the workers (and is made in the zygote). It knows nothing of sockets and processes; `embedded` joins it to a
//! worker's connections.

mod application;
mod cache;
mod configuration;
#[cfg(feature = "cookies")]
mod cookies;
mod encoded;
mod file;
#[cfg(feature = "forms")]
mod forms;
mod forwarding;
mod header;
mod into_response;
mod log_notes;
pub mod request;
pub mod response;
mod websocket;

pub use application::{Handler, WorkerInfo};
pub use cache::Cache;
pub(crate) use cache::CacheLink;
pub use configuration::Configuration;
pub use forwarding::{Wrapped, wrap};
pub use header::{IntoHeaderName, IntoHeaderValue};
pub(crate) use into_response::chain;
pub use into_response::{IntoResponse, StatusError};
pub use log_notes::{LogNotes, TooManyLogVariables};
pub use request::Request;
pub use response::{Body, BodyWriter, BoxError, Response, ResponseParts};
pub(crate) use websocket::Link;
pub use websocket::{WebSocket, WebSocketMessage};
