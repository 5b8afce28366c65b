//! Where orders come from: signals, letters in the fifos, operators, files that were touched. Each is
//! passed on to the machine or to the scaler, or is answered here. Master only.

use std::path::Path;

use super::aside;
use super::children::Said;
use super::driver::Driver;
use super::fifo::Letter;
use super::holdings;
use super::machine::{Event, Order, Reload, Role};
use super::operator::Question;
use super::reason::in_one_line;
use super::signals::Heard;
use super::wake::Wake;
use super::wanted::Wanted;
use crate::config::model::WatchEffect;
use crate::operator::words::{DONE, FAILED, Standing, State, UpOf, Workers};
use crate::stats::Brief;
use crate::sys::clock::{epoch_us, monotonic_us};

impl Driver<'_> {
    pub(super) fn hear_signals(&mut self) {
        for heard in self.signals.take(&self.in_force.config) {
            match heard {
                Heard::ChildEnded => self.reap(),
                Heard::Wanted(wanted) => self.obey(wanted),
                Heard::Statistics => log::info!("{}", self.standing()),
                Heard::Ignored(name) => log::info!("{name} received: nothing to do"),
            }
        }
    }

    pub(super) fn hear_fifo(&mut self) {
        for letter in self.in_force.fifos.read() {
            match letter {
                Letter::Wanted(wanted) => self.obey(wanted),
                Letter::Listen(slot) => self.listen_to_fifo(slot),
                Letter::ReopenLog => self.reopen_logs(),
                Letter::RotateLog => self.rotate_log(),
                Letter::PidFiles => self.rewrite_pid_files(),
                Letter::Statistics => log::info!("{}", self.standing()),
                Letter::Plead => self.plead(),
                Letter::ToggleSubscriptions => self.toggle_subscriptions(),
                Letter::Unsupported(letter) => log::warn!("master fifo: {letter:?} is not supported"),
            }
        }
    }

    /// Looks whether a fifo that another instance hears as well is ours alone by now.
    pub(super) fn hear_shared_fifo(&mut self) {
        if self.in_force.fifos.due_us().is_some_and(|due_us| due_us <= monotonic_us()) {
            self.hear_fifo();
        }
    }

    /// Takes in the ends of children.
    pub(super) fn reap(&mut self) {
        let said = self.children.reap(&self.poll);
        self.listen(said);
    }

    /// Takes in what children have said.
    pub(super) fn listen(&mut self, said: Vec<Said>) {
        for said in said {
            match said {
                Said::Event(event) => self.handle(event),
                Said::Wanted(wanted) => self.obey(wanted),
                Said::Seasoned(seat) => self.consider_mold(seat),
                Said::NotMolded { seat, reason } => self.miss_mold(seat, &reason),
                Said::StrangerEnded(pid, status) => {
                    if !self.take_collector_end(pid, status)
                        && !self.take_attendant_end(pid, status)
                        && !self.take_reading(pid, status)
                        && !self.take_errand_end(pid, status)
                    {
                        self.take_answer(pid, status);
                    }
                }
            }
        }
    }

    fn listen_to_fifo(&mut self, slot: usize) {
        if let Err(error) = self.in_force.fifos.listen(slot) {
            return log::error!("cannot listen to master fifo {slot}: {error}");
        }
        if let Some((path, fifo)) = self.in_force.fifos.active() {
            log::info!("active master fifo is now {}", path.display());
            if let Err(error) = Wake::Fifo.when_readable(fifo, &self.poll) {
                log::error!("cannot watch the master fifo: {error}");
            }
        }
    }

    fn rewrite_pid_files(&mut self) {
        if let Err(error) = self.pid_files.rewrite() {
            log::error!("{error}");
        }
    }

    pub(super) fn hear_operator(&mut self, operator: u32) {
        match self.operators.hear(operator) {
            Some(Question::Status) => {
                self.weigh();
                // Numbers, words and a list of strings: writing them cannot fail.
                let standing = serde_json::to_string(&self.standing()).unwrap_or_default();
                self.operators.answer(operator, DONE, &standing);
            }
            Some(Question::Progress) => {
                let told = self.progress();
                self.operators.answer(operator, DONE, &told);
            }
            Some(Question::Report) => {
                let brief = Brief::of(&self.report(), epoch_us());
                self.operators.answer(operator, DONE, &brief.line());
            }
            Some(Question::Scale(wanted)) => {
                self.obey(wanted);
                self.operators.answer(operator, DONE, "");
            }
            Some(Question::Canary(passes)) => match self.decide_trial(passes) {
                Ok(()) => self.operators.answer(operator, DONE, ""),
                Err(why) => self.operators.answer(operator, FAILED, why),
            },
            Some(Question::Order(order @ Order::Reload(_))) => {
                self.operators.wait_for_reload(operator);
                self.obey(Wanted::Order(order));
            }
            Some(Question::Order(order)) => {
                self.obey(Wanted::Order(order));
                let told = if order == Order::Stop { self.stop_within_s().to_string() } else { String::new() };
                self.operators.answer(operator, DONE, &told);
            }
            None => {}
        }
    }

    pub(super) fn follow_changed_files(&mut self) {
        for (path, effect) in self.in_force.watches.take(monotonic_us()) {
            let reload = match effect {
                WatchEffect::Reload => Reload::Graceful,
                WatchEffect::BrutalReload => Reload::Brutal,
                WatchEffect::WorkersReload => Reload::Workers,
                WatchEffect::ChainReload => Reload::Chain,
                WatchEffect::RotateLog => {
                    self.rotate_log();
                    continue;
                }
                WatchEffect::ReopenLog => {
                    self.reopen_logs();
                    continue;
                }
                WatchEffect::Signal(signal) => {
                    self.raise(signal);
                    continue;
                }
                WatchEffect::MulesReload => {
                    self.renew_companions(&path, Role::Mule);
                    continue;
                }
                WatchEffect::SpoolersReload => {
                    self.renew_companions(&path, Role::Spooler);
                    continue;
                }
                WatchEffect::RenewDaemon(place) => {
                    self.renew_daemon(&path, place);
                    continue;
                }
                WatchEffect::RenewCertificates => {
                    self.renew_certificates();
                    continue;
                }
                WatchEffect::Execute(command) => {
                    aside::follow(&path, &command, crate::hooks::spawn(&command));
                    continue;
                }
                WatchEffect::Hook(action) => {
                    aside::perform(&path, &action);
                    continue;
                }
            };
            log::info!("*** {} has been touched... {reload} ***", path.display());
            self.obey(Wanted::Order(Order::Reload(reload)));
        }
    }

    /// A file was touched for the sake of all mules or spoolers: they are started anew.
    fn renew_companions(&mut self, path: &Path, role: Role) {
        log::info!("*** {} has been touched... reloading {role}s !!! ***", path.display());
        self.handle(Event::RenewAll { role });
    }

    /// The one road of all that is wanted, whoever wants it.
    pub(super) fn obey(&mut self, wanted: Wanted) {
        match wanted {
            Wanted::Interrupt => {
                let order = if self.machine.is_stopping() { Order::StopNow } else { Order::Stop };
                self.stop(order);
            }
            Wanted::OneMore => self.scaler.ask(1),
            Wanted::OneFewer => self.scaler.ask(-1),
            Wanted::FewerBy(seat) => self.scaler.let_go(seat),
            Wanted::Order(Order::Reload(reload)) if self.in_force.config.exit_on_reload => self.end_in_place_of(reload),
            Wanted::Order(order @ (Order::Stop | Order::StopNow)) => self.stop(order),
            Wanted::Order(order) => {
                if order == Order::Cheap {
                    self.scaler.sleep(monotonic_us());
                }
                self.handle(Event::Order(order));
            }
        }
        self.look_due = true;
    }

    /// `exit-on-reload`: what would execute the master anew in uWSGI ends the instance.
    fn end_in_place_of(&mut self, reload: Reload) {
        let order = match reload {
            Reload::Graceful => Order::Stop,
            Reload::Brutal => Order::StopNow,
            Reload::Workers | Reload::WorkersBrutal | Reload::Chain => {
                return self.handle(Event::Order(Order::Reload(reload)));
            }
        };
        log::info!("exit-on-reload: the instance ends in place of a {reload}. GAME OVER (insert coin)");
        self.operators.reload_ended(Ok("the instance ends in place of a reload (exit-on-reload)"));
        self.handle(Event::Order(order));
    }

    /// How the instance is doing.
    fn standing(&self) -> Standing {
        let (generation, count) = (self.machine.root(), self.machine.count());
        let wanted = self.machine.plan().executed.len();
        let standing = Standing {
            state: State::Serving,
            pid: std::process::id(),
            generation: generation.0,
            workers: Workers {
                wanted: count.target,
                ready: count.ready,
                starting: count.starting,
                leaving: count.leaving,
            },
            daemons: UpOf { wanted, up: self.children.executed.up_count() },
            mules: self.companions_up(Role::Mule),
            spoolers: self.companions_up(Role::Spooler),
            paused: self.machine.is_paused(),
            no_application: self.children.no_application == Some(generation),
            reloading: self.operators.await_reload(),
            last_reload_failed: self.last_failure.clone(),
            left_as_it_was: self.left_over(),
            canary: self.machine.trial().map(|(generation, _)| generation.0),
            memory: holdings::sum(&self.report()),
        };
        standing.judged(self.has_served, self.is_parting())
    }

    fn companions_up(&self, role: Role) -> UpOf {
        let (wanted, up) = self.machine.companions_up(role);
        UpOf { wanted, up }
    }

    /// What the last reload could not take over, in one line.
    pub(super) fn left_over(&self) -> Option<String> {
        (!self.left.is_empty()).then(|| self.left.iter().map(|left| in_one_line(left)).collect::<Vec<_>>().join("; "))
    }

    /// Within how many seconds a stop is over, whatever workers and daemons do.
    fn stop_within_s(&self) -> u64 {
        // What is killed gets ten seconds, workers first, then the others at once; the rest is for a machine that is busy.
        const KILLED_S: u64 = 10;
        const MARGIN_S: u64 = 10;
        let beside = &self.in_force.config;
        let daemons_s = match beside.daemons.list.is_empty() && beside.crons.is_empty() {
            true => 0,
            false => self.in_force.config.daemons.mercy.as_secs().saturating_add(KILLED_S),
        };
        let patience = &self.in_force.config.patience;
        let delay_s = patience.stop_delay.map_or(0, |delay| delay.as_secs());
        let companions_s = match self.machine.plan().companions.is_empty() {
            true => 0,
            false => self.in_force.config.mules.mercy.as_secs().saturating_add(KILLED_S),
        };
        let workers_s = patience.mercy.as_secs().saturating_add(KILLED_S + MARGIN_S);
        workers_s.saturating_add(daemons_s.max(companions_s)).saturating_add(delay_s)
    }
}
