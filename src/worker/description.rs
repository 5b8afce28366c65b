//! What a request under way is about, written into the scoreboard for whoever looks at the instance: only where statistics
//! are told, and without what is nobody else's business unless that is asked for. Worker only.

use worker_protocol::head::RequestHead;

use super::process::Worker;

/// Writes down what the request of a thread is about, if anybody may ask.
#[inline(always)]
pub(super) fn describe(worker: &Worker<'_>, core: usize, head: &RequestHead<'_>) {
    if worker.member().config().statistics.describes_requests() {
        write(worker, core, head);
    }
}

fn write(worker: &Worker<'_>, core: usize, head: &RequestHead<'_>) {
    let Some(seat) = worker.member().seat().core(core) else { return };
    if worker.member().config().statistics.variables {
        seat.describe_request(head.variables().flat_map(|(key, value)| [key, b"=", value, b"\0"]));
    } else {
        // A query string may hold a token, and everything else a secret.
        let path = head.uri_path();
        let told: [(&[u8], &[u8]); 5] = [
            (b"REQUEST_METHOD", head.method.as_bytes()),
            (b"REQUEST_URI", path),
            (b"SERVER_PROTOCOL", head.protocol.as_bytes()),
            (b"HTTP_HOST", head.host()),
            (b"REMOTE_ADDR", head.remote_addr()),
        ];
        seat.describe_request(told.into_iter().flat_map(|(key, value)| [key, b"=", value, b"\0"]));
    }
}
