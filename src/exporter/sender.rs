//! The thread that sends, and the room before it. The exporter.
//!
//! What a collector may take later is sent again after a growing pause (`otlp::pause`), for a minute; what comes meanwhile
//! waits as long as there is room, and is counted where there is none.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use super::post::post;
use super::settings::Settings;
use crate::otlp::{Verdict, pause, rejected, verdict};
use crate::sys::clock::monotonic_us;
use crate::sys::machine;
use crate::tls::ClientSide;

/// Most messages that wait to be sent.
const PARCELS_MAX: usize = 4;

/// How long one is sent again and again.
const TRY_FOR_US: u64 = 60_000_000;

/// What became of spans.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// The collector has them.
    pub(super) delivered: AtomicU64,
    /// Workers found no room for them.
    pub(super) lost: AtomicU64,
    /// There was no room for them here.
    pub(super) no_room: AtomicU64,
    /// The collector has not taken them.
    pub(super) not_taken: AtomicU64,
    /// They were none.
    pub(super) unread: AtomicU64,
}

/// A message for the collector.
#[derive(Debug)]
pub(super) struct Parcel {
    pub(super) path: &'static str,
    pub(super) body: Vec<u8>,
    /// How many spans are in it.
    pub(super) spans: u64,
}

/// The way to the thread.
pub(super) struct Sender {
    parcels: Option<crossbeam_channel::Sender<Parcel>>,
    /// Closed, it says that nothing is worth a pause any more.
    hurry: Option<crossbeam_channel::Sender<()>>,
    ended: Receiver<()>,
    counts: Arc<Counts>,
}

impl Sender {
    /// Begins the thread.
    ///
    /// # Errors
    /// There is no room for a thread.
    pub(super) fn begin(settings: Settings, secure: Option<ClientSide>, counts: Arc<Counts>) -> io::Result<Self> {
        let (parcels, waiting) = bounded(PARCELS_MAX);
        let (hurry, hurried) = bounded(0);
        let (end, ended) = bounded(0);
        let counted = Arc::clone(&counts);
        let mut delivery = Delivery { settings, secure, counts: counted, hurried, is_told: false, missed: 0 };
        std::thread::Builder::new().name("rhinod sender".to_owned()).spawn(move || {
            waiting.iter().for_each(|parcel| delivery.deliver(&parcel));
            drop(end);
        })?;
        Ok(Self { parcels: Some(parcels), hurry: Some(hurry), ended, counts })
    }

    /// Has it sent, if there is room.
    pub(super) fn send(&self, parcel: Parcel) {
        let spans = parcel.spans;
        let is_taken = self.parcels.as_ref().is_some_and(|parcels| parcels.try_send(parcel).is_ok());
        if !is_taken {
            self.counts.no_room.fetch_add(spans, Relaxed);
        }
    }

    /// Nothing more comes. Whether all was dealt with in time.
    pub(super) fn finish(&mut self, within: Duration) -> bool {
        (self.parcels, self.hurry) = (None, None);
        self.ended.recv_timeout(within) == Err(RecvTimeoutError::Disconnected)
    }
}

/// What the thread does.
struct Delivery {
    settings: Settings,
    secure: Option<ClientSide>,
    counts: Arc<Counts>,
    hurried: Receiver<()>,
    /// Whether it was told that the collector takes nothing.
    is_told: bool,
    /// Messages that it has not taken since.
    missed: u64,
}

impl Delivery {
    fn deliver(&mut self, parcel: &Parcel) {
        let until_us = monotonic_us().saturating_add(TRY_FOR_US);
        let mut tries = 0_u32;
        loop {
            tries = tries.saturating_add(1);
            let (after, why) = match self.try_to_send(parcel) {
                Ok(()) => return,
                Err(Failure::Never(why)) => return self.give_up(parcel, &why),
                Err(Failure::Later(after, why)) => (after, why),
            };
            let [chance, ..] = machine::random_bytes();
            let after = after.unwrap_or_else(|| pause(tries, chance));
            let next_us = monotonic_us().saturating_add(after.as_micros().try_into().unwrap_or(u64::MAX));
            if next_us > until_us {
                return self.give_up(parcel, &why);
            }
            self.tell(&why);
            if self.hurried.recv_timeout(after) == Err(RecvTimeoutError::Disconnected) {
                return self.give_up(parcel, &why);
            }
        }
    }

    fn try_to_send(&mut self, parcel: &Parcel) -> Result<(), Failure> {
        let answer = post(&self.settings, self.secure.as_ref(), parcel.path, &parcel.body);
        let answer = answer.map_err(|error| Failure::Later(None, error.to_string()))?;
        match verdict(answer.status, answer.retry_after.as_deref()) {
            Verdict::Taken => {
                self.note_taken(parcel, &answer.body);
                Ok(())
            }
            Verdict::Later(after) => Err(Failure::Later(after, format!("it answers {}", answer.status))),
            Verdict::Never => Err(Failure::Never(format!("it answers {}", answer.status))),
        }
    }

    fn note_taken(&mut self, parcel: &Parcel, body: &[u8]) {
        if self.is_told {
            let Self { missed, settings, .. } = self;
            log::info!(
                "otlp: the collector at {} takes what is sent again; {missed} messages were lost",
                settings.collector.authority
            );
            (self.is_told, self.missed) = (false, 0);
        }
        let mut refused = 0;
        if let Some((count, why)) = rejected(body) {
            log::warn!(
                "otlp: the collector has rejected {count} of what it was sent at {}: {}",
                parcel.path,
                crate::escape::lines(&why)
            );
            refused = count.min(parcel.spans);
        }
        self.counts.delivered.fetch_add(parcel.spans - refused, Relaxed);
        self.counts.not_taken.fetch_add(refused, Relaxed);
    }

    fn give_up(&mut self, parcel: &Parcel, why: &str) {
        self.tell(why);
        self.missed = self.missed.saturating_add(1);
        self.counts.not_taken.fetch_add(parcel.spans, Relaxed);
    }

    /// Says once that nothing is taken, until something is.
    fn tell(&mut self, why: &str) {
        if !self.is_told {
            log::warn!(
                "otlp: the collector at {} does not take what is sent: {why}",
                self.settings.collector.authority
            );
            self.is_told = true;
        }
    }
}

/// Why something was not taken.
enum Failure {
    /// It may be later, perhaps not before this time is over.
    Later(Option<Duration>, String),
    /// It never will be.
    Never(String),
}
