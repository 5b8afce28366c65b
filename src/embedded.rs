//! Joins a [`Handler`] to a worker: the runtime of Rust applications, and the service that runs in its workers.

mod cache;
mod websocket;

use std::any::Any;
use std::io::{self, Read};
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};

use worker_protocol::control::FromWorker;
use worker_protocol::ids::Generation;

use crate::companion::{Companion, CompanionRuntime};
use crate::config::model::Config;
use crate::config::vocabulary::APPLICATION_PREFIX;
use crate::escape;
use crate::handler::{Body, BodyWriter, BoxError, Cache, Configuration, Handler, Request, Response, chain};
use crate::member::{Instance, LoadFailure, Runtime};
use crate::worker::reply::{Reply, StartError};
use crate::worker::{Call, Exchange, Raised, Service, Watch, Worker, WorkerRuntime};

/// How much is read at once of a body that comes from a reader.
const READER_BYTES: usize = 64 * 1024;

/// Exit code of a worker that could not start and may the next time.
const NOT_NOW: i32 = 1;

/// The runtime of an application written in Rust.
pub(crate) struct RustRuntime<F, H> {
    factory: Option<F>,
    /// Only a worker that has started it drops it.
    handler: Option<ManuallyDrop<H>>,
}

impl<F, H> RustRuntime<F, H> {
    pub(crate) fn new(factory: F) -> Self {
        Self { factory: Some(factory), handler: None }
    }
}

impl<F, H> Runtime for RustRuntime<F, H>
where
    F: FnOnce(&Configuration) -> Result<H, BoxError>,
    H: Handler,
{
    fn load(&mut self, config: &Config, _generation: Generation) -> Result<(), LoadFailure> {
        log_panics();
        let Some(factory) = self.factory.take() else { return Ok(()) };
        let told = told(config);
        let made = catch_unwind(AssertUnwindSafe(|| factory(&told)));
        match made {
            Ok(Ok(handler)) => {
                self.handler = Some(ManuallyDrop::new(handler));
                Ok(())
            }
            Ok(Err(error)) => Err(LoadFailure::new(format!("the application could not be loaded: {}", chain(&*error)))),
            Err(_) => Err(LoadFailure::new("the application panicked while it was loaded")),
        }
    }

    fn live_threads(&mut self) -> Vec<String> {
        other_threads()
    }
}

impl<F, H> CompanionRuntime for RustRuntime<F, H>
where
    F: FnOnce(&Configuration) -> Result<H, BoxError>,
    H: Handler,
{
    fn in_companion(
        &mut self,
        _companion: &Companion<'_>,
        life: &mut dyn FnMut(&mut dyn CompanionRuntime) -> i32,
    ) -> i32 {
        life(self)
    }
}

impl<F, H> WorkerRuntime for RustRuntime<F, H>
where
    F: FnOnce(&Configuration) -> Result<H, BoxError>,
    H: Handler,
{
    fn in_zygote(&mut self, _instance: &Instance<'_>, act: &mut dyn FnMut(&mut dyn WorkerRuntime)) {
        act(self);
    }

    fn in_worker(&mut self, _worker: &Worker<'_>, life: &mut dyn FnMut(&mut dyn WorkerRuntime) -> i32) -> i32 {
        life(self)
    }

    fn work(&mut self, worker: &Worker<'_>) -> i32 {
        let Some(mut handler) = self.handler.take() else {
            return worker.member().refuse(&LoadFailure::new("no application was loaded"));
        };
        let info = worker.info();
        if worker.member().instance().is_grown() && catch_unwind(AssertUnwindSafe(|| handler.warm_up())).is_err() {
            return worker.member().refuse(&passing("the application panicked in warm_up".to_owned()));
        }
        match catch_unwind(AssertUnwindSafe(|| handler.start_worker(&info))) {
            Ok(Ok(())) => {
                let (code, kept) = serve(worker, ManuallyDrop::into_inner(handler));
                self.handler = kept.map(ManuallyDrop::new);
                code
            }
            Ok(Err(error)) => worker.member().refuse(&passing(format!("start_worker: {}", chain(&*error)))),
            Err(_) => worker.member().refuse(&LoadFailure::new("the application panicked in start_worker")),
        }
    }

    fn scour(&mut self) {}

    fn settle(&mut self, _config: &Config) {}

    fn part(&mut self, _config: &Config) {
        if let Some(handler) = self.handler.take() {
            end(ManuallyDrop::into_inner(handler));
        }
    }
}

/// What the application is told of the configuration.
fn told(config: &Config) -> Configuration {
    let of_application = |(key, value): &(String, Option<String>)| {
        let name = key.strip_prefix(APPLICATION_PREFIX)?;
        Some((name.to_owned(), value.clone()))
    };
    Configuration {
        workers: config.workers,
        threads: config.threads.max(1),
        options: config.given.iter().filter_map(of_application).collect(),
    }
}

/// What may be well a moment later: the worker is started anew, also at the first start.
fn passing(reason: String) -> LoadFailure {
    LoadFailure { exit_code: NOT_NOW, reason }
}

/// The life of a handler that has been started: the exit code, and the handler if others are to be forked with it.
fn serve<H: Handler>(worker: &Worker<'_>, handler: H) -> (i32, Option<H>) {
    let mut service = HandlerService { handler };
    let code = worker.serve(&service);
    if worker.member().calling().is_some() {
        match catch_unwind(AssertUnwindSafe(|| service.handler.cool_down())) {
            Ok(()) => return (code, Some(service.handler)),
            Err(_) => worker.member().miss_calling("the application panicked in cool_down"),
        }
    }
    end(service.handler);
    (code, None)
}

