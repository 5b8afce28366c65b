//! The configuration of a reload: all that can fail is done for it here, without touching what is in force; then it takes
//! that place as a whole, or is withdrawn and leaves nothing behind. Master only.

use std::fs::File;
use std::path::Path;

use mio::Poll;

use super::decisions::DecisionFile;
use super::fifo::Fifos;
use super::in_force::{InForce, begin_watches, open_fifos};
use super::sockets::{is_among, judge_inherited_later, open_sockets, remove_fresh};
use super::watches::Watches;
use crate::config::model::Config;
use crate::failure::StartFailure;
use crate::scaling::Settings;
use crate::sys::listeners::BoundSocket;

/// A configuration that is to come into force, and what was made for it. `None`: what is in force stays.
pub(super) struct Candidate {
    pub(super) config: Config,
    pub(super) sockets: Vec<BoundSocket>,
    pub(super) log: Option<NewLog>,
    fifos: Option<Fifos>,
    watches: Option<Watches>,
    decisions: Option<Option<DecisionFile>>,
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
    pub(super) fn prepare(config: Config, now: &InForce, poll: &Poll) -> Result<Self, StartFailure> {
        let mut candidate =
            Self { config, sockets: Vec::new(), log: None, fifos: None, watches: None, decisions: None };
        match candidate.make(now, poll) {
            Ok(()) => Ok(candidate),
            Err(failure) => {
                candidate.withdraw(now);
                Err(failure)
            }
        }
    }

    fn make(&mut self, now: &InForce, poll: &Poll) -> Result<(), StartFailure> {
        let config = &self.config;
        if config.watches != now.config.watches {
            self.watches = Some(begin_watches(config, poll)?);
        }
        self.log = new_log(config, &now.config)?;
        self.decisions = new_decisions(config, &now.config)?;
        if config.master_fifos != now.config.master_fifos {
            self.fifos = Some(open_fifos(config, 0, poll)?);
        }
        judge_inherited_later(config, &now.sockets)?;
        // Last, since a client may connect as soon as there is a socket.
        self.sockets = open_sockets(config, &now.sockets)?;
        Ok(())
    }

    /// Removes what was made for it alone.
    pub(super) fn withdraw(self, now: &InForce) {
        remove_fresh(&self.sockets, &now.sockets);
        self.fifos.inspect(Fifos::withdraw);
        if let Some(decisions) = self.decisions.flatten() {
            decisions.withdraw();
        }
    }

    /// Takes the place of what is in force. Cannot fail. Returns what was there and left files; where the log goes is
    /// the caller's business.
    pub(super) fn come_into_force(self, now: &mut InForce, now_us: u64) -> Replaced {
        let Self { config, sockets, log: _, fifos, watches, decisions } = self;
        now.scaling = Settings::of(&config);
        now.config = config;
        let sockets = std::mem::replace(&mut now.sockets, sockets);
        if let Some(mut new) = watches {
            new.succeed(&mut now.watches, now_us);
            now.watches = new;
        }
        if let Some(new) = decisions {
            now.decisions = new;
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

/// The log, opened, if it is another file than now, or is to be opened anew.
fn new_log(config: &Config, now: &Config) -> Result<Option<NewLog>, StartFailure> {
    let Some(path) = config.log_file() else { return Ok(None) };
    let moves = now.log_file() != Some(path);
    if !moves && !config.logging.reopen {
        return Ok(None);
    }
    let open = |path: &Path| {
        crate::logging::open(path, &config.logging)
            .map_err(|error| StartFailure::file(format!("cannot open the log {}: {error}", path.display())))
    };
    Ok(Some(if moves { NewLog::Moved(open(path)?) } else { NewLog::Reopened(open(path)?) }))
}

/// Where decisions are to be recorded, if that changes or is to be opened anew.
fn new_decisions(config: &Config, now: &Config) -> Result<Option<Option<DecisionFile>>, StartFailure> {
    let record = &config.scaling.log;
    let changes = *record != now.scaling.log || config.logging.reopen;
    changes.then(|| record.as_deref().map(DecisionFile::open).transpose()).transpose()
}
