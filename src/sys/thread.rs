//! Threads of this process, one by one: their numbers, a nudge that wakes one of them from a wait, what the kernel says of
//! one. Worker only.

use std::fmt;
use std::io;
use std::sync::Once;

use nix::errno::Errno;

/// A thread of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadId(i32);

/// The signal of a nudge: one of those without a meaning, which applications leave alone.
pub fn nudge_signal() -> i32 {
    libc::SIGRTMAX() - 3
}

/// From here on a nudge does nothing but wake its thread, and what others have asked for it to do.
///
/// # Errors
/// What the system says; then nobody must be nudged.
pub fn heed_nudges() -> io::Result<()> {
    static ONCE: Once = Once::new();
    let mut heeded = Ok(());
    ONCE.call_once(|| {
        // SAFETY: the action does nothing.
        heeded = unsafe { signal_hook::low_level::register(nudge_signal(), || ()) }.map(drop);
    });
    heeded
}

/// Has each nudge write a byte to a pipe, after everything else that it does.
///
/// # Errors
/// What the system says.
pub fn mark_nudges(pipe: std::os::unix::net::UnixStream) -> io::Result<()> {
    signal_hook::low_level::pipe::register(nudge_signal(), pipe).map(drop)
}

impl ThreadId {
    /// The calling thread.
    pub fn own() -> Self {
        Self(nix::unistd::gettid().as_raw())
    }

    /// Of a number that was one.
    pub fn from_raw(raw: i32) -> Option<Self> {
        (raw > 0).then_some(Self(raw))
    }

    /// Its number.
    pub fn as_raw(self) -> i32 {
        self.0
    }

    /// Interrupts the system call that the thread waits in, if it does. [`heed_nudges`] comes first.
    ///
    /// # Errors
    /// The thread has ended.
    pub fn nudge(self) -> io::Result<()> {
        // SAFETY: a plain system call; the signal has a handler, see above.
        let sent = unsafe { libc::syscall(libc::SYS_tgkill, std::process::id() as i32, self.0, nudge_signal()) };
        Errno::result(sent).map(drop).map_err(io::Error::from)
    }

    /// What the kernel says of it.
    pub fn state(self) -> State {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/self/task/{}/{file}", self.0)).ok();
        let status = read("status").unwrap_or_default();
        let state = status.lines().find_map(|line| line.strip_prefix("State:")).unwrap_or("unknown").trim().to_owned();
        let waits_in = read("wchan").filter(|place| !matches!(place.as_str(), "" | "0"));
        State { state, waits_in, call: read("syscall").map(|call| call.trim_end().to_owned()) }
    }
}

/// What the kernel says of a thread (proc(5): status, wchan, syscall).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// Such as `S (sleeping)`.
    pub state: String,
    /// The function of the kernel in which it waits.
    pub waits_in: Option<String>,
    /// Number and arguments of the system call that it is in; `running` in none.
    pub call: Option<String>,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.state)?;
        self.waits_in.as_ref().map_or(Ok(()), |place| write!(f, " in {place}"))
    }
}
