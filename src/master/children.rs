//! The master's children and their control sockets: executing zygotes, ordering workers, hearing both, reaping.
//!
//! Turns what the kernel and the control sockets say into events of the machine, and its actions into records and
//! signals. Decides nothing. Master only.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;

use mio::unix::SourceFd;
use mio::{Interest, Poll, Token};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use worker_protocol::control::{self, FromWorker, FromZygote, MESSAGE_BYTES_MAX, Message, ToWorker, ToZygote};
use worker_protocol::ids::Life;
use worker_protocol::scoreboard::{Layout, MasterSeat, Presence, Scoreboard, SeatOrder};

use super::launch;
use super::machine::{Action, Event, ExitStatus, Generation, LeaveReason, Order, Plan, ProcessId, Reload, Seat, Slot};
use super::upgrade::{pass, take};
use crate::config::model::Config;
use crate::exit::Exit;
use crate::sys::clock::monotonic_us;
use crate::sys::control::{ControlSocket, Received};
use crate::sys::listeners::BoundSocket;
use crate::sys::process::{self, PidFd, WaitStatus};
use crate::sys::shared_memory::{SharedWords, memory_file};
use crate::sys::wait::Doorbell;

/// All processes below the master.
pub(super) struct Children {
    own_path: PathBuf,
    words: SharedWords,
    layout: Layout,
    zygotes: BTreeMap<Generation, Zygote>,
    workers: BTreeMap<Seat, Worker>,
    /// Counts every worker ever forked, so that an order meant for one is never obeyed by another.
    lives: Life,
}

struct Zygote {
    pid: ProcessId,
    control: ControlSocket,
    /// Until its first word: what was executed, and what it must be.
    unheard: Option<String>,
}

struct Worker {
    generation: Generation,
    control: ControlSocket,
    process: Option<(ProcessId, PidFd)>,
    life: Life,
    ordered_us: u64,
    /// Whether it has said that it accepts.
    heard_ready: bool,
    /// Whether its zygote is gone, so that it is ours to reap.
    orphan: bool,
}

/// What the next image of the master must know of the children: processes, and descriptors by their numbers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ChildrenHandover {
    scoreboard: RawFd,
    lives: Life,
    zygotes: Vec<(Generation, ProcessId, RawFd)>,
    workers: Vec<WorkerHandover>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WorkerHandover {
    seat: Seat,
    generation: Generation,
    control: RawFd,
    process: Option<(ProcessId, RawFd)>,
    life: Life,
    ordered_us: u64,
    orphan: bool,
}

/// Who speaks on a token of the event loop.
enum Speaker {
    Zygote(Generation),
    Worker(Seat),
    /// The pidfd of a worker whose zygote is gone.
    Orphan(Seat),
}

/// With what status an instance ends whose zygote cannot be executed. The interpreter is what the configuration chose;
/// all else is the system's refusal.
fn exit_of(error: &io::Error) -> Exit {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Exit::Configuration,
        _ if error.raw_os_error() == Some(libc::ENOEXEC) => Exit::Configuration,
        _ => Exit::System,
    }
}

const ZYGOTES: usize = 1 << 32;
const WORKERS: usize = 2 << 32;
const ORPHANS: usize = 3 << 32;

impl Speaker {
    fn token(&self) -> Token {
        Token(match self {
            Self::Zygote(generation) => ZYGOTES | generation.0 as usize,
            Self::Worker(seat) => WORKERS | seat.0 as usize,
            Self::Orphan(seat) => ORPHANS | seat.0 as usize,
        })
    }

    fn of(token: Token) -> Option<Self> {
        let number = (token.0 & u32::MAX as usize) as u32;
        match token.0 & !(u32::MAX as usize) {
            ZYGOTES => Some(Self::Zygote(Generation(number))),
            WORKERS => Some(Self::Worker(Seat(number))),
            ORPHANS => Some(Self::Orphan(Seat(number))),
            _ => None,
        }
    }
}

impl Children {
    pub(super) fn new(plan: &Plan, config: &Config) -> io::Result<Self> {
        let threads = u32::try_from(config.threads.max(1)).map_err(io::Error::other)?;
        let layout = Layout::new(plan.seats, threads).map_err(io::Error::other)?;
        let words = SharedWords::new(layout.words())?;
        Scoreboard::create(words.words(), layout).map_err(io::Error::other)?;
        Ok(Self {
            own_path: launch::own_path()?,
            words,
            layout,
            zygotes: BTreeMap::new(),
            workers: BTreeMap::new(),
            lives: Life(0),
        })
    }

