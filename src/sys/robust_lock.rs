//! Locks in shared memory that the kernel gives back when their owner dies (pthread_mutexattr_setrobust(3)), for whatever
//! several processes write. Every process; the master only makes and looks at them, since an application may write anything
//! into the memory of a lock.

use std::io;
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU64, Ordering};

/// Words that a lock takes.
pub const WORDS: usize = 16;

const _: () = assert!(size_of::<libc::pthread_mutex_t>() <= WORDS * size_of::<AtomicU64>());
const _: () = assert!(align_of::<libc::pthread_mutex_t>() <= align_of::<AtomicU64>());

/// A lock in shared memory.
#[derive(Debug, Clone, Copy)]
pub struct RobustLock<'m> {
    words: &'m [AtomicU64; WORDS],
}

impl<'m> RobustLock<'m> {
    /// The lock at the beginning of some memory; `None` where that has no room for one.
    pub fn at(words: &'m [AtomicU64]) -> Option<Self> {
        words.first_chunk::<WORDS>().map(|words| Self { words })
    }

    /// Makes it a lock that nobody holds. Nobody may use it yet.
    ///
    /// # Errors
    /// What the system says.
    pub fn make(&self) -> io::Result<()> {
        let mut attributes = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        // SAFETY: the attributes are initialised by the first call and destroyed by the last one; the words have room for a
        // mutex, are aligned for it (see above), and are only ever used as one.
        unsafe {
            check(libc::pthread_mutexattr_init(attributes.as_mut_ptr()))?;
            let shared = libc::pthread_mutexattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED);
            let robust = libc::pthread_mutexattr_setrobust(attributes.as_mut_ptr(), libc::PTHREAD_MUTEX_ROBUST);
            let made = libc::pthread_mutex_init(self.mutex(), attributes.as_ptr());
            libc::pthread_mutexattr_destroy(attributes.as_mut_ptr());
            check(shared).and(check(robust)).and(check(made))
        }
    }

    /// Waits for it and takes it, also from an owner that has died: what that was about to change is for the caller to
    /// look at.
    ///
    /// # Errors
    /// The memory holds no lock, or this thread has it.
    pub fn acquire(&self) -> io::Result<()> {
        // SAFETY: the words hold a mutex, made by `make`; with anything else in them the call fails or waits.
        match unsafe { libc::pthread_mutex_lock(self.mutex()) } {
            // SAFETY: this thread holds the mutex, whose owner before has died.
            libc::EOWNERDEAD => check(unsafe { libc::pthread_mutex_consistent(self.mutex()) }),
            other => check(other),
        }
    }

    /// Gives it back. This thread has it.
    pub fn release(&self) {
        // SAFETY: as in `acquire`. It fails only for who does not have it, and then nothing happens.
        unsafe { libc::pthread_mutex_unlock(self.mutex()) };
    }

    /// The thread that has it, as far as the memory says; 0: nobody has. Without taking it.
    pub fn holder(&self) -> i32 {
        // The futex by which the kernel finds out whose it was (set_robust_list(2)): its word has the owner's thread id, below
        // two bits. The C libraries have it at different places.
        let half = if cfg!(target_env = "musl") { 4 } else { 0 };
        let bytes = self.words[0].load(Ordering::Relaxed).to_ne_bytes();
        let futex = [bytes[half], bytes[half + 1], bytes[half + 2], bytes[half + 3]];
        i32::try_from(u32::from_ne_bytes(futex) & libc::FUTEX_TID_MASK).unwrap_or(0)
    }

    fn mutex(&self) -> *mut libc::pthread_mutex_t {
        std::ptr::from_ref(self.words).cast_mut().cast()
    }
}

fn check(error: i32) -> io::Result<()> {
    if error == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(error)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::shared_memory::SharedWords;

    #[test]
    fn who_dies_with_it_gives_it_back() {
        let memory = SharedWords::new(WORDS).expect("shared memory");
        let lock = RobustLock::at(memory.words()).expect("room for it");
        lock.make().expect("a lock");
        std::thread::scope(|scope| {
            // It ends with the lock in its hands.
            scope.spawn(|| lock.acquire().expect("it is free"));
        });
        lock.acquire().expect("its owner is gone");
        assert_eq!(lock.holder(), nix::unistd::gettid().as_raw());
        lock.release();
        assert_eq!(lock.holder(), 0);
        lock.acquire().expect("it is free");
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| lock.acquire().map(|()| lock.release()));
            lock.release();
            waits.join().expect("no panic").expect("it was given back");
        });
        assert!(RobustLock::at(&memory.words()[1..]).is_none());
    }
}
