//! A descriptor that a thread keeps for the moment in which there is no other: with it one connection more is accepted, so
//! that a worker whose application uses up descriptors answers what it was woken for. Worker only; one for each thread.

use std::io;

use crate::sys::wait::Doorbell;

/// The place of one descriptor.
#[derive(Debug)]
pub(super) struct Spare {
    /// Never rung: it only takes the place.
    holder: Option<Doorbell>,
    /// Whether the place is lent to a connection, or was and somebody else has it now.
    is_lent: bool,
    told: bool,
}

impl Spare {
    pub(super) fn new() -> Self {
        Self { holder: Doorbell::new().ok(), is_lent: false, told: false }
    }

    /// Gives the place up for a connection. False: it is taken.
    pub(super) fn lend(&mut self) -> bool {
        self.is_lent = true;
        self.holder.take().is_some()
    }

    /// Takes the place again, if it was lent and is free.
    pub(super) fn take_back(&mut self) {
        if self.is_lent {
            self.holder = Doorbell::new().ok();
            self.is_lent = self.holder.is_none();
        }
    }

    /// Says, once in the life of this thread, that it has come to this.
    pub(super) fn tell(&mut self, worker: &str, error: &io::Error) {
        if !std::mem::replace(&mut self.told, true) {
            log::error!(
                "{worker}: {error}: the application leaves none for connections, which are answered one by one with a \
                 spare one; a higher limit (ulimit -n, LimitNOFILE) or an end of what it forgets to close helps"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_lent_once_and_taken_back() {
        let mut spare = Spare::new();
        spare.take_back();
        assert!(spare.lend());
        assert!(!spare.lend(), "it is lent");
        spare.take_back();
        assert!(spare.lend());
    }
}
