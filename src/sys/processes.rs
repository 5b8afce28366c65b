//! What the system says of processes that are not ours: read from /proc. Master.

use std::fs;

use nix::unistd::SysconfVar;

use super::clock::{epoch_us, since_boot_us};

/// A process as /proc has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessFacts {
    /// The user that it runs as.
    pub user: u32,
    /// When it began, in microseconds since the epoch, by the wall clock as that is now.
    pub began_us: u64,
    /// Its arguments, its own name first.
    pub arguments: Vec<String>,
}

/// What there is to know of a process; `None` when it has ended, or may not be seen.
pub fn facts(pid: i32) -> Option<ProcessFacts> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (lives, ticks) = state(&stat)?;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let after_boot_us = u128::from(ticks) * 1_000_000 / u128::from(ticks_per_second());
    let age_us = since_boot_us().saturating_sub(u64::try_from(after_boot_us).unwrap_or(u64::MAX));
    lives.then_some(ProcessFacts {
        user: effective_user(&status)?,
        began_us: epoch_us().saturating_sub(age_us),
        arguments: arguments
            .split(|byte| *byte == 0)
            .filter(|argument| !argument.is_empty())
            .map(|argument| String::from_utf8_lossy(argument).into_owned())
            .collect(),
    })
}

/// When a process began, in ticks after the boot; `None` when it has ended.
pub fn began_ticks(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    state(&stat).filter(|(lives, _)| *lives).map(|(_, ticks)| ticks)
}

/// The parent of a process; `None` when it is gone.
pub fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// What a process is called, as `ps -o comm` shows it; `None` when it is gone.
pub fn name(pid: i32) -> Option<String> {
    Some(fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim_end().to_owned())
}

/// Whether it lives, and when it began in ticks after the boot, from `/proc/PID/stat` (proc_pid_stat(5)). The name of the
/// program stands in parentheses and may hold anything.
fn state(stat: &str) -> Option<(bool, u64)> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    let began = fields.nth(18)?.parse().ok()?;
    Some((!matches!(state, "Z" | "X" | "x"), began))
}

/// From `/proc/PID/status` (proc_pid_status(5)): real, effective, saved, of the file system.
fn effective_user(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

fn ticks_per_second() -> u64 {
    let asked = nix::unistd::sysconf(SysconfVar::CLK_TCK).ok().flatten();
    asked.and_then(|ticks| u64::try_from(ticks).ok()).filter(|ticks| *ticks > 0).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_known_and_one_that_is_not_there_is_none() {
        let own = facts(i32::try_from(std::process::id()).unwrap()).unwrap();
        assert_eq!(own.user, nix::unistd::Uid::effective().as_raw());
        assert!(own.began_us <= epoch_us() && own.began_us + 3_600_000_000 > epoch_us(), "{own:?}");
        assert!(own.arguments[0].contains("rhinod"), "{own:?}");
        assert_eq!(facts(i32::MAX), None);
        assert_eq!(parent(i32::try_from(std::process::id()).unwrap()), Some(nix::unistd::getppid().as_raw()));
    }

    #[test]
    fn a_name_with_parentheses_and_blanks_is_no_field() {
        let fields = "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 4711 20";
        assert_eq!(state(&format!("7 (a) b) S {fields}")), Some((true, 4711)));
        assert_eq!(state(&format!("7 (a) Z {fields}")), Some((false, 4711)));
        assert_eq!(state("7 (a"), None);
    }
}
