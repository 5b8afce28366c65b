//! The title of a worker that says what it is doing (`procname-requests`): the request that it has taken last, without its
//! query, which may hold a secret. Worker only.

use std::sync::{Mutex, PoisonError};

use worker_protocol::head::RequestHead;

use crate::escape;
use crate::sys::title::Title;

/// The title, shared by all threads of a worker.
#[derive(Debug)]
pub(super) struct Titles {
    /// What every title begins with.
    own: String,
    title: Title,
    /// How many threads have a request.
    busy: Mutex<usize>,
}

impl Titles {
    /// Of the worker that is called so; `None` where the kernel does not say where its arguments are.
    pub(super) fn of(own: String) -> Option<Self> {
        let title = Title::of_this_process().inspect_err(|error| log::warn!("procname-requests: {error}")).ok()?;
        Some(Self { own, title, busy: Mutex::new(0) })
    }

    /// A thread has a request.
    pub(super) fn begin(&self, head: &RequestHead<'_>) {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        *busy += 1;
        self.title.show(&of_request(&self.own, head.method_or_get(), head.uri(), *busy));
    }

    /// It has answered it.
    pub(super) fn end(&self) {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        *busy = busy.saturating_sub(1);
        self.title.show(&of_the_rest(&self.own, *busy));
    }
}

fn of_request(own: &str, method: &str, uri: &[u8], busy: usize) -> String {
    let path = uri.split(|byte| *byte == b'?').next().unwrap_or_default();
    let (method, path) = (escape::value(method.as_bytes()), escape::value(path));
    match busy {
        0 | 1 => format!("{own}: {method} {path}"),
        busy => format!("{own}: {busy} requests, {method} {path}"),
    }
}

fn of_the_rest(own: &str, busy: usize) -> String {
    match busy {
        0 => format!("{own}: idle"),
        1 => format!("{own}: 1 request"),
        busy => format!("{own}: {busy} requests"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_names_the_newest_request_without_its_query() {
        let of = |busy| of_request("rhinod worker 1", "GET", b"/a\nb?token=secret", busy);
        assert_eq!(of(1), "rhinod worker 1: GET /a\\x0ab");
        assert_eq!(of(3), "rhinod worker 1: 3 requests, GET /a\\x0ab");
        assert_eq!([0, 1, 2].map(|busy| of_the_rest("w", busy)), ["w: idle", "w: 1 request", "w: 2 requests"]);
    }
}
