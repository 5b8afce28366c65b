//! Tells which of the workers that died of SIGKILL the kernel's OOM killer has killed, by its own count of them. Looks when
//! a worker comes or goes, so that what happened long ago is not taken for the cause. Master only.

use super::machine::{Event, ExitStatus, Machine};
use crate::sys::memory::{OomKills, oom_kills};

/// What the count was at the last look.
#[derive(Debug, Default)]
pub(super) struct OomWatch {
    seen: Option<OomKills>,
}

/// How sure it is that the OOM killer did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It has killed somebody of our cgroup.
    Ours,
    /// It has killed somebody of the machine, and more is not told.
    Perhaps,
}

impl OomWatch {
    /// An event that the machine has not taken in yet: says so if the end that it tells of was the OOM killer's work.
    pub(super) fn hear(&mut self, event: &Event, machine: &Machine) {
        let (seat, killed) = match event {
            Event::Ready { seat, .. } => (seat, false),
            Event::Exited { seat, status, .. } => (seat, *status == ExitStatus::Signal(libc::SIGKILL)),
            _ => return,
        };
        let Some(worker) = machine.workers().find(|worker| worker.seat == *seat) else { return };
        let (Some(verdict), true, Some(pid)) = (self.look(oom_kills()), killed, worker.pid) else { return };
        let post = worker.post;
        match verdict {
            Verdict::Ours => log::error!("{post} (pid: {pid}) was killed by the kernel's OOM killer: out of memory"),
            Verdict::Perhaps => log::error!(
                "{post} (pid: {pid}) was perhaps killed by the kernel's OOM killer, which has killed a process of this machine"
            ),
        }
    }

    /// Looks again. What the kernel has done since the last look.
    fn look(&mut self, now: OomKills) -> Option<Verdict> {
        let before = self.seen.replace(now)?;
        let more = |before: Option<u64>, now: Option<u64>| before.is_some_and(|before| now > Some(before));
        if more(before.own, now.own) {
            return Some(Verdict::Ours);
        }
        more(before.machine, now.machine).then_some(Verdict::Perhaps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_kernel_has_done_since_the_last_look_is_its_work() {
        let kills = |own, machine| OomKills { own, machine };
        let mut watch = OomWatch::default();
        assert_eq!(watch.look(kills(Some(3), None)), None, "before us");
        assert_eq!(watch.look(kills(Some(3), None)), None);
        assert_eq!(watch.look(kills(Some(4), None)), Some(Verdict::Ours));
        assert_eq!(watch.look(kills(Some(4), None)), None);
        let mut watch = OomWatch::default();
        watch.look(kills(None, Some(7)));
        assert_eq!(watch.look(kills(None, Some(8))), Some(Verdict::Perhaps));
        assert_eq!(watch.look(kills(None, None)), None);
    }
}
