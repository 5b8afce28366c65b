//! From a configuration to an instance that is ready to fork: identity, directory, sockets, pid files. Master only.
//!
//! The order is that of uWSGI's manual, "Things to know", with one difference: no file is touched before the addresses are
//! won, because whoever has them already may be an instance of the same configuration, whose files they then are. For that
//! the way back to root stays open until nothing can fail any more.

use std::fs::File;
use std::os::unix::fs::FileTypeExt;

use mio::Poll;
use nix::unistd::{Gid, Uid};

use super::children::Ahead;
use super::decisions::DecisionFile;
use super::doors::Doors;
use super::files::PidFiles;
use super::greeting;
use super::in_force::{InForce, begin_watches, open_fifos};
use super::memories::Memories;
use super::schedule::Schedule;
use super::sockets::{activated_sockets, input_socket, name_holder, open_early, open_sockets, settle_queues};
use super::upgrade::start_directory;
use super::zerg::{Pools, take_sockets};
use crate::config::ground::Access;
use crate::config::model::{Application, Config, HookPhase, Identity, LogPlace};
use crate::exit::Exit;
use crate::failure::StartFailure;
use crate::hindrance::explain;
use crate::sys::ground::to_blame;
use crate::sys::identity::{self, Credentials, IdentityError, WayBack};
use crate::sys::{capabilities, process, resources};

/// What an instance has once it has started.
pub(super) struct Started {
    pub(super) in_force: InForce,
    pub(super) pid_files: PidFiles,
    pub(super) ahead: Ahead,
    way_back: Option<WayBack>,
}

/// Makes the process what the configuration says. On a failure nothing is left behind.
pub(super) fn start(config: Config, poll: &Poll) -> Result<Started, StartFailure> {
    process::close_strangers_on_exec();
    take_on_resources(&config);
    process::become_subreaper().map_err(|error| StartFailure::system("become a subreaper", &error))?;
    process::probe_pidfds().map_err(|error| {
        StartFailure::system("watch processes (pidfd_open(2), Linux 5.3 or later, not forbidden by a filter)", &error)
    })?;
    title_master(&config);
    let mut started = Started {
        in_force: InForce::of(config),
        pid_files: PidFiles::default(),
        ahead: Ahead::default(),
        way_back: None,
    };
    match prepare(&mut started, poll) {
        Ok(()) => Ok(started),
        Err(failure) => {
            started.withdraw();
            Err(failure)
        }
    }
}

/// What all processes of the instance inherit, and what only the rights of the start may suffice for.
fn take_on_resources(config: &Config) {
    resources::adjust_descriptor_limit();
    let told = |option: &str, taken: Option<std::io::Result<()>>| {
        if let Some(Err(error)) = taken {
            log::error!("{option}: {error}; what was inherited stays");
        }
    };
    told("max-fd", config.resources.descriptors.map(resources::limit_descriptors));
    told("prio", config.resources.priority.map(resources::set_priority));
}

/// Gives the master its name, and its title if it is to have one.
pub(super) fn title_master(config: &Config) {
    process::set_name("rhinod master");
    if let Some(title) = config.process_names.master()
        && let Err(error) = crate::sys::title::set_title(&title)
    {
        log::warn!("the master cannot be called {title}: {error}");
    }
}

impl Started {
    /// Removes what a start has made that does not succeed.
    pub(super) fn withdraw(&mut self) {
        let Self { in_force, pid_files, way_back, .. } = self;
        // Best effort: the failure itself is what the operator must read.
        let _ = as_root(way_back.as_ref(), || {
            in_force.withdraw();
            pid_files.withdraw();
        });
    }

    /// Gives up the way back to root: from here on what happens is the user's.
    pub(super) fn settle(&mut self) -> Result<(), StartFailure> {
        let who = &self.in_force.config.identity;
        // A master that stays root keeps its own; zygotes begin with these.
        let kept = who.capabilities.filter(|_| !who.master_as_root);
        if let Some(way_back) = self.way_back.take() {
            way_back.give_up(kept.is_some())?;
        }
        kept.map_or(Ok(()), |kept| capabilities::keep_only(kept.bits()))
            .map_err(|error| StartFailure::system("give up capabilities", &error).about("cap"))
    }
}

fn as_root<T>(way_back: Option<&WayBack>, act: impl FnOnce() -> T) -> Result<T, StartFailure> {
    match way_back {
        Some(way_back) => way_back.as_root(act).map_err(StartFailure::from),
        None => Ok(act()),
    }
}

