//! A page under a name that the list of a process's mappings shows (proc_pid_maps(5)), so that others find what stands on it without
//! asking the process. Forks have it as well. Zygote of a Python application.

use std::ffi::CStr;
use std::io::{self, Write};
use std::num::NonZeroUsize;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap};

/// Puts a page up for as long as the process lives, with `bytes` at its beginning.
///
/// # Errors
/// What the system says.
pub fn put_up(name: &CStr, bytes: &[u8]) -> io::Result<()> {
    let Some(length) = NonZeroUsize::new(bytes.len()) else { return Ok(()) };
    let mut file = std::fs::File::from(memfd_create(name, MFdFlags::MFD_CLOEXEC)?);
    file.write_all(bytes)?;
    // SAFETY: a fresh mapping at an address that the kernel chooses, to which nothing in this process refers.
    unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_PRIVATE, &file, 0) }?;
    Ok(())
}
