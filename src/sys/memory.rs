//! What processes and the machine use: memory and processor time, read from /proc and the cgroup. Master and worker.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use nix::errno::Errno;

use super::cgroup;

/// Resident memory of a process in bytes; 0 when it is gone.
pub fn resident_bytes(pid: i32) -> u64 {
    used_bytes(pid).0
}

/// Resident and virtual memory of this process in bytes.
pub fn own_bytes() -> (u64, u64) {
    in_statm(&fs::read_to_string("/proc/self/statm").unwrap_or_default())
}

/// Resident and virtual memory of a process in bytes; 0 when it is gone.
pub fn used_bytes(pid: i32) -> (u64, u64) {
    in_statm(&fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default())
}

/// The memory of this process, for who looks often: the file stays open.
#[derive(Debug)]
pub struct OwnMemory(io::Result<File>);

impl OwnMemory {
    /// Not for a process that this one forks later.
    pub fn of_this_process() -> Self {
        Self(File::open("/proc/self/statm"))
    }

    /// Resident and virtual memory in bytes.
    pub fn bytes(&self) -> (u64, u64) {
        let mut text = [0; 128];
        match self.0.as_ref().map(|file| file.read_at(&mut text, 0)) {
            Ok(Ok(length)) => in_statm(&String::from_utf8_lossy(&text[..length])),
            _ => own_bytes(),
        }
    }
}

/// Resident and virtual memory in the text of a file `statm` (proc_pid_statm(5)).
fn in_statm(text: &str) -> (u64, u64) {
    let mut pages = text.split_ascii_whitespace().map(|field| field.parse::<u64>().unwrap_or(0));
    let page = page_bytes();
    let virtual_bytes = pages.next().unwrap_or(0) * page;
    (pages.next().unwrap_or(0) * page, virtual_bytes)
}

/// What a process holds of the machine's memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// In pages that no other process maps.
    pub private_bytes: u64,
    /// In pages that others map as well.
    pub shared_bytes: u64,
    /// The first, and of the second its part: what pages hold, divided by how many map them.
    pub proportional_bytes: u64,
}

/// What a process holds; `None` when it has ended. The kernel walks all its pages for this, some milliseconds for a large
/// one, which must wait meanwhile when it maps memory anew.
///
/// # Errors
/// When the system does not let this process see it.
pub fn held(pid: i32) -> io::Result<Option<Held>> {
    match fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
        Ok(text) => Ok(in_rollup(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        Err(error) => Err(error),
    }
}

/// What is held, by the text of a file `smaps_rollup` (proc_pid_smaps(5)).
fn in_rollup(text: &str) -> Option<Held> {
    let bytes = |key: &str| {
        let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
        rest.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kibibytes| kibibytes.saturating_mul(1_024))
    };
    let private_bytes = bytes("Private_Clean:")?.saturating_add(bytes("Private_Dirty:")?);
    let shared_bytes = bytes("Shared_Clean:")?.saturating_add(bytes("Shared_Dirty:")?);
    Some(Held { private_bytes, shared_bytes, proportional_bytes: bytes("Pss:")? })
}

/// Time on a processor and time waiting for one, in microseconds, since the process started (`/proc/PID/schedstat`).
pub fn processor_times_us(pid: i32) -> Option<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
    let mut nanoseconds = text.split_ascii_whitespace().map(|field| field.parse::<u64>().ok());
    Some((nanoseconds.next()?? / 1_000, nanoseconds.next()?? / 1_000))
}

/// Memory that can still be had without swapping: the machine's, or what the cgroups leave if that is less.
pub fn available_bytes() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| in_meminfo(&text, "MemAvailable:"));
    match (machine, cgroup::memory_left_bytes()) {
        (Some(machine), Some(cgroup)) => Some(machine.min(cgroup)),
        (machine, cgroup) => machine.or(cgroup),
    }
}

/// Memory of the machine, or the least that its cgroups allow if that is less.
pub fn total_bytes() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| in_meminfo(&text, "MemTotal:"));
    match (machine, cgroup::memory_limit_bytes()) {
        (Some(machine), Some(cgroup)) => Some(machine.min(cgroup)),
        (machine, cgroup) => machine.or(cgroup),
    }
}

/// The bytes behind a key of `/proc/meminfo`.
fn in_meminfo(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kibibytes| kibibytes.saturating_mul(1_024))
}

/// How many processes the kernel's OOM killer has killed: in the cgroup of this process, and on the whole machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OomKills {
    /// Of its own cgroup; `None` where the kernel does not count them.
    pub own: Option<u64>,
    /// Of the machine, as far as this process may know.
    pub machine: Option<u64>,
}

/// How many there are by now.
pub fn oom_kills() -> OomKills {
    let machine = || fs::read_to_string("/proc/vmstat").ok().and_then(|text| cgroup::counted(&text));
    let own = cgroup::oom_kills();
    // The machine's count is only for where there is no better one.
    OomKills { own, machine: if own.is_some() { None } else { machine() } }
}

/// Gives back the pages in which the allocator holds nothing but what was freed (malloc_trim(3)): before a process is forked
/// from which others share what is left.
pub fn give_back_free() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it only releases memory that nobody holds; the allocator keeps its own locks.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Gives back the pages of program code that are mapped into this process: after a start or a reload nobody needs the
/// parsers and tables again that most of them hold. What is needed is in the page cache and comes back as it is used.
/// Where the system does not say what is mapped, or keeps the pages, the log says so to whoever looks for faults.
pub fn forget_code() {
    if let Err(error) = try_to_forget_code() {
        log::debug!("pages of code stay resident: {error}");
    }
}

