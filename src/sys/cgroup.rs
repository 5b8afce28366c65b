//! What the cgroups of this process leave it of memory, its own and all above it, and whom the kernel has killed there when
//! it was used up; of both versions (cgroups(7)). Master.

use std::fs;
use std::path::Path;

/// Where both are mounted.
const MOUNTED: &str = "/sys/fs/cgroup";

/// The least that any limit leaves; `None` without one.
pub(super) fn memory_left_bytes() -> Option<u64> {
    left_under(Path::new(MOUNTED), &fs::read_to_string("/proc/self/cgroup").ok()?)
}

/// The least limit; `None` without one.
pub(super) fn memory_limit_bytes() -> Option<u64> {
    let memberships = fs::read_to_string("/proc/self/cgroup").ok()?;
    memberships.lines().filter_map(|line| least_in(Path::new(MOUNTED), line, |limit, _| Some(limit))).min()
}

/// The same, from what is mounted at `root` and the lines of `/proc/PID/cgroup`.
fn left_under(root: &Path, memberships: &str) -> Option<u64> {
    memberships.lines().filter_map(|line| left_in(root, line)).min()
}

fn left_in(root: &Path, membership: &str) -> Option<u64> {
    least_in(root, membership, |limit, used| Some(limit.saturating_sub(used?)))
}

/// The least that limits of one membership come to together with what is used, `number:controllers:path`. A path that is not there is as seen from outside of a container,
/// whose own limit is at the root then.
fn least_in(root: &Path, membership: &str, of: impl Fn(u64, Option<u64>) -> Option<u64>) -> Option<u64> {
    let (_, rest) = membership.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    let (root, limit, used) = match controllers {
        "" => (root.to_owned(), "memory.max", "memory.current"),
        of if of.split(',').any(|one| one == "memory") => {
            (root.join("memory"), "memory.limit_in_bytes", "memory.usage_in_bytes")
        }
        _ => return None,
    };
    let number = |file: &Path| fs::read_to_string(file).ok()?.trim().parse::<u64>().ok();
    let left = |group: &Path| {
        let directory = root.join(group.strip_prefix("/").unwrap_or(group));
        of(number(&directory.join(limit))?, number(&directory.join(used)))
    };
    Path::new(path).ancestors().filter_map(left).min()
}

/// How many processes of the memory cgroup of this process the kernel's OOM killer has killed so far, wherever memory was
/// short; `None` where the kernel does not count them, as at the root of all cgroups.
pub(super) fn oom_kills() -> Option<u64> {
    oom_kills_under(Path::new(MOUNTED), &fs::read_to_string("/proc/self/cgroup").ok()?)
}

/// The same, from what is mounted at `root` and the lines of `/proc/PID/cgroup`.
fn oom_kills_under(root: &Path, memberships: &str) -> Option<u64> {
    memberships.lines().find_map(|line| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let (root, file) = match controllers {
            "" => (root.to_owned(), "memory.events"),
            of if of.split(',').any(|one| one == "memory") => (root.join("memory"), "memory.oom_control"),
            _ => return None,
        };
        // In a container the path may be as seen from outside; what is mounted is its own cgroup then.
        let read = |path: &str| fs::read_to_string(root.join(path.trim_start_matches('/')).join(file)).ok();
        counted(&read(path).or_else(|| read(""))?)
    })
}

/// The count in the text of a file with one `name number` a line.
pub(super) fn counted(text: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cgroup with a limit and what it uses.
    fn group(root: &Path, path: &str, files: [&str; 2], values: [&str; 2]) {
        let directory = root.join(path);
        fs::create_dir_all(&directory).unwrap();
        for (file, value) in files.into_iter().zip(values) {
            fs::write(directory.join(file), format!("{value}\n")).unwrap();
        }
    }

    #[test]
    fn the_tightest_limit_counts_wherever_it_is_above_us() {
        let root = tempfile::tempdir().unwrap();
        let unified = ["memory.max", "memory.current"];
        group(root.path(), "pod", unified, ["1000", "900"]);
        group(root.path(), "pod/app", unified, ["max", "300"]);
        group(root.path(), "pod/app/own", unified, ["500", "200"]);
        assert_eq!(left_under(root.path(), "0::/pod/app/own\n"), Some(100));
        assert_eq!(left_under(root.path(), "0::/pod/app\n"), Some(100));
        assert_eq!(left_under(root.path(), "0::/elsewhere\n"), None);
    }

    #[test]
    fn limits_of_the_first_version_count_as_well_also_in_a_container_that_does_not_see_its_path() {
        let root = tempfile::tempdir().unwrap();
        let first = ["memory.limit_in_bytes", "memory.usage_in_bytes"];
        group(root.path(), "memory", first, ["800", "300"]);
        group(root.path(), "memory/app", first, ["9223372036854771712", "100"]);
        let memberships = |path: &str| format!("5:devices:/\n4:cpu,memory:{path}\n0::/\n");
        assert_eq!(left_under(root.path(), &memberships("/app")), Some(500));
        assert_eq!(left_under(root.path(), &memberships("/docker/0123")), Some(500));
    }

    #[test]
    fn killed_processes_are_counted_in_both_versions() {
        let root = tempfile::tempdir().unwrap();
        group(root.path(), "app", ["memory.events", "x"], ["low 0\nhigh 3\nmax 9\noom 2\noom_kill 1", ""]);
        assert_eq!(oom_kills_under(root.path(), "0::/app\n"), Some(1));
        assert_eq!(oom_kills_under(root.path(), "0::/elsewhere\n"), None);
        let control = "oom_kill_disable 0\nunder_oom 0\noom_kill 4";
        group(root.path(), "memory/app", ["memory.oom_control", "x"], [control, ""]);
        assert_eq!(oom_kills_under(root.path(), "5:cpu:/app\n4:memory:/app\n0::/\n"), Some(4));
        group(root.path(), "memory", ["memory.oom_control", "x"], ["oom_kill 7", ""]);
        assert_eq!(oom_kills_under(root.path(), "4:memory:/docker/0123\n"), Some(7), "seen from within a container");
    }

    #[test]
    fn more_used_than_allowed_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        group(root.path(), "", ["memory.max", "memory.current"], ["10", "20"]);
        assert_eq!(left_under(root.path(), "0::/\n"), Some(0));
    }
}
