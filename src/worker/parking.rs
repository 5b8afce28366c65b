//! The connections of one thread whose clients owe a request: kept alive after an answer, or in the middle of a head.
//! They occupy nothing but memory and a descriptor. Decides, and does nothing; worker only.
//!
//! A connection has its place from its first wait until it ends, since the place is what the wait set knows it by; while
//! it is served the place stands empty. What it owes has a deadline. Deadlines mostly move away, with each request, and are
//! noted anew only when what is noted has come, or is long before them: so a connection that is used often costs no more
//! than a look at its place, and one that is silent wakes nobody long before its time.

use std::collections::BTreeSet;

/// How long before its deadline one may be noted, in microseconds.
const AHEAD_US: u64 = 1_000_000;

/// Where a connection waits. It stays the same between two requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place(usize);

impl Place {
    /// Its number, the smallest that is free when it is made.
    pub(crate) fn number(self) -> usize {
        self.0
    }
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owes {
    /// The rest of a head that has begun.
    Rest,
    /// The first byte of a request.
    Request,
    /// Its end: the last answer has been sent, and it has to be read.
    End,
}

#[derive(Debug)]
struct Slot<T> {
    /// `None` while it is served.
    parked: Option<Parked<T>>,
    /// Under what its place is among the deadlines: not later than its own.
    noted_us: Option<u64>,
}

#[derive(Debug)]
struct Parked<T> {
    connection: T,
    owes: Owes,
    deadline_us: u64,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Parking<T> {
    slots: Vec<Slot<T>>,
    free: BTreeSet<Place>,
    /// Each place once at most.
    deadlines: BTreeSet<(u64, Place)>,
    /// The first of them: it is looked at more often than it changes.
    first_us: Option<u64>,
    waiting: usize,
}

impl<T> Default for Parking<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: BTreeSet::new(), deadlines: BTreeSet::new(), first_us: None, waiting: 0 }
    }
}

impl<T> Parking<T> {
    /// A place for a connection that is about to wait for the first time.
    pub(crate) fn reserve(&mut self) -> Place {
        self.free.pop_first().unwrap_or_else(|| {
            self.slots.push(Slot { parked: None, noted_us: None });
            Place(self.slots.len() - 1)
        })
    }

    /// The connection has ended: its place is free.
    pub(crate) fn release(&mut self, place: Place) {
        drop(self.take(place));
        self.note(place, None);
        self.free.insert(place);
    }

    /// A connection waits at its place until the deadline.
    #[inline(always)]
    pub(crate) fn park(&mut self, place: Place, connection: T, owes: Owes, deadline_us: u64) {
        let Some(slot) = self.slots.get_mut(place.0) else { return };
        slot.parked = Some(Parked { connection, owes, deadline_us });
        self.waiting += 1;
        let noted = slot.noted_us.is_some_and(|noted_us| noted_us <= deadline_us && deadline_us - noted_us <= AHEAD_US);
        if !noted {
            self.note(place, Some(deadline_us));
        }
    }

    /// Has a place stand among the deadlines under this one, or under none.
    fn note(&mut self, place: Place, deadline_us: Option<u64>) {
        let Some(slot) = self.slots.get_mut(place.0) else { return };
        let before_us = std::mem::replace(&mut slot.noted_us, deadline_us);
        if let Some(before_us) = before_us {
            self.deadlines.remove(&(before_us, place));
        }
        self.deadlines.extend(deadline_us.map(|deadline_us| (deadline_us, place)));
        self.first_us = self.deadlines.first().map(|(deadline_us, _)| *deadline_us);
    }

    /// Takes the connection whose place has this number, since it can be read from. `None`: nobody waits there.
    #[inline(always)]
    pub(crate) fn take_number(&mut self, number: usize) -> Option<(Place, T)> {
        let place = Place(number);
        Some((place, self.take(place)?))
    }

    #[inline(always)]
    fn take(&mut self, place: Place) -> Option<T> {
        let parked = self.slots.get_mut(place.0)?.parked.take()?;
        self.waiting -= 1;
        Some(parked.connection)
    }

    /// Before when none of them has waited long enough.
    pub(crate) fn next_deadline_us(&self) -> Option<u64> {
        self.first_us
    }

    /// Takes one that has waited long enough, and says for what.
    #[inline(always)]
    pub(crate) fn take_expired(&mut self, now_us: u64) -> Option<(Place, T, Owes)> {
        self.first_us.filter(|first_us| *first_us <= now_us).and_then(|_| self.take_due(now_us))
    }

    fn take_due(&mut self, now_us: u64) -> Option<(Place, T, Owes)> {
        while let Some(&(noted_us, place)) = self.deadlines.first()
            && noted_us <= now_us
        {
            self.note(place, None);
            let parked = self.slots.get(place.0)?.parked.as_ref();
            match parked.map(|parked| (parked.deadline_us, parked.owes)) {
                Some((deadline_us, owes)) if deadline_us <= now_us => return Some((place, self.take(place)?, owes)),
                Some((deadline_us, _)) => self.note(place, Some(deadline_us)),
                None => {}
            }
        }
        None
    }

    /// Takes the one that is owed no answer and would be the next to be told off: descriptors are short.
    pub(crate) fn take_idlest(&mut self) -> Option<(Place, T)> {
        let idle = self.parked().filter(|(_, parked)| parked.owes != Owes::Rest);
        let (place, _) = idle.min_by_key(|(place, parked)| (parked.deadline_us, *place))?;
        Some((place, self.take(place)?))
    }

