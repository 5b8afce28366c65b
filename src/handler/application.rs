//! What an application is: one that answers requests, and may have a say in the life of its worker. Zygote and workers.

use super::into_response::IntoResponse;
use super::request::Request;
use super::response::{BoxError, Response};

/// An application.
///
/// One instance is made by the factory given to [`crate::main`], in the zygote, before any worker exists; every worker
/// forked from there gets its own copy (copy-on-write), and all threads of that worker share it. A function or closure
/// that takes a [`Request`] and returns anything that is [`IntoResponse`] is an application, too.
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
///
/// # Its life
///
/// 1. The factory makes it in the zygote (with `lazy-apps` in each worker). No thread and no connection that is opened
///    here works in the workers: threads do not survive the fork, and a connection would be shared.
/// 2. After the fork each worker calls [`Handler::start_worker`] on its copy, then each of its threads
///    [`Handler::start_thread`], then [`Handler::handle`] for every request.
/// 3. A worker that leaves in an orderly way calls [`Handler::stop_worker`] after its last request and then drops its
///    copy.
///
/// `Drop` runs for a copy whose `start_worker` succeeded and nowhere else: not in the zygote, which ends without undoing
/// anything, nor in a worker that could not start. A worker that is killed runs neither it nor `stop_worker`.
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
    /// Any error keeps the worker from serving; it is logged, and the worker is started anew with growing delays, also at
    /// the first start: a database that is away for a moment does not end the instance. A reload fails with it, and the
    /// old generation goes on. (A panic is a fault of the program: at the first start it ends the instance.)
    fn start_worker(&mut self, worker: &WorkerInfo) -> Result<(), BoxError> {
        let _ = worker;
        Ok(())
    }

    /// Runs in each thread that takes requests, before its first one. `core` counts them from 0. A panic ends the worker.
    fn start_thread(&self, core: usize) {
        let _ = core;
    }

    /// Answers a call from elsewhere: of another instance over a uwsgi socket (`rpc-allow-from`), or of a rule
    /// (`rpc:`). `None`, and an empty result, is none: the caller cannot tell that from a function that is not there. What it
    /// does has the deadline of a request (`harakiri`). A panic is none, too, and goes to the log. [`crate::remote::call`] calls others.
    ///
    /// ```
    /// use rhinod::{Handler, Request, Response};
    ///
    /// struct Shouter;
    ///
    /// impl Handler for Shouter {
    ///     fn handle(&self, _request: &mut Request<'_>) -> Response {
    ///         Response::text("hello\n")
    ///     }
    ///
    ///     fn call(&self, function: &[u8], arguments: &[&[u8]]) -> Option<Vec<u8>> {
    ///         match (function, arguments) {
    ///             (b"shout", [text]) => Some(text.to_ascii_uppercase()),
    ///             _ => None,
    ///         }
    ///     }
    /// }
    /// # assert_eq!(Shouter.call(b"shout", &[b"a"]).as_deref(), Some(&b"A"[..]));
    /// ```
    fn call(&self, function: &[u8], arguments: &[&[u8]]) -> Option<Vec<u8>> {
        let _ = (function, arguments);
        None
    }

    /// Runs once in a worker that leaves, after its last request. What it does counts as part of the time that the worker
    /// has to leave (`worker-reload-mercy`).
    fn stop_worker(&mut self) {}

    /// Runs in the place of [`Handler::stop_worker`] in a worker from which others are to be forked (`refork`), after its last
    /// request and when its threads have ended: to give back what must not be shared, such as connections and threads of one's
    /// own. Whoever still holds something of the kind afterwards is not taken.
    fn cool_down(&mut self) {}

    /// Runs in each worker that is forked from such a one, before its [`Handler::start_worker`], with all that the other had
    /// come to hold.
    fn warm_up(&mut self) {}
}

impl<F, R> Handler for F
where
    F: Fn(&mut Request<'_>) -> R + Send + Sync + 'static,
    R: IntoResponse,
{
    fn handle(&self, request: &mut Request<'_>) -> Response {
        self(request).into_response()
    }
}

/// What a worker knows of itself.
///
/// ```
/// use rhinod::{BoxError, Handler, Request, Response, WorkerInfo, test};
///
/// #[derive(Default)]
/// struct Named { name: String }
///
/// impl Handler for Named {
///     fn start_worker(&mut self, worker: &WorkerInfo) -> Result<(), BoxError> {
///         self.name = format!("worker {} of generation {}", worker.number, worker.generation);
///         Ok(())
///     }
///
///     fn handle(&self, _request: &mut Request<'_>) -> Response {
///         Response::text(self.name.clone())
///     }
/// }
///
/// let mut named = Named::default();
/// named.start_worker(&test::worker())?;
/// assert_eq!(test::call(&named, test::get("/")).text(), "worker 1 of generation 1");
/// # Ok::<(), BoxError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// Its number: 1 to the number of workers. A replacement has the number of the worker that it replaces.
    pub number: u32,
    /// Which loading of the application it comes from; grows by one with each reload.
    pub generation: u32,
    /// How many requests it handles at once.
    pub threads: usize,
}
