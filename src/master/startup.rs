//! From a configuration to an instance that is ready to fork: identity, directory, sockets, pid files. Master only.
//!
//! The order is that of uWSGI's manual, "Things to know", with one difference: no file is touched before the addresses are
//! won, because whoever has them already may be an instance of the same configuration, whose files they then are. For that
//! the way back to root stays open until nothing can fail any more.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use nix::unistd::{Gid, Uid};

use super::decisions::DecisionFile;
use super::files::PidFiles;
use crate::config::model::{Address, Config, HookPhase, Identity, Listener};
use crate::failure::StartFailure;
use crate::sys::identity::{self, Credentials, IdentityError, WayBack};
use crate::sys::listeners::{BindOptions, BoundSocket, ListenError};
use crate::sys::process;

/// What an instance has once it has started.
pub(super) struct Started {
    pub(super) sockets: Vec<BoundSocket>,
    pub(super) pid_files: PidFiles,
    pub(super) decisions: Option<DecisionFile>,
    way_back: Option<WayBack>,
}

/// Makes the process what the configuration says. On a failure nothing is left behind.
pub(super) fn start(config: &Config) -> Result<Started, StartFailure> {
    process::close_strangers_on_exec();
    process::raise_descriptor_limit();
    process::become_subreaper().map_err(|error| StartFailure::system("become a subreaper", &error))?;
    title_master(config);
    let mut started = Started { sockets: Vec::new(), pid_files: PidFiles::default(), decisions: None, way_back: None };
    match prepare(config, &mut started) {
        Ok(()) => Ok(started),
        Err(failure) => {
            started.withdraw();
            Err(failure)
        }
    }
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
        let Self { sockets, pid_files, decisions, way_back } = self;
        // Best effort: the failure itself is what the operator must read.
        let _ = as_root(way_back.as_ref(), || {
            for socket in sockets.drain(..) {
                let _ = socket.remove_file();
            }
            pid_files.withdraw();
            if let Some(decisions) = decisions.take() {
                decisions.withdraw();
            }
        });
    }

    /// Gives up the way back to root: from here on what happens is the user's.
    pub(super) fn settle(&mut self) -> Result<(), StartFailure> {
        self.way_back.take().map_or(Ok(()), |way_back| way_back.give_up().map_err(StartFailure::from))
    }
}

fn as_root<T>(way_back: Option<&WayBack>, act: impl FnOnce() -> T) -> Result<T, StartFailure> {
    match way_back {
        Some(way_back) => way_back.as_root(act).map_err(StartFailure::from),
        None => Ok(act()),
    }
}

fn prepare(config: &Config, started: &mut Started) -> Result<(), StartFailure> {
    let who = &config.identity;
    let credentials = identity::resolve(who.uid.as_deref(), who.gid.as_deref(), &who.add_gids)
        .map_err(|error| blame_identity(error, who))?;
    if let Some(bits) = who.umask {
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(bits));
    }
    crate::logging::stamp_lines(&config.logging);
    hooks(config, HookPhase::Asap)?;
    let log = begin_log(config.logging.to.as_deref(), config)?;
    if let (Some(log), true) = (&log, config.logging.chown) {
        let (user, group) = (credentials.user.map(Uid::as_raw), credentials.group.map(Gid::as_raw));
        std::os::unix::fs::fchown(log, user, group).map_err(|error| {
            StartFailure::system("give the log to the user who serves", &error).about("logfile-chown")
        })?;
    }
    // Relative to the directory that the program was called in, which may change below.
    let absolute = |path: &std::path::PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let pidfile = config.pidfiles.pidfile.as_ref().map(absolute);
    hooks(config, HookPhase::AsRoot)?;
    // Without `chown-socket` the sockets are made by the user that serves (uWSGI's manual, "Managing the uWSGI
    // server").
    let early = config.chown_socket.is_none();
    if early {
        started.way_back = drop_privileges(config, &credentials)?;
    }
    if let Some(directory) = &who.chdir {
        std::env::set_current_dir(directory)
            .map_err(|error| StartFailure::system("change to this directory", &error).about("chdir"))?;
    }
    hooks(config, HookPhase::AsUser)?;
    begin_log(config.logging.to2.as_deref(), config)?;
    let activated = activated_sockets()
        .map_err(|error| StartFailure::system("take the sockets that the init system opened", &error))?;
    if config.sockets.is_empty() && activated.is_empty() && config.daemons.list.is_empty() {
        return Err(StartFailure::configuration(
            "there is nothing to serve: no socket is configured (socket = /path/to/app.sock, or 127.0.0.1:3031)",
        ));
    }
    started.sockets = open_sockets(config, &activated)?;
    if !early {
        started.way_back = drop_privileges(config, &credentials)?;
    }
    // The addresses are won: from here on the files are ours.
    let Started { pid_files, decisions, way_back, .. } = started;
    as_root(way_back.as_ref(), || {
        crate::logging::empty_old()
            .map_err(|error| StartFailure::file(format!("cannot empty the log: {error}")).about("log-truncate"))?;
        *decisions = config.scaling.log.as_deref().map(DecisionFile::open).transpose()?;
        let write = |path: &std::path::PathBuf| pid_files.write(path).map_err(|failure| failure.about("pidfile"));
        pidfile.as_ref().map_or(Ok(()), write)
    })??;
    if let Some(path) = &config.pidfiles.pidfile2 {
        started.pid_files.write(path).map_err(|failure| failure.about("pidfile2"))?;
    }
    for (index, socket) in started.sockets.iter().enumerate() {
        log::info!("rhinod socket {index} bound to {}", socket.name);
    }
    Ok(())
}

