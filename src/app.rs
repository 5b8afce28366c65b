//! What every binary with rhinod in it does first: become a zygote or a router, or read the command line and become a master.

use std::cell::RefCell;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use worker_protocol::control::ZYGOTE_ARGUMENT;

use crate::cli::{self, About, Command};
use crate::config::directive::Directive;
use crate::config::error::ConfigError;
use crate::config::ground::Access;
use crate::config::load::{Loaded, Rejected, load, read};
use crate::config::looking::Looking;
use crate::config::model::{Config, Logging, PidFiles};
use crate::config::report::page::Page;
use crate::config::report::paint::Paint;
use crate::config::report::show::as_ini;
use crate::config::{Host, Invocation, Surroundings};
use crate::embedded::RustRuntime;
use crate::emperor;
use crate::exit::Exit;
use crate::failure::StartFailure;
use crate::handler::{BoxError, Configuration, Handler};
use crate::hindrance::explain;
use crate::master::upgrade::{Image, first_arguments, start_directory};
use crate::master::{self, Account, Origin};
use crate::operator;
use crate::operator::instance::Places;
use crate::router::{self, settings::ROUTER_ARGUMENT};
#[cfg(feature = "simulate")]
use crate::simulate;
use crate::supervision::vassal::EMPEROR_FD;
use crate::sys::ground::Grounds;
use crate::zygote;

/// Turns a binary into a full rhinod around one application.
///
/// `factory` runs once for each generation, in the zygote, before any worker exists; it is told what an application may want
/// to know of the configuration (environment variables of the ini file are set already). The command line and the ini files are those of the
/// `rhinod` command. Returns the exit code of the instance.
pub fn main<F, H>(factory: F) -> ExitCode
where
    F: FnOnce(&Configuration) -> Result<H, BoxError>,
    H: Handler,
{
    main_as(About::RHINOD, factory)
}

/// The same for an application that has a name and a version of its own, which `--version`, `--help` and `man` then tell.
///
/// ```no_run
/// # fn main() -> std::process::ExitCode {
/// rhinod::main_as(rhinod::about!(), |_| Ok(|_: &mut rhinod::Request<'_>| rhinod::Response::text("Hello\n")))
/// # }
/// ```
pub fn main_as<F, H>(about: About, factory: F) -> ExitCode
where
    F: FnOnce(&Configuration) -> Result<H, BoxError>,
    H: Handler,
{
    run(&about, factory, true)
}

fn run<F, H>(about: &About, factory: F, embeds_application: bool) -> ExitCode
where
    F: FnOnce(&Configuration) -> Result<H, BoxError>,
    H: Handler,
{
    crate::logging::start();
    if let Some(settings) = number_after(ROUTER_ARGUMENT) {
        return code(router::run(settings));
    }
    match number_after(ZYGOTE_ARGUMENT) {
        Some(control) => code(zygote::run(control, &mut RustRuntime::new(factory))),
        None => match Image::of_this_process() {
            Image::First => obey(about, embeds_application),
            Image::Next(number) => adopt(number),
            Image::Asked(number) => understand(number),
        },
    }
}

/// The image before asks whether this binary could go on for it.
fn understand(number: i32) -> ExitCode {
    match Reader::new().and_then(|_| master::upgrade::understand(number)) {
        Ok(()) => Exit::Success.into(),
        Err(failure) => complain(&failure),
    }
}

/// Goes on for a master that has replaced its own binary.
fn adopt(number: i32) -> ExitCode {
    match Reader::new().and_then(|reader| master::upgrade::resume(number, &reader)) {
        Ok(number) => code(number),
        Err(failure) => complain(&failure),
    }
}

/// The `rhinod` command: a master without an application of its own.
pub fn command() -> ExitCode {
    let none = |_: &Configuration| -> Result<fn(&mut crate::Request<'_>) -> crate::Response, BoxError> {
        Err("no application is configured: for Python write `module = wsgi:app` (file wsgi.py, its variable app) or \
             wsgi-file, for a Rust binary rust-app"
            .into())
    };
    run(&About::RHINOD, none, false)
}

/// The number of a descriptor, if this process was executed with this argument before it: as a zygote, as a router.
fn number_after(argument: &str) -> Option<i32> {
    let mut arguments = std::env::args_os().skip(1);
    (arguments.next()? == argument).then_some(())?;
    arguments.next()?.to_str()?.parse().ok()
}

