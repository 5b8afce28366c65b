//! The kept connections of one thread and where each of them is: waited on, ready with another request, or being attended
//! to. Worker only.

use std::collections::VecDeque;
use std::io;

use super::connection::{Next, Patient};
use super::parking::{Owes, Parking, Place};
use crate::sys::wait::WaitSet;

/// A kept connection outside of the parking.
#[derive(Debug)]
pub(super) struct Kept {
    /// Where the wait set knows it; `None` before its first wait.
    place: Option<Place>,
    pub(super) patient: Box<Patient>,
}

impl Kept {
    pub(super) fn new(patient: Patient) -> Self {
        Self { place: None, patient: Box::new(patient) }
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Keeping {
    parking: Parking<Box<Patient>>,
    /// Those whose next request has been read in part, first come first.
    ready: VecDeque<Kept>,
    /// The token of the first place.
    first_token: u64,
    /// No wait for a request that has not begun goes beyond this.
    latest_us: u64,
    /// How many have their answers sent by others.
    away: usize,
}

impl Keeping {
    /// For a thread whose other tokens are below `first_token`.
    pub(super) fn new(first_token: usize) -> Self {
        Self {
            parking: Parking::default(),
            ready: VecDeque::new(),
            first_token: first_token as u64,
            latest_us: u64::MAX,
            away: 0,
        }
    }

    /// The number of the place that a token stands for.
    pub(super) fn number_of(&self, token: u64) -> Option<usize> {
        usize::try_from(token.checked_sub(self.first_token)?).ok()
    }

    /// The connection that waits at a place.
    pub(super) fn take(&mut self, number: usize) -> Option<Kept> {
        let (place, patient) = self.parking.take_number(number)?;
        Some(Kept { place: Some(place), patient })
    }

    /// One whose next request is here in part.
    pub(super) fn take_ready(&mut self) -> Option<Kept> {
        self.ready.pop_front()
    }

    /// Whether there is one.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// One that has waited long enough, and for what.
    #[inline(always)]
    pub(super) fn take_expired(&mut self, now_us: u64) -> Option<(Kept, Owes)> {
        let (place, patient, owes) = self.parking.take_expired(now_us)?;
        Some((Kept { place: Some(place), patient }, owes))
    }

    /// How long the thread may sleep.
    pub(super) fn patience_us(&self, now_us: u64) -> Option<u64> {
        if self.has_ready() {
            return Some(0);
        }
        self.parking.next_deadline_us().map(|deadline_us| deadline_us.saturating_sub(now_us))
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.parking.is_empty() && self.away == 0
    }

    /// From here on no wait for a request that has not begun goes beyond this.
    pub(super) fn hurry(&mut self, latest_us: u64) {
        self.latest_us = latest_us;
        self.parking.hurry(latest_us);
    }

    /// One is back whose answer was sent by others.
    pub(super) fn take_back(&mut self, patient: Box<Patient>) -> Kept {
        self.away = self.away.saturating_sub(1);
        Kept { place: None, patient }
    }

    /// Puts one where it belongs after it was attended to. Returns one that others are to go on with.
    #[inline(always)]
    pub(super) fn settle(&mut self, kept: Kept, next: Next, waiting: &WaitSet) -> io::Result<Option<Box<Patient>>> {
        if next != Next::HandedOver {
            return self.place(kept, next, waiting).map(|()| None);
        }
        self.away += 1;
        if let Some(place) = kept.place {
            waiting.remove(kept.patient.stream())?;
            self.parking.release(place);
        }
        Ok(Some(kept.patient))
    }

    #[inline(always)]
    fn place(&mut self, mut kept: Kept, next: Next, waiting: &WaitSet) -> io::Result<()> {
        match next {
            Next::Ended | Next::HandedOver => self.end(kept, waiting),
            Next::Ready => {
                self.ready.push_back(kept);
                Ok(())
            }
            Next::Waits { owes, until_us } => {
                let place = match kept.place {
                    Some(place) => place,
                    None => {
                        let place = *kept.place.insert(self.parking.reserve());
                        let token = self.first_token + place.number() as u64;
                        if let Err(error) = waiting.add(kept.patient.stream(), token) {
                            // It ends, as the thread could not get to know of it.
                            log::error!("cannot wait on a connection, which ends therefore: {error}");
                            self.parking.release(place);
                            return Ok(());
                        }
                        place
                    }
                };
                let latest_us = if owes == Owes::Rest { u64::MAX } else { self.latest_us };
                self.parking.park(place, kept.patient, owes, until_us.min(latest_us));
                Ok(())
            }
        }
    }

    /// Ends the one that nobody waits for most, since descriptors are short. False: there is none.
    pub(super) fn give_one_up(&mut self, waiting: &WaitSet) -> io::Result<bool> {
        let Some((place, patient)) = self.parking.take_idlest() else { return Ok(false) };
        self.end(Kept { place: Some(place), patient }, waiting)?;
        Ok(true)
    }

    /// Takes it out of the wait set by itself: a process that the application forked may still hold the descriptor, and
    /// then closing it would not.
    fn end(&mut self, kept: Kept, waiting: &WaitSet) -> io::Result<()> {
        let Some(place) = kept.place else { return Ok(()) };
        let removed = waiting.remove(kept.patient.stream());
        drop(kept);
        self.parking.release(place);
        removed
    }
}
