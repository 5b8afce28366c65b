//! What the children say on their control sockets: events for the machine, and what the application wants. Master only.

use std::os::fd::OwnedFd;

use worker_protocol::control::{self, FromWorker, FromZygote};

use super::super::machine::{Event, ExitStatus, Generation, LeaveReason, Order, ProcessId, Reload, Seat};
use super::super::wanted::Wanted;
use super::registry::Children;
use crate::sys::control::Received;
use crate::sys::process::{PidFd, WaitStatus};

/// One thing that a child has said.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::master) enum Said {
    /// Something has become of it.
    Event(Event),
    /// Its application wants something.
    Wanted(Wanted),
}

impl From<Event> for Said {
    fn from(event: Event) -> Self {
        Self::Event(event)
    }
}

impl Children {
    /// What a zygote has said.
    pub(in crate::master) fn hear_zygote(&mut self, generation: Generation) -> Vec<Said> {
        let mut said = Vec::new();
        loop {
            let Some(zygote) = self.zygotes.get(&generation) else { return said };
            match zygote.control.receive() {
                Ok(Received::Message(record, beside)) => {
                    if let FromZygote::Exited { seat, .. } = record {
                        // What the worker said before its end comes first.
                        said.extend(self.hear_member(seat));
                    }
                    said.extend(self.take_from_zygote(generation, record, beside).map(Said::from));
                }
                Ok(Received::Unfit(unfit)) => log::error!("zygote of generation {generation}: {unfit}"),
                // Its end is told by its exit status, which is still to come.
                Ok(Received::Nothing | Received::EndOfFile) => return said,
                Err(error) => {
                    log::error!("zygote of generation {generation}: {error}");
                    return said;
                }
            }
        }
    }

    fn take_from_zygote(&mut self, generation: Generation, record: FromZygote, beside: Vec<OwnedFd>) -> Option<Event> {
        if let Some(zygote) = self.zygotes.get_mut(&generation) {
            zygote.unheard = None;
        }
        Some(match record {
            FromZygote::Loaded { boot_us } => Event::ZygoteLoaded { generation, boot_us },
            FromZygote::LoadFailed { exit_code, text } => {
                Event::ZygoteLoadFailed { generation, exit_code, reason: text }
            }
            FromZygote::LiveThreads { count, text } => {
                log::warn!(
                    "the application started threads while it was loaded ({count}: {text}); they do not exist in \
                     the workers. Start them in each worker, or set lazy-apps = true"
                );
                return None;
            }
            FromZygote::Forked { seat, pid } => {
                let member = self.members.get_mut(&seat)?;
                let pidfd = beside.into_iter().next()?;
                member.process = Some((pid, PidFd::from_owned(pidfd)));
                Event::Forked { seat, pid }
            }
            FromZygote::ForkFailed { seat, errno } => {
                self.members.remove(&seat);
                Event::ForkFailed { seat, errno }
            }
            FromZygote::Exited { seat, pid, wait_status } => self.bury(seat, pid, WaitStatus(wait_status)),
        })
    }

    /// What the child in a seat has said.
    pub(in crate::master) fn hear_member(&mut self, seat: Seat) -> Vec<Said> {
        let mut said = Vec::new();
        loop {
            let Some(member) = self.members.get_mut(&seat) else { return said };
            match member.control.receive() {
                Ok(Received::Message(record, _)) => {
                    member.heard_ready |= matches!(record, FromWorker::Ready { .. });
                    said.push(from_worker(seat, record));
                }
                Ok(Received::Unfit(unfit)) => log::error!("worker in seat {seat}: {unfit}"),
                // Its end is reported by whoever reaps it.
                Ok(Received::Nothing | Received::EndOfFile) => return said,
                Err(error) => {
                    log::error!("worker in seat {seat}: {error}");
                    return said;
                }
            }
        }
    }

    /// The end of the child in a seat, which is free from here on.
    pub(super) fn bury(&mut self, seat: Seat, pid: ProcessId, status: WaitStatus) -> Event {
        self.strike_off(seat);
        Event::Exited { seat, pid, status: exit_status(status) }
    }
}

fn from_worker(seat: Seat, record: FromWorker) -> Said {
    let event = match record {
        FromWorker::Ready { boot_us } => Event::Ready { seat, boot_us, pid: None },
        FromWorker::NotReady { exit_code, text } => Event::NotReady { seat, exit_code, reason: text },
        FromWorker::Leaving { reason } => Event::Leaving { seat, reason: leave_reason(reason) },
        FromWorker::AskReload => return Said::Wanted(Wanted::Order(Order::Reload(Reload::Graceful))),
        FromWorker::AskStop => return Said::Wanted(Wanted::Order(Order::Stop)),
        FromWorker::AskCheap => return Said::Wanted(Wanted::FewerBy(seat)),
    };
    Said::Event(event)
}

fn leave_reason(reason: control::LeaveReason) -> LeaveReason {
    match reason {
        control::LeaveReason::MaxRequests => LeaveReason::Requests,
        control::LeaveReason::MaxLifetime => LeaveReason::Lifetime,
        control::LeaveReason::Memory => LeaveReason::Memory,
        control::LeaveReason::Exception => LeaveReason::Exception,
        control::LeaveReason::Signal => LeaveReason::Other,
    }
}

/// What a raw status word says.
pub(super) fn exit_status(status: WaitStatus) -> ExitStatus {
    if libc::WIFSIGNALED(status.0) {
        ExitStatus::Signal(libc::WTERMSIG(status.0))
    } else {
        ExitStatus::Code(libc::WEXITSTATUS(status.0))
    }
}
