//! Giving up all rights of root but some (capabilities(7)). Master and Emperor, and their children before they execute something.
//!
//! Only system calls are made: nothing is allocated and no lock is taken.

use std::io;

use nix::errno::Errno;

/// More numbers than any kernel has.
const NUMBERS: u32 = 64;

/// `_LINUX_CAPABILITY_VERSION_3` of linux/capability.h: two words of each set.
const VERSION: u32 = 0x2008_0522;

/// `struct __user_cap_header_struct`.
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// `struct __user_cap_data_struct`.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Has this process keep what it may when it gives up being root, until it executes something.
pub fn keep_over_change_of_user(keeps: bool) -> io::Result<()> {
    Ok(nix::sys::prctl::set_keepcaps(keeps)?)
}

/// Gives up all but those, for good: neither this process nor what it executes gets the others back. What it has not it
/// does not get.
pub fn keep_only(bits: u64) -> io::Result<()> {
    let all = permitted()?;
    let kept = bits & all;
    // Whoever has changed its user may have them, but has them not.
    set(all, 0)?;
    for number in (0..NUMBERS).filter(|number| kept >> number & 1 == 0) {
        // A number that the kernel does not know ends them; without the right to give them up, none was to be had.
        // SAFETY: a plain system call.
        let _ = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number), 0, 0, 0) };
    }
    set(kept, kept)?;
    for number in (0..NUMBERS).filter(|number| kept >> number & 1 == 1) {
        // So that a program that is executed as an ordinary user has them.
        // SAFETY: a plain system call.
        let raised =
            unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, libc::c_ulong::from(number), 0, 0) };
        Errno::result(raised)?;
    }
    Ok(())
}

/// Has nothing that this process executes from now on get others than those; what it has itself it keeps until then.
pub fn bound_to(bits: u64) -> io::Result<()> {
    for number in (0..NUMBERS).filter(|number| bits >> number & 1 == 0) {
        // SAFETY: a plain system call.
        match Errno::result(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number), 0, 0, 0) }) {
            // The kernel knows no more of them.
            Err(Errno::EINVAL) => return Ok(()),
            done => drop(done?),
        }
    }
    Ok(())
}

/// What this process may have.
fn permitted() -> io::Result<u64> {
    let header = Header { version: VERSION, pid: 0 };
    let mut data = [Data::default(); 2];
    // SAFETY: both structures are as the kernel has them for this version, which are two of the second.
    Errno::result(unsafe { libc::syscall(libc::SYS_capget, &raw const header, data.as_mut_ptr()) })?;
    Ok(u64::from(data[0].permitted) | u64::from(data[1].permitted) << 32)
}

/// Has `bits`, and hands `inheritable` on to what it executes.
fn set(bits: u64, inheritable: u64) -> io::Result<()> {
    let header = Header { version: VERSION, pid: 0 };
    let word = |shift: u32| {
        let [bits, inheritable] = [bits, inheritable].map(|bits| (bits >> shift & u64::from(u32::MAX)) as u32);
        Data { effective: bits, permitted: bits, inheritable }
    };
    let data = [word(0), word(32)];
    // SAFETY: as above.
    Errno::result(unsafe { libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()) })?;
    Ok(())
}