/// Does what the command line asks for.
fn obey(about: &About, embeds_application: bool) -> ExitCode {
    let reader = match Reader::new() {
        Ok(reader) => reader,
        Err(failure) => return complain(&failure),
    };
    let command = match cli::parse(&reader.invocation) {
        Ok(command) => command,
        Err(misuse) => return complain(&StartFailure::new(Exit::Usage, misuse.to_string())),
    };
    let paint = Paint::of(std::io::stdout().is_terminal(), &reader.invocation.environment);
    let page = Page { paint, columns: crate::sys::machine::terminal_columns(std::io::stdout()) };
    let ground = Grounds { embeds_application };
    let printed = cli::print_as(about, &command, &reader.invocation, &reader.world, &surroundings(), &ground, page);
    if let Some(printed) = printed {
        // A reader that has gone (`| head`) is no error of ours.
        let _ = std::io::stdout().write_all(printed.output.as_bytes());
        let _ = std::io::stderr().write_all(printed.errors.as_bytes());
        return printed.exit.into();
    }
    match command {
        Command::Serve => serve(&reader),
        #[cfg(feature = "simulate")]
        Command::Simulate { arguments } => match simulate::carry_out(&arguments, |ini| reader.read_file(ini)) {
            Ok(()) => Exit::Success.into(),
            Err(failure) => complain(&failure),
        },
        other => match operator::carry_out(&other, &|ini| reader.places(ini)) {
            Ok(exit) => exit.into(),
            Err(failure) => complain(&failure),
        },
    }
}

/// Says what is wrong, also to whoever started the instance, when standard error has become its log.
fn complain(failure: &StartFailure) -> ExitCode {
    let mut out = std::io::stderr().lock();
    for line in failure.message.lines() {
        // Where nobody can be told, the exit code still tells.
        let _ = writeln!(out, "rhinod: {line}");
        crate::logging::tell_starter(&format!("rhinod: {line}\n"));
    }
    failure.exit.into()
}

fn serve(reader: &Reader) -> ExitCode {
    match reader.load(false) {
        Ok(config) => match config.daemonize.clone() {
            Some(log) => in_background(reader, &log, &config.logging.clone(), || {
                // The terminal has them, which is about to be closed.
                reader.said.borrow().iter().for_each(|note| log::warn!("{note}"));
                run_master(reader, config)
            }),
            None => code(run_master(reader, config)),
        },
        Err(failure) => complain(&failure),
    }
}

fn run_master(reader: &Reader, config: Config) -> i32 {
    let ended = match config.emperor.monitors.is_empty() {
        true => master::run(config, reader),
        false => master::upgrade::own_path()
            .map_err(|error| StartFailure::system("find this program", &error))
            .and_then(|program| emperor::run(&config, &reader.invocation.directory, &program)),
    };
    match ended.map_err(|failure| reader.locate(failure)) {
        Ok(number) => number,
        Err(failure) => {
            complain(&failure);
            i32::from(failure.exit.code())
        }
    }
}

/// `daemonize`: a child in a session of its own goes on and logs into the file; this process is done. As in uWSGI only
/// the configuration has been judged by then: what keeps the instance from starting is in the log.
fn in_background(reader: &Reader, log: &Path, logging: &Logging, live: impl FnOnce() -> i32) -> ExitCode {
    if let Err(error) = crate::logging::begin_in(log, logging) {
        let error = explain(log, Access::Write, &error);
        let failure = StartFailure::file(format!("cannot open the log {}: {error}", log.display()));
        return complain(&reader.locate(failure.about("daemonize")));
    }
    let child = crate::sys::process::fork_child(|| match crate::sys::process::leave_session() {
        Ok(()) => live(),
        Err(error) => {
            let failure = StartFailure::system("go to the background", &error);
            complain(&failure);
            i32::from(failure.exit.code())
        }
    });
    match child {
        Ok(_) => Exit::Success.into(),
        Err(error) => complain(&StartFailure::system("go to the background", &error)),
    }
}

/// Reads the configuration as the program was called with, at start and at each reload.
struct Reader {
    invocation: Invocation,
    world: Host,
    /// How many listening sockets were handed in, which they were to this process: who reads for it is another one.
    inherited_sockets: usize,
    /// The remarks of the last reading.
    said: RefCell<Vec<String>>,
    /// What stood where at the last reading.
    written: RefCell<Vec<Directive>>,
}

impl Origin for Reader {
    fn read(&self) -> Result<Account, String> {
        let config = self.load(true).map_err(|failure| failure.message)?;
        Ok(Account { config, written: self.written.take() })
    }

    fn learn(&self, account: &Account) {
        self.said.replace(account.config.notes.clone());
        self.written.replace(account.written.clone());
    }

    fn locate(&self, failure: StartFailure) -> StartFailure {
        with_place(failure, &self.written.borrow())
    }
}

