//! rhinod: a pre-fork application server with adaptive worker scaling.
//!
//! An application is a [`Handler`]; [`main`] turns a binary that has one into a full rhinod, with the same command line
//! and the same ini files:
//!
//! ```no_run
//! use rhinod::{Request, Response};
//!
//! fn main() -> std::process::ExitCode {
//!     rhinod::main(|_configuration| {
//!         // Runs once, before any worker is forked: load what is expensive here.
//!         Ok(|request: &mut Request<'_>| Response::text(format!("You asked for {}\n", request.path())))
//!     })
//! }
//! ```
//!
//! Handlers return a [`Response`] or a `Result` of one ([`IntoResponse`]), so that `?` works. [`mod@test`] has requests made
//! by hand for the tests of an application. docs/EMBEDDING.md in the repository goes through a small service.
//!
//! # Features
//!
//! On by default: `cli` (the words that explain a configuration), `passwords` (files of users with hashed passwords), `simulate`
//! (the word of that name), `tls` (sockets with certificates), `yaml` (configurations in YAML). Off by default: `cookies`
//! (`Request::cookie`, `Response::with_cookie`) and `forms` (`Request::form`, `Request::query_as`).
//!
//! What is listed here is the crate's interface. Its other modules are public only for the Python extension, the
//! measurements and the tests of this repository: they are hidden, and change without notice.

#[doc(hidden)]
pub mod app;
mod attendant;
#[doc(hidden)]
pub mod cache;
mod canary;
mod checksum;
#[doc(hidden)]
pub mod cli;
mod collector;
#[doc(hidden)]
pub mod companion;
#[doc(hidden)]
pub mod config;
mod daemon;
mod embedded;
mod emperor;
#[doc(hidden)]
pub mod escape;
#[doc(hidden)]
pub mod exit;
mod exporter;
#[doc(hidden)]
pub mod failure;
#[doc(hidden)]
pub mod handler;
mod hindrance;
#[doc(hidden)]
pub mod hooks;
mod inquiry;
mod log_places;
#[doc(hidden)]
pub mod logging;
#[doc(hidden)]
pub mod master;
#[doc(hidden)]
pub mod member;
mod metric_files;
#[doc(hidden)]
pub mod metrics;
mod operator;
#[doc(hidden)]
pub mod otlp;
mod percent;
mod pushing;
pub mod remote;
#[doc(hidden)]
pub mod ring;
mod router;
#[doc(hidden)]
pub mod routing;
#[doc(hidden)]
pub mod scaling;
#[cfg(feature = "simulate")]
#[doc(hidden)]
pub mod simulate;
#[doc(hidden)]
pub mod spool;
#[doc(hidden)]
pub mod spooling;
#[doc(hidden)]
pub mod stacks;
#[doc(hidden)]
pub mod stats;
#[doc(hidden)]
pub mod supervision;
#[doc(hidden)]
pub mod sys;
pub mod test;
#[doc(hidden)]
pub mod timetable;
mod tls;
#[doc(hidden)]
pub mod travel;
#[doc(hidden)]
pub mod websocket;
#[doc(hidden)]
pub mod worker;
#[doc(hidden)]
pub mod zygote;

#[doc(inline)]
pub use app::{main, main_as};
#[doc(inline)]
pub use cli::About;
#[doc(inline)]
pub use handler::{
    Body, BodyWriter, BoxError, Cache, Configuration, Handler, IntoHeaderName, IntoHeaderValue, IntoResponse, Request,
    Response, ResponseParts, StatusError, TooManyLogVariables, WebSocket, WebSocketMessage, WorkerInfo, Wrapped, wrap,
};

#[cfg(feature = "cookies")]
#[doc(no_inline)]
pub use cookie;
#[doc(no_inline)]
pub use http;
