//! What the children say on their control sockets: events for the machine, and what the application wants. Master only.

use std::fmt::Debug;
use std::os::fd::OwnedFd;

use mio::Poll;
use worker_protocol::control::{self, FromWorker, FromZygote, Message};

use super::super::machine::{Event, ExitStatus, Generation, LeaveReason, Order, ProcessId, Reload, Seat};
use super::super::wake::Wake;
use super::super::wanted::Wanted;
use super::budget::{Budget, Verdict};
use super::registry::Children;
use crate::escape;
use crate::sys::clock::monotonic_us;
use crate::sys::control::{ControlSocket, Received};
use crate::sys::process::{PidFd, WaitStatus};
use crate::sys::processes::parent;

/// One thing that a child has said.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::master) enum Said {
    /// Something has become of it.
    Event(Event),
    /// Its application wants something.
    Wanted(Wanted),
    /// A worker has served long enough for others to be forked from it.
    Seasoned(Seat),
    /// A worker has not become the mold that it was told to become, and why.
    NotMolded { seat: Seat, reason: String },
    /// A process has ended that has no seat and loads nothing.
    StrangerEnded(ProcessId, ExitStatus),
}

impl From<Event> for Said {
    fn from(event: Event) -> Self {
        Self::Event(event)
    }
}

impl Children {
    /// What a zygote has said, within bounds. What it has answered makes room for further orders.
    pub(in crate::master) fn hear_zygote(&mut self, generation: Generation, poll: &Poll) -> Vec<Said> {
        let mut said = self.take_in_zygote(generation, poll);
        if let Some(zygote) = self.zygotes.get_mut(&generation) {
            zygote.try_again(generation, poll);
        }
        said.extend(self.send_orders(generation, poll).into_iter().map(Said::from));
        said
    }

    pub(super) fn take_in_zygote(&mut self, generation: Generation, poll: &Poll) -> Vec<Said> {
        let mut said = Vec::new();
        loop {
            let Some(zygote) = self.zygotes.get_mut(&generation) else { return said };
            let who = || format!("zygote of generation {generation}");
            match heard(&zygote.control, &mut zygote.budget, who) {
                Heard::Record(record, beside) => {
                    if let FromZygote::Exited { pid, wait_status, .. } = record
                        && let Some(ended) = self.mold_ended(pid, WaitStatus(wait_status), poll)
                    {
                        said.extend(ended);
                        continue;
                    }
                    if let FromZygote::Exited { seat, .. } = record {
                        // What the worker said before its end comes first.
                        said.extend(self.last_words(seat));
                    }
                    said.extend(self.take_from_zygote(generation, record, beside, poll).map(Said::from));
                }
                Heard::Nothing => return said,
                Heard::TooMuch => {
                    self.kill_zygote(generation);
                    return said;
                }
            }
        }
    }

