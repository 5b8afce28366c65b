//! Handlers around handlers: boxes, shared ones, and wrappers that cannot forget to pass on what they do not change. Pure.

use std::sync::Arc;

use super::{BoxError, Handler, IntoResponse, Request, Response, WorkerInfo};

/// One of several applications, chosen when it is made.
impl Handler for Box<dyn Handler> {
    fn handle(&self, request: &mut Request<'_>) -> Response {
        (**self).handle(request)
    }

    fn call(&self, function: &[u8], arguments: &[&[u8]]) -> Option<Vec<u8>> {
        (**self).call(function, arguments)
    }

    fn start_worker(&mut self, worker: &WorkerInfo) -> Result<(), BoxError> {
        (**self).start_worker(worker)
    }

    fn start_thread(&self, core: usize) {
        (**self).start_thread(core);
    }

    fn stop_worker(&mut self) {
        (**self).stop_worker();
    }

    fn cool_down(&mut self) {
        (**self).cool_down();
    }

    fn warm_up(&mut self) {
        (**self).warm_up();
    }
}

/// A shared application. Its `start_worker` and `stop_worker` change it, so that nobody else may hold it then: the start
/// fails otherwise, and the end leaves out `stop_worker`.
impl<H: Handler> Handler for Arc<H> {
    fn handle(&self, request: &mut Request<'_>) -> Response {
        (**self).handle(request)
    }

    fn call(&self, function: &[u8], arguments: &[&[u8]]) -> Option<Vec<u8>> {
        (**self).call(function, arguments)
    }

    fn start_worker(&mut self, worker: &WorkerInfo) -> Result<(), BoxError> {
        match Arc::get_mut(self) {
            Some(handler) => handler.start_worker(worker),
            None => Err("the handler cannot be started: another Arc holds it".into()),
        }
    }

    fn start_thread(&self, core: usize) {
        (**self).start_thread(core);
    }

    fn stop_worker(&mut self) {
        if let Some(handler) = Arc::get_mut(self) {
            handler.stop_worker();
        }
    }

    fn cool_down(&mut self) {
        if let Some(handler) = Arc::get_mut(self) {
            handler.cool_down();
        }
    }

    fn warm_up(&mut self) {
        if let Some(handler) = Arc::get_mut(self) {
            handler.warm_up();
        }
    }
}

/// What [`wrap`] makes: a handler around another one, which can be wrapped again.
///
/// ```
/// use rhinod::{Handler, Request, Response, Wrapped, test, wrap};
///
/// fn app(request: &mut Request<'_>) -> Response {
///     Response::text(request.extensions().get::<&str>().copied().unwrap_or("nobody"))
/// }
///
/// let named = wrap(app, |app: &dyn Handler, request: &mut Request<'_>| {
///     request.extensions_mut().insert("ada");
///     app.handle(request)
/// });
/// let both: Wrapped<Wrapped<_, _>, _> =
///     wrap(named, |app: &dyn Handler, request: &mut Request<'_>| app.handle(request).with_header("X-Outer", "1"));
/// let answer = test::call(&both, test::get("/"));
/// assert_eq!((answer.text().as_str(), answer.header("X-Outer")), ("ada", Some("1")));
/// ```
#[derive(Debug, Clone)]
pub struct Wrapped<H, A> {
    inner: H,
    around: A,
}

/// Puts a function around an application: it sees every request first, has the application answer it or not, and may change
/// the answer. Everything else of the application's life reaches it as before.
///
/// ```
/// use rhinod::{Handler, Request, Response};
///
/// fn app(_request: &mut Request<'_>) -> Response {
///     Response::text("hello\n")
/// }
///
/// let guarded = rhinod::wrap(app, |app: &dyn Handler, request: &mut Request<'_>| {
///     if request.path().starts_with("/admin") {
///         return Response::new(403);
///     }
///     app.handle(request).with_header("X-Frame-Options", "DENY")
/// });
/// let answer = rhinod::test::call(&guarded, rhinod::test::get("/"));
/// assert_eq!(answer.header("X-Frame-Options"), Some("DENY"));
/// ```
pub fn wrap<H, A, R>(inner: H, around: A) -> Wrapped<H, A>
where
    H: Handler,
    A: Fn(&dyn Handler, &mut Request<'_>) -> R + Send + Sync + 'static,
    R: IntoResponse,
{
    Wrapped { inner, around }
}

impl<H, A, R> Handler for Wrapped<H, A>
where
    H: Handler,
    A: Fn(&dyn Handler, &mut Request<'_>) -> R + Send + Sync + 'static,
    R: IntoResponse,
{
    fn call(&self, function: &[u8], arguments: &[&[u8]]) -> Option<Vec<u8>> {
        self.inner.call(function, arguments)
    }

    fn handle(&self, request: &mut Request<'_>) -> Response {
        (self.around)(&self.inner, request).into_response()
    }

    fn start_worker(&mut self, worker: &WorkerInfo) -> Result<(), BoxError> {
        self.inner.start_worker(worker)
    }

    fn start_thread(&self, core: usize) {
        self.inner.start_thread(core);
    }

    fn stop_worker(&mut self) {
        self.inner.stop_worker();
    }

    fn cool_down(&mut self) {
        self.inner.cool_down();
    }

    fn warm_up(&mut self) {
        self.inner.warm_up();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// Writes down what happens to it.
    struct Diary(Arc<Mutex<Vec<String>>>);

    impl Diary {
        fn note(&self, line: impl Into<String>) {
            self.0.lock().unwrap().push(line.into());
        }
    }

    impl Handler for Diary {
        fn handle(&self, request: &mut Request<'_>) -> Response {
            self.note(request.path());
            Response::new(204)
        }

        fn start_worker(&mut self, worker: &WorkerInfo) -> Result<(), BoxError> {
            self.note(format!("worker {}", worker.number));
            Ok(())
        }

        fn start_thread(&self, core: usize) {
            self.note(format!("core {core}"));
        }

        fn stop_worker(&mut self) {
            self.note("stop");
        }
    }

    fn live(mut handler: impl Handler) {
        handler.start_worker(&WorkerInfo { number: 3, generation: 1, threads: 1 }).unwrap();
        handler.start_thread(0);
        assert_eq!(crate::test::call(&handler, crate::test::get("/a")).status, 204);
        handler.stop_worker();
    }

    #[test]
    fn boxes_shared_ones_and_wrappers_pass_on_the_whole_life() {
        let pages = Arc::new(Mutex::new(Vec::new()));
        let diary = || Diary(Arc::clone(&pages));
        live(Box::new(diary()) as Box<dyn Handler>);
        live(Arc::new(diary()));
        live(wrap(diary(), |app: &dyn Handler, request: &mut Request<'_>| app.handle(request)));
        assert_eq!(pages.lock().unwrap().as_slice(), ["worker 3", "core 0", "/a", "stop"].repeat(3));
    }

    #[test]
    fn a_handler_that_somebody_else_holds_is_not_started() {
        let mut shared = Arc::new(Diary(Arc::default()));
        let held = Arc::clone(&shared);
        assert!(shared.start_worker(&WorkerInfo { number: 1, generation: 1, threads: 1 }).is_err());
        drop(held);
    }
}