impl Reader {
    fn new() -> Result<Self, StartFailure> {
        let directory =
            start_directory().map_err(|error| StartFailure::system("find out how the program was called", &error))?;
        let invocation = Invocation::of_this_process(first_arguments().collect(), directory);
        let inherited_sockets = crate::sys::machine::inherited_sockets();
        Ok(Self {
            invocation,
            world: Host::new(),
            inherited_sockets,
            said: RefCell::default(),
            written: RefCell::default(),
        })
    }

    /// The configuration that `simulate` is given, which was named on purpose, with everything else as the program was called.
    #[cfg(feature = "simulate")]
    fn read_file(&self, ini: &Path) -> Result<Config, StartFailure> {
        let invocation = Invocation { arguments: vec![ini.into()], ..self.invocation.clone() };
        load(&invocation, &self.world, &surroundings()).map(|loaded| loaded.config).map_err(refused)
    }

    /// Where a configuration says that its instance can be found, whatever else is wrong with it.
    fn places(&self, ini: &Path) -> Result<Places, StartFailure> {
        let invocation = Invocation { arguments: vec![ini.into()], ..self.invocation.clone() };
        // Who asks how an instance is doing starts nothing.
        let looking = Looking::at(&self.world);
        let reading = read(&invocation, &looking, &surroundings());
        if reading.collected.missed_source {
            return Err(StartFailure::no_input(&reading.errors));
        }
        let PidFiles { pidfile, pidfile2, safe_pidfile, safe_pidfile2 } = reading.config.pidfiles;
        // The second ones and the fifos are relative to the directory that the instance changes to.
        let moved =
            |path: PathBuf| reading.config.identity.chdir.as_deref().map_or(path.clone(), |dir| dir.join(&path));
        let pid_files =
            pidfile.into_iter().chain([pidfile2, safe_pidfile, safe_pidfile2].into_iter().flatten().map(moved));
        let fifos = reading.config.master_fifos.iter().cloned().map(moved);
        Ok(Places { pid_files: pid_files.collect(), fifos: fifos.collect(), left_out: looking.left_out() })
    }

    fn load(&self, reload: bool) -> Result<Config, StartFailure> {
        let invocation = Invocation { reload, ..self.invocation.clone() };
        let surroundings = Surroundings { inherited_sockets: Some(self.inherited_sockets), ..surroundings() };
        // What reads for a reload is at the head of a group, with which all goes that it has begun.
        let world = if reload { self.world.in_own_group() } else { self.world.clone() };
        let Loaded { mut config, collected } = load(&invocation, &world, &surroundings).map_err(refused)?;
        if std::env::var_os(EMPEROR_FD).is_some() {
            // An Emperor is to see when its vassal ends, and has its own log.
            config.daemonize = None;
        }
        config.anchor_logs(&invocation.directory);
        // A reload says what is new.
        let said = self.said.replace(config.notes.clone());
        for note in config.notes.iter().filter(|note| !said.contains(note)) {
            log::warn!("{note}");
        }
        let mut asked_for = String::new();
        if config.show_config {
            asked_for += &as_ini(&collected);
        }
        if config.list_policies {
            asked_for += &cli::policies();
        }
        // Who does not listen is no reason not to start.
        let _ = std::io::stdout().write_all(asked_for.as_bytes());
        self.written.replace(collected.directives);
        Ok(config)
    }
}

fn refused(rejected: Rejected) -> StartFailure {
    match rejected.missed_source {
        true => StartFailure::no_input(&rejected.errors),
        false => StartFailure::configuration(&rejected.errors),
    }
}

/// Says where that was given which a failure is about.
fn with_place(failure: StartFailure, written: &[Directive]) -> StartFailure {
    match failure.subject.as_ref().and_then(|subject| subject.line(written)) {
        Some(directive) => {
            let message = ConfigError::about(directive, &failure.message).to_string();
            StartFailure { message, ..failure }
        }
        None => failure,
    }
}

/// What the configuration has to know of this machine.
fn surroundings() -> Surroundings {
    Surroundings {
        somaxconn: crate::sys::machine::somaxconn(),
        migrates_connections: crate::sys::machine::migrates_connections(),
        process_limit: crate::sys::machine::process_limit(),
        euid: crate::sys::machine::effective_user(),
        umask: crate::sys::machine::umask(),
        inherited_sockets: Some(crate::sys::machine::inherited_sockets()),
        resolve: crate::sys::machine::resolve,
        executes: crate::sys::machine::executes,
        search_path: std::env::var("PATH").ok(),
        own_interpreter: crate::sys::machine::own_interpreter(),
    }
}

fn code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
