//! Limits and standing of a process: descriptors, memory, processes, priority, processors, and whom the kernel kills first.
//! What is set is inherited by all that this process makes. Master, zygote and worker.

use std::io;

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use nix::unistd::Pid;

/// More descriptors than a process is given unasked: there are programs that go through all that there might be.
const DESCRIPTORS_MAX: rlim_t = 1 << 20;

/// linux/prctl.h since 6.4.
const PR_SET_MEMORY_MERGE: libc::c_int = 67;

/// Has this process open as many descriptors as it may, within reason: each worker costs the master two.
pub fn adjust_descriptor_limit() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft != descriptors_within_reason(hard)
    {
        // A container may forbid it; then the old limit stands.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, descriptors_within_reason(hard), hard);
    }
}

/// How many descriptors a process may open that is allowed to raise its limit to `hard`.
fn descriptors_within_reason(hard: rlim_t) -> rlim_t {
    hard.min(DESCRIPTORS_MAX)
}

/// Most descriptors that this process may open; also more than was allowed, if its rights suffice.
pub fn limit_descriptors(most: u64) -> io::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, most, hard.max(most))?)
}

/// Most address space of this process, in bytes.
pub fn limit_address_space(bytes: u64) -> io::Result<()> {
    Ok(setrlimit(Resource::RLIMIT_AS, bytes, bytes)?)
}

/// Most processes and threads of its user, as far as this process and those that it makes are concerned.
pub fn limit_processes(most: u64) -> io::Result<()> {
    Ok(setrlimit(Resource::RLIMIT_NPROC, most, most)?)
}

/// The nice value of this process.
pub fn set_priority(nice: i32) -> io::Result<()> {
    // SAFETY: a plain system call.
    Errno::result(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) }).map(drop).map_err(io::Error::from)
}

/// How much more readily than others the kernel kills this process when memory is short (proc_pid_oom_score_adj(5)).
pub fn set_oom_score(adjustment: i32) -> io::Result<()> {
    std::fs::write("/proc/self/oom_score_adj", adjustment.to_string())
}

/// Has the kernel keep equal pages of this process, and of those that it makes, once (`PR_SET_MEMORY_MERGE`, prctl(2)), as
/// soon as its merging runs.
///
/// # Errors
/// `EINVAL` where the kernel is older than 6.4 or has no such thing.
pub fn merge_memory() -> io::Result<()> {
    // SAFETY: a plain system call; what merging does, nobody can tell from inside but by the time that writing takes.
    Errno::result(unsafe { libc::prctl(PR_SET_MEMORY_MERGE, 1 as libc::c_ulong, 0, 0, 0) })
        .map(drop)
        .map_err(io::Error::from)
}

/// Whether the kernel's merging of equal pages runs (`/sys/kernel/mm/ksm/run`).
pub fn merging_runs() -> bool {
    std::fs::read_to_string("/sys/kernel/mm/ksm/run").is_ok_and(|text| text.trim() == "1")
}

/// The processors that this thread may run on, by their numbers.
pub fn processors() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect())
}

/// Has this thread, and those that it begins, run on these only.
pub fn keep_to_processors(processors: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for cpu in processors {
        set.set(*cpu)?;
    }
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_a_thousand_million_descriptors_is_no_reason_to_use_them() {
        assert_eq!(descriptors_within_reason(1 << 30), 1 << 20);
        assert_eq!(descriptors_within_reason(4_096), 4_096);
        assert_eq!(descriptors_within_reason(rlim_t::MAX), 1 << 20);
    }

    #[test]
    fn a_thread_keeps_to_the_processors_that_it_is_given() {
        let all = processors().expect("the kernel tells");
        let last = all.last().copied().expect("at least one");
        std::thread::spawn(move || {
            keep_to_processors(&[last]).expect("one of those that are allowed");
            assert_eq!(processors().expect("the kernel tells"), [last]);
        })
        .join()
        .expect("the thread");
        assert_eq!(processors().expect("the kernel tells"), all);
    }
}
