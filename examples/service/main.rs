//! A small service of one's own, with what most of them need: routes, JSON, errors, connections of each worker, upload and
//! download, a thread in the background, a wrapper, and tests. docs/EMBEDDING.md goes through it.
//!
//! `service --http-socket 127.0.0.1:8080 --workers 2` serves: `GET /` a page, `GET /notes?tag=T` notes as JSON,
//! `POST /notes` one more, `GET` and `PUT /files/NAME` a file, `GET /visits` how often this worker was asked for what.
//! Writing needs the header `Authorization: Bearer TOKEN`, with the token in the environment variable `SERVICE_TOKEN`;
//! everything is kept below the directory `SERVICE_DIR`.

mod files;
mod notes;
#[cfg(test)]
mod tests;
mod visits;

use std::path::PathBuf;
use std::process::ExitCode;

use rhinod::{BoxError, Handler, IntoResponse, Request, Response, StatusError, WorkerInfo};

use notes::Notes;
use visits::Visits;

fn main() -> ExitCode {
    rhinod::main(|_configuration| {
        // In the zygote, once: read what all workers share, open nothing that they must not.
        let directory = PathBuf::from(std::env::var("SERVICE_DIR").map_err(|_| "SERVICE_DIR is not set")?);
        let token = std::env::var("SERVICE_TOKEN").map_err(|_| "SERVICE_TOKEN is not set")?;
        Ok(guarded(Service::new(directory), token))
    })
}

/// The application. What belongs to one worker is `None` until that has started.
struct Service {
    directory: PathBuf,
    notes: Option<Notes>,
    visits: Option<Visits>,
}

impl Service {
    fn new(directory: PathBuf) -> Self {
        Self { directory, notes: None, visits: None }
    }
}

impl Handler for Service {
    fn start_worker(&mut self, worker: &WorkerInfo) -> Result<(), BoxError> {
        self.notes = Some(Notes::open(&self.directory.join("notes"), worker.threads)?);
        self.visits = Some(Visits::start()?);
        Ok(())
    }

    fn stop_worker(&mut self) {
        if let Some(visits) = self.visits.take() {
            log::info!("{} requests were counted", visits.stop());
        }
    }

    fn handle(&self, request: &mut Request<'_>) -> Response {
        self.route(request).into_response()
    }
}

impl Service {
    fn route(&self, request: &mut Request<'_>) -> Result<Response, BoxError> {
        let (notes, visits) = (self.notes.as_ref(), self.visits.as_ref());
        let (notes, visits) = notes.zip(visits).ok_or("the worker was not started")?;
        let path = request.path().into_owned();
        visits.note(&path);
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match (request.method(), parts.as_slice()) {
            ("GET" | "HEAD", [""]) => Ok(Response::html("<!doctype html><title>Notes</title><h1>Notes</h1>\n")),
            ("GET" | "HEAD", ["notes"]) => notes.list(request),
            ("POST", ["notes"]) => notes.add(request),
            ("GET" | "HEAD", ["files", name]) => files::download(&self.directory, name, request),
            ("PUT", ["files", name]) => files::upload(&self.directory, name, request),
            ("GET" | "HEAD", ["visits"]) => Response::json(&visits.counts()),
            (_, ["" | "notes" | "visits"] | ["files", _]) => Err(StatusError::new(405, "no such method here").into()),
            _ => Err(StatusError::new(404, "there is nothing here").into()),
        }
    }
}

/// The application behind a door: whoever wants to change something says the token.
fn guarded(service: Service, token: String) -> impl Handler {
    rhinod::wrap(service, move |service: &dyn Handler, request: &mut Request<'_>| {
        let said = request.header("Authorization").and_then(|value| value.strip_prefix(b"Bearer "));
        let reads = matches!(request.method(), "GET" | "HEAD");
        if !reads && said != Some(token.as_bytes()) {
            return Response::text("the token is missing\n").with_status(401).with_header("WWW-Authenticate", "Bearer");
        }
        service.handle(request).with_header("X-Content-Type-Options", "nosniff")
    })
}
