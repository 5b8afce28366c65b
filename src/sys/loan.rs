//! A place in which one thread shows something of its own to others for the duration of a call, with words beside it that
//! stay: a thread that serves a request shows its connection to the supervisor of the worker. Worker only.

use std::fmt;
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The place. What is shown is seen by one thread at a time.
pub struct Loan<T, D>(Mutex<Slot<T, D>>);

struct Slot<T, D> {
    /// Whatever stands here lives on the stack of a call of [`Loan::during`] that has not returned.
    shown: Option<NonNull<T>>,
    beside: D,
}

// SAFETY: of what is shown only shared references are made, on whatever thread has the lock.
unsafe impl<T: Sync, D: Send> Send for Loan<T, D> {}
// SAFETY: as above; what is beside it is reached by one thread at a time.
unsafe impl<T: Sync, D: Send> Sync for Loan<T, D> {}

impl<T, D: Default> Default for Loan<T, D> {
    fn default() -> Self {
        Self(Mutex::new(Slot { shown: None, beside: D::default() }))
    }
}

impl<T, D> Loan<T, D> {
    /// Shows `what` while `act` runs; `prepare` sees the words before that.
    pub fn during<R>(&self, what: &T, prepare: impl FnOnce(&mut D), act: impl FnOnce() -> R) -> R {
        let mut slot = self.lock();
        prepare(&mut slot.beside);
        slot.shown = Some(NonNull::from(what));
        drop(slot);
        let ending = Ending(self);
        let result = act();
        drop(ending);
        result
    }

    /// Sees what is shown at this moment, if anything is, and the words. Whoever shows it waits meanwhile with its end.
    pub fn with<R>(&self, action: impl FnOnce(Option<&T>, &mut D) -> R) -> R {
        let slot = &mut *self.lock();
        // SAFETY: `during` borrows it until it has emptied the slot, for which it needs the lock that is held here. The
        // action is generic over the reference's lifetime, so that it cannot keep it.
        action(slot.shown.map(|shown| unsafe { shown.as_ref() }), &mut slot.beside)
    }

    fn lock(&self) -> MutexGuard<'_, Slot<T, D>> {
        // A panic in an action leaves words that are as good as any.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes back what is shown, whatever happens.
struct Ending<'l, T, D>(&'l Loan<T, D>);

impl<T, D> Drop for Ending<'_, T, D> {
    fn drop(&mut self) {
        self.0.lock().shown = None;
    }
}

impl<T, D> fmt::Debug for Loan<T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loan").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_seen_as_long_as_the_call_lasts_even_if_that_panics() {
        let loan: Loan<String, u32> = Loan::default();
        let seen = || loan.with(|shown, beside| (shown.cloned(), *beside));
        assert_eq!(seen(), (None, 0));
        let during = loan.during(&"lent".to_owned(), |beside| *beside = 7, seen);
        assert_eq!((during, seen()), ((Some("lent".to_owned()), 7), (None, 7)));
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            loan.during(&String::new(), |beside| *beside = 8, || panic!("inside"));
        }));
        assert!(panicked.is_err());
        assert_eq!(seen(), (None, 8));
    }
}
