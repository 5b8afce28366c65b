//! Room for bytes that takes memory only as far as something is written to it. (What the allocator gives zeroed in a thread it has
//! often written zeros to before.) Worker only.

use std::io;
use std::num::NonZeroUsize;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};

/// So many bytes, zero until they are written.
#[derive(Debug)]
pub struct Room {
    start: NonNull<u8>,
    bytes: NonZeroUsize,
}

// SAFETY: it owns its memory, which no thread has to itself.
unsafe impl Send for Room {}
// SAFETY: as above; shared references only read.
unsafe impl Sync for Room {}

impl Room {
    /// # Errors
    /// What mmap(2) says.
    pub fn new(bytes: NonZeroUsize) -> io::Result<Self> {
        let flags = MapFlags::MAP_PRIVATE | MapFlags::MAP_NORESERVE;
        // SAFETY: a mapping of its own, at a place that the kernel chooses.
        let start = unsafe { mmap_anonymous(None, bytes, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, flags) }?;
        Ok(Self { start: start.cast(), bytes })
    }
}

impl Deref for Room {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: so many bytes are mapped there, readable, until it is dropped; zeros are bytes.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes.get()) }
    }
}

impl DerefMut for Room {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, writable, and nobody else has a reference.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes.get()) }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // SAFETY: it is the whole of a mapping that nobody refers to any more. Should it stay, that is memory lost.
        let _ = unsafe { munmap(self.start.cast(), self.bytes.get()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_zero_and_keeps_what_is_written() {
        let mut room = Room::new(NonZeroUsize::new(100_000).expect("a number")).expect("memory");
        assert!(room.len() == 100_000 && room.iter().all(|byte| *byte == 0));
        room[99_999] = 7;
        assert_eq!(room.iter().map(|byte| u32::from(*byte)).sum::<u32>(), 7);
    }
}
