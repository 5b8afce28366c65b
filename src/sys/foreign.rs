//! Processes that are looked at from outside: their memory, their mappings, their threads. None of them is stopped or changed. The
//! operator's process.

use std::fs;
use std::io::{self, IoSliceMut};
use std::path::PathBuf;

use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::unistd::Pid;

/// A process that is not ours.
#[derive(Debug, Clone, Copy)]
pub struct Foreign(i32);

/// What the kernel knows of a thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelThread {
    /// The kernel's number of it.
    pub number: i32,
    /// Its name.
    pub name: String,
    /// The letter of its state (proc_pid_stat(5)).
    pub state: char,
    /// The function of the kernel that it waits in, if the kernel says so.
    pub waits_in: Option<String>,
}

impl Foreign {
    /// The process of this number.
    pub fn of(pid: i32) -> Self {
        Self(pid)
    }

    /// Fills `bytes` with its memory from an address on.
    ///
    /// # Errors
    /// What the system says: that who asks may not (EPERM), that nothing is there (EFAULT).
    pub fn read(&self, address: u64, bytes: &mut [u8]) -> io::Result<()> {
        let (length, base) = (bytes.len(), usize::try_from(address).map_err(io::Error::other)?);
        let there = [RemoteIoVec { base, len: length }];
        match process_vm_readv(Pid::from_raw(self.0), &mut [IoSliceMut::new(bytes)], &there)? {
            read if read == length => Ok(()),
            _ => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
        }
    }

    /// Where a page begins that [`super::signpost::put_up`] has put up.
    ///
    /// # Errors
    /// What the system says: that who asks may not.
    pub fn signpost(&self, name: &str) -> io::Result<Option<u64>> {
        let maps = fs::read(format!("/proc/{}/maps", self.0))?;
        Ok(start_of(&String::from_utf8_lossy(&maps), name))
    }

    /// All threads, by number. Those that end meanwhile are left out.
    ///
    /// # Errors
    /// What the system says: the process has ended.
    pub fn threads(&self) -> io::Result<Vec<KernelThread>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(format!("/proc/{}/task", self.0))? {
            numbers.extend(entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers.into_iter().filter_map(|number| self.thread(number)).collect())
    }

    fn thread(&self, number: i32) -> Option<KernelThread> {
        let file = |name: &str| {
            let path: PathBuf = ["/proc", &self.0.to_string(), "task", &number.to_string(), name].iter().collect();
            fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        let stat = file("stat").ok()?;
        let state = stat.rsplit_once(')')?.1.trim_start().chars().next()?;
        // Empty, or 0, for what runs, and for what who asks may not know.
        let waits_in = file("wchan").ok().filter(|name| !matches!(name.as_str(), "" | "0"));
        let name = file("comm").ok()?.trim_end().to_owned();
        Some(KernelThread { number, name, state, waits_in })
    }
}

/// The address of a page in the list of mappings: the name is that of a memory without a file (memfd_create(2)).
fn start_of(maps: &str, name: &str) -> Option<u64> {
    let is_named = |line: &&str| {
        let path = line.split_ascii_whitespace().nth(5);
        path.and_then(|path| path.strip_prefix("/memfd:")) == Some(name)
    };
    let line = maps.lines().find(is_named)?;
    u64::from_str_radix(line.split_once('-')?.0, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_where_it_has_memory_and_its_threads_are_known() {
        let own = Foreign::of(std::process::id().cast_signed());
        let word = 0x1234_5678_u64;
        let mut bytes = [0; 8];
        own.read(std::ptr::from_ref(&word) as u64, &mut bytes).unwrap();
        assert_eq!(u64::from_ne_bytes(bytes), word);
        assert!(own.read(8, &mut bytes).is_err() && own.read(u64::MAX, &mut bytes).is_err());
        let number = nix::unistd::gettid().as_raw();
        let threads = own.threads().unwrap();
        let this = threads.iter().find(|thread| thread.number == number).unwrap();
        assert_eq!(this.state, 'R');
        assert!(Foreign::of(i32::MAX).threads().is_err());
    }

    #[test]
    fn what_is_put_up_is_found_by_its_name() {
        crate::sys::signpost::put_up(c"rhinod-test-page", b"here").unwrap();
        let own = Foreign::of(std::process::id().cast_signed());
        let place = own.signpost("rhinod-test-page").unwrap().unwrap();
        let mut bytes = [0; 4];
        own.read(place, &mut bytes).unwrap();
        assert_eq!(&bytes, b"here");
        assert_eq!(own.signpost("rhinod-test").unwrap(), None);
    }
}
