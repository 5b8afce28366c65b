//! Lends what lives on a worker's stack to Python objects, which live as long as anyone keeps them.
//!
//! `wsgi.input`, `start_response` and `write` reach into the [`Exchange`] of their request. An application may keep
//! them beyond it, pass them to threads, or call them from two threads at once; uWSGI handed out a bare pointer and
//! gave such code the next client's body (a fault of uWSGI's). A lease is taken
//! back before the exchange ends, waits for calls that are under way, and lets one caller in at a time. A process that
//! the application forked gets nothing from it. Worker only.

use std::ptr::NonNull;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use pyo3::Python;
use pyo3::sync::MutexExt;
use rhinod::companion::Companion;
use rhinod::member::{Instance, Member};
use rhinod::worker::{Exchange, Worker};

use super::fork;

/// A claim to the exchange of one request, for as long as the request lasts.
pub(crate) struct Lease {
    exchange: Mutex<Option<Lent>>,
}

/// The exchange, its lifetimes erased.
struct Lent(NonNull<Exchange<'static>>);

// SAFETY: the pointer is only followed under the lease's lock, so by one thread at a time, and an `Exchange` may move
// between threads (see the assertion below).
unsafe impl Send for Lent {}

const _: () = {
    const fn may_move_between_threads<T: Send>() {}
    may_move_between_threads::<&mut Exchange<'static>>();
};

impl Lease {
    /// Runs `service` with a lease of `exchange`, and ends the lease whatever happens.
    ///
    /// Attached to the interpreter on entry and exit; calls of other threads that are still inside the exchange are
    /// waited for.
    pub(crate) fn lend<R>(py: Python<'_>, exchange: &mut Exchange<'_>, service: impl FnOnce(&Arc<Lease>) -> R) -> R {
        let lent = Lent(NonNull::from(exchange).cast());
        let lease = Arc::new(Lease { exchange: Mutex::new(Some(lent)) });
        let ending = Ending { py, lease: &lease };
        let result = service(&lease);
        drop(ending);
        result
    }

    /// Uses the exchange for a moment, attached, without blocking inside; another thread of the application that is in
    /// it is waited for detached. The action must not call into Python, which may run code of the application: that
    /// would come back for the lease. `None`: the request is over.
    pub(crate) fn with<R>(&self, py: Python<'_>, action: impl FnOnce(&mut Exchange<'_>) -> R) -> Option<R> {
        apply(&mut self.exchange.lock_py_attached(py).unwrap_or_else(PoisonError::into_inner), action)
    }

    /// Uses the exchange detached from the interpreter: for whatever may block.
    pub(crate) fn detached<R: Send>(
        &self,
        py: Python<'_>,
        action: impl FnOnce(&mut Exchange<'_>) -> R + Send,
    ) -> Option<R> {
        py.detach(|| apply(&mut self.lock(), action))
    }

    fn lock(&self) -> MutexGuard<'_, Option<Lent>> {
        // A panic inside an action leaves an exchange that is whole, if perhaps unfinished.
        self.exchange.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a lease gives nothing.
pub(crate) fn why_nothing() -> &'static str {
    match fork::is_stray() {
        true => {
            "this process was forked while the request was handled: only its parent can read the request and answer it"
        }
        false => "the request is over",
    }
}

fn apply<R>(lent: &mut Option<Lent>, action: impl FnOnce(&mut Exchange<'_>) -> R) -> Option<R> {
    if fork::is_stray() {
        return None;
    }
    let Lent(exchange) = lent.as_mut()?;
    // SAFETY: `lend` holds the only reference to the exchange while the lease is not empty, and empties it under the
    // same lock before that reference ends. The action is generic over the exchange's lifetime, so that it can carry
    // nothing borrowed out of it and put nothing shorter-lived into it.
    Some(action(unsafe { exchange.as_mut() }))
}

/// Takes the lease back when it goes out of scope.
struct Ending<'l, 'py> {
    py: Python<'py>,
    lease: &'l Lease,
}

impl Drop for Ending<'_, '_> {
    fn drop(&mut self) {
        match self.lease.exchange.try_lock() {
            Ok(mut guard) => *guard = None,
            Err(_) => self.py.detach(|| *self.lease.lock() = None),
        }
    }
}

/// Where this process stands, for functions that an application may call outside of any request.
static PLACE: RwLock<Option<Place>> = RwLock::new(None);

/// What the process is, lifetimes erased.
#[derive(Clone, Copy)]
enum Place {
    Zygote(NonNull<Instance<'static>>),
    Worker(NonNull<Worker<'static>>),
    Companion(NonNull<Companion<'static>>),
}

// SAFETY: only shared references are made from the pointers, and what they point to may be shared between threads (see
// below).
unsafe impl Send for Place {}
// SAFETY: as above.
unsafe impl Sync for Place {}

const _: () = {
    const fn may_be_shared<T: Sync>() {}
    may_be_shared::<Worker<'static>>();
    may_be_shared::<Companion<'static>>();
    may_be_shared::<Instance<'static>>();
};

/// Runs `act` while [`with_instance`] finds `instance`.
pub(crate) fn in_zygote<R>(instance: &Instance<'_>, act: impl FnOnce() -> R) -> R {
    in_place(Place::Zygote(NonNull::from(instance).cast()), act)
}

/// Runs `life` while [`with_worker`] finds `worker`, and [`with_instance`] its instance.
pub(crate) fn in_worker<R>(worker: &Worker<'_>, life: impl FnOnce() -> R) -> R {
    in_place(Place::Worker(NonNull::from(worker).cast()), life)
}

/// Runs `life` while [`with_companion`] finds `companion`, and [`with_instance`] its instance.
pub(crate) fn in_companion<R>(companion: &Companion<'_>, life: impl FnOnce() -> R) -> R {
    in_place(Place::Companion(NonNull::from(companion).cast()), life)
}

/// What was there before is there afterwards: a worker lives within its zygote's code. To be called by a thread that is
/// attached to the interpreter, as all that look at the place are: so none of them holds it at a fork.
fn in_place<R>(place: Place, act: impl FnOnce() -> R) -> R {
    struct Leaving(Option<Place>);
    impl Drop for Leaving {
        fn drop(&mut self) {
            *PLACE.write().unwrap_or_else(PoisonError::into_inner) = self.0;
        }
    }
    let leaving = Leaving(PLACE.write().unwrap_or_else(PoisonError::into_inner).replace(place));
    let result = act();
    drop(leaving);
    result
}

/// Uses the worker of this process; `None` in the zygote. The action must not call into Python.
pub(crate) fn with_worker<R>(_attached: Python<'_>, action: impl FnOnce(&Worker<'_>) -> R) -> Option<R> {
    use_worker(action)
}

fn use_worker<R>(action: impl FnOnce(&Worker<'_>) -> R) -> Option<R> {
    match &*PLACE.read().unwrap_or_else(PoisonError::into_inner) {
        // SAFETY: `in_place` keeps the worker borrowed until it has changed the static, which waits for this lock.
        Some(Place::Worker(worker)) => Some(action(unsafe { worker.as_ref() })),
        Some(Place::Zygote(_) | Place::Companion(_)) | None => None,
    }
}

/// Uses the companion of this process; `None` where there is none. The action must not call into Python.
pub(crate) fn with_companion<R>(_attached: Python<'_>, action: impl FnOnce(&Companion<'_>) -> R) -> Option<R> {
    match &*PLACE.read().unwrap_or_else(PoisonError::into_inner) {
        // SAFETY: as in `use_worker`.
        Some(Place::Companion(companion)) => Some(action(unsafe { companion.as_ref() })),
        Some(Place::Zygote(_) | Place::Worker(_)) | None => None,
    }
}

/// Uses what this process is as a member of its instance, detached from the interpreter: for whatever may block. `None` in
/// the zygote.
pub(crate) fn with_member_detached<R: Send>(py: Python<'_>, action: impl FnOnce(&Member<'_>) -> R + Send) -> Option<R> {
    // Who is no member does not get as far as looking detached: in a zygote a fork may come at any moment then.
    with_worker(py, |_| ()).or_else(|| with_companion(py, |_| ()))?;
    py.detach(|| match &*PLACE.read().unwrap_or_else(PoisonError::into_inner) {
        // SAFETY: as in `use_worker`.
        Some(Place::Worker(worker)) => Some(action(unsafe { worker.as_ref() }.member())),
        // SAFETY: the same.
        Some(Place::Companion(companion)) => Some(action(unsafe { companion.as_ref() }.member())),
        Some(Place::Zygote(_)) | None => None,
    })
}

/// Uses the instance; `None` while there is none. The action must not call into Python.
pub(crate) fn with_instance<R>(_attached: Python<'_>, action: impl FnOnce(&Instance<'_>) -> R) -> Option<R> {
    match &*PLACE.read().unwrap_or_else(PoisonError::into_inner) {
        // SAFETY: as in `use_worker`.
        Some(Place::Worker(worker)) => Some(action(unsafe { worker.as_ref() }.member().instance())),
        // SAFETY: the same.
        Some(Place::Companion(companion)) => Some(action(unsafe { companion.as_ref() }.member().instance())),
        // SAFETY: the same.
        Some(Place::Zygote(instance)) => Some(action(unsafe { instance.as_ref() })),
        None => None,
    }
}
