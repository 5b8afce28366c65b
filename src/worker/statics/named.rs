//! Sending the file that an answer of the application names in the place of a body (`x-sendfile`). Worker only.

use crate::escape;
use crate::sys::beneath::{Found, look_up};
use crate::worker::exchange::Exchange;

/// Sends it, if there is one. One that is not below the directory is not there.
pub(in crate::worker) fn send_named(exchange: &mut Exchange<'_>) {
    let Some(named) = exchange.reply.take_named() else { return };
    let Some(top) = &exchange.worker.member().config().answers.named_below else { return };
    let found = look_up(top, &named.below(top), &[]);
    let Ok(Found::File(file)) = found else {
        let (path, top) = (escape::value(named.written()), top.display());
        log::warn!("{}: the application names {path}, which is no file below {top} (x-sendfile)", exchange.named());
        return exchange.answer_plainly(404, "Not Found\n");
    };
    if let Err(error) = exchange.reply.send_named(&file, file.length())
        && !exchange.reply.sent().write_failed
    {
        exchange.break_off(&format!("the file that the application names: {error}"));
    }
}
