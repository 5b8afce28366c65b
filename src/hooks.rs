//! Hooks: what the configuration wants done at moments of the life cycle (uWSGI's manual, "Hooks").
//!
//! Runs in whichever process has the moment: the master (`asap` to `master-start`, `as-user-atexit`), the zygote
//! (`pre-app`, `post-app`), the workers (`post-fork`, `accepting`…). Blocks: it is meant for the edges of a life. What
//! a running master or Emperor does goes through [`spawn`] (a watched file) or [`run_aside`] (what an Emperor orders).

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::config::model::{Hook, HookAction, HookPhase, SignalFunction};
use crate::sys::clock::monotonic_us;
use crate::sys::process::{close_all_but, end_within, keep_signals, set_name};
use crate::sys::spawn::fork_vassal;

/// How long `wait_for_*` waits, as in uWSGI.
const WAIT_FOR: Duration = Duration::from_secs(60);

/// How often `wait_for_*` and `spinningfifo` look again: nothing tells of a file that does not exist yet.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// How long all hooks of a moment may take that nobody waits for; `wait_for_*` gives up before.
const ASIDE_WITHIN_S: u32 = 65;

/// Why a hook failed; the sentence names where it was written.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: hook-{} = {}:{argument}: {problem}", .phase.name(), .action.name())]
pub struct HookFailure {
    origin: String,
    phase: HookPhase,
    action: HookAction,
    argument: String,
    problem: String,
}

/// Runs all hooks of a moment in the order of the configuration; the first failure ends it.
pub fn run(hooks: &[Hook], phase: HookPhase) -> Result<(), HookFailure> {
    run_with(hooks, phase, &[])
}

/// Runs all hooks of a moment in a process of its own, which goes on when this one has ended. Nobody waits for it: it says
/// itself in the log which one fails. What it executes gets these variables.
pub fn run_aside(hooks: &[Hook], phase: HookPhase, variables: &[(&str, String)]) {
    if !hooks.iter().any(|hook| hook.phase == phase) {
        return;
    }
    let forked = fork_vassal(|| {
        set_name("rhinod hook");
        // Whoever takes the end of a line for the end of its other side would wait for this process as well.
        close_all_but(&[]);
        end_within(ASIDE_WITHIN_S);
        match run_with(hooks, phase, variables) {
            Ok(()) => 0,
            Err(failure) => {
                log::error!("{failure}");
                1
            }
        }
    });
    if let Err(error) = forked {
        log::error!("hook-{} is not run: {error}", phase.name());
    }
}

fn run_with(hooks: &[Hook], phase: HookPhase, variables: &[(&str, String)]) -> Result<(), HookFailure> {
    for hook in hooks.iter().filter(|hook| hook.phase == phase) {
        let argument = if hook.hidden { "***" } else { &hook.argument };
        log::info!("running \"{}:{argument}\" (hook-{})", hook.action.name(), phase.name());
        perform(hook.action, &hook.argument, variables).map_err(|error| HookFailure {
            origin: hook.origin.clone(),
            phase,
            action: hook.action,
            argument: argument.to_owned(),
            problem: error.to_string(),
        })?;
    }
    Ok(())
}

/// Starts a shell command and does not wait for it: its end is reaped like that of any stranger.
pub fn spawn(command: &str) -> io::Result<()> {
    keep_signals(&mut Command::new("/bin/sh")).arg("-c").arg(command).stdin(Stdio::null()).spawn().map(drop)
}

/// Which action was written as `action:argument`; `None` for one that is not supported.
pub fn action_of(written: &str) -> Option<HookAction> {
    HookAction::of_name(written.split_once(':').map_or(written, |(action, _)| action))
}

/// Performs an action that was written as `action:argument`, as `hook-touch` has it.
pub fn perform_written(written: &str) -> io::Result<()> {
    let (action, argument) = written.split_once(':').unwrap_or((written, ""));
    match action_of(written) {
        Some(HookAction::Exec) => spawn(argument),
        Some(action) => perform(action, argument, &[]),
        None => Err(io::Error::other(format!("the action {action} is not supported"))),
    }
}

/// What a signal means by a `unix_signal` hook.
pub fn meaning_of_signal(hooks: &[Hook], signal: i32) -> Option<SignalFunction> {
    // The last one that is written counts.
    let meant = hooks.iter().rev().filter(|hook| hook.action == HookAction::UnixSignal);
    let meant = meant.filter_map(|hook| SignalFunction::of_argument(&hook.argument));
    meant.filter(|(number, _)| i32::from(*number) == signal).map(|(_, function)| function).next()
}

