//! `otlp`: sends metrics and spans to a collector of OpenTelemetry's, in a process of its own. The master begins it and begins
//! it again (`master::attendants`); it sends a last time and ends when the master says nothing more, or is gone.
//!
//! Nobody waits for it: workers put spans into a mailbox if there is room, and the master answers what it asks. One thread takes
//! what comes, another one sends (`sender`), and between them is room for so much and no more; what finds none is counted.

mod authorities;
mod post;
mod sender;
mod settings;

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use self::sender::{Counts, Parcel, Sender};
use self::settings::Settings;
use crate::attendant::{self, Ties, UNFIT};
use crate::config::model::Otlp;
use crate::inquiry::{Heard, Inquirer, Inquiry};
use crate::otlp::{Envelope, Kind, Message, Metrics, SPAN_BYTES_MAX, Span, written};
use crate::sys::clock::{epoch_us, monotonic_us};
use crate::sys::machine;
use crate::sys::mailbox::Mailbox;
use crate::sys::wait::WaitSet;
use crate::tls::ClientSide;

/// Most spans that are sent together.
const SPANS_MAX: usize = 512;

/// How long a span waits for others to be sent with.
const TOGETHER_US: u64 = 1_000_000;

/// Most spans that are taken before anything else gets its turn.
const AT_ONCE: usize = 256;

/// How long the end waits for what is still being sent; the master waits a second.
const LAST_WITHIN: Duration = Duration::from_millis(800);

const CONTROL: u64 = 0;
const SPANS: u64 = 1;
const LOG: u64 = 2;

/// The life of the process; returns its exit code.
pub(crate) fn live(otlp: &Otlp, mailbox: &Mailbox, ties: &Ties) -> i32 {
    attendant::begin("rhinod otlp", ties, &[mailbox.outlet()]);
    let environment = |name: &str| std::env::var(name).ok();
    let host = machine::host_name();
    let settings = Settings::of(otlp, &environment, &host, std::os::unix::process::parent_id());
    let secured = settings.and_then(|settings| Ok((authorities::client_side(&settings)?, settings)));
    let (secure, settings) = match secured {
        Ok(both) => both,
        Err(why) => {
            log::error!("otlp: {why}; nothing is sent");
            return idle(ties);
        }
    };
    match Exporter::new((settings, secure), otlp, mailbox, ties) {
        Ok(mut exporter) => exporter.run(),
        Err(error) => {
            log::error!("otlp: {error}");
            UNFIT
        }
    }
}

/// Does nothing until the master wants an end.
fn idle(ties: &Ties) -> i32 {
    const CONTROL: usize = 0;
    loop {
        match crate::sys::wait::wait_any(&[ties.control.as_fd(), ties.ear()]) {
            Ok(ready) if ready.contains(&CONTROL) => return 0,
            Ok(_) => ties.heed(),
            Err(_) => return UNFIT,
        }
    }
}

struct Exporter<'c> {
    envelope: Envelope,
    sender: Sender,
    counts: Arc<Counts>,
    mailbox: &'c Mailbox,
    master: Inquirer<'c>,
    ties: &'c Ties,
    waiting: WaitSet,
    interval_us: u64,
    /// When metrics are due.
    metrics_us: u64,
    began_us: u64,
    batch: Vec<Message>,
    /// When the batch is to go.
    batch_us: Option<u64>,
}

impl<'c> Exporter<'c> {
    fn new(
        (settings, secure): (Settings, Option<ClientSide>),
        otlp: &Otlp,
        mailbox: &'c Mailbox,
        ties: &'c Ties,
    ) -> std::io::Result<Self> {
        let waiting = WaitSet::new()?;
        waiting.add(&ties.control, CONTROL)?;
        waiting.add(&ties.ear(), LOG)?;
        waiting.add(&mailbox.outlet(), SPANS)?;
        let counts = Arc::new(Counts::default());
        Ok(Self {
            envelope: Envelope::of(&settings.attributes, env!("CARGO_PKG_VERSION")),
            sender: Sender::begin(settings, secure, Arc::clone(&counts))?,
            counts,
            mailbox,
            master: Inquirer::over(&ties.control)?,
            ties,
            waiting,
            interval_us: otlp.interval.as_micros().try_into().unwrap_or(u64::MAX),
            // The first at once: what is not right shows soon.
            metrics_us: monotonic_us(),
            began_us: epoch_us(),
            batch: Vec::new(),
            batch_us: None,
        })
    }

