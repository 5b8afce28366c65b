//! The files that a process may still reach (landlock(7)): whatever their modes, it finds the others closed. Descriptors that
//! are open already stay as they are, and so do connections.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;

use crate::sys::process;

/// `LANDLOCK_CREATE_RULESET_VERSION` of linux/landlock.h.
const ASKS_VERSION: libc::c_uint = 1;
/// `LANDLOCK_RULE_PATH_BENEATH`.
const BENEATH: libc::c_int = 1;

const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIRECTORY: u64 = 1 << 3;
const TRUNCATE: u64 = 1 << 14;
const DEVICE_CONTROLS: u64 = 1 << 15;

/// All that the first version knows: the above without the last two, and making and removing each kind of file.
const FIRST: u64 = (1 << 13) - 1;
/// Moving files from one directory to another.
const MOVE: u64 = 1 << 13;

/// What lets files be read and executed.
const READING: u64 = EXECUTE | READ_FILE | READ_DIRECTORY;
/// What can be said of something that is no directory.
const OF_FILES: u64 = EXECUTE | READ_FILE | WRITE_FILE | TRUNCATE | DEVICE_CONTROLS;

/// What every process is left with: without these hardly any library works.
const ALWAYS: [(&str, bool); 6] = [
    ("/proc", false),
    ("/dev/null", true),
    ("/dev/zero", true),
    ("/dev/full", true),
    ("/dev/random", false),
    ("/dev/urandom", false),
];

/// `struct landlock_ruleset_attr` of the first version.
#[repr(C)]
struct Handled {
    files: u64,
}

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: i32,
}

/// From here on this thread, and all that it makes, reaches only what is below these paths: reads and executes there, and
/// changes it where that is said. It never gets more rights either.
///
/// # Errors
/// A path that cannot be opened, by its name; and when the kernel has no such bounds (before Linux 5.13, or switched off).
pub fn leave_only<'p>(places: impl IntoIterator<Item = (&'p Path, bool)>) -> io::Result<()> {
    let handled = handled_by(version()?);
    let rules = rules(handled)?;
    for (path, may_change) in ALWAYS.map(|(path, may_change)| (Path::new(path), may_change)) {
        // A container may lack one.
        if path.exists() {
            leave(&rules, handled, path, may_change)?;
        }
    }
    for (path, may_change) in places {
        leave(&rules, handled, path, may_change)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    }
    process::never_gain_privileges()?;
    // SAFETY: a plain system call.
    Errno::result(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0) })?;
    Ok(())
}

/// What is bound, of all that a version knows.
fn handled_by(version: i64) -> u64 {
    let later = [(2, MOVE), (3, TRUNCATE), (5, DEVICE_CONTROLS)];
    later.iter().filter(|(since, _)| version >= *since).fold(FIRST, |rights, (_, more)| rights | more)
}

/// The kernel's version of these bounds, from 1 on.
fn version() -> io::Result<i64> {
    // SAFETY: asked for the version, it reads nothing.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0_usize, 0_usize, ASKS_VERSION) };
    Ok(Errno::result(version)?)
}

/// A set of rules without any, so that nothing is left of what it handles.
fn rules(handled: u64) -> io::Result<OwnedFd> {
    let handled = Handled { files: handled };
    // SAFETY: the structure is as long as is said.
    let made = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, &raw const handled, size_of::<Handled>(), 0 as libc::c_uint)
    };
    let number = i32::try_from(Errno::result(made)?).map_err(io::Error::other)?;
    // SAFETY: the kernel has just opened it, for nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Leaves a file, or what is below a directory.
fn leave(rules: &OwnedFd, handled: u64, path: &Path, may_change: bool) -> io::Result<()> {
    let place: File = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_CLOEXEC).open(path)?;
    let sort = if place.metadata()?.is_dir() { u64::MAX } else { OF_FILES };
    let wanted = if may_change { u64::MAX } else { READING };
    let rule = PathBeneath { allowed: handled & wanted & sort, parent: place.as_raw_fd() };
    // SAFETY: the structure is that of this kind of rule, and its descriptor is open.
    let added = unsafe {
        libc::syscall(libc::SYS_landlock_add_rule, rules.as_raw_fd(), BENEATH, &raw const rule, 0 as libc::c_uint)
    };
    Errno::result(added)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_bounds_what_it_knows() {
        assert_eq!(handled_by(1), 0x1fff);
        assert_eq!(handled_by(2), 0x3fff);
        assert_eq!((handled_by(3), handled_by(4)), (0x7fff, 0x7fff));
        assert_eq!((handled_by(5), handled_by(7)), (0xffff, 0xffff));
    }
}