fn hooks(config: &Config, phase: HookPhase) -> Result<(), StartFailure> {
    crate::hooks::run(&config.hooks, phase).map_err(StartFailure::configuration)
}

fn begin_log(path: Option<&std::path::Path>, config: &Config) -> Result<Option<File>, StartFailure> {
    let begin = |path: &std::path::Path| {
        crate::logging::begin_in(path, &config.logging)
            .map_err(|error| StartFailure::file(format!("cannot open the log {}: {error}", path.display())))
    };
    path.map(begin).transpose()
}

fn drop_privileges(config: &Config, credentials: &Credentials) -> Result<Option<WayBack>, StartFailure> {
    if config.identity.master_as_root {
        return Ok(None);
    }
    identity::become_user_for_now(credentials).map_err(|error| blame_identity(error, &config.identity))
}

/// Opens the sockets of a configuration; those that are open already are shared.
pub(super) fn open_sockets(config: &Config, open: &[BoundSocket]) -> Result<Vec<BoundSocket>, StartFailure> {
    let owner = config.chown_socket.as_deref().map(parse_owner).transpose()?;
    let options = BindOptions {
        backlog: config.backlog(),
        mode: config.chmod_socket,
        owner,
        defer_accept: config.request.socket_timeout,
    };
    let mut sockets = Vec::with_capacity(config.sockets.len());
    let names: Vec<String> = config.sockets.iter().map(|listener| listener.address.to_string()).collect();
    // What the init system opened stays, also when no line of the configuration names it.
    for socket in open.iter().filter(|socket| socket.activated && !names.contains(&socket.name)) {
        let shared = share(socket, &socket.listener, &options);
        sockets.push(
            shared.map_err(|error| StartFailure::system(&format!("go on listening on {}", socket.name), &error))?,
        );
    }
    for (listener, name) in config.sockets.iter().zip(&names) {
        let known = |socket: &&BoundSocket| {
            socket.listener.address == listener.address || (socket.activated && socket.name == *name)
        };
        let socket = match open.iter().find(known) {
            Some(socket) => share(socket, listener, &options)
                .map_err(|error| StartFailure::system(&format!("go on listening on {}", socket.name), &error)),
            None => BoundSocket::bind(listener, &options).map_err(Into::into),
        };
        match socket {
            Ok(socket) => sockets.push(socket),
            Err(failure) => {
                let is_open = |new: &&BoundSocket| open.iter().any(|old| old.listener.address == new.listener.address);
                let fresh = sockets.iter().filter(|new| !is_open(new));
                for socket in fresh {
                    let _ = socket.remove_file();
                }
                return Err(failure);
            }
        }
    }
    Ok(sockets)
}

/// Whether every descriptor that is to be listened on (`fd://N`) is there, before anything of ours can have its number.
///
/// # Errors
/// The first one that is not.
pub(super) fn judge_inherited(config: &Config) -> Result<(), StartFailure> {
    for listener in &config.sockets {
        if let Address::Inherited(number) = listener.address {
            process::duplicate_descriptor(number)
                .map_err(|error| ListenError::Refused(listener.address.to_string(), error))?;
        }
    }
    Ok(())
}

/// The sockets of socket activation (sd_listen_fds(3)): they begin at descriptor 3.
fn activated_sockets() -> io::Result<Vec<BoundSocket>> {
    let count = i32::try_from(crate::sys::machine::activated_sockets()).unwrap_or(0);
    let adopt = |number: i32| {
        let descriptor = process::adopt_descriptor(3 + number)?;
        BoundSocket::adopt(Listener::on(Address::Inherited(3 + number)), descriptor, None, true)
    };
    (0..count).map(adopt).collect()
}

fn share(socket: &BoundSocket, listener: &Listener, options: &BindOptions) -> io::Result<BoundSocket> {
    let copy = socket.as_fd().try_clone_to_owned()?;
    let shared = BoundSocket::adopt(listener.clone(), copy, socket.file.clone(), socket.activated)?;
    shared.defer_accept(options.defer_accept)?;
    shared.set_backlog(options.backlog)?;
    Ok(shared)
}

/// `user`, `user:group`, or numbers.
fn parse_owner(text: &str) -> Result<Credentials, StartFailure> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    identity::resolve((!user.is_empty()).then_some(user), group, &[])
        .map_err(|error| StartFailure::from(error).about("chown-socket"))
}

fn blame_identity(error: IdentityError, who: &Identity) -> StartFailure {
    let option = match &error {
        IdentityError::NoSuchGroup(name) if who.gid.as_ref() == Some(name) => "gid",
        IdentityError::NoSuchGroup(_) => "add-gid",
        IdentityError::NoSuchUser(_) | IdentityError::NotRoot(..) | IdentityError::Refused(..) => "uid",
    };
    StartFailure::from(error).about(option)
}

/// How many seats the scoreboard has: room for reloads that ask for more workers. Untouched seats cost no memory.
pub(super) fn seats(config: &Config) -> u32 {
    const ROOM: u32 = 256;
    super::machine::Plan::of(config).seats.max(super::machine::Plan::seats_for(ROOM))
}