    fn take_from_zygote(
        &mut self,
        generation: Generation,
        record: FromZygote,
        beside: Vec<OwnedFd>,
        poll: &Poll,
    ) -> Option<Event> {
        let zygote = self.zygotes.get_mut(&generation)?;
        zygote.unheard = None;
        let zygote_pid = zygote.pid;
        if let FromZygote::Forked { .. } | FromZygote::ForkFailed { .. } = record {
            zygote.orders.answered();
        }
        Some(match record {
            FromZygote::Loaded { boot_us } => Event::ZygoteLoaded { generation, boot_us },
            FromZygote::LoadFailed { exit_code, text } => {
                Event::ZygoteLoadFailed { generation, exit_code, reason: escape::said(&text) }
            }
            FromZygote::LiveThreads { count, text } => {
                let text = escape::value(text.as_bytes());
                log::warn!(
                    "the application started threads while it was loaded ({count}: {text}); they run once, in the \
                     zygote, and do not exist in the workers. Start in each worker those that workers need \
                     (uwsgidecorators.postfork), or set lazy-apps = true"
                );
                return None;
            }
            FromZygote::NoApplication => {
                self.no_application = Some(generation);
                return None;
            }
            FromZygote::Forked { seat, pid } => {
                let member = self.members.get_mut(&seat)?;
                let pidfd = PidFd::from_owned(beside.into_iter().next()?);
                if member.process.is_some() || !is_child(&pidfd, pid, zygote_pid) {
                    log::error!("zygote of generation {generation}: process {pid} is no child of it for seat {seat}");
                    return None;
                }
                if let Err(error) = Wake::Ended(seat).when_readable(&pidfd, poll) {
                    log::error!("the end of worker process {pid} is known only if its zygote tells of it: {error}");
                }
                member.process = Some((pid, pidfd));
                if member.budget.is_overdrawn() {
                    self.kill(seat);
                }
                Event::Forked { seat, pid }
            }
            FromZygote::ForkFailed { seat, errno } => {
                self.members.remove(&seat);
                Event::ForkFailed { seat, errno }
            }
            // It counts as ended already.
            FromZygote::Exited { pid, .. } if zygote.untold.remove(&pid) => return None,
            FromZygote::Exited { seat, pid, wait_status } => self.bury(seat, pid, WaitStatus(wait_status)),
        })
    }

    /// What the child in a seat has said, within bounds.
    pub(in crate::master) fn hear_member(&mut self, seat: Seat) -> Vec<Said> {
        let mut said = Vec::new();
        loop {
            let Some(member) = self.members.get_mut(&seat) else { return said };
            match heard(&member.control, &mut member.budget, || format!("worker in seat {seat}")) {
                // Once is enough.
                Heard::Record(FromWorker::Ready { .. }, _) if member.heard_ready => {}
                Heard::Record(FromWorker::Molded, beside) => {
                    let control = beside.into_iter().next().map(ControlSocket::from_owned);
                    match control.is_some_and(|control| self.follows_calling(seat, control)) {
                        true => said.push(Event::Molded { seat }.into()),
                        false => {
                            log::error!("worker in seat {seat} says that it is a mold, which nobody has told it to be")
                        }
                    }
                }
                // Once as well, and from nobody else.
                Heard::Record(FromWorker::NotMolded { .. }, _) if !member.calling.is_missed() => {}
                Heard::Record(record, _) => {
                    member.heard_ready |= matches!(record, FromWorker::Ready { .. });
                    if record == FromWorker::NoApplication {
                        self.no_application = Some(member.generation);
                    }
                    said.extend(from_worker(seat, record, &mut member.budget));
                }
                // Its end is reported by whoever reaps it.
                Heard::Nothing => return said,
                Heard::TooMuch => {
                    // One whose process is not known yet is killed as soon as it is.
                    if member.process.is_some() {
                        self.kill(seat);
                    }
                    return said;
                }
            }
        }
    }

    /// What the child in a seat has said before its end, of which is known by now. One that became a mold in between is none
    /// any more.
    pub(super) fn last_words(&mut self, seat: Seat) -> Vec<Said> {
        let mut said = self.hear_member(seat);
        said.retain(|one| *one != Said::Event(Event::Molded { seat }));
        said
    }

    /// The end of the child in a seat, which is free from here on.
    pub(super) fn bury(&mut self, seat: Seat, pid: ProcessId, status: WaitStatus) -> Event {
        self.strike_off(seat);
        Event::Exited { seat, pid, status: exit_status(status) }
    }
}

/// What came of one look at a control socket.
enum Heard<M> {
    Record(M, Vec<OwnedFd>),
    /// Nothing more for now. The end of a child is told by its exit status, which is still to come.
    Nothing,
    /// So much that the child is to go; that has been told.
    TooMuch,
}