    /// Writes everything down for the next image and lets the descriptors pass.
    pub(super) fn hand_over(&self) -> io::Result<ChildrenHandover> {
        let zygote =
            |(generation, zygote): (&Generation, &Zygote)| Ok((*generation, zygote.pid, pass(zygote.control.as_fd())?));
        let worker = |(seat, worker): (&Seat, &Worker)| -> io::Result<_> {
            let of_process = |(pid, pidfd): &(ProcessId, PidFd)| -> io::Result<_> { Ok((*pid, pass(pidfd.as_fd())?)) };
            let process = worker.process.as_ref().map(of_process);
            Ok(WorkerHandover {
                seat: *seat,
                generation: worker.generation,
                control: pass(worker.control.as_fd())?,
                process: process.transpose()?,
                life: worker.life,
                ordered_us: worker.ordered_us,
                orphan: worker.orphan,
            })
        };
        Ok(ChildrenHandover {
            scoreboard: pass(self.words.as_fd())?,
            lives: self.lives,
            zygotes: self.zygotes.iter().map(zygote).collect::<io::Result<_>>()?,
            workers: self.workers.iter().map(worker).collect::<io::Result<_>>()?,
        })
    }

    /// Takes over the children of the image before.
    pub(super) fn adopt(handover: ChildrenHandover, poll: &Poll) -> io::Result<Self> {
        let words = SharedWords::map(take(handover.scoreboard)?)?;
        let layout = Scoreboard::attach(words.words()).map_err(io::Error::other)?.layout();
        let mut zygotes = BTreeMap::new();
        for (generation, pid, control) in handover.zygotes {
            let control = ControlSocket::from_owned(take(control)?);
            register(poll, control.as_fd(), Speaker::Zygote(generation).token())?;
            zygotes.insert(generation, Zygote { pid, control, unheard: None });
        }
        let mut workers = BTreeMap::new();
        for worker in handover.workers {
            let WorkerHandover { seat, generation, control, process, life, ordered_us, orphan } = worker;
            let control = ControlSocket::from_owned(take(control)?);
            register(poll, control.as_fd(), Speaker::Worker(seat).token())?;
            let process = match process {
                Some((pid, pidfd)) => {
                    let pidfd = PidFd::from_owned(take(pidfd)?);
                    if orphan {
                        register(poll, pidfd.as_fd(), Speaker::Orphan(seat).token())?;
                    }
                    Some((pid, pidfd))
                }
                None => None,
            };
            workers.insert(seat, Worker { generation, control, process, life, ordered_us, heard_ready: true, orphan });
        }
        Ok(Self { own_path: launch::own_path()?, words, layout, zygotes, workers, lives: handover.lives })
    }

    /// Where this program is; after an upgrade of the file, where the new one is.
    pub(super) fn own_path(&self) -> &std::path::Path {
        &self.own_path
    }

    /// Number of seats in the scoreboard.
    pub(super) fn seats(&self) -> u32 {
        self.layout.seats()
    }

    /// Whether a new configuration fits into the scoreboard that there is.
    pub(super) fn fits(&self, config: &Config) -> Result<(), String> {
        let needed = Plan::of(config).seats;
        if needed > self.seats() {
            let most = (self.seats() - 2) / 2;
            return Err(format!("workers = {} needs a restart: this instance has room for {most}", config.workers));
        }
        if config.threads.max(1) != self.layout.threads() as usize {
            return Err(format!(
                "threads = {} needs a restart: this instance has {}",
                config.threads,
                self.layout.threads()
            ));
        }
        Ok(())
    }

    /// Executes a zygote and sends it what it needs. A failure is told as its death.
    pub(super) fn start_zygote(
        &mut self,
        generation: Generation,
        config: &Config,
        sockets: &[BoundSocket],
        log: Option<&File>,
        bell: &Doorbell,
        poll: &Poll,
    ) -> Result<(), [Event; 2]> {
        let attempt = || -> io::Result<Zygote> {
            let (ours, theirs) = ControlSocket::pair()?;
            let settings = memory_file(&serde_json::to_vec(config)?)?;
            let child = launch::launch(config, &self.own_path, &theirs, log)?;
            let mut beside = vec![self.words.as_fd(), bell.as_fd(), settings.as_fd()];
            beside.extend(sockets.iter().map(AsFd::as_fd));
            let setup = ToZygote::Setup {
                generation,
                seats: self.layout.seats(),
                threads: self.layout.threads(),
                listeners: u32::try_from(sockets.len()).map_err(io::Error::other)?,
            };
            match ours.send_record(&setup, &beside) {
                // It has ended already, which is still to be told.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                sent => sent?,
            }
            register(poll, ours.as_fd(), Speaker::Zygote(generation).token())?;
            let pid = i32::try_from(child.id()).ok().and_then(ProcessId::new);
            let pid = pid.ok_or_else(|| io::Error::other("the system gave an impossible process id"))?;
            Ok(Zygote { pid, control: ours, unheard: launch::requirement(config) })
        };
        match attempt() {
            Ok(zygote) => {
                self.zygotes.insert(generation, zygote);
                Ok(())
            }
            // There is no process whose end could be awaited.
            Err(error) => Err([
                Event::ZygoteLoadFailed {
                    generation,
                    exit_code: i32::from(exit_of(&error).code()),
                    reason: format!("cannot execute the zygote: {error}"),
                },
                Event::ZygoteExited { generation, status: ExitStatus::Code(1) },
            ]),
        }
    }

