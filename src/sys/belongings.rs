//! What a process has come to hold since some moment that two processes must not share: sockets, files that it writes to,
//! everything else of which the kernel keeps one state for all who hold it. Read from /proc. Worker only.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;

use nix::sys::socket::{SockaddrStorage, getpeername};

/// The last of the standard streams.
const STANDARD_MAX: i32 = 2;

/// Descriptors, by their numbers and what they lead to.
#[derive(Debug)]
pub struct Belongings(BTreeSet<(i32, PathBuf)>);

impl Belongings {
    /// What this process has now.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn now() -> io::Result<Self> {
        descriptors().map(Self)
    }

    /// What it has now and had not then, and must not share, in words.
    pub fn gained(&self) -> Vec<String> {
        let new = match descriptors() {
            Ok(new) => new,
            // Who knows.
            Err(error) => return vec![format!("what nobody knows (/proc/self/fd: {error})")],
        };
        new.difference(&self.0).filter_map(|(number, target)| trouble(*number, &target.to_string_lossy())).collect()
    }
}

/// All that are open, but for the one that this is read with, and the standard streams: those are the log's, which may go
/// elsewhere at any time, for all processes alike.
fn descriptors() -> io::Result<BTreeSet<(i32, PathBuf)>> {
    let entries = fs::read_dir("/proc/self/fd")?;
    let own = |target: &PathBuf| target.starts_with("/proc") && target.ends_with("fd");
    let mut described = BTreeSet::new();
    for entry in entries {
        let entry = entry?;
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that cannot be read has been closed meanwhile.
        let target = fs::read_link(entry.path()).ok().filter(|target| number > STANDARD_MAX && !own(target));
        described.extend(target.map(|target| (number, target)));
    }
    Ok(described)
}

/// Why a descriptor must not be shared; `None` where it may: a file that is only read.
fn trouble(number: i32, target: &str) -> Option<String> {
    if target.starts_with("socket:") {
        let peer = getpeername::<SockaddrStorage>(number).map_or_else(|_| String::new(), |peer| format!(" to {peer}"));
        return Some(format!("a socket{peer} (descriptor {number})"));
    }
    if let Some(kind) = target.strip_prefix("anon_inode:") {
        return Some(format!("{} (descriptor {number})", kind.trim_matches(['[', ']'])));
    }
    if target.starts_with("pipe:") {
        return Some(format!("a pipe (descriptor {number})"));
    }
    let flags = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok()?;
    is_written_to(&flags).then(|| format!("{target}, opened for writing (descriptor {number})"))
}

/// Whether a file is open for more than reading, from `/proc/PID/fdinfo/FD` (proc_pid_fdinfo(5)).
fn is_written_to(info: &str) -> bool {
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).map(str::trim);
    let flags = flags.and_then(|octal| i32::from_str_radix(octal, 8).ok()).unwrap_or(libc::O_RDWR);
    flags & libc::O_ACCMODE != libc::O_RDONLY
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn what_is_written_to_and_connected_is_named_and_what_is_only_read_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let before = Belongings::now().expect("the kernel tells");
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("written");
        let mut written = fs::File::create(&path).expect("a file");
        written.write_all(b"x").expect("room");
        let read = fs::File::open(&path).expect("the same file");
        let stream = TcpStream::connect(listener.local_addr().expect("an address")).expect("it listens");
        let gained = before.gained();
        // Other tests of this program open things as well.
        let named = |text: &str| gained.iter().filter(|one| one.contains(text)).count();
        assert_eq!(named(&format!("{}, opened for writing", path.display())), 1, "{gained:?}");
        assert_eq!(named(&format!("a socket to {}", listener.local_addr().unwrap())), 1, "{gained:?}");
        drop((written, read, stream));
        assert!(!before.gained().iter().any(|one| one.contains("written")));
    }

    #[test]
    fn flags_are_read_as_the_kernel_writes_them() {
        for (flags, written) in [("0100000", false), ("0100001", true), ("02100002", true), ("nonsense", true)] {
            assert_eq!(is_written_to(&format!("pos:\t0\nflags:\t{flags}\nmnt_id:\t9\n")), written, "{flags}");
        }
    }
}
