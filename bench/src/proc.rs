//! What /proc says of a process tree: who belongs to it, CPU time, memory, context switches.
//!
//! Reads only; sources are proc_pid_stat(5), proc_pid_status(5), proc_pid_smaps(5) and the kernel's
//! Documentation/scheduler/sched-stats.rst. Trees are walked by `/proc/PID/task/TID/children` (CONFIG_PROC_CHILDREN),
//! which is cheap enough to look many times a second. Processes that end meanwhile are left out, not reported as
//! errors. Runs in the measuring process.

use std::fs;
use std::io;
use std::time::Duration;

pub use rustix::process::Pid;

/// One living process (or one that nobody has waited for yet).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: Pid,
    /// What it is called, at most 15 bytes.
    pub name: String,
    /// When it began, in clock ticks since boot; with the id it is unique.
    pub start_ticks: u64,
    /// Whose child it is; `None`: nobody's that can be seen from here.
    pub parent: Option<Pid>,
    /// How many children it has.
    pub children: usize,
    /// User and system time of its threads.
    pub own_cpu: Duration,
    /// User and system time of its dead children that it has waited for, theirs included.
    pub reaped_cpu: Duration,
}

/// How much memory a process holds, in KiB.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// Resident pages (VmRSS).
    pub resident_kib: u64,
    /// Pages no other process maps (`Private_Clean` + `Private_Dirty`).
    pub private_kib: u64,
    /// Resident pages, shared ones divided by the number that share them (PSS).
    pub proportional_kib: u64,
}

/// The process `root` and all below it, root first. Empty when it is gone.
pub fn tree(root: Pid) -> Vec<Process> {
    let mut found = Vec::new();
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        let children = children_of(pid);
        if let Some(process) = process(pid, children.len()) {
            found.push(process);
            open.extend(children);
        }
    }
    found
}

/// User and system time of a whole tree, dead children included, as exact as the kernel tells.
pub fn cpu_time(tree: &[Process]) -> Duration {
    tree.iter().map(|process| process.own_cpu + process.reaped_cpu).sum()
}

/// Processes without children: in a pre-fork server under steady load, the workers.
pub fn leaves(root: Pid) -> Vec<Pid> {
    let mut leaves = Vec::new();
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        let children = children_of(pid);
        if children.is_empty() && pid != root {
            leaves.push(pid);
        }
        open.extend(children);
    }
    leaves
}

/// Whether this very process still runs; a zombie does not.
pub fn is_alive(process: &Process) -> bool {
    stat_of(process.pid).is_some_and(|stat| stat.start_ticks == process.start_ticks && !stat.zombie)
}

/// The memory of one process.
///
/// # Errors
/// When it is gone, or belongs to another user.
pub fn memory(pid: Pid) -> io::Result<Memory> {
    let rollup = fs::read_to_string(path(pid, "smaps_rollup"))?;
    let kib = |key| field(&rollup, key).unwrap_or(0);
    Ok(Memory {
        resident_kib: kib("Rss:"),
        private_kib: kib("Private_Clean:") + kib("Private_Dirty:"),
        proportional_kib: kib("Pss:"),
    })
}

/// The most that was resident of one process at any time (VmHWM); `None` when it is gone.
pub fn peak_resident_kib(pid: Pid) -> Option<u64> {
    field(&fs::read_to_string(path(pid, "status")).ok()?, "VmHWM:")
}

/// Context switches of all threads of a tree since they began, voluntary and not.
pub fn context_switches(tree: &[Process]) -> u64 {
    let of_thread = |tid: &Pid, pid: Pid| {
        let status = fs::read_to_string(path(pid, &format!("task/{tid}/status"))).unwrap_or_default();
        let count = |key| field(&status, key).unwrap_or(0);
        count("voluntary_ctxt_switches:") + count("nonvoluntary_ctxt_switches:")
    };
    tree.iter().map(|process| threads_of(process.pid).iter().map(|tid| of_thread(tid, process.pid)).sum::<u64>()).sum()
}