fn try_to_forget_code() -> io::Result<()> {
    for mapping in unchanged_code(&fs::read_to_string("/proc/self/smaps")?) {
        let (start, length) = (std::ptr::without_provenance_mut(mapping.start), mapping.end - mapping.start);
        // SAFETY: the range is a private mapping of a file that is executed and not writable, and no page of it is other than
        // in the file, so that every page of it can be read again from there (madvise(2), MADV_DONTNEED).
        Errno::result(unsafe { libc::madvise(start, length, libc::MADV_DONTNEED) })?;
    }
    Ok(())
}

/// The mappings of code of which no page was ever written to, as a library's is that had to be relocated, by the text of a file
/// `smaps` (proc_pid_smaps(5)).
fn unchanged_code(smaps: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut is_of_last = false;
    for line in smaps.lines() {
        let key = line.split_ascii_whitespace().next().unwrap_or_default();
        if !key.ends_with(':') {
            let code = code_mapping(line);
            is_of_last = code.is_some();
            found.extend(code);
        } else if is_of_last && ["Anonymous:", "Swap:"].contains(&key) && !line.trim_end().ends_with(" 0 kB") {
            found.pop();
            is_of_last = false;
        }
    }
    found
}

/// The addresses of a mapping of code, from its line in `/proc/PID/maps` (proc(5)).
fn code_mapping(line: &str) -> Option<Range<usize>> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let (permissions, mut rest) = (fields.next()?, fields.skip(3));
    let is_code = permissions == "r-xp" && rest.next().is_some_and(|path| path.starts_with('/'));
    let address = |text| usize::from_str_radix(text, 16).ok();
    is_code.then_some(address(start)?..address(end)?)
}

fn page_bytes() -> u64 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten().unwrap_or(4_096) as u64
}

/// Gives back what the allocator keeps of memory that was freed.
pub fn forget_heap() {
    // SAFETY: a plain call; it changes nothing that anybody holds (malloc_trim(3)).
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mappings_of_code_are_given_back() {
        let code = "55979faee000-55979fd65000 r-xp 000b6000 fe:00 10600451                   /usr/bin/rhinod";
        assert_eq!(code_mapping(code), Some(0x5597_9fae_e000..0x5597_9fd6_5000));
        for other in [
            "55979fd91000-55979fd93000 rw-p 00358000 fe:00 10600451                   /usr/bin/rhinod",
            "5597c6a9b000-5597c6ad8000 rw-p 00000000 00:00 0                          [heap]",
            "7ffcbebd5000-7ffcbebd7000 r-xp 00000000 00:00 0                          [vdso]",
            "7f0000000000-7f0000001000 r-xp 00000000 00:00 0",
            "",
        ] {
            assert_eq!(code_mapping(other), None, "{other}");
        }
    }

    #[test]
    fn code_that_was_written_to_is_kept() {
        let mapping = |start: &str, permissions: &str, anonymous: u32, swap: u32| {
            format!(
                "{start}000-{start}fff {permissions} 00000000 fe:00 7    /usr/lib/a.so\nSize:  4 kB\n\
                 Anonymous:      {anonymous} kB\nSwap:           {swap} kB\nSwapPss:        0 kB\nVmFlags: rd ex mr\n"
            )
        };
        let text = [mapping("1", "r-xp", 0, 0), mapping("2", "r-xp", 4, 0), mapping("3", "r-xp", 0, 10)].concat()
            + &[mapping("4", "rw-p", 0, 0), mapping("5", "r-xp", 0, 0)].concat();
        assert_eq!(unchanged_code(&text), [0x1000..0x1fff, 0x5000..0x5fff]);
        assert!(unchanged_code("").is_empty());
    }

    #[test]
    fn what_is_held_is_what_the_kernel_adds_up() {
        let text = "55e0-7ffd ---p 00000000 00:00 0    [rollup]\nRss:     9140 kB\nPss:     2345 kB\nPss_Dirty: 1 kB\n\
                    Shared_Clean:   7000 kB\nShared_Dirty:    40 kB\nPrivate_Clean:   100 kB\nPrivate_Dirty:  2000 kB\n";
        let expected = Held { private_bytes: 2_100 << 10, shared_bytes: 7_040 << 10, proportional_bytes: 2_345 << 10 };
        assert_eq!(in_rollup(text), Some(expected));
        assert_eq!(in_rollup(""), None);
    }

    #[test]
    fn memory_that_is_written_to_is_held_and_a_process_that_is_gone_holds_nothing() {
        let own = || held(std::process::id().cast_signed()).expect("our own").expect("it lives");
        let before = own();
        let more = vec![1_u8; 64 << 20];
        assert!(own().private_bytes >= before.private_bytes + more.len() as u64 / 2, "{before:?} {:?}", own());
        assert_eq!(held(i32::MAX).expect("nobody hides it"), None);
    }

    #[test]
    fn a_file_that_stays_open_tells_of_now() {
        let own = OwnMemory::of_this_process();
        let before = own.bytes().1;
        let more = vec![1_u8; 64 << 20];
        assert!(own.bytes().1 >= before + more.len() as u64 / 2, "{before} {:?}", own.bytes());
    }

    #[test]
    fn the_program_goes_on_without_its_code() {
        try_to_forget_code().expect("the kernel takes the pages back");
        assert!(own_bytes().0 > 0);
    }
}
