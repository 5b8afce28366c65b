//! The configuration of a reload: all that can fail is done for it here, without touching what is in force; then it takes
//! that place as a whole, or is withdrawn and leaves nothing behind. Master only.

use std::fs::File;
use std::io;
use std::path::Path;

use mio::Poll;

use super::certificates;
use super::collecting::{Collecting, own_log};
use super::decisions::DecisionFile;
use super::directory::{Destination, Directory};
use super::doors::NewDoors;
use super::fifo::Fifos;
use super::files::{Followed, PidFiles};
use super::in_force::{InForce, begin_watches, open_fifos, watched};
use super::memories::Memories;
use super::schedule::Schedule;
use super::sockets::{is_among, judge_inherited_later, open_sockets, remove_fresh};
use super::upgrade::start_directory;
use super::watches::Watches;
use crate::config::model::Config;
use crate::config::options;
use crate::failure::StartFailure;
use crate::scaling::Settings;
use crate::sys::files::leads_to;
use crate::sys::listeners::BoundSocket;

/// A configuration that is to come into force, and what was made for it. `None`: what is in force stays.
pub(super) struct Candidate {
    pub(super) config: Config,
    pub(super) sockets: Vec<BoundSocket>,
    pub(super) memories: Memories,
    pub(super) log: Option<NewLog>,
    /// Where it is to be in force, if elsewhere than the one before.
    pub(super) directory: Option<Directory>,
    /// What of it this instance cannot take over, for the outcome of the reload.
    pub(super) left: Vec<String>,
    pid_files: Followed,
    fifos: Option<Fifos>,
    watches: Option<Watches>,
    decisions: Option<Option<DecisionFile>>,
    schedule: Schedule,
    doors: NewDoors,
    collecting: Option<Option<Collecting>>,
}

/// Where the log goes from now on.
pub(super) enum NewLog {
    /// To another file than before.
    Moved(File),
    /// To the file that has the log's name now (`log-reopen`).
    Reopened(File),
}

impl NewLog {
    /// The file, whichever it is.
    pub(super) fn file(&self) -> &File {
        match self {
            Self::Moved(file) | Self::Reopened(file) => file,
        }
    }
}

impl Candidate {
    /// Makes everything that a configuration needs and that is not there.
    ///
    /// # Errors
    /// What cannot be made. Nothing has changed then.
    pub(super) fn prepare(
        config: Config,
        now: &InForce,
        pid_files: &PidFiles,
        poll: &Poll,
    ) -> Result<Self, StartFailure> {
        let (directory, unknown) = match Destination::of(&config, &now.config)? {
            Destination::Here => (None, None),
            Destination::There(directory) => (Some(directory), None),
            Destination::Unknown(why) => (None, Some(why)),
        };
        let left = options::needing_restart(&now.config, &config);
        let left = left.map(|option| format!("{} changes only with a restart", option.name)).chain(unknown).collect();
        let mut candidate = Self {
            config,
            sockets: Vec::new(),
            memories: Memories::default(),
            log: None,
            directory: None,
            left,
            pid_files: Followed::default(),
            fifos: None,
            watches: None,
            decisions: None,
            schedule: Schedule::default(),
            doors: NewDoors::default(),
            collecting: None,
        };
        candidate.config.identity.stay(&now.config.identity);
        candidate.config.zerg.stay(&now.config.zerg);
        let made = Directory::within(directory.as_ref(), || candidate.make(now, pid_files, directory.is_some(), poll));
        candidate.directory = directory;
        match made.unwrap_or_else(|error| Err(StartFailure::configuration(error).about("chdir"))) {
            Ok(()) => Ok(candidate),
            Err(failure) => {
                candidate.withdraw(now);
                Err(failure)
            }
        }
    }

    /// The master stands where the configuration is to be in force; `moved`: that is elsewhere than until now.
    fn make(&mut self, now: &InForce, pid_files: &PidFiles, moved: bool, poll: &Poll) -> Result<(), StartFailure> {
        certificates::read(&mut self.config, Some(&now.config))?;
        let config = &self.config;
        if moved || watched(config)? != watched(&now.config)? {
            self.watches = Some(begin_watches(config, poll)?);
        }
        self.log = new_log(config, now, &mut self.left)?;
        (self.log, self.collecting) = collected(config, now, self.log.take())
            .map_err(|error| StartFailure::system("begin the collector of the log", &error))?;
        self.schedule = Schedule::of(&config.scaling)?;
        self.decisions = new_decisions(config, now)?;
        let start = start_directory().map_err(|error| StartFailure::system("tell the start directory", &error))?;
        self.pid_files = pid_files.follow(&config.pidfiles, &start)?;
        self.left.append(&mut self.pid_files.left);
        if !now.fifos.are_at(&config.master_fifos) {
            self.fifos = Some(open_fifos(config, 0, poll)?);
        }
        self.memories = now.memories.next(config)?;
        self.doors = now.doors.missing(config)?;
        judge_inherited_later(config, &now.sockets)?;
        // Last, since a client may connect as soon as there is a socket.
        self.sockets = open_sockets(config, &now.sockets)?;
        Ok(())
    }

