//! What is in force: the configuration, and what was opened and set up for it. One value, which a reload swaps whole.
//! Master only.

use std::io;

use mio::Poll;

use super::certificates;
use super::collecting::Collecting;
use super::decisions::DecisionFile;
use super::doors::Doors;
use super::fifo::{FifoHandover, Fifos};
use super::memories::Memories;
use super::schedule::Schedule;
use super::wake::Wake;
use super::watches::{self, Watches};
use super::zerg::Pools;
use crate::config::ground::Access;
use crate::config::model::{Config, Watch};
use crate::failure::StartFailure;
use crate::hindrance::explain;
use crate::scaling::Settings;
use crate::sys::clock::monotonic_us;
use crate::sys::listeners::BoundSocket;

/// A configuration and what was made for it.
pub(super) struct InForce {
    pub(super) config: Config,
    pub(super) scaling: Settings,
    /// How many workers there are at least, by the time of the week.
    pub(super) schedule: Schedule,
    pub(super) sockets: Vec<BoundSocket>,
    /// Sockets that are held for zergs.
    pub(super) pools: Pools,
    /// What all processes share, besides the scoreboard.
    pub(super) memories: Memories,
    /// Where others come to the master.
    pub(super) doors: Doors,
    pub(super) fifos: Fifos,
    pub(super) watches: Watches,
    /// Where decisions on the number of workers are recorded.
    pub(super) decisions: Option<DecisionFile>,
    /// Who takes the lines of the log, if they go elsewhere than to the log.
    pub(super) collecting: Option<Collecting>,
}

impl InForce {
    /// A configuration for which nothing is made yet.
    pub(super) fn of(config: Config) -> Self {
        Self {
            scaling: Settings::of(&config),
            config,
            schedule: Schedule::default(),
            sockets: Vec::new(),
            pools: Pools::default(),
            memories: Memories::default(),
            doors: Doors::default(),
            fifos: Fifos::default(),
            watches: Watches::default(),
            decisions: None,
            collecting: None,
        }
    }

    /// Removes what was made for an instance that does not start after all.
    pub(super) fn withdraw(&mut self) {
        for socket in &self.sockets {
            // Best effort: the failure itself is what the operator must read.
            let _ = socket.remove_file();
        }
        self.pools.withdraw();
        self.doors.withdraw();
        self.fifos.withdraw();
        if let Some(decisions) = self.decisions.take() {
            decisions.withdraw();
        }
    }

    /// `vacuum`: leaves no file behind.
    pub(super) fn vacuum(&self) {
        for socket in &self.sockets {
            if socket.listener.for_zergs {
                log::info!("VACUUM: {} stays: zergs may listen there", socket.name);
                continue;
            }
            match socket.remove_file() {
                Ok(true) => log::info!("VACUUM: unix socket {} removed.", socket.name),
                Ok(false) => {}
                Err(error) => log::warn!("VACUUM: cannot remove {}: {error}", socket.name),
            }
        }
        self.doors.vacuum();
        self.fifos.remove();
    }
}

/// Makes the master fifo of a slot, and has it wake the master.
///
/// # Errors
/// When it cannot be made. Nothing is left behind then.
pub(super) fn open_fifos(config: &Config, slot: usize, poll: &Poll) -> Result<Fifos, StartFailure> {
    let failed = |error| {
        let path = config.master_fifos.get(slot).or(config.master_fifos.first());
        let told = path.map_or_else(|| io::Error::to_string(&error), |path| explain(path, Access::Write, &error));
        StartFailure::file(format!("cannot make the master fifo: {told}")).about("master-fifo")
    };
    let fifos = Fifos::open(&config.master_fifos, slot).map_err(failed)?;
    match watch_fifo(&fifos, poll) {
        Ok(()) => Ok(fifos),
        Err(error) => {
            fifos.withdraw();
            Err(failed(error))
        }
    }
}

/// Goes on with the master fifo that the image before has heard.
///
/// # Errors
/// When it cannot be heard, or was not passed and cannot be made.
pub(super) fn adopt_fifos(config: &Config, handover: FifoHandover, poll: &Poll) -> Result<Fifos, StartFailure> {
    let failed = |error| StartFailure::system("take over the master fifo", &error);
    let fifos = Fifos::adopt(&config.master_fifos, handover).map_err(failed)?;
    watch_fifo(&fifos, poll).map_err(failed)?;
    Ok(fifos)
}

fn watch_fifo(fifos: &Fifos, poll: &Poll) -> io::Result<()> {
    fifos.active().map_or(Ok(()), |(_, fifo)| Wake::Fifo.when_readable(fifo, poll))
}

/// The files of a configuration that are watched: those that options name, and those of certificates.
///
/// # Errors
/// Nobody can tell from where their names are meant.
pub(super) fn watched(config: &Config) -> Result<Vec<Watch>, StartFailure> {
    let mut watched = config.watches.clone();
    let certificates = certificates::watched(config);
    watched.extend(certificates.map_err(|error| StartFailure::system("tell the start directory", &error))?);
    Ok(watched)
}

/// Begins to watch the files of a configuration, and has changes wake the master.
///
/// # Errors
/// When the directory of one of them is not there.
pub(super) fn begin_watches(config: &Config, poll: &Poll) -> Result<Watches, StartFailure> {
    watches::judge(&config.watches)?;
    go_on_watching(config, poll)
}

/// The same, whatever has become of their directories since: for the next image of the master.
///
/// # Errors
/// When the event loop cannot wait for news of them.
pub(super) fn go_on_watching(config: &Config, poll: &Poll) -> Result<Watches, StartFailure> {
    let watches = Watches::new(&watched(config)?, monotonic_us());
    if let Some(source) = watches.source() {
        Wake::Watches
            .when_readable(source, poll)
            .map_err(|error| StartFailure::system("watch for changed files", &error))?;
    }
    Ok(watches)
}