/// The parts of /proc/PID/stat that are used.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    zombie: bool,
    parent: Option<Pid>,
    start_ticks: u64,
    own_ticks: u64,
    reaped_ticks: u64,
}

/// USER_HZ: 100 on every Linux architecture in use (time(7)); /proc speaks in it, whatever the kernel's own HZ.
const TICK: Duration = Duration::from_millis(10);

fn path(pid: Pid, file: &str) -> String {
    format!("/proc/{pid}/{file}")
}

fn process(pid: Pid, children: usize) -> Option<Process> {
    let stat = stat_of(pid)?;
    Some(Process {
        pid,
        name: stat.name,
        start_ticks: stat.start_ticks,
        parent: stat.parent,
        children,
        own_cpu: exact_cpu(pid).max(ticks(stat.own_ticks)),
        reaped_cpu: ticks(stat.reaped_ticks),
    })
}

/// Time of the living threads in nanoseconds. Ticks are coarser but know the threads that ended, so the caller takes
/// the larger of the two.
fn exact_cpu(pid: Pid) -> Duration {
    let of_thread = |tid: &Pid| -> Option<u64> {
        let schedstat = fs::read_to_string(path(pid, &format!("task/{tid}/schedstat"))).ok()?;
        schedstat.split(' ').next()?.parse().ok()
    };
    Duration::from_nanos(threads_of(pid).iter().filter_map(of_thread).sum())
}

fn ticks(count: u64) -> Duration {
    TICK * u32::try_from(count).unwrap_or(u32::MAX)
}

fn stat_of(pid: Pid) -> Option<Stat> {
    parse_stat(&fs::read(path(pid, "stat")).ok()?)
}

/// The name stands in parentheses and may hold anything, so the last one closes it.
fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    let text = String::from_utf8_lossy(bytes);
    let (front, rest) = text.rsplit_once(") ")?;
    let name = front.split_once(" (")?.1.to_owned();
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // proc_pid_stat(5) counts from 1; `rest` begins with field 3.
    let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
    Some(Stat {
        name,
        zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: pid_from(fields.get(4 - 3)?),
        own_ticks: number(14)? + number(15)?,
        reaped_ticks: number(16)? + number(17)?,
        start_ticks: number(22)?,
    })
}

fn threads_of(pid: Pid) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir(path(pid, "task")) else { return Vec::new() };
    entries.flatten().filter_map(|entry| pid_from(entry.file_name().to_str()?)).collect()
}

fn children_of(pid: Pid) -> Vec<Pid> {
    let of_thread = |tid: Pid| fs::read_to_string(path(pid, &format!("task/{tid}/children"))).unwrap_or_default();
    let lists: Vec<String> = threads_of(pid).into_iter().map(of_thread).collect();
    lists.iter().flat_map(|list| list.split_ascii_whitespace().filter_map(pid_from)).collect()
}

fn pid_from(text: &str) -> Option<Pid> {
    Pid::from_raw(text.parse().ok()?)
}

