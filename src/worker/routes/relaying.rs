//! Passing a request on to another server, and its answer back, with a deadline for each step and no more in memory than a
//! buffer. Worker only.
//!
//! 502: the server is not there, or gives no answer that can go on; 504: not in time. Nobody asks twice: only the web server
//! knows whether that is safe.

use std::io::{ErrorKind, Read as _};
use std::time::Duration;

use worker_protocol::http::foreign;

use crate::escape;
use crate::remote::Line;
use crate::routing::Relay;
use crate::worker::body::DeclaredBody as _;
use crate::worker::exchange::Exchange;
use crate::worker::reply::{Headers, StartError};

/// Bytes that are passed on at once.
const BUFFER_BYTES: usize = 64 * 1024;

/// Largest body that is gathered where nobody says how long it is: the other side must be told.
const GATHERED_BYTES_MAX: u64 = 1 << 20;

/// Why nothing can be passed on.
struct Failed {
    status: u16,
    why: String,
}

impl Failed {
    fn with(status: u16, why: impl ToString) -> Self {
        Self { status, why: why.to_string() }
    }

    /// What went wrong with the other server.
    fn of(error: &std::io::Error) -> Self {
        let is_late = matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock);
        Self::with(if is_late { 504 } else { 502 }, error)
    }

    fn text(&self) -> &'static str {
        match self.status {
            400 => "The request cannot be passed on.\n",
            411 => "The request does not say how long it is.\n",
            504 => "The server behind did not answer in time.\n",
            _ => "The server behind gave no answer.\n",
        }
    }
}

/// Has another server answer.
pub(super) fn relay(exchange: &mut Exchange<'_>, relay: &Relay) {
    let patience = exchange.worker.limits().socket_timeout;
    match ask(exchange, relay, patience)
        .and_then(|(line, head, rest)| begin(exchange, head).map(|length| (line, length, rest)))
    {
        Ok((line, length, rest)) => pass_back(exchange, &line, length, &rest),
        Err(failed) => {
            let address = escape::value(relay.address.as_bytes());
            log::error!("{} was not answered by {address}: {}", exchange.named(), escape::lines(&failed.why));
            exchange.answer_plainly(failed.status, failed.text());
        }
    }
}

/// Passes the request on, and reads the head of the answer, with what came behind it.
fn ask(
    exchange: &mut Exchange<'_>,
    relay: &Relay,
    patience: Duration,
) -> Result<(Line, foreign::Head, Vec<u8>), Failed> {
    let gathered = gather(exchange)?;
    let bytes = gathered.as_ref().map_or(exchange.body.remaining(), |body| body.len() as u64);
    let scheme = exchange.head.scheme(exchange.trusts_forwarded());
    let head = relay.head(exchange.head, scheme, bytes).map_err(|error| Failed::with(400, error))?;
    let line = Line::to(&relay.address, patience).map_err(|error| Failed::of(&error))?;
    // A server that takes no more has perhaps answered already.
    let sent = line.send(&head).and_then(|()| line.send(gathered.as_deref().unwrap_or_default()));
    if sent.is_ok() && gathered.is_none() {
        pass_body(exchange, &line)?;
    }
    let (head, rest) = read_head(&line)?;
    Ok((line, head, rest))
}

/// A body that does not say how long it is.
fn gather(exchange: &mut Exchange<'_>) -> Result<Option<Vec<u8>>, Failed> {
    if exchange.body.length().is_some() {
        return Ok(None);
    }
    let mut body = Vec::new();
    let read = (&mut exchange.body).take(GATHERED_BYTES_MAX + 1).read_to_end(&mut body);
    read.map_err(|error| Failed::with(400, error))?;
    match body.len() as u64 > GATHERED_BYTES_MAX {
        true => Err(Failed::with(411, "its body comes in chunks, and is too long to be gathered")),
        false => Ok(Some(body)),
    }
}

fn pass_body(exchange: &mut Exchange<'_>, line: &Line) -> Result<(), Failed> {
    let mut buffer = vec![0; BUFFER_BYTES];
    while exchange.body.remaining() > 0 {
        match exchange.body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) if line.send(&buffer[..count]).is_err() => break,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Failed::with(exchange.body.refusal().unwrap_or(400), error)),
        }
    }
    Ok(())
}

fn read_head(line: &Line) -> Result<(foreign::Head, Vec<u8>), Failed> {
    let mut received = Vec::new();
    loop {
        let from = received.len();
        received.resize(from + BUFFER_BYTES, 0);
        let count = line.read(&mut received[from..]).map_err(|error| Failed::of(&error))?;
        received.truncate(from + count);
        match foreign::read(&received) {
            Ok(Some(head)) => {
                let rest = received.split_off(head.bytes);
                return Ok((head, rest));
            }
            Ok(None) if count == 0 => return Err(Failed::with(502, "it ended before its head did")),
            Ok(None) => {}
            Err(error) => return Err(Failed::with(502, error)),
        }
    }
}

/// Begins the answer; how long its body is, if that was said.
fn begin(exchange: &mut Exchange<'_>, head: foreign::Head) -> Result<Option<u64>, Failed> {
    let headers = |headers: &mut Headers<'_>| -> Result<(), StartError> {
        head.headers.iter().try_for_each(|(name, value)| headers.add(name.as_bytes(), value))
    };
    let reason = Some(head.reason.as_bytes()).filter(|reason| !reason.is_empty());
    match exchange.reply.start(head.status, reason, head.length, headers) {
        Ok(()) => Ok(head.length),
        Err(error) => Err(Failed::with(502, error)),
    }
}

fn pass_back(exchange: &mut Exchange<'_>, line: &Line, length: Option<u64>, rest: &[u8]) {
    if !exchange.reply.body_allowed() {
        return;
    }
    let mut left = length.unwrap_or(u64::MAX);
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut piece = rest;
    let mut is_over = false;
    loop {
        let piece_bytes = left.min(piece.len() as u64);
        left -= piece_bytes;
        // A client that has gone is accounted for.
        if piece_bytes > 0 && exchange.reply.send(&piece[..piece_bytes as usize]).is_err() {
            return;
        }
        if left == 0 || is_over {
            break;
        }
        match line.read(&mut buffer) {
            Ok(count) => {
                is_over = count == 0;
                piece = &buffer[..count];
            }
            Err(error) => return exchange.break_off(&format!("the server behind: {error}")),
        }
    }
    if length.is_some() && left > 0 {
        exchange.break_off("the server behind ended before the length that it had announced");
    }
}