    /// Removes what was made for it alone.
    pub(super) fn withdraw(self, now: &InForce) {
        remove_fresh(&self.sockets, &now.sockets);
        self.doors.withdraw();
        self.fifos.inspect(Fifos::withdraw);
        let mut written = self.pid_files.written;
        written.withdraw();
        if let Some(decisions) = self.decisions.flatten() {
            decisions.withdraw();
        }
    }

    /// Takes the place of what is in force. Cannot fail. Returns what was there and left files; where the log goes is
    /// the caller's business.
    pub(super) fn come_into_force(self, now: &mut InForce, pids: &mut PidFiles, now_us: u64) -> Replaced {
        let Self {
            config,
            sockets,
            memories,
            log: _,
            directory: _,
            left: _,
            pid_files,
            fifos,
            watches,
            decisions,
            schedule,
            doors,
            collecting,
        } = self;
        pids.give_way_to(pid_files.all);
        now.doors.change_to(doors, &config);
        now.scaling = Settings::of(&config);
        let old = std::mem::replace(&mut now.config, config);
        now.config.stay(&old);
        now.memories = memories;
        let sockets = std::mem::replace(&mut now.sockets, sockets);
        if let Some(mut new) = watches {
            new.succeed(&mut now.watches, now_us);
            now.watches = new;
        }
        now.schedule = schedule;
        if let Some(new) = decisions {
            now.decisions = new;
        }
        if let Some(new) = collecting {
            now.collecting = new;
        }
        let fifos = fifos.map(|mut new| {
            new.succeed(&now.fifos);
            std::mem::replace(&mut now.fifos, new)
        });
        Replaced { sockets, fifos }
    }
}

/// What was in force, and left files.
pub(super) struct Replaced {
    sockets: Vec<BoundSocket>,
    fifos: Option<Fifos>,
}

impl Replaced {
    /// Whether the master hears another fifo now.
    pub(super) fn has_fifos(&self) -> bool {
        self.fifos.is_some()
    }

    /// Removes the files that what is in force now does not have.
    pub(super) fn clear_away(self, now: &InForce) {
        for socket in self.sockets.iter().filter(|socket| !is_among(socket, &now.sockets)) {
            if let Err(error) = socket.remove_file() {
                log::warn!("cannot remove {}: {error}", socket.name);
            }
        }
        self.fifos.inspect(|fifos| fifos.clear_away(&now.fifos));
    }
}

/// The log, opened, if it is another file than now, or is to be opened anew, or its name leads elsewhere by now. Where
/// nobody has asked for another one, the old one is good enough: that is noted in `left`.
fn new_log(config: &Config, now: &InForce, left: &mut Vec<String>) -> Result<Option<NewLog>, StartFailure> {
    let Some(path) = config.log_file() else { return Ok(None) };
    let moves = now.config.log_file() != Some(path);
    let is_there = match &now.collecting {
        Some(collecting) => leads_to(path, collecting.beneath()),
        None => leads_to(path, &std::io::stderr()),
    };
    if !moves && !config.logging.reopen && is_there {
        return Ok(None);
    }
    let option = match &config.logging {
        logging if logging.to2.is_some() => "logto2",
        logging if logging.to.is_some() => "logto",
        _ => "daemonize",
    };
    let open = |path: &Path| {
        crate::logging::open_at_once(path, &config.logging).map_err(|error| {
            StartFailure::file(format!("cannot open the log {}: {error}", path.display())).about(option)
        })
    };
    match open(path) {
        Ok(file) => Ok(Some(if moves { NewLog::Moved(file) } else { NewLog::Reopened(file) })),
        Err(failure) if !moves && !config.logging.reopen => {
            left.push(format!("the log goes on where it was: {}", failure.message));
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// What a collector has to do with the log: where a configuration wants one, another one for what it wants otherwise than the
/// one in force, above the log as it will be; where it wants none, the log itself again.
fn collected(
    config: &Config,
    now: &InForce,
    log: Option<NewLog>,
) -> io::Result<(Option<NewLog>, Option<Option<Collecting>>)> {
    let beneath = || match (&log, &now.collecting) {
        (Some(log), _) => log.file().try_clone(),
        (None, Some(collecting)) => collecting.beneath().try_clone(),
        (None, None) => own_log(),
    };
    match (&now.collecting, config.logging.is_collected()) {
        (None, false) => Ok((log, None)),
        (Some(_), true) if log.is_none() && config.logging == now.config.logging => Ok((None, None)),
        (_, true) => {
            let new = Collecting::begin(&config.logging, beneath()?)?;
            Ok((Some(NewLog::Moved(new.pipe().try_clone()?)), Some(Some(new))))
        }
        (Some(_), false) => Ok((Some(NewLog::Moved(beneath()?)), Some(None))),
    }
}

/// Where decisions are to be recorded, if that changes, is to be opened anew, or leads elsewhere by now.
fn new_decisions(config: &Config, now: &InForce) -> Result<Option<Option<DecisionFile>>, StartFailure> {
    let record = &config.scaling.log;
    let is_there = now.decisions.as_ref().is_none_or(DecisionFile::is_at_its_name);
    let changes = *record != now.config.scaling.log || config.logging.reopen || !is_there;
    changes.then(|| record.as_deref().map(DecisionFile::open).transpose()).transpose()
}