/// The end of a handler. The log has it if it panics; the worker is on its way out in any case.
fn end<H: Handler>(mut handler: H) {
    let _ = catch_unwind(AssertUnwindSafe(|| handler.stop_worker()));
    let _ = catch_unwind(AssertUnwindSafe(|| drop(handler)));
}

/// Answers a worker's requests with a handler.
struct HandlerService<H> {
    handler: H,
}

impl<H: Handler> Service for HandlerService<H> {
    fn on_thread(&self, core: usize, accept_loop: &mut dyn FnMut()) {
        if catch_unwind(AssertUnwindSafe(|| self.handler.start_thread(core))).is_err() {
            // A worker of fewer threads than it should have would never be ready: all of them leave.
            return;
        }
        accept_loop();
    }

    fn whereabouts(&self, _core: usize, watch: &Watch) -> String {
        // A thread that has ended is not stuck. Where in the handler it is, nobody can tell.
        let _ = watch.nudge();
        String::new()
    }

    fn call(&self, _core: usize, watch: &Watch, call: &Call<'_>) -> Option<Vec<u8>> {
        // The log has the panic.
        let called = catch_unwind(AssertUnwindSafe(|| self.handler.call(call.function, &call.arguments)));
        watch.end_work();
        called.ok().flatten()
    }

    /// Nothing interrupts a handler but the end of what it reads and sends.
    fn interrupt(&self, _core: usize, _watch: &Watch) {}

    #[inline(always)]
    fn serve(&self, exchange: &mut Exchange<'_>) {
        // Only the answer matters after a panic; what the handler shares between requests is its own to keep whole,
        // as with any thread that unwinds.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| self.answer(exchange))) {
            exchange.note_exception(|| Raised {
                types: vec!["panic".to_owned()],
                value: panic_message(&*payload),
                reprs: Vec::new(),
            });
            // An answer of which the last byte is out is whole, whatever happened after it.
            if exchange.reply.is_unfinished() {
                exchange.break_off("the application panicked");
            } else {
                exchange.answer_plainly(500, "Internal Server Error\n");
            }
        }
    }
}

impl<H: Handler> HandlerService<H> {
    #[inline(always)]
    fn answer(&self, exchange: &mut Exchange<'_>) {
        let response = {
            let (trust_forwarded, worker) = (exchange.trusts_forwarded(), exchange.worker);
            let ask_reload = &|| worker.member().tell(&FromWorker::AskReload);
            let deadline = exchange.deadline();
            let set_deadline = &|limit| deadline.set(limit);
            let cache = &|name: Option<&str>| {
                let shared = worker.member().instance().cache(name)?;
                Some(Cache { link: Box::new(shared) })
            };
            let Exchange { head, body, notes, .. } = &mut *exchange;
            let extensions = http::Extensions::new();
            let generation = worker.member().instance().generation().0;
            let mut request =
                Request { head, body, trust_forwarded, generation, ask_reload, set_deadline, cache, notes, extensions };
            self.handler.handle(&mut request)
        };
        if let Some(reason) = response.failure() {
            log::error!("{} failed: {}", exchange.named(), escape::lines(reason));
            exchange.note_exception(|| Raised {
                types: vec!["error".to_owned()],
                value: reason.to_owned(),
                reprs: Vec::new(),
            });
        }
        if matches!(response.body, Body::WebSocket(_)) {
            return websocket::converse(exchange, response);
        }
        match start(&mut exchange.reply, &response) {
            Ok(()) => {
                if let Err(error) = send_body(&mut exchange.reply, response.body) {
                    exchange.break_off(&error.to_string());
                }
            }
            Err(error) => {
                log::error!("the answer to {} was replaced by 500: {error}", exchange.named());
                exchange.answer_plainly(500, "Internal Server Error\n");
            }
        }
    }
}

#[inline(always)]
fn start(reply: &mut Reply<'_>, response: &Response) -> Result<(), StartError> {
    reply.start(response.status, None, response.known_length(), |headers| {
        response.headers.iter().try_for_each(|(name, value)| headers.add(name.as_bytes(), value.as_ref()))
    })
}

#[inline(always)]
fn send_body(reply: &mut Reply<'_>, body: Body) -> io::Result<()> {
    if !reply.body_allowed() {
        return Ok(());
    }
    match body {
        Body::Empty | Body::WebSocket(_) => Ok(()),
        Body::Bytes(bytes) => reply.send_whole(&bytes),
        Body::File { file, offset, length } => reply.send_last_file(&file, offset, length),
        Body::Reader { reader, length } => match length {
            Some(length) => copy(reply, reader.take(length)),
            None => copy(reply, reader),
        },
        Body::Chunks(chunks) => {
            reply.push_head()?;
            for chunk in chunks {
                reply.send(&chunk?)?;
            }
            Ok(())
        }
        Body::Writer(write) => write(&mut BodyWriter { sink: &mut |piece| reply.send(piece) }),
    }
}

fn copy(reply: &mut Reply<'_>, mut reader: impl Read) -> io::Result<()> {
    let mut buffer = vec![0; READER_BYTES];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => reply.send(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Panics go to the log with their place, as one line.
fn log_panics() {
    std::panic::set_hook(Box::new(|info| {
        let message = panic_message(info.payload());
        let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        log::error!("{}", escape::lines(&format!("the application panicked at {place}: {message}")));
    }));
}

/// What a panic was called with.
fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "(no message)".to_owned())
}

/// Names of the threads of this process besides the calling one, from `/proc/self/task`.
fn other_threads() -> Vec<String> {
    let own = std::process::id().to_string();
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    tasks
        .flatten()
        .filter(|task| task.file_name().to_string_lossy() != own)
        .map(|task| std::fs::read_to_string(task.path().join("comm")).unwrap_or_default().trim_end().to_owned())
        .collect()
}