    fn run(&mut self) -> i32 {
        loop {
            let now_us = monotonic_us();
            if self.metrics_us <= now_us {
                self.metrics_us = now_us.saturating_add(self.interval_us);
                if self.master.ask(Inquiry::Metrics).is_err() {
                    return self.end();
                }
            }
            if self.batch_us.is_some_and(|due_us| due_us <= now_us) {
                self.send_spans();
            }
            let due_us = self.batch_us.into_iter().fold(self.metrics_us, u64::min);
            let woken = self.waiting.wait(Some(due_us.saturating_sub(now_us).div_ceil(1_000)));
            match woken {
                Ok(Some(CONTROL)) => match self.master.hear() {
                    Heard::Nothing => {}
                    Heard::Answer(metrics) => self.send_metrics(metrics),
                    Heard::End => return self.end(),
                },
                Ok(Some(LOG)) => self.ties.heed(),
                Ok(Some(_)) => self.take_spans(),
                Ok(None) => {}
                Err(error) => {
                    log::error!("otlp: {error}");
                    return UNFIT;
                }
            }
        }
    }

    /// Takes what workers have told, within bounds.
    fn take_spans(&mut self) {
        let mut bytes = [0; SPAN_BYTES_MAX];
        for _ in 0..AT_ONCE {
            let Ok(Some(length)) = self.mailbox.receive(&mut bytes) else { return };
            match bytes.get(..length).and_then(Span::read) {
                Some(span) => self.add(&span),
                None => {
                    self.counts.unread.fetch_add(1, Relaxed);
                }
            }
        }
    }

    fn add(&mut self, span: &Span<'_>) {
        self.counts.lost.fetch_add(span.lost.into(), Relaxed);
        self.batch.push(written(span));
        self.batch_us.get_or_insert_with(|| monotonic_us().saturating_add(TOGETHER_US));
        if self.batch.len() >= SPANS_MAX {
            self.send_spans();
        }
    }

    fn send_spans(&mut self) {
        self.batch_us = None;
        let spans = std::mem::take(&mut self.batch);
        if !spans.is_empty() {
            let body = self.envelope.traces(&spans);
            self.sender.send(Parcel { path: "/v1/traces", body, spans: spans.len() as u64 });
        }
    }

    /// Sends what the master has told, and what there is to tell of this process.
    fn send_metrics(&mut self, metrics: Vec<u8>) {
        let mut all = Message::of(metrics);
        all.append(&self.own_metrics());
        let body = self.envelope.metrics(all);
        self.sender.send(Parcel { path: "/v1/metrics", body, spans: 0 });
    }

    fn own_metrics(&self) -> Message {
        let counts = &self.counts;
        let mut metrics = Metrics::new(self.began_us, epoch_us());
        metrics.family("rhinod_otlp_spans", Kind::Sum, "Spans of requests, by what became of them.");
        for (outcome, count) in [
            ("delivered", &counts.delivered),
            ("no_room_in_mailbox", &counts.lost),
            ("no_room_in_exporter", &counts.no_room),
            ("not_taken", &counts.not_taken),
            ("unreadable", &counts.unread),
        ] {
            metrics.whole(&[("outcome", outcome)], count.load(Relaxed).try_into().unwrap_or(i64::MAX));
        }
        metrics.finish()
    }

    /// Sends what is left, if that goes quickly.
    fn end(&mut self) -> i32 {
        loop {
            let before = self.batch.len();
            self.take_spans();
            if self.batch.len() == before {
                break;
            }
        }
        self.send_spans();
        i32::from(!self.sender.finish(LAST_WITHIN))
    }
}