/// The first number after `key` at the beginning of a line.
fn field(text: &str, key: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Child, ChildStdout, Command, Stdio};

    use super::*;

    /// A shell that runs a script and is ended with the test.
    struct Shell(Child);

    impl Shell {
        fn run(script: &str) -> (Self, BufReader<ChildStdout>) {
            let mut command = Command::new("sh");
            command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn().expect("a shell");
            let output = BufReader::new(child.stdout.take().expect("piped"));
            (Self(child), output)
        }

        fn pid(&self) -> Pid {
            Pid::from_child(&self.0)
        }
    }

    impl Drop for Shell {
        fn drop(&mut self) {
            // End of file lets the script go on to its end.
            drop(self.0.stdin.take());
            self.0.wait().expect("a child of ours");
        }
    }

    fn line(output: &mut impl BufRead) -> String {
        let mut line = String::new();
        output.read_line(&mut line).expect("a line");
        line
    }

    /// Adds up what the shell's `times` prints: `0m0.12s 0m0.03s` for itself, the same for its children.
    fn seconds(times: &str) -> f64 {
        let of_one = |text: &str| -> f64 {
            let (minutes, seconds) = text.trim_end_matches('s').split_once('m').expect("a time");
            minutes.parse::<f64>().expect("a number") * 60.0 + seconds.parse::<f64>().expect("a number")
        };
        times.split_ascii_whitespace().map(of_one).sum()
    }

    const BURN: &str = "i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done";

    #[test]
    fn cpu_time_counts_the_living_and_the_dead() {
        let (shell, mut output) = Shell::run(&format!("{BURN}; ({BURN}); times; echo done; read end"));
        let (own, children) = (seconds(&line(&mut output)), seconds(&line(&mut output)));
        assert_eq!(line(&mut output), "done\n");
        let tree = tree(shell.pid());
        assert_eq!(tree.len(), 1, "the inner shell is dead: {tree:?}");
        assert!(children > 0.04, "the dead one worked for {children} s");
        let measured = cpu_time(&tree).as_secs_f64();
        let expected = own + children;
        assert!((measured - expected).abs() < 0.03, "/proc says {measured} s, the shell {expected} s");
    }

    #[test]
    fn cpu_time_counts_children_that_live() {
        let script = format!("({BURN}; times; read end) <&0 & read end; wait");
        let (shell, mut output) = Shell::run(&script);
        let worked = seconds(&line(&mut output));
        let tree = tree(shell.pid());
        assert_eq!((tree.len(), tree[0].children, tree[1].parent), (2, 1, Some(shell.pid())));
        assert_eq!(leaves(shell.pid()), [tree[1].pid]);
        let measured = tree[1].own_cpu.as_secs_f64();
        assert!(worked > 0.04 && (measured - worked).abs() < 0.03, "/proc says {measured} s, the shell {worked} s");
    }

    #[test]
    fn a_process_that_is_gone_has_no_tree() {
        let (shell, mut output) = Shell::run("echo here; read end");
        assert_eq!(line(&mut output), "here\n");
        let pid = shell.pid();
        let alone = tree(pid);
        assert!(is_alive(&alone[0]));
        drop(shell);
        assert_eq!(tree(pid), []);
        assert!(!is_alive(&alone[0]));
        assert!(memory(pid).is_err());
    }

    #[test]
    fn memory_and_switches_of_a_process_are_there() {
        let here = rustix::process::getpid();
        let memory = memory(here).expect("our own");
        assert!(memory.resident_kib >= memory.proportional_kib && memory.proportional_kib >= memory.private_kib);
        assert!(memory.private_kib > 0);
        // Of a child: threads of this process come and go with other tests. It switches when it waits for its own.
        let (mut shell, mut output) = Shell::run("echo here; read go; (true); echo there; read end");
        assert_eq!(line(&mut output), "here\n");
        let before = context_switches(&tree(shell.pid()));
        shell.0.stdin.as_mut().expect("its input").write_all(b"go\n").expect("a line");
        assert_eq!(line(&mut output), "there\n");
        assert!(context_switches(&tree(shell.pid())) > before);
    }

    #[test]
    fn a_name_may_hold_blanks_and_parentheses() {
        let line = b"7 (a) (b c) S 1 7 7 0 -1 4194304 1 2 3 4 10 20 30 40 20 0 1 0 12345 1 1";
        let expected = Stat {
            name: "a) (b c".to_owned(),
            zombie: false,
            parent: pid_from("1"),
            start_ticks: 12345,
            own_ticks: 30,
            reaped_ticks: 70,
        };
        assert_eq!(parse_stat(line), Some(expected));
        assert_eq!(parse_stat(b"7 (a) S 1"), None);
        assert_eq!(parse_stat(b""), None);
    }
}
