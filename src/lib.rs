//! rhinod: a pre-fork application server with adaptive worker scaling.
//!
//! An application is a [`Handler`]; [`main`] turns a binary that has one into a full rhinod, with the same command line
//! and the same ini files:
//!
//! ```no_run
//! use rhinod::{Request, Response};
//!
//! fn main() -> std::process::ExitCode {
//!     rhinod::main(|_config| {
//!         // Runs once, before any worker is forked: load what is expensive here.
//!         Ok(|request: &mut Request<'_>| Response::text(format!("You asked for {}\n", request.path())))
//!     })
//! }
//! ```

pub mod app;
pub mod cli;
pub mod config;
mod daemon;
mod embedded;
pub mod escape;
pub mod exit;
pub mod failure;
pub mod handler;
pub mod hooks;
pub mod logging;
pub mod master;
pub mod member;
mod operator;
pub mod scaling;
pub mod simulate;
pub mod supervision;
pub mod sys;
pub mod worker;
pub mod zygote;

pub use app::main;
pub use handler::{Body, BodyWriter, BoxError, Handler, Request, Response, WorkerInfo};