/// The next record. What is none is counted here, and told once.
fn heard<M: Message + Debug>(control: &ControlSocket, budget: &mut Budget, who: impl Fn() -> String) -> Heard<M> {
    loop {
        if budget.is_overdrawn() {
            return Heard::Nothing;
        }
        let received = control.receive();
        if let Ok(Received::Message(..) | Received::Unfit(_)) = received
            && budget.packet(monotonic_us()) != Verdict::Heard
        {
            return too_much(budget, &who());
        }
        match received {
            Ok(Received::Message(record, beside)) => return Heard::Record(record, beside),
            Ok(Received::Unfit(unfit)) => match budget.unfit() {
                Verdict::Heard => log::error!("{}: {unfit}", who()),
                Verdict::TooMuch { first: false } => {}
                Verdict::TooMuch { first: true } => return too_much(budget, &who()),
            },
            Ok(Received::Nothing | Received::EndOfFile) => return Heard::Nothing,
            Err(error) => {
                log::error!("{}: {error}", who());
                return Heard::Nothing;
            }
        }
    }
}

fn too_much<M>(budget: &Budget, who: &str) -> Heard<M> {
    log::error!("{who}: {}; that is too much, and it is killed and replaced", budget.account());
    Heard::TooMuch
}

fn from_worker(seat: Seat, record: FromWorker, budget: &mut Budget) -> Option<Said> {
    let event = match record {
        FromWorker::Ready { boot_us } => Event::Ready { seat, boot_us, pid: None },
        FromWorker::NotReady { exit_code, text } => Event::NotReady { seat, exit_code, reason: escape::said(&text) },
        FromWorker::Leaving { reason } => Event::Leaving { seat, reason: leave_reason(reason) },
        FromWorker::Worn { reason } => Event::Worn { seat, reason: leave_reason(reason) },
        FromWorker::AskReload => return wish(seat, budget, Wanted::Order(Order::Reload(Reload::Graceful))),
        FromWorker::AskStop => return wish(seat, budget, Wanted::Order(Order::Stop)),
        FromWorker::AskCheap => return wish(seat, budget, Wanted::FewerBy(seat)),
        FromWorker::Seasoned => return Some(Said::Seasoned(seat)),
        FromWorker::NotMolded { text } => {
            return Some(Said::NotMolded { seat, reason: escape::value(text.as_bytes()) });
        }
        FromWorker::NoApplication | FromWorker::Molded => return None,
    };
    Some(Said::Event(event))
}

/// A wish of the application, unless there were too many of late.
fn wish(seat: Seat, budget: &mut Budget, wanted: Wanted) -> Option<Said> {
    match budget.wish() {
        Verdict::Heard => Some(Said::Wanted(wanted)),
        Verdict::TooMuch { first } => {
            if first {
                log::warn!(
                    "worker in seat {seat}: the application asks for reloads, stops or fewer workers again and again; \
                     only the first few in each second are heard"
                );
            }
            None
        }
    }
}

/// Whether a descriptor is what a zygote says it is. What it stands for will be killed when it does not end by itself,
/// which may be beyond the rights of who sent it.
fn is_child(pidfd: &PidFd, pid: ProcessId, zygote: ProcessId) -> bool {
    match pidfd.number() {
        // It has ended already, and nobody else is meant.
        Some(-1) => true,
        // Its parent is the zygote, or has become ourselves.
        Some(number) => {
            let is_ours = |parent| parent == zygote.get() || u32::try_from(parent) == Ok(std::process::id());
            number == pid.get() && parent(number).is_none_or(is_ours)
        }
        None => false,
    }
}

fn leave_reason(reason: control::LeaveReason) -> LeaveReason {
    match reason {
        control::LeaveReason::MaxRequests => LeaveReason::Requests,
        control::LeaveReason::MaxLifetime => LeaveReason::Lifetime,
        control::LeaveReason::Memory => LeaveReason::Memory,
        control::LeaveReason::Exception => LeaveReason::Exception,
        control::LeaveReason::Harakiri => LeaveReason::Harakiri,
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
