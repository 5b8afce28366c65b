//! The [`Driver`]: what the master holds, and how an event reaches the machine. What is done with it is in the files that
//! use this one; `rounds` has the loop. Master only.

use std::collections::BTreeSet;

use mio::Poll;

use super::attendants::Attendants;
use super::backlog::BacklogWatch;
use super::candidate::Candidate;
use super::children::Children;
use super::descriptors::Descriptors;
use super::files::PidFiles;
use super::holdings::Holdings;
use super::in_force::InForce;
use super::ledger::Ledger;
use super::log_size::SizeWatch;
use super::machine::{Event, Generation, Machine, Seat, Time};
use super::notify::Notifier;
use super::oom::OomWatch;
use super::operator::Operators;
use super::origin::Origin;
use super::reading::Reading;
use super::refork::Reforking;
use super::scaler::Scaler;
use super::second_line::SecondLine;
use super::signals::Signals;
use super::spool_scaler::SpoolScaler;
use super::statistics::{Documents, Visitors};
use super::subscribing::Subscribing;
use super::thresholds::ThresholdWatch;
use super::trial::Trial;
use super::upgrade::asking::Upgrade;
use super::vassal::{Orphan, Vassal};
use super::watches::Watches;
use crate::failure::StartFailure;
use crate::scaling::Settings;
use crate::sys::clock::{epoch_us, monotonic_us};
use crate::sys::memory::resident_bytes;
use crate::sys::wait::Doorbell;
use crate::timetable::{Errands, Timetable};

/// What a driver is made of, at a first start or after a re-execution.
pub(super) struct Parts {
    pub(super) poll: Poll,
    pub(super) machine: Machine,
    pub(super) children: Children,
    pub(super) bell: Doorbell,
    pub(super) signals: Signals,
    pub(super) operators: Operators,
    pub(super) descriptors: Descriptors,
    pub(super) in_force: InForce,
    pub(super) pid_files: PidFiles,
}

/// Carries out what the machine decides.
pub(super) struct Driver<'a> {
    pub(super) machine: Machine,
    pub(super) children: Children,
    pub(super) in_force: InForce,
    /// The configuration of a reload that is being read.
    pub(super) reading: Option<Reading>,
    /// What was prepared for a reload, until the machine commits or abandons it.
    pub(super) candidate: Option<Candidate>,
    /// The trial of a new generation that is under way.
    pub(super) trial: Option<Trial>,
    /// What became of the last one, in words.
    pub(super) last_trial: Option<String>,
    /// Wishes for signals that were not understood since that was said, and when it was.
    pub(super) unfit_wishes: u64,
    pub(super) unfit_wishes_told_us: u64,
    pub(super) pid_files: PidFiles,
    pub(super) bell: Doorbell,
    pub(super) signals: Signals,
    pub(super) scaler: Scaler,
    /// How many processes of spool directories run.
    pub(super) spools: SpoolScaler,
    pub(super) second_line: SecondLine,
    /// When to look at how much memory workers take.
    pub(super) memory_look_us: Option<u64>,
    /// When the code goes that was needed for what processes have said.
    pub(super) code_due_us: Option<u64>,
    /// Whom the kernel kills when memory is short.
    pub(super) oom_watch: OomWatch,
    pub(super) operators: Operators,
    pub(super) descriptors: Descriptors,
    pub(super) notifier: Notifier,
    /// When to look at how large the log is.
    pub(super) log_size: SizeWatch,
    /// Whether queues are full, where an alarm waits for that.
    pub(super) backlog_watch: BacklogWatch,
    /// Whether metrics have reached their bounds.
    pub(super) threshold_watch: ThresholdWatch,
    /// Processes that do something for the instance as a whole.
    pub(super) attendants: Attendants,
    /// The line to the Emperor whose vassal the instance is.
    pub(super) vassal: Option<Vassal>,
    /// How the next Emperor is waited for, when the one before is gone.
    pub(super) orphan: Option<Orphan>,
    /// What routers know of the instance.
    pub(super) subscribing: Subscribing,
    /// When the stop begins that was ordered (`stop-delay`).
    pub(super) stops_at_us: Option<u64>,
    /// Who is being told of the instance.
    pub(super) visitors: Visitors,
    /// What they were told last.
    pub(super) documents: Documents,
    /// What is known of workers that others are forked from.
    pub(super) refork: Reforking,
    /// What processes hold of the machine's memory.
    pub(super) holdings: Holdings,
    /// What outlives the processes that did it.
    pub(super) ledger: Ledger,
    /// What the application wants of signals, and the files whose changes raise one.
    pub(super) timetable: Timetable,
    pub(super) signal_files: Watches,
    /// Why certificates whose files have changed stay as they were, as far as that was said.
    pub(super) refused_certificates: BTreeSet<String>,
    /// The commands that run at certain minutes.
    pub(super) errands: Errands,
    /// How far the replacement of the master by another binary has come.
    pub(super) upgrade: Upgrade,
    /// The newest generation of which a worker was measured.
    measured: Generation,
    /// Why the configuration proved unfit, for the end of a start that fails because of it.
    pub(super) unfit: Option<StartFailure>,
    /// Whether workers have served: what fails before that is the start.
    pub(super) has_served: bool,
    /// What went wrong with the last reload, until the next one.
    pub(super) last_failure: Option<String>,
    /// What the last reload could not take over, until the next one.
    pub(super) left: Vec<String>,
    /// Whether something happened that the number of workers may depend on.
    pub(super) look_due: bool,
    /// Whether the event loop watches the listening sockets.
    pub(super) watching_queue: bool,
    pub(super) origin: &'a dyn Origin,
    pub(super) poll: Poll,
}

