//! Memory that all processes of an instance share: the scoreboard, and what applications share. Made by the master, mapped
//! by zygotes and workers.

use std::io;
use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// A shared mapping of 64-bit words, kept by a descriptor that can be passed to other processes.
#[derive(Debug)]
pub struct SharedWords {
    descriptor: OwnedFd,
    start: NonNull<AtomicU64>,
    words: usize,
}

// SAFETY: the mapping is plain memory that is only ever read and written through atomics.
unsafe impl Send for SharedWords {}
// SAFETY: as above; `AtomicU64` is `Sync`.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// Makes a mapping of `words` zeroed words. Its size is sealed: every process that has the memory runs code of the
    /// application, and a file that one of them cuts short would end all others at their next look (SIGBUS, mmap(2)).
    pub fn new(words: usize) -> io::Result<Self> {
        Self::named(c"rhinod-scoreboard", words)
    }

    /// The same, with a name that proc(5) shows.
    pub fn named(name: &std::ffi::CStr, words: usize) -> io::Result<Self> {
        let descriptor = memfd_create(name, MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING)?;
        nix::unistd::ftruncate(&descriptor, (words * size_of::<AtomicU64>()) as i64)?;
        let size_stays = SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SEAL;
        fcntl(&descriptor, FcntlArg::F_ADD_SEALS(size_stays))?;
        Self::map(descriptor)
    }

    /// Maps what another process made; the size is that of the descriptor.
    pub fn map(descriptor: OwnedFd) -> io::Result<Self> {
        let bytes = nix::sys::stat::fstat(&descriptor)?.st_size as usize;
        let length =
            NonZeroUsize::new(bytes).ok_or_else(|| io::Error::other("the shared memory that was passed is empty"))?;
        // SAFETY: a fresh mapping of a descriptor that we own, at an address that the kernel chooses.
        let start = unsafe {
            mmap(None, length, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE, MapFlags::MAP_SHARED, &descriptor, 0)
        }?;
        Ok(Self { descriptor, start: start.cast(), words: bytes / size_of::<AtomicU64>() })
    }

    /// All words.
    pub fn words(&self) -> &[AtomicU64] {
        // SAFETY: the mapping holds `words` aligned words, lives as long as `self`, and is only used through atomics.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }
}

impl SharedWords {
    /// The process that holds the record lock on one byte of the file; 0 if nobody does, or if the system does not tell.
    pub fn lock_holder(&self, byte: i64) -> i32 {
        let mut lock = libc::flock {
            l_type: libc::F_WRLCK as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: byte,
            l_len: 1,
            l_pid: 0,
        };
        match fcntl(&self.descriptor, FcntlArg::F_GETLK(&mut lock)) {
            Ok(_) if i32::from(lock.l_type) != libc::F_UNLCK => lock.l_pid,
            _ => 0,
        }
    }
}

impl AsFd for SharedWords {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: the mapping was made by us with exactly this length, and nothing borrows it any more.
        let unmapped = unsafe { munmap(self.start.cast(), self.words * size_of::<AtomicU64>()) };
        if let Err(error) = unmapped {
            log::warn!("cannot unmap shared memory (descriptor {}): {error}", self.descriptor.as_raw_fd());
        }
    }
}

/// All that is in such a file. Whoever else has it, at whatever place, reads it as well.
pub fn read_memory_file(descriptor: OwnedFd) -> io::Result<Vec<u8>> {
    use std::io::{Read, Seek};
    let mut file = std::fs::File::from(descriptor);
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// A sealed-off copy of `bytes` behind a descriptor, to be passed to another process.
pub fn memory_file(bytes: &[u8]) -> io::Result<OwnedFd> {
    use std::io::{Seek, Write};
    let descriptor = memfd_create(c"rhinod-settings", MFdFlags::MFD_CLOEXEC)?;
    let mut file = std::fs::File::from(descriptor);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}