fn perform(action: HookAction, argument: &str, variables: &[(&str, String)]) -> io::Result<()> {
    let (first, rest) = argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
    let path = Path::new(first);
    match action {
        HookAction::Exec => shell(argument, variables),
        HookAction::Safeexec => {
            if let Err(error) = shell(argument, variables) {
                log::warn!("{error}");
            }
            Ok(())
        }
        HookAction::Print | HookAction::Log => {
            log::info!("{argument}");
            Ok(())
        }
        HookAction::Write => fs::write(path, rest),
        HookAction::Writen => fs::write(path, format!("{rest}\n")),
        HookAction::Append => append(path, rest),
        HookAction::Appendn => append(path, &format!("{rest}\n")),
        HookAction::Writefifo => write_fifo(path, rest),
        HookAction::Spinningfifo => until(|| write_fifo(path, rest).is_ok_and(|()| true), None),
        HookAction::Unlink => match fs::remove_file(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        },
        HookAction::Touch | HookAction::Create | HookAction::Creat => touch(path),
        HookAction::Mkdir => fs::create_dir(path),
        HookAction::Cd | HookAction::Chdir => std::env::set_current_dir(path),
        HookAction::Chmod => chmod(path, rest),
        HookAction::WaitForFs => until(|| path.exists(), Some(path)),
        HookAction::WaitForFile => until(|| path.is_file(), Some(path)),
        HookAction::WaitForDir => until(|| path.is_dir(), Some(path)),
        HookAction::WaitForSocket => until(|| std::os::unix::net::UnixStream::connect(path).is_ok(), Some(path)),
        // Carried out where signals are heard, see `meaning_of_signal`.
        HookAction::UnixSignal => Ok(()),
        HookAction::Exit => std::process::exit(argument.trim().parse().unwrap_or(0)),
    }
}

fn shell(command: &str, variables: &[(&str, String)]) -> io::Result<()> {
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(command).stdin(Stdio::null()).envs(variables.iter().map(|(name, value)| (name, value)));
    let status = keep_signals(&mut shell).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("the command ended with {status}"))) }
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().append(true).create(true).open(path)?.write_all(text.as_bytes())
}

/// Writes without waiting for a reader; that nobody reads is no failure, a missing fifo is (uWSGI's manual, "Hooks").
fn write_fifo(path: &Path, text: &str) -> io::Result<()> {
    let opened = OpenOptions::new().write(true).custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits()).open(path);
    match opened {
        Ok(mut fifo) => fifo.write_all(text.as_bytes()),
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => Ok(()),
        Err(error) => Err(error),
    }
}

fn touch(path: &Path) -> io::Result<()> {
    let file = OpenOptions::new().append(true).create(true).open(path)?;
    file.set_modified(std::time::SystemTime::now())
}

fn chmod(path: &Path, mode: &str) -> io::Result<()> {
    let bits = u32::from_str_radix(mode.trim(), 8).map_err(io::Error::other)?;
    fs::set_permissions(path, fs::Permissions::from_mode(bits))
}

/// Waits for a condition; with a path, only so long.
fn until(mut holds: impl FnMut() -> bool, path: Option<&Path>) -> io::Result<()> {
    let begun_us = monotonic_us();
    while !holds() {
        if let Some(path) = path
            && Duration::from_micros(monotonic_us() - begun_us) >= WAIT_FOR
        {
            let seconds = WAIT_FOR.as_secs();
            return Err(io::Error::new(
                ErrorKind::TimedOut,
                format!("{} after {seconds} s still not there", path.display()),
            ));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(phase: HookPhase, action: HookAction, argument: &str) -> Hook {
        Hook { phase, action, argument: argument.to_owned(), hidden: false, origin: "t.ini:1".to_owned() }
    }

    #[test]
    fn hooks_of_a_moment_run_in_order_and_the_first_failure_names_its_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let line = |text: &str| format!("{} {text}", path.display());
        let hooks = [
            hook(HookPhase::Asap, HookAction::Writen, &line("one")),
            hook(HookPhase::PostFork, HookAction::Unlink, &path.display().to_string()),
            hook(HookPhase::Asap, HookAction::Exec, &format!("echo two >> {}", path.display())),
            hook(HookPhase::Asap, HookAction::Exec, "exit 3"),
            hook(HookPhase::Asap, HookAction::Appendn, &line("never")),
        ];
        let failure = run(&hooks, HookPhase::Asap).unwrap_err().to_string();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        assert!(failure.starts_with("t.ini:1: hook-asap = exec:exit 3:"), "{failure}");
    }

    #[test]
    fn the_idiom_of_the_graceful_stop_is_understood_to_the_letter() {
        let hooks = [hook(HookPhase::MasterStart, HookAction::UnixSignal, "15 gracefully_kill_them_all")];
        assert_eq!(meaning_of_signal(&hooks, 15), Some(SignalFunction::GracefullyKillThemAll));
        assert_eq!(meaning_of_signal(&hooks, 1), None);
    }

    #[test]
    fn a_hidden_argument_is_not_told_when_it_fails_either() {
        let secret = Hook { hidden: true, ..hook(HookPhase::Asap, HookAction::Exec, "exit 3 # password") };
        let failure = run(&[secret], HookPhase::Asap).unwrap_err().to_string();
        assert!(failure.starts_with("t.ini:1: hook-asap = exec:***: "), "{failure}");
    }

    #[test]
    fn a_fifo_without_reader_is_no_failure_and_a_missing_one_is() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        assert!(write_fifo(&fifo, "q").is_err());
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(write_fifo(&fifo, "q").is_ok());
    }
}
