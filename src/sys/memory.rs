//! What processes and the machine use: memory and processor time, read from /proc and the cgroup. Master and worker.

use std::fs;

/// Resident memory of a process in bytes; 0 when it is gone.
pub fn resident_bytes(pid: i32) -> u64 {
    used_bytes(&pid.to_string()).0
}

/// Resident and virtual memory of this process in bytes.
pub fn own_bytes() -> (u64, u64) {
    used_bytes("self")
}

/// Resident and virtual memory, by what a process is called in /proc; 0 when it is gone.
fn used_bytes(process: &str) -> (u64, u64) {
    let text = fs::read_to_string(format!("/proc/{process}/statm")).unwrap_or_default();
    let mut pages = text.split_ascii_whitespace().map(|field| field.parse::<u64>().unwrap_or(0));
    let page = page_bytes();
    let virtual_bytes = pages.next().unwrap_or(0) * page;
    (pages.next().unwrap_or(0) * page, virtual_bytes)
}

/// Time on a processor and time waiting for one, in microseconds, since the process started (`/proc/PID/schedstat`).
pub fn processor_times_us(pid: i32) -> Option<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
    let mut nanoseconds = text.split_ascii_whitespace().map(|field| field.parse::<u64>().ok());
    Some((nanoseconds.next()?? / 1_000, nanoseconds.next()?? / 1_000))
}

/// Memory that can still be had without swapping: the machine's, or what the cgroup leaves if that is less.
pub fn available_bytes() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1_024)
    });
    match (machine, cgroup_left_bytes()) {
        (Some(machine), Some(cgroup)) => Some(machine.min(cgroup)),
        (machine, cgroup) => machine.or(cgroup),
    }
}

/// What the memory limit of our own cgroup (version 2) leaves; `None` without a limit.
fn cgroup_left_bytes() -> Option<u64> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    let number = |file: &str| -> Option<u64> {
        fs::read_to_string(format!("/sys/fs/cgroup{path}/{file}")).ok()?.trim().parse().ok()
    };
    Some(number("memory.max")?.saturating_sub(number("memory.current")?))
}

fn page_bytes() -> u64 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten().unwrap_or(4_096) as u64
}
