//! The configuration of a reload: read and prepared without touching what is in force, then committed or abandoned.
//! Master only.

use std::fs::File;
use std::path::Path;

use super::decisions::DecisionFile;
use super::fifo::Fifos;
use super::machine::{Event, Plan};
use super::wake::Wake;
use super::watches::Watches;
use super::{Driver, startup};
use crate::config::model::{Address, Config};
use crate::config::options;
use crate::sys::listeners::BoundSocket;

/// A configuration that is to come into force, and what it has opened already.
pub(super) struct Candidate {
    pub(super) config: Config,
    pub(super) sockets: Vec<BoundSocket>,
    /// The log, if it is another file than now.
    pub(super) log: Option<File>,
    /// Where decisions will be recorded, if that changes.
    decisions: Option<Option<DecisionFile>>,
}

impl Driver<'_> {
    /// Reads the configuration for a reload and opens its sockets, without touching what is in force.
    pub(super) fn read_configuration(&mut self) {
        let answer = self.prepare_candidate().map(|candidate| {
            let plan = Plan { seats: self.children.seats(), ..Plan::of(&candidate.config) };
            self.candidate = Some(candidate);
            plan
        });
        self.handle(Event::ConfigurationRead(answer));
    }

    fn prepare_candidate(&self) -> Result<Candidate, String> {
        let mut config = (self.read)()?;
        self.children.fits(&config)?;
        for option in options::needing_restart(&self.config, &config) {
            log::warn!("{} changes only with a restart", option.name);
        }
        config.identity.stay(&self.config.identity);
        let changed = config.log_file().filter(|path| self.config.log_file() != Some(path));
        let open = |path: &Path| {
            crate::logging::open(path, &config.logging)
                .map_err(|error| format!("cannot open the log {}: {error}", path.display()))
        };
        let log = changed.map(open).transpose()?;
        let record = &config.scaling.log;
        let decisions = (*record != self.config.scaling.log)
            .then(|| record.as_deref().map(DecisionFile::open).transpose())
            .transpose()
            .map_err(|failure| failure.to_string())?;
        self.judge_inherited(&config)?;
        // Last, since a socket leaves a file.
        let sockets = startup::open_sockets(&config, &self.sockets).map_err(|failure| failure.to_string())?;
        Ok(Candidate { config, sockets, log, decisions })
    }

    /// Whether every descriptor that a configuration names to listen on (`fd://N`) is one that this instance has been
    /// listening on from its start: by now any other number may be one of the master's own descriptors.
    fn judge_inherited(&self, config: &Config) -> Result<(), String> {
        for listener in &config.sockets {
            let is_open = || self.sockets.iter().any(|socket| socket.listener.address == listener.address);
            if matches!(listener.address, Address::Inherited(_)) && !is_open() {
                return Err(format!(
                    "socket = {}: what was inherited can only be named at the start, so that this needs a restart",
                    listener.address
                ));
            }
        }
        Ok(())
    }

    /// Forgets what was prepared; what is in force was never touched.
    pub(super) fn abandon(&mut self) {
        let Some(Candidate { sockets, decisions, .. }) = self.candidate.take() else { return };
        let in_force = |new: &BoundSocket| self.sockets.iter().any(|old| old.file == new.file);
        for socket in sockets.iter().filter(|socket| !in_force(socket)) {
            if let Err(error) = socket.remove_file() {
                log::warn!("cannot remove {}: {error}", socket.name);
            }
        }
        if let Some(decisions) = decisions.flatten() {
            decisions.withdraw();
        }
    }

    /// Puts what was prepared into force.
    pub(super) fn commit(&mut self) {
        let Some(Candidate { config, sockets, log, decisions }) = self.candidate.take() else { return };
        if let Some(log) = log {
            self.log_into(&log);
        }
        crate::logging::stamp_lines(&config.logging);
        if let Some(file) = decisions {
            self.scaler.record_to(file);
        }
        self.watch_queue(false);
        self.scaler.reconfigure(&config);
        self.look_due = true;
        self.renew_watches(&config);
        self.renew_sockets(sockets);
        self.config = config;
        startup::title_master(&self.config);
        self.tell_daemons_of_reload();
        if self.config.logging.reopen {
            self.reopen_logs();
        }
    }

    /// Takes over the sockets of a new configuration, and closes those that it does not have.
    fn renew_sockets(&mut self, sockets: Vec<BoundSocket>) {
        let old = std::mem::replace(&mut self.sockets, sockets);
        for socket in old {
            let kept = self.sockets.iter().any(|new| new.listener.address == socket.listener.address);
            if !kept && let Err(error) = socket.remove_file() {
                log::warn!("cannot remove {}: {error}", socket.name);
            }
        }
    }

    /// Takes over the files to watch and the fifos of a new configuration.
    fn renew_watches(&mut self, config: &Config) {
        if config.watches != self.config.watches {
            let renew = || {
                let new = Watches::new(&config.watches)?;
                Wake::Watches.when_readable(&new, &self.poll)?;
                Ok::<_, std::io::Error>(new)
            };
            match renew() {
                Ok(new) => self.watches = new,
                Err(error) => log::error!("the files to watch stay as they were: {error}"),
            }
        }
        if config.master_fifos != self.config.master_fifos {
            match Fifos::open(&config.master_fifos, 0) {
                Ok(new) => {
                    self.fifos = new;
                    self.listen_to_fifo(0);
                }
                Err(error) => log::error!("the master fifo stays as it was: {error}"),
            }
        }
    }
}