    /// Carries out an action about a process. An event, if it fails at once.
    pub(super) fn carry_out(&mut self, action: &Action, poll: &Poll) -> Option<Event> {
        match action {
            Action::StopZygote { generation } => self.stop_zygote(*generation),
            Action::KillZygote { generation } => self.kill_zygote(*generation),
            Action::Fork { generation, seat, slot, life } => {
                return self.fork(*generation, *seat, *slot, *life, poll).err();
            }
            Action::Retire { seat } => self.order(*seat, SeatOrder::Retire, &ToWorker::Retire),
            Action::Pause { seat } => self.order(*seat, SeatOrder::Pause, &ToWorker::Pause),
            Action::Resume { seat } => self.order(*seat, SeatOrder::Run, &ToWorker::Resume),
            Action::Withdraw { seat } => self.withdraw(*seat),
            Action::Kill { seat } => self.kill(*seat),
            other => log::error!("the master does not know how to carry out {other:?}"),
        }
        None
    }

    fn stop_zygote(&mut self, generation: Generation) {
        if let Some(zygote) = self.zygotes.get(&generation) {
            // One that has gone meanwhile shows as a death.
            let _ = zygote.control.send_record(&ToZygote::Stop, &[]);
        }
    }

    fn kill_zygote(&mut self, generation: Generation) {
        if let Some(zygote) = self.zygotes.get(&generation) {
            // It has not been reaped, so that the number is still its own.
            let killed = PidFd::open(zygote.pid).and_then(|pidfd| pidfd.signal(Signal::SIGKILL));
            if let Err(error) = killed {
                log::error!("cannot kill the zygote of generation {generation}: {error}");
            }
        }
    }

