//! Pipes for lines: with as much room as the kernel gives anybody, so that a reader that is late for a moment costs nothing.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::unistd::pipe2;

/// What the kernel lets everybody have (`/proc/sys/fs/pipe-max-size`, pipe(7)).
const ROOM_BYTES: i32 = 1 << 20;

/// The ends of a pipe, to read from without waiting and to write to.
///
/// # Errors
/// What pipe(2) says.
pub fn roomy() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reading, writing) = pipe2(OFlag::O_CLOEXEC)?;
    widen(&writing);
    without_waiting(&reading)?;
    Ok((reading, writing))
}

/// Gives a pipe that there is as much room, and has writing to it not wait.
///
/// # Errors
/// When that cannot be said of it.
pub fn make_roomy(writing: &impl AsFd) -> io::Result<()> {
    widen(writing);
    without_waiting(writing)
}

fn widen(pipe: &impl AsFd) {
    // A limit below that leaves it as it is, which is only narrower.
    let _ = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(ROOM_BYTES));
}

fn without_waiting(descriptor: &impl AsFd) -> io::Result<()> {
    fcntl(descriptor, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(())
}
