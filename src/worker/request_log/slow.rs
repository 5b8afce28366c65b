//! Where the time of a slow request went (`log-slow`). Pure; worker only.

use crate::escape;
use crate::worker::connection::{Answered, Outcome};

/// The line about a request that took so long: a part that took no time is left out.
pub(crate) fn story(request: &Answered<'_>, took_us: u64, worker: u32, core: usize) -> String {
    let Answered { head, outcome: Outcome { sent, waited_us, received_us, .. }, .. } = request;
    let spent = Spent { took_us, queued_us: *waited_us, receiving_us: *received_us, sending_us: sent.waited_us };
    let (method, uri) = (escape::value(head.method_or_get().as_bytes()), escape::value(head.uri()));
    format!("slow request: {method} {uri} took {} (worker {worker}, core {core})", spent.told())
}

/// What is known of a request's time.
struct Spent {
    /// From accept to the last byte.
    took_us: u64,
    /// Before that, where the web server says when it came.
    queued_us: Option<u64>,
    /// For the client to send the body.
    receiving_us: u64,
    /// For the client to take the answer.
    sending_us: u64,
}

impl Spent {
    fn told(&self) -> String {
        let Self { took_us, queued_us, receiving_us, sending_us } = *self;
        let application_us = took_us.saturating_sub(receiving_us).saturating_sub(sending_us);
        let parts = [
            (application_us, "in the application"),
            (receiving_us, "waiting for its body"),
            (sending_us, "waiting for the client to take the answer"),
        ];
        let parts =
            parts.into_iter().filter(|(us, _)| *us >= 1_000).map(|(us, what)| format!("{} ms {what}", us / 1_000));
        let before = queued_us.map(|us| format!("{} ms in the queue before", us / 1_000));
        let all: Vec<String> = parts.chain(before).collect();
        format!("{} ms: {}", took_us / 1_000, all.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_millisecond_is_told_of_once() {
        let spent = Spent { took_us: 1_523_000, queued_us: Some(7_900), receiving_us: 200_000, sending_us: 20_500 };
        let expected = "1523 ms: 1302 ms in the application, 200 ms waiting for its body, 20 ms waiting for the client to take \
                        the answer, 7 ms in the queue before";
        assert_eq!(spent.told(), expected);
        let spent = Spent { took_us: 9_000, queued_us: None, receiving_us: 0, sending_us: 999 };
        assert_eq!(spent.told(), "9 ms: 8 ms in the application");
    }
}
