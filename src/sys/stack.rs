//! The stack of a thread, of which what was touched once stays in memory: given back while the thread sleeps. Worker only.

use std::mem::MaybeUninit;

/// What stays below where the thread stands, for the calls that give back.
const MARGIN_BYTES: usize = 4_096;

/// Gives the kernel back what the stack of this thread has held before and holds no more. Not for the first thread of a process,
/// whose stack is of another kind.
#[inline(never)]
pub fn give_back_unused() {
    let here = MaybeUninit::<u64>::uninit();
    let Some(lowest) = lowest_of_stack() else { return };
    let Ok(page) = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE) else { return };
    let page = page.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(4_096);
    let below = (here.as_ptr() as usize).saturating_sub(MARGIN_BYTES) / page * page;
    let start = lowest.div_ceil(page) * page;
    if start < below {
        // SAFETY: from the lowest address of this thread's own stack to a page below where it stands: nothing lives there, since
        // stacks grow downwards. Whatever is touched there later is zero at first, as at the beginning of the thread.
        unsafe { libc::madvise(start as *mut libc::c_void, below - start, libc::MADV_DONTNEED) };
    }
}

/// The lowest address of the calling thread's stack.
fn lowest_of_stack() -> Option<usize> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: it fills in the attributes of a living thread, the calling one.
    if unsafe { libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) } != 0 {
        return None;
    }
    let (mut lowest, mut bytes) = (std::ptr::null_mut(), 0);
    // SAFETY: they were filled in; both places live until it returns.
    let told = unsafe { libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut lowest, &raw mut bytes) };
    // SAFETY: they were filled in, and nobody uses them any more.
    unsafe { libc::pthread_attr_destroy(attributes.as_mut_ptr()) };
    (told == 0).then_some(lowest as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Touches so much of the stack, and gives a number that depends on it.
    #[inline(never)]
    fn touch(depth: u32) -> u64 {
        let piece = std::hint::black_box([u64::from(depth); 512]);
        if depth == 0 { piece[7] } else { piece[9] + touch(depth - 1) }
    }

    #[test]
    fn a_stack_is_as_good_as_before_when_it_was_given_back() {
        let ended = std::thread::spawn(|| {
            let before = [touch(100), 7];
            give_back_unused();
            let after = [touch(100), 7];
            give_back_unused();
            before == after && before[1] == 7
        });
        assert!(ended.join().expect("it ends"));
    }
}