    fn fork(&mut self, generation: Generation, seat: Seat, slot: Slot, nth: u32, poll: &Poll) -> Result<(), Event> {
        self.lives.0 += 1;
        let life = self.lives;
        let attempt = || -> io::Result<Worker> {
            let zygote = self.zygotes.get(&generation).ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))?;
            let (ours, theirs) = ControlSocket::pair()?;
            let order = ToZygote::Fork { seat, slot, life, nth };
            zygote.control.send_record(&order, &[theirs.as_fd()])?;
            register(poll, ours.as_fd(), Speaker::Worker(seat).token())?;
            Ok(Worker {
                generation,
                control: ours,
                process: None,
                life,
                ordered_us: monotonic_us(),
                heard_ready: false,
                orphan: false,
            })
        };
        match attempt() {
            Ok(worker) => {
                self.workers.insert(seat, worker);
                Ok(())
            }
            Err(error) => Err(Event::ForkFailed { seat, errno: error.raw_os_error().unwrap_or(libc::EIO) }),
        }
    }

    fn order(&mut self, seat: Seat, order: SeatOrder, record: &ToWorker) {
        let Some(worker) = self.workers.get(&seat) else { return };
        if let Some(board) = self.board()
            && let Some(own) = board.master(seat)
        {
            own.set_order(order, worker.life);
        }
        // The word is the order and the record only the knock; a full queue means that there are knocks enough, and
        // a worker that has gone shows as a death.
        let _ = worker.control.send_record(record, &[]);
    }

    /// Has every process write its log to `file` from now on, and with the zygotes those that they fork.
    pub(super) fn log_to(&self, file: &File) {
        let beside = [file.as_fd()];
        let zygotes = self.zygotes.values().map(|zygote| zygote.control.send_record(&ToZygote::LogTo, &beside));
        let workers = self.workers.values().map(|worker| worker.control.send_record(&ToWorker::LogTo, &beside));
        for error in zygotes.chain(workers).filter_map(Result::err) {
            // One that has gone meanwhile writes nothing more.
            if error.kind() != io::ErrorKind::BrokenPipe {
                log::error!("a process goes on writing to the old log: {error}");
            }
        }
    }

    fn kill(&mut self, seat: Seat) {
        match self.workers.get(&seat).map(|worker| &worker.process) {
            Some(Some((pid, pidfd))) => {
                if let Err(error) = pidfd.signal(Signal::SIGKILL) {
                    log::error!("cannot kill worker process {pid}: {error}");
                }
            }
            // Not known to be forked: without its control socket it leaves by itself.
            Some(None) => drop(self.workers.remove(&seat)),
            None => {}
        }
    }

    /// Kills a worker unless it accepts, of which its word may still be under way.
    fn withdraw(&mut self, seat: Seat) {
        // The word of the order first: a worker that does not accept yet then never will.
        self.order(seat, SeatOrder::Retire, &ToWorker::Retire);
        let Some(worker) = self.workers.get(&seat) else { return };
        let own = self.board().and_then(|board| board.master(seat));
        let accepted = |own: MasterSeat<'_>| own.is_taken_by(worker.life) && own.presence() != Presence::NotAccepting;
        if !own.is_some_and(accepted) {
            self.kill(seat);
        }
    }

    /// What has been said on a token, as events.
    pub(super) fn hear(&mut self, token: Token) -> Vec<Event> {
        match Speaker::of(token) {
            Some(Speaker::Zygote(generation)) => self.hear_zygote(generation),
            Some(Speaker::Worker(seat)) => self.hear_worker(seat),
            Some(Speaker::Orphan(seat)) => self.bury_orphan(seat).into_iter().collect(),
            None => Vec::new(),
        }
    }

    fn hear_zygote(&mut self, generation: Generation) -> Vec<Event> {
        let mut events = Vec::new();
        let mut buffer = [0; MESSAGE_BYTES_MAX];
        loop {
            let Some(zygote) = self.zygotes.get(&generation) else { return events };
            match zygote.control.receive(&mut buffer) {
                Ok(Received::Message(length, beside)) => match FromZygote::decode(&buffer[..length]) {
                    Ok(record) => {
                        if let FromZygote::Exited { seat, .. } = record {
                            // What the worker said before its end comes first.
                            events.extend(self.hear_worker(seat));
                        }
                        events.extend(self.take_from_zygote(generation, record, beside));
                    }
                    Err(error) => log::error!("zygote of generation {generation}: {error}"),
                },
                // Its end is told by its exit status, which is still to come.
                Ok(Received::Nothing | Received::EndOfFile) => return events,
                Err(error) => {
                    log::error!("zygote of generation {generation}: {error}");
                    return events;
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
                let worker = self.workers.get_mut(&seat)?;
                let pidfd = beside.into_iter().next()?;
                worker.process = Some((pid, PidFd::from_owned(pidfd)));
                Event::WorkerForked { seat, pid }
            }
            FromZygote::ForkFailed { seat, errno } => {
                self.workers.remove(&seat);
                Event::ForkFailed { seat, errno }
            }
            FromZygote::Exited { seat, pid, wait_status } => self.buried(seat, pid, WaitStatus(wait_status)),
        })
    }

    fn hear_worker(&mut self, seat: Seat) -> Vec<Event> {
        let mut events = Vec::new();
        let mut buffer = [0; MESSAGE_BYTES_MAX];
        loop {
            let Some(worker) = self.workers.get_mut(&seat) else { return events };
            match worker.control.receive(&mut buffer) {
                Ok(Received::Message(length, _)) => match FromWorker::decode(&buffer[..length]) {
                    Ok(record) => {
                        worker.heard_ready |= matches!(record, FromWorker::Ready { .. });
                        events.push(from_worker(seat, record));
                    }
                    Err(error) => log::error!("worker in seat {seat}: {error}"),
                },
                // Its end is reported by whoever reaps it.
                Ok(Received::Nothing | Received::EndOfFile) => return events,
                Err(error) => {
                    log::error!("worker in seat {seat}: {error}");
                    return events;
                }
            }
        }
    }

    /// Reaps every child that has ended: zygotes, workers whose zygote is gone, and strangers that came to us.
    pub(super) fn reap(&mut self, poll: &Poll) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some((pid, status)) = process::reap(None) {
            let zygote = self.zygotes.iter().find(|(_, zygote)| zygote.pid == pid).map(|(generation, _)| *generation);
            if let Some(generation) = zygote {
                // What it said before its end comes first.
                events.extend(self.hear_zygote(generation));
                let gone = self.zygotes.remove(&generation);
                let status = exit_status(status);
                // What ends with the code for an application that cannot be loaded has said why.
                if let (Some(requirement), ExitStatus::Code(code)) = (gone.and_then(|zygote| zygote.unheard), status)
                    && code != i32::from(Exit::Application.code())
                {
                    log::error!(
                        "{requirement}; it ended with status {code} before it said a word, unless the application ended it"
                    );
                }
                self.adopt_workers(generation, poll);
                events.push(Event::ZygoteExited { generation, status });
                continue;
            }
            let worker = self
                .workers
                .iter()
                .find(|(_, worker)| worker.process.as_ref().is_some_and(|(own, _)| *own == pid))
                .map(|(seat, _)| *seat);
            match worker {
                Some(seat) => {
                    events.extend(self.hear_worker(seat));
                    events.push(self.buried(seat, pid, status));
                }
                None => log::debug!("subprocess {pid} {}", exit_status(status)),
            }
        }
        events
    }

    /// From now on the workers of a zygote that is gone are ours; their pidfds tell of their ends, also of those that
    /// the zygote had reaped without being able to say so.
    fn adopt_workers(&mut self, generation: Generation, poll: &Poll) {
        for (seat, worker) in self.workers.iter_mut().filter(|(_, worker)| worker.generation == generation) {
            worker.orphan = true;
            if let Some((pid, pidfd)) = &worker.process
                && let Err(error) = register(poll, pidfd.as_fd(), Speaker::Orphan(*seat).token())
            {
                log::error!("cannot watch worker process {pid}: {error}");
            }
        }
    }

    fn bury_orphan(&mut self, seat: Seat) -> Option<Event> {
        let (pid, _) = self.workers.get(&seat)?.process.as_ref()?;
        let pid = *pid;
        // Reaped by the zygote in its last moment: how it ended is not known any more.
        let status = process::reap(Some(pid)).map_or(WaitStatus(0), |(_, status)| status);
        Some(self.buried(seat, pid, status))
    }

    /// Generation and pid of the worker in a seat, if it has said that it accepts and its pid is known.
    pub(super) fn accepting(&self, seat: Seat) -> Option<(Generation, ProcessId)> {
        let worker = self.workers.get(&seat).filter(|worker| worker.heard_ready)?;
        worker.process.as_ref().map(|(pid, _)| (worker.generation, *pid))
    }

    /// How long ago the worker in a seat was ordered, in microseconds.
    pub(super) fn age_us(&self, seat: Seat) -> Option<u64> {
        self.workers.get(&seat).map(|worker| monotonic_us().saturating_sub(worker.ordered_us))
    }

    fn buried(&mut self, seat: Seat, pid: ProcessId, status: WaitStatus) -> Event {
        self.workers.remove(&seat);
        self.resync();
        Event::WorkerExited { seat, pid, status: exit_status(status) }
    }

    /// The dead do not count themselves out of the busy cores.
    fn resync(&self) {
        if let Some(board) = self.board() {
            let living = self.workers.iter().map(|(seat, worker)| (*seat, worker.life));
            board.resync(living);
        }
    }

    /// The scoreboard; `None` only if its memory was overwritten.
    pub(super) fn board(&self) -> Option<Scoreboard<'_>> {
        Scoreboard::attach(self.words.words()).ok()
    }
}

fn register(poll: &Poll, descriptor: BorrowedFd<'_>, token: Token) -> io::Result<()> {
    poll.registry().register(&mut SourceFd(&descriptor.as_raw_fd()), token, Interest::READABLE)
}

fn from_worker(seat: Seat, record: FromWorker) -> Event {
    match record {
        FromWorker::Ready { boot_us } => Event::WorkerReady { seat, boot_us },
        FromWorker::NotReady { exit_code, text } => Event::WorkerNotReady { seat, exit_code, reason: text },
        FromWorker::Leaving { reason } => Event::WorkerLeaving { seat, reason: leave_reason(reason) },
        FromWorker::AskReload => Event::Order(Order::Reload(Reload::Graceful)),
        FromWorker::AskStop => Event::Order(Order::Stop),
        FromWorker::AskCheap => Event::Order(Order::Fewer),
    }
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

fn exit_status(status: WaitStatus) -> ExitStatus {
    if libc::WIFSIGNALED(status.0) {
        ExitStatus::Signal(libc::WTERMSIG(status.0))
    } else {
        ExitStatus::Code(libc::WEXITSTATUS(status.0))
    }
}