impl<'a> Driver<'a> {
    pub(super) fn new(parts: Parts, origin: &'a dyn Origin) -> Self {
        let Parts { poll, machine, children, bell, signals, operators, descriptors, in_force, pid_files } = parts;
        Self {
            machine,
            children,
            in_force,
            reading: None,
            candidate: None,
            trial: None,
            last_trial: None,
            unfit_wishes: 0,
            unfit_wishes_told_us: 0,
            pid_files,
            bell,
            signals,
            scaler: Scaler::new(),
            spools: SpoolScaler::default(),
            second_line: SecondLine::default(),
            memory_look_us: None,
            code_due_us: None,
            oom_watch: OomWatch::default(),
            operators,
            descriptors,
            notifier: Notifier::new(),
            log_size: SizeWatch::default(),
            backlog_watch: BacklogWatch::default(),
            threshold_watch: ThresholdWatch::default(),
            attendants: Attendants::default(),
            vassal: None,
            orphan: None,
            subscribing: Subscribing::default(),
            stops_at_us: None,
            visitors: Visitors::default(),
            documents: Documents::default(),
            refork: Reforking::default(),
            holdings: Holdings::default(),
            ledger: Ledger::begin(epoch_us()),
            timetable: Timetable::default(),
            signal_files: Watches::default(),
            refused_certificates: BTreeSet::new(),
            errands: Errands::default(),
            upgrade: Upgrade::None,
            measured: Generation(0),
            unfit: None,
            has_served: false,
            last_failure: None,
            left: Vec::new(),
            look_due: true,
            watching_queue: false,
            origin,
            poll,
        }
    }

    /// Passes an event on, and notes what the number of workers depends on.
    pub(super) fn handle(&mut self, event: Event) {
        self.oom_watch.hear(&event, &self.machine);
        let mut unfit = None;
        let is_of_a_worker = |seat: &Seat| self.machine.is_worker(*seat);
        if let Event::Ready { seat, .. } | Event::Forked { seat, .. } = &event
            && is_of_a_worker(seat)
        {
            unfit = self.measure(*seat);
        }
        if let Event::Ready { seat, .. } = &event
            && self.machine.is_worker(*seat)
        {
            self.note_boot(*seat);
            self.look_due = true;
        }
        self.keep(&event);
        self.keep_for_trial(&event);
        self.weigh_fresh(&event);
        self.raise_on_fault(&event);
        if let Event::Exited { seat, .. } | Event::Molded { seat } = &event {
            if self.machine.is_worker(*seat)
                && let Some(board) = self.children.board()
            {
                self.scaler.bury(board, *seat);
            }
            self.look_due = true;
        }
        let loaded = match &event {
            Event::ZygoteLoaded { generation, .. } => Some(*generation),
            _ => None,
        };
        self.machine.handle_together(Time(monotonic_us()), std::iter::once(event).chain(unfit));
        // The first one, or one in the place of a zygote that has died; what a reload brings holds when it is in force.
        if let Some(generation) = loaded.filter(|generation| *generation == self.machine.current()) {
            self.take_timetable_over(generation);
        }
    }

    /// Keeps what outlives the process that an event is about.
    fn keep(&mut self, event: &Event) {
        self.ledger.hear(event);
        let (Event::Ready { seat, .. }
        | Event::ForkFailed { seat, .. }
        | Event::Exited { seat, .. }
        | Event::Molded { seat }) = event
        else {
            return;
        };
        if !self.machine.is_worker(*seat) {
            return self.keep_of_companion(*seat, event);
        }
        let Some(own) = self.children.board().and_then(|board| board.master(*seat)) else { return };
        match event {
            Event::Ready { boot_us, .. } => self.ledger.note_boot(*boot_us),
            // Called off before it was sent.
            Event::ForkFailed { errno: libc::ECANCELED, .. } => {}
            Event::ForkFailed { .. } => self.ledger.note_failed_fork(),
            _ => {
                self.write_left_lines(*seat);
                if let Some(worker) = self.machine.workers().find(|worker| worker.seat == *seat) {
                    self.ledger.bury(worker.post.number, own);
                }
            }
        }
    }

    fn keep_of_companion(&mut self, seat: Seat, event: &Event) {
        let post = self.machine.companions().find(|companion| companion.seat == seat).map(|companion| companion.post);
        if let (Event::Exited { .. }, Some(post)) = (event, post)
            && let Some(own) = self.children.board().and_then(|board| board.master(seat))
        {
            self.ledger.bury_companion(post, own);
        }
    }

    /// The same for several that come together.
    pub(super) fn handle_all(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            self.handle(event);
        }
    }

    fn note_boot(&mut self, seat: Seat) {
        if let Some(boot_us) = self.children.age_us(seat) {
            let pid = self.children.accepting(seat).map(|(_, pid)| pid.get());
            self.scaler.note_boot(seat, pid.filter(|_| self.in_force.scaling.needs_cpu()), boot_us);
        }
    }

    /// Whether the first worker of a generation is so large that the fewest of them break the memory limit.
    fn measure(&mut self, seat: Seat) -> Option<Event> {
        let (generation, pid) = self.children.accepting(seat)?;
        if generation <= self.measured {
            return None;
        }
        self.measured = generation;
        let config = match &self.candidate {
            Some(candidate) if generation != self.machine.current() => &candidate.config,
            _ => &self.in_force.config,
        };
        config.scaling.rss_soft?;
        let misfit = Settings::of(config).check_memory(resident_bytes(pid.get())).err()?;
        let failure = StartFailure::configuration(misfit).about("cheaper-rss-limit-soft");
        let (exit_code, reason) = (i32::from(failure.exit.code()), failure.message.clone());
        self.unfit = Some(failure);
        Some(Event::GenerationUnfit { generation, exit_code, reason })
    }
}
