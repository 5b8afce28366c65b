//! The API for applications written in Rust: a [`Handler`] answers [`Request`]s with [`Response`]s.
//!
//! Runs in the workers (and is made in the zygote). It knows nothing of sockets and processes; `serve` joins it to a
//! worker's connections.

mod log_notes;
pub mod request;
pub mod response;

pub use log_notes::{LogNotes, TooManyLogVariables};
pub use request::Request;
pub use response::{Body, BodyWriter, Response};

use worker_protocol::ids::Generation;

/// Any error of an application, as the ecosystem passes it around.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// An application.
///
/// One instance is made by the factory given to [`crate::main`], in the zygote, before any worker exists; every worker
/// forked from there gets its own copy (copy-on-write), and all threads of that worker share it.
///
/// ```
/// use rhinod::{Handler, Request, Response};
///
/// struct Greeter { greeting: String }
///
/// impl Handler for Greeter {
///     fn handle(&self, request: &mut Request<'_>) -> Response {
///         Response::text(format!("{}, {}\n", self.greeting, request.path()))
///     }
/// }
/// ```
pub trait Handler: Send + Sync + 'static {
    /// Answers one request.
    ///
    /// A panic answers 500 (if nothing was sent yet), is logged with its place, and leaves the worker serving (but with
    /// `reload-on-exception` another one takes its place).
    fn handle(&self, request: &mut Request<'_>) -> Response;

    /// Runs once in each worker, after the fork and before its first request: for what must not be shared between
    /// processes (connections to databases, threads, random seeds).
    ///
    /// # Errors
    /// Any error keeps the worker from serving; it is logged, and the worker is started anew with growing delays.
    fn start_worker(&mut self, worker: &WorkerInfo) -> Result<(), BoxError> {
        let _ = worker;
        Ok(())
    }
}

impl<F> Handler for F
where
    F: Fn(&mut Request<'_>) -> Response + Send + Sync + 'static,
{
    fn handle(&self, request: &mut Request<'_>) -> Response {
        self(request)
    }
}

/// What a worker knows of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerInfo {
    /// Its number: 1 to the number of workers. A replacement has the number of the worker that it replaces.
    pub number: u32,
    /// Which loading of the application it comes from; grows by one with each reload.
    pub generation: Generation,
    /// How many requests it handles at once.
    pub threads: usize,
}
