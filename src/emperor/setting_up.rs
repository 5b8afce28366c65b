//! From a configuration to an Emperor that looks for vassals. Emperor only.

use std::io;
use std::path::Path;

use mio::Poll;
use nix::sys::signal::Signal;
use signal_hook_mio::v1_0::Signals;

use super::addresses::Questions;
use super::court::Court;
use super::driver::{Driver, HEARD};
use super::machine::{Machine, Policy};
use super::monitors::Monitors;
use super::shares::Sharing;
use super::succession::Succession;
use crate::config::model::{Config, HookPhase, Listener};
use crate::failure::StartFailure;
use crate::supervision::back_off::Pace;
use crate::supervision::vassal::EMPEROR_FD;
use crate::sys::files::{Place, write_text};
use crate::sys::identity;
use crate::sys::line::Line;
use crate::sys::listeners::{BindOptions, BoundSocket};
use crate::sys::process;
use crate::sys::visitors::Visitors;

/// Runs an Emperor from start to end; returns the exit code. `start` is the directory that it was called in, `program`
/// where it is.
///
/// # Errors
/// What keeps it from starting.
pub(crate) fn run(config: &Config, start: &Path, program: &Path) -> Result<i32, StartFailure> {
    let system = |what| move |error: io::Error| StartFailure::system(what, &error);
    process::close_strangers_on_exec();
    crate::sys::resources::adjust_descriptor_limit();
    let mut signals = Signals::new(HEARD).map_err(system("install signal handlers"))?;
    crate::sys::signals::note(Signal::SIGXFSZ, &std::sync::Arc::default())
        .map_err(system("install signal handlers"))?;
    let poll = Poll::new().map_err(system("set up the event loop"))?;
    title(config);
    become_who_it_is(config)?;
    let own = std::env::var(EMPEROR_FD).ok().and_then(|number| number.parse().ok());
    let own = own.map(Line::inherited).transpose().map_err(system("hear the Emperor above"))?;
    let door = config.emperor.stats.as_ref().map(|address| {
        let listener = Listener { defer_accept: false, ..Listener::on(address.clone()) };
        let options = BindOptions { backlog: 128, mode: config.chmod_socket, ..BindOptions::default() };
        BoundSocket::bind(&listener, &options).map_err(|error| StartFailure::from(error).about("emperor-stats"))
    });
    let door = door.transpose()?;
    if let Some(path) = &config.emperor.pidfile {
        write_text(path, &format!("{}\n", std::process::id()), 0o644).map_err(|error| {
            StartFailure::file(format!("cannot write {}: {error}", path.display())).about("emperor-pidfile")
        })?;
    }
    let monitors = Monitors::new(&config.emperor, start);
    let court = Court::new(config, program);
    let machine = Machine::new(policy(config));
    let (questions, visitors) = (Questions::default(), Visitors::default());
    let succession = config.emperor.survive.as_deref().map(Succession::begin).transpose();
    let succession = succession.map_err(|error| StartFailure::configuration(error).about("emperor-survive"))?;
    let sharing = config.emperor.memory.map(Sharing::of).transpose().map_err(StartFailure::configuration)?;
    let signals = &mut signals;
    let mut driver = Driver {
        config,
        poll,
        signals,
        machine,
        monitors,
        court,
        questions,
        door,
        visitors,
        succession,
        is_lavish: true,
        sharing,
        own,
    };
    driver.watch().map_err(system("set up the event loop"))?;
    crate::hooks::run(&config.hooks, HookPhase::EmperorStart).map_err(StartFailure::configuration)?;
    let ended = driver.run();
    driver.succession.iter().for_each(Succession::end);
    if let (Some(door), true) = (&driver.door, config.vacuum) {
        // Best effort: there is nobody left to do better.
        let _ = door.remove_file();
    }
    if let Some(path) = &config.emperor.pidfile {
        let _ = Place::of(path).and_then(|place| place.remove_if(|found| found.st_size > 0));
    }
    ended.map_err(system("wait for events"))
}

fn title(config: &Config) {
    process::set_name("rhinod emperor");
    if let Some(title) = config.emperor.title.clone().or_else(|| config.process_names.master())
        && let Err(error) = crate::sys::title::set_title(&title)
    {
        log::warn!("the Emperor cannot be called {title}: {error}");
    }
}

/// Log, directory, user and the hooks between them, in the order of every other start.
fn become_who_it_is(config: &Config) -> Result<(), StartFailure> {
    let hooks = |phase| crate::hooks::run(&config.hooks, phase).map_err(StartFailure::configuration);
    let who = &config.identity;
    if let Some(bits) = who.umask {
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(bits));
    }
    crate::logging::stamp_lines(&config.logging);
    hooks(HookPhase::Asap)?;
    begin_log(config.logging.to.as_deref(), config, "logto")?;
    hooks(HookPhase::AsRoot)?;
    let credentials = identity::of(who)?;
    identity::become_user(&credentials)?;
    if let Some(directory) = &who.chdir {
        std::env::set_current_dir(directory).map_err(|error| {
            StartFailure::system(&format!("change to {}", directory.display()), &error).about("chdir")
        })?;
    }
    hooks(HookPhase::AsUser)?;
    begin_log(config.logging.to2.as_deref(), config, "logto2")
}

fn begin_log(path: Option<&Path>, config: &Config, option: &'static str) -> Result<(), StartFailure> {
    let Some(path) = path else { return Ok(()) };
    let begun = crate::logging::begin_instead(path, &config.logging);
    begun
        .map(drop)
        .map_err(|error| StartFailure::file(format!("cannot open the log {}: {error}", path.display())).about(option))
}

fn policy(config: &Config) -> Policy {
    let patience = &config.emperor.patience;
    let us = |time: std::time::Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let starts = patience.starts.and_then(|starts| usize::try_from(starts).ok()).filter(|starts| *starts > 0);
    Policy {
        pace: Pace { first_us: us(patience.first), max_us: us(patience.longest) },
        forgives: patience.forgives,
        curse_us: us(patience.curse),
        mercy_us: us(config.patience.mercy),
        heartbeat_us: us(patience.heartbeat),
        starts_max: starts.unwrap_or(processors * 2),
        reinforcements_max: config.emperor.reinforcements,
    }
}
