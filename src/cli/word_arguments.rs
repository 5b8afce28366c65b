//! What follows a word such as `stop` on the command line. Not for the words themselves (`words`). Pure; runs before anything
//! else.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use super::asked::Asked;
use super::command::{Command, Format, Misuse};
use super::shell::Shell;
use super::words::{Word, find};

/// Reads what follows a word.
pub(super) fn parse(word: &'static Word, mut arguments: Vec<OsString>) -> Result<Command, Misuse> {
    let name = word.name;
    if let Some(feature) = word.missing() {
        return Err(Misuse(format!("{name} is not built into this program (rhinod's feature `{feature}`)")));
    }
    let wants_help = arguments.iter().any(|word| word == "--help" || word == "-h");
    if wants_help && name != "simulate" {
        return Ok(Command::HelpOf { word: name });
    }
    Ok(match name {
        "check" | "show" => {
            let changed = name == "show" && take(&mut arguments, "--changed");
            let format = take_format(&mut arguments)?;
            if arguments.is_empty() {
                return Err(Misuse(format!("{name} needs a file or options")));
            }
            match name {
                "check" => Command::Check { arguments, format },
                _ => Command::Show { arguments, format, changed },
            }
        }
        "route" => {
            let file = arguments.first().cloned().unwrap_or_default();
            Command::Route { file, asked: Asked::read(arguments.get(1..).unwrap_or_default()).map_err(Misuse)? }
        }
        "simulate" => Command::Simulate { arguments },
        "status" => {
            let (quiet, format) = (take(&mut arguments, "--quiet"), take_format(&mut arguments)?);
            Command::Status { instance: instance(name, arguments)?, quiet, format }
        }
        "top" => Command::Top { instance: instance(name, arguments)? },
        "stacks" => Command::Stacks { instance: instance(name, arguments)? },
        "profile" => {
            let picture = take_value(&mut arguments, "-o")?.map(PathBuf::from);
            let time = if arguments.len() > 1 { arguments.remove(1) } else { OsString::new() };
            Command::Profile { instance: instance(name, arguments)?, time: profile_time(&time)?, picture }
        }
        "stop" => {
            let wait = !take(&mut arguments, "--no-wait");
            Command::Stop { instance: instance(name, arguments)?, wait }
        }
        "reload" => Command::Reload { instance: instance(name, arguments)? },
        "canary" => {
            let verdict = if arguments.is_empty() { OsString::new() } else { arguments.remove(0) };
            let passes = match verdict.to_str() {
                Some("commit") => true,
                Some("rollback") => false,
                _ => return Err(Misuse("canary needs commit or rollback, then the instance".to_owned())),
            };
            Command::Canary { instance: instance(name, arguments)?, passes }
        }
        "pause" => Command::Pause { instance: instance(name, arguments)? },
        "resume" => Command::Resume { instance: instance(name, arguments)? },
        "completions" => match arguments.first().and_then(|name| Shell::of_name(&name.to_string_lossy())) {
            Some(shell) => Command::Completions { shell },
            None => return Err(Misuse("completions needs bash, zsh or fish".to_owned())),
        },
        "man" => Command::Manual,
        "version" => Command::Version,
        _ => match arguments.first().map(|word| word.to_string_lossy().into_owned()) {
            Some(asked) => {
                find(&asked).map_or(Command::Help { word: Some(asked) }, |word| Command::HelpOf { word: word.name })
            }
            None => Command::Help { word: None },
        },
    })
}

/// The one argument that names the instance.
fn instance(command: &str, mut arguments: Vec<OsString>) -> Result<OsString, Misuse> {
    let what = "a pid file, a process id, an ini file or a master fifo";
    if let Some(option) = arguments.iter().find(|word| word.to_string_lossy().starts_with('-')) {
        return Err(Misuse(format!(
            "{command} has no option {}; rhinod {command} --help lists them",
            option.display()
        )));
    }
    match (arguments.pop(), arguments.is_empty()) {
        (Some(instance), true) => Ok(instance),
        (None, _) => Err(Misuse(format!("{command} needs {what}"))),
        (Some(_), false) => Err(Misuse(format!("{command} takes one instance: {what}"))),
    }
}

/// Takes a flag out of the arguments.
fn take(arguments: &mut Vec<OsString>, flag: &str) -> bool {
    let before = arguments.len();
    arguments.retain(|argument| argument != flag);
    arguments.len() < before
}

/// Takes an option and the word behind it out of the arguments.
fn take_value(arguments: &mut Vec<OsString>, option: &str) -> Result<Option<OsString>, Misuse> {
    let Some(place) = arguments.iter().position(|argument| argument == option) else { return Ok(None) };
    if place + 1 == arguments.len() {
        return Err(Misuse(format!("{option} needs a file")));
    }
    arguments.remove(place);
    Ok(Some(arguments.remove(place)))
}

/// For how long a profile is taken.
fn profile_time(seconds: &OsStr) -> Result<Duration, Misuse> {
    const SECONDS_MAX: u64 = 3_600;
    let seconds =
        seconds.to_str().and_then(|text| text.parse().ok()).filter(|seconds| (1..=SECONDS_MAX).contains(seconds));
    let expected = || Misuse(format!("profile needs the instance, then a number of seconds from 1 to {SECONDS_MAX}"));
    seconds.map(Duration::from_secs).ok_or_else(expected)
}

/// Takes `--format text|json` or `--format=…` out of the arguments.
fn take_format(arguments: &mut Vec<OsString>) -> Result<Format, Misuse> {
    let is_format = |argument: &OsString| argument == "--format" || argument.to_string_lossy().starts_with("--format=");
    let Some(place) = arguments.iter().position(is_format) else { return Ok(Format::Text) };
    let argument = arguments.remove(place).to_string_lossy().into_owned();
    let name = match argument.split_once('=') {
        Some((_, name)) => name.to_owned(),
        None if place < arguments.len() => arguments.remove(place).to_string_lossy().into_owned(),
        None => String::new(),
    };
    match name.as_str() {
        "text" => Ok(Format::Text),
        "json" => Ok(Format::Json),
        _ => Err(Misuse(format!("--format takes text or json, not `{name}`"))),
    }
}
