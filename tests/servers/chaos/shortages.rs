//! What an instance can be short of, imposed on its processes while they run and taken back: processes, descriptors and
//! memory by their limits (prlimit(2)), and the disk under its log, a small one of its own where we may mount it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use nix::sys::resource::{Resource as Own, getrlimit};
use nix::unistd::Uid;
use rustix::process::{Pid, Resource, Rlimit, prlimit};

use crate::harness::{Instance, Launch, Process};

/// As in the instance, which takes no more unasked.
const DESCRIPTORS_MAX: u64 = 1 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shortage {
    Processes,
    Descriptors,
    Memory,
    File,
}

impl Shortage {
    const ALL: [Shortage; 4] = [Shortage::Processes, Shortage::Descriptors, Shortage::Memory, Shortage::File];

    /// Leaves a process not one more than it has. One that has gone meanwhile is none.
    pub(super) fn impose(self, victim: &Process) {
        let most = match self {
            Shortage::Processes => Some(1),
            Shortage::Descriptors => first_free_descriptor(victim.pid),
            Shortage::Memory => address_space(victim.pid),
            Shortage::File => Some(1),
        };
        if let Some(most) = most {
            self.limit(victim, Some(most));
        }
    }

    /// Gives a process what it had at first of everything. Whether it had less.
    pub(super) fn relieve(victim: &Process) -> bool {
        let limits = fs::read_to_string(format!("/proc/{}/limits", victim.pid)).unwrap_or_default();
        let is_short = |shortage: &Shortage| {
            let soft = limits.lines().find_map(|line| line.strip_prefix(shortage.name())?.split_whitespace().next());
            soft.is_some_and(|soft| soft.parse().ok() != shortage.usual())
        };
        let short: Vec<Shortage> = Shortage::ALL.into_iter().filter(is_short).collect();
        short.iter().for_each(|shortage| shortage.limit(victim, shortage.usual()));
        !short.is_empty()
    }

    fn limit(self, victim: &Process, most: Option<u64>) {
        let (resource, _, own) = self.resource();
        let (_, hard) = getrlimit(own).expect("a limit");
        let maximum = (hard != nix::sys::resource::RLIM_INFINITY).then_some(hard);
        let pid = Pid::from_raw(victim.pid);
        // Its end is what may come in between.
        let _ = prlimit(pid, resource, Rlimit { current: most, maximum });
    }

    /// What it is without a shortage: what we have, whose child it is. `None` is no limit.
    fn usual(self) -> Option<u64> {
        let (soft, hard) = getrlimit(self.resource().2).expect("a limit");
        let usual = if self == Shortage::Descriptors { hard.min(DESCRIPTORS_MAX) } else { soft };
        (usual != nix::sys::resource::RLIM_INFINITY).then_some(usual)
    }

    /// As `/proc/PID/limits` calls it.
    fn name(self) -> &'static str {
        self.resource().1
    }

    fn resource(self) -> (Resource, &'static str, Own) {
        match self {
            Shortage::Processes => (Resource::Nproc, "Max processes ", Own::RLIMIT_NPROC),
            Shortage::Descriptors => (Resource::Nofile, "Max open files ", Own::RLIMIT_NOFILE),
            Shortage::Memory => (Resource::As, "Max address space ", Own::RLIMIT_AS),
            Shortage::File => (Resource::Fsize, "Max file size ", Own::RLIMIT_FSIZE),
        }
    }
}

/// The lowest number that it has not in use, which is the next that it would get.
fn first_free_descriptor(pid: i32) -> Option<u64> {
    let names = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
    let used: Vec<u64> = names.filter_map(|name| name.file_name().to_str()?.parse().ok()).collect();
    (0..).find(|number| !used.contains(number))
}

fn address_space(pid: i32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kilobytes| kilobytes * 1_024)
}

/// What is under the instance's log, in its directory `disk`.
#[derive(Debug)]
pub(super) enum Disk {
    /// A file system of the instance's own, which can be filled.
    Small,
    /// Nothing of its own: files can be kept from growing.
    Shared,
}

impl Disk {
    /// What we may have here.
    pub(super) fn find() -> Self {
        let mut mount = Command::new("unshare");
        mount.args(["--mount", "mount", "-t", "tmpfs", "chaos", "/tmp"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mounts = Uid::effective().is_root() && mount.status().is_ok_and(|status| status.success());
        if mounts { Self::Small } else { Self::Shared }
    }

    pub(super) fn under(&self, launch: Launch) -> Launch {
        fs::create_dir(launch.dir().join("disk")).expect("a directory");
        let mounted = "mount -t tmpfs -o size=16m,mode=777 chaos disk && exec \"$0\" \"$@\"";
        match self {
            Self::Small => launch.through(["unshare", "--mount", "sh", "-c", mounted]),
            Self::Shared => launch,
        }
    }

    pub(super) fn fill(&self, server: &Instance) {
        match self {
            Self::Small => {
                let filler = OpenOptions::new().create(true).append(true).open(self.path(server, "filler"));
                let mut filler = filler.expect("a file");
                while filler.write_all(&[0; 65_536]).is_ok() {}
            }
            Self::Shared => server.processes().iter().for_each(|process| Shortage::File.impose(process)),
        }
    }

    /// Limits of processes are taken back elsewhere.
    pub(super) fn free(&self, server: &Instance) {
        if let Self::Small = self {
            // There need not be one.
            let _ = fs::remove_file(self.path(server, "filler"));
        }
    }

    pub(super) fn read(&self, server: &Instance, name: &str) -> String {
        let bytes = fs::read(self.path(server, name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// As the instance sees it, whose mounts are its own.
    fn path(&self, server: &Instance, name: &str) -> PathBuf {
        let place = server.dir().join("disk").join(name);
        match self {
            Self::Small => PathBuf::from(format!("/proc/{}/root{}", server.pid(), place.display())),
            Self::Shared => place,
        }
    }
}