    /// Brings the deadlines of those that have not begun a request forward to this one. A request that has begun keeps
    /// its time.
    pub(crate) fn hurry(&mut self, latest_us: u64) {
        let late = self.parked().filter(|(_, parked)| parked.owes != Owes::Rest && parked.deadline_us > latest_us);
        let late: Vec<Place> = late.map(|(place, _)| place).collect();
        for place in late {
            if let Some(parked) = self.slots.get_mut(place.0).and_then(|slot| slot.parked.as_mut()) {
                parked.deadline_us = latest_us;
            }
            self.note(place, Some(latest_us));
        }
    }

    fn parked(&self) -> impl Iterator<Item = (Place, &Parked<T>)> {
        let slots = self.slots.iter().enumerate();
        slots.filter_map(|(number, slot)| Some((Place(number), slot.parked.as_ref()?)))
    }

    /// Whether nobody waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.waiting == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parked(deadlines: &[(u64, Owes)]) -> (Parking<usize>, Vec<Place>) {
        let mut parking = Parking::default();
        let places = deadlines.iter().enumerate().map(|(number, (deadline_us, owes))| {
            let place = parking.reserve();
            parking.park(place, number, *owes, *deadline_us);
            place
        });
        let places = places.collect();
        (parking, places)
    }

    #[test]
    fn a_connection_keeps_its_place_until_it_ends() {
        let (mut parking, places) = parked(&[(10, Owes::Request), (20, Owes::Request)]);
        assert_eq!(places.iter().map(|place| place.number()).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(parking.take_number(0), Some((places[0], 0)));
        assert_eq!(parking.take_number(0), None, "it is being served");
        assert_eq!(parking.reserve().number(), 2, "its place is still its own");
        parking.release(places[0]);
        assert_eq!(parking.reserve().number(), 0);
        assert_eq!(parking.take_number(7), None);
    }

    #[test]
    fn they_are_told_off_in_the_order_of_their_deadlines() {
        let (mut parking, places) = parked(&[(30, Owes::Request), (10, Owes::Rest), (20, Owes::Request)]);
        assert_eq!(parking.next_deadline_us(), Some(10));
        assert_eq!(parking.take_expired(9), None);
        assert_eq!(parking.take_expired(10), Some((places[1], 1, Owes::Rest)));
        assert_eq!(parking.take_expired(25), Some((places[2], 2, Owes::Request)));
        assert_eq!(parking.take_expired(25), None);
        assert!(!parking.is_empty());
        assert_eq!(parking.take_number(0), Some((places[0], 0)));
        assert!(parking.is_empty());
    }

    #[test]
    fn a_served_connection_has_no_deadline() {
        let (mut parking, places) = parked(&[(10, Owes::Request)]);
        parking.take_number(0);
        assert_eq!(parking.take_expired(100), None);
        parking.park(places[0], 7, Owes::Request, 50);
        assert_eq!((parking.take_expired(49), parking.next_deadline_us()), (None, Some(50)));
    }

    #[test]
    fn a_deadline_that_moved_away_is_noted_when_it_was_to_come() {
        let (mut parking, places) = parked(&[(10, Owes::Request), (25, Owes::Request)]);
        for deadline_us in [20, 30] {
            parking.take_number(0);
            parking.park(places[0], 0, Owes::Request, deadline_us);
            assert_eq!(parking.next_deadline_us(), Some(10), "which is too early, once");
        }
        assert_eq!((parking.take_expired(10), parking.next_deadline_us()), (None, Some(25)));
        assert_eq!(parking.take_expired(30), Some((places[1], 1, Owes::Request)));
        assert_eq!(parking.take_expired(30), Some((places[0], 0, Owes::Request)));
        assert!(parking.is_empty() && parking.next_deadline_us().is_none());
        parking.park(places[0], 0, Owes::Request, 40);
        parking.take_number(0);
        parking.park(places[0], 0, Owes::Rest, 35);
        assert_eq!(parking.next_deadline_us(), Some(35), "one that comes nearer counts at once");
        parking.take_number(0);
        parking.park(places[0], 0, Owes::Request, 36 + AHEAD_US);
        assert_eq!(parking.next_deadline_us(), Some(36 + AHEAD_US), "and so does one that is far away");
        parking.release(places[0]);
        assert!(parking.is_empty() && parking.next_deadline_us().is_none());
    }

    #[test]
    fn the_idlest_goes_first_when_descriptors_are_short() {
        let (mut parking, places) = parked(&[(5, Owes::Rest), (30, Owes::Request), (20, Owes::Request)]);
        assert_eq!(parking.take_idlest(), Some((places[2], 2)));
        assert_eq!(parking.take_idlest(), Some((places[1], 1)));
        assert_eq!(parking.take_idlest(), None, "half a request is not idle");
    }

    #[test]
    fn deadlines_can_be_brought_forward() {
        let (mut parking, places) =
            parked(&[(30, Owes::Request), (10, Owes::End), (u64::MAX, Owes::Request), (40, Owes::Rest)]);
        parking.hurry(20);
        assert_eq!(parking.take_expired(10), Some((places[1], 1, Owes::End)));
        assert_eq!(parking.take_expired(19), None);
        assert_eq!(parking.take_expired(20).map(|(_, connection, _)| connection), Some(0));
        assert_eq!(parking.take_expired(20).map(|(_, connection, _)| connection), Some(2));
        assert_eq!(parking.take_expired(39), None, "what has begun keeps its time");
        assert_eq!(parking.take_expired(40), Some((places[3], 3, Owes::Rest)));
        parking.hurry(u64::MAX);
    }
}
