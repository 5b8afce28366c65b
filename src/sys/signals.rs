//! Signals that come straight to a zygote or a worker, from an operator, or from an init that tells every process of the
//! service. Zygote and worker; the master has its own besides (`master/signals.rs`).

use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nix::sys::signal::{SigHandler, Signal};
use signal_hook::SigId;
use signal_hook::low_level::{emulate_default_handler, register, unregister};

/// What was noted last for each signal, which a worker inherits from its zygote.
static NOTED: Mutex<Vec<(Signal, SigId)>> = Mutex::new(Vec::new());

/// Has a signal set `flag` instead of ending this process, if nobody else has said what it is to do. Takes the place of an
/// earlier call, also of one in the process that this one was forked from. Processes that the application forks take the
/// signal as if this had not been called; programs that they execute do anyhow.
///
/// # Errors
/// None for signals that can be handled at all.
pub fn note(signal: Signal, flag: &Arc<AtomicBool>) -> io::Result<()> {
    let mut noted = NOTED.lock().unwrap_or_else(PoisonError::into_inner);
    let earlier = noted.iter().position(|(known, _)| *known == signal).map(|index| noted.swap_remove(index).1);
    if earlier.is_none() && disposition(signal) != Some(libc::SIG_DFL) {
        return Ok(());
    }
    let (own, flag) = (std::process::id(), Arc::clone(flag));
    let heed = move || {
        if std::process::id() == own {
            flag.store(true, Ordering::Relaxed);
        } else {
            // An error would be for signals that have no default.
            let _ = emulate_default_handler(signal as i32);
        }
    };
    // SAFETY: the action asks for the number of the process, stores a word, or does what is made for handlers; none of
    // them allocates, locks or panics.
    let id = unsafe { register(signal as i32, heed) }?;
    earlier.map(unregister);
    noted.push((signal, id));
    Ok(())
}

/// Ignores the ends of children, which makes the kernel reap them, so that nobody learns how they ended; or no more.
pub fn ignore_children(ignore: bool) -> io::Result<()> {
    let wanted = if ignore { SigHandler::SigIgn } else { SigHandler::SigDfl };
    // SAFETY: neither runs any code.
    unsafe { nix::sys::signal::signal(Signal::SIGCHLD, wanted) }?;
    Ok(())
}

/// Whether the ends of children are ignored.
pub fn ignores_children() -> bool {
    disposition(Signal::SIGCHLD) == Some(libc::SIG_IGN)
}

/// What a signal does: `SIG_DFL`, `SIG_IGN` or the address of a handler.
fn disposition(signal: Signal) -> Option<libc::sighandler_t> {
    let mut now = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: only asks.
    let asked = unsafe { libc::sigaction(signal as i32, std::ptr::null(), now.as_mut_ptr()) };
    // SAFETY: filled when the call succeeds.
    (asked == 0).then(|| unsafe { now.assume_init() }.sa_sigaction)
}