fn prepare(started: &mut Started, poll: &Poll) -> Result<(), StartFailure> {
    let Started { in_force, pid_files, ahead, way_back } = started;
    // While the keys may be read.
    super::certificates::read(&mut in_force.config, None)?;
    let config = &in_force.config;
    let who = &config.identity;
    let credentials = identity::of(who).map_err(|error| blame_identity(error, who))?;
    if let Some(bits) = who.umask {
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(bits));
    }
    crate::logging::stamp_lines(&config.logging);
    hooks(config, HookPhase::Asap)?;
    let log = begin_log("logto", config.logging.to.as_deref(), config)?;
    if let (Some(log), true) = (&log, config.logging.chown) {
        let (user, group) = (credentials.user.map(Uid::as_raw), credentials.group.map(Gid::as_raw));
        std::os::unix::fs::fchown(log, user, group).map_err(|error| {
            StartFailure::system("give the log to the user who serves", &error).about("logfile-chown")
        })?;
    }
    let start = start_directory().map_err(|error| StartFailure::system("tell the start directory", &error))?;
    let pidfile = config.pidfiles.pidfile.as_ref().map(|path| start.join(path));
    hooks(config, HookPhase::AsRoot)?;
    // Without `chown-socket` the sockets are made by the user that serves (uWSGI's manual, "Managing the uWSGI
    // server").
    let early = config.chown_socket.is_none();
    // Those that only root may open.
    let mut open = open_early(config).map_err(name_holder)?;
    if early {
        *way_back = drop_privileges(config, &credentials)?;
    }
    if let Some(directory) = &who.chdir {
        std::env::set_current_dir(directory).map_err(|error| cannot_enter(directory, &error))?;
    }
    hooks(config, HookPhase::AsUser)?;
    begin_log("logto2", config.logging.to2.as_deref(), config)?;
    try_places(config)?;
    *ahead = as_root(way_back.as_ref(), || Ahead::open(config))?;
    open.extend(
        activated_sockets()
            .map_err(|error| StartFailure::system("take the sockets that the init system opened", &error))?,
    );
    open.extend(
        input_socket(config).map_err(|error| StartFailure::system("take the socket on standard input", &error))?,
    );
    open.extend(take_sockets(config)?);
    let has_companions = !config.mules.list.is_empty() || !config.spoolers.list.is_empty();
    let has_programs = !config.daemons.list.is_empty() || !config.crons.is_empty();
    let has_other_work = has_programs || !config.zerg.pools.is_empty() || has_companions;
    if config.sockets.is_empty() && open.is_empty() && !has_other_work {
        return Err(StartFailure::configuration(
            "there is nothing to serve: no socket is configured (socket = /path/to/app.sock, or 127.0.0.1:3031)",
        ));
    }
    in_force.sockets = match open_sockets(config, &open) {
        Ok(sockets) => sockets,
        Err(failure) => return Err(as_root(way_back.as_ref(), || name_holder(failure))?),
    };
    settle_queues(&in_force.sockets, config)?;
    in_force.pools = match Pools::open(config) {
        Ok(pools) => pools,
        Err(failure) => return Err(as_root(way_back.as_ref(), || name_holder(failure))?),
    };
    in_force.doors = Doors::open(config, poll)?;
    if !early {
        *way_back = drop_privileges(config, &credentials)?;
    }
    // The addresses are won: from here on the files are ours.
    as_root(way_back.as_ref(), || {
        crate::logging::empty_old()
            .map_err(|error| StartFailure::file(format!("cannot empty the log: {error}")).about("log-truncate"))?;
        in_force.decisions = config.scaling.log.as_deref().map(DecisionFile::open).transpose()?;
        let write = |path: &std::path::PathBuf| pid_files.write(path).map_err(|failure| failure.about("pidfile"));
        pidfile.as_ref().map_or(Ok(()), write)
    })??;
    if let Some(path) = &config.pidfiles.pidfile2 {
        pid_files.write(path).map_err(|failure| failure.about("pidfile2"))?;
    }
    let python = match &config.application {
        Application::Python(python) => super::children::python_version(python),
        Application::Rust(_) | Application::Embedded => None,
    };
    for line in greeting::lines(config, std::process::id(), python.as_deref()) {
        log::info!("{line}");
    }
    for (index, socket) in in_force.sockets.iter().enumerate() {
        log::info!("rhinod socket {index} bound to {}", socket.name);
    }
    in_force.schedule = Schedule::of(&config.scaling)?;
    in_force.memories = Memories::begin(config)?;
    in_force.watches = begin_watches(config, poll)?;
    // Last, since a fifo is a file.
    in_force.fifos = open_fifos(config, 0, poll)?;
    Ok(())
}

fn hooks(config: &Config, phase: HookPhase) -> Result<(), StartFailure> {
    crate::hooks::run(&config.hooks, phase).map_err(StartFailure::configuration)
}

fn begin_log(
    option: &'static str,
    path: Option<&std::path::Path>,
    config: &Config,
) -> Result<Option<File>, StartFailure> {
    let begin = |path: &std::path::Path| {
        crate::logging::begin_instead(path, &config.logging).map_err(|error| {
            let error = explain(path, Access::Write, &error);
            StartFailure::file(format!("cannot open the log {}: {error}", path.display())).about(option)
        })
    };
    path.map(begin).transpose()
}

fn cannot_enter(directory: &std::path::Path, error: &std::io::Error) -> StartFailure {
    let told = explain(&directory.join("x"), Access::Execute, error);
    StartFailure::new(Exit::System, format!("cannot change to this directory: {told}")).about("chdir")
}

/// Makes the files that are places for lines, as the user who serves: workers and the collector open them for themselves.
fn try_places(config: &Config) -> Result<(), StartFailure> {
    let logging = &config.logging;
    let wanted = [("logger", &logging.loggers), ("req-logger", &logging.request_loggers)];
    let all = wanted.into_iter().flat_map(|(option, loggers)| loggers.iter().map(move |logger| (option, logger)));
    for (option, logger) in all {
        if let LogPlace::File(path) = &logger.to
            && !path.metadata().is_ok_and(|found| found.file_type().is_fifo())
        {
            crate::logging::open(path, logging).map_err(|error| {
                StartFailure::file(format!("cannot open {}: {error}", path.display())).about(option)
            })?;
        }
    }
    Ok(())
}

fn drop_privileges(config: &Config, credentials: &Credentials) -> Result<Option<WayBack>, StartFailure> {
    let became = if config.identity.master_as_root {
        identity::judge(credentials).map(|()| None)
    } else {
        identity::become_user_for_now(credentials)
    };
    became.map_err(|error| blame_identity(error, &config.identity))
}

fn blame_identity(error: IdentityError, who: &Identity) -> StartFailure {
    let option = to_blame(&error, who);
    StartFailure::from(error).about(option)
}
