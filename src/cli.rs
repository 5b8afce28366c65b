//! What the command line asks for: to serve, or one of the commands that print something and end.
//!
//! [`parse`] finds the command; [`print()`] carries out those that only print. Serving, and commands that talk to other
//! processes, are left to the caller. Not for the options of a configuration (`config`). Runs before anything else.

mod about;
mod asked;
mod command;
#[cfg(feature = "cli")]
pub mod completions;
#[cfg(feature = "cli")]
mod explaining;
mod help;
#[cfg(feature = "cli")]
pub mod manual;
mod printed;
#[cfg(feature = "cli")]
mod route;
#[cfg(feature = "cli")]
pub mod sample;
mod shell;
mod word_arguments;
mod words;

use std::ffi::OsString;
use std::time::Duration;

use crate::config::ground::Ground;
use crate::config::language::command_line;
use crate::config::load::{Reading, read};
use crate::config::model::Policy;
use crate::config::options::{self, Table};
use crate::config::report::page::Page;
use crate::config::surroundings::Surroundings;
use crate::config::vocabulary::Vocabulary;
use crate::config::world::{Invocation, World};

pub use about::About;
pub use asked::Asked;
pub use command::{Command, Format, Misuse};
pub use printed::Printed;
pub use shell::Shell;

pub use crate::exit::Exit;

/// How long `--ping` waits without `--ping-timeout`.
const PING_WITHIN: Duration = Duration::from_secs(3);

/// Finds out what the command line asks for. A word such as `check` counts only in first place, where uWSGI would
/// look for a file; an option such as `--stop` counts anywhere, and the first one wins.
///
/// # Errors
/// A command that is not complete. Mistakes in options of serving are found by `config::load`.
pub fn parse(invocation: &Invocation) -> Result<Command, Misuse> {
    let first = invocation.arguments.first().and_then(|word| word.to_str()).unwrap_or_default();
    if let Some(word) = words::find(first) {
        return word_arguments::parse(word, invocation.arguments[1..].to_vec());
    }
    if let Some(misuse) = words::mistyped(first) {
        return Err(Misuse(misuse));
    }
    let mut errors = Vec::new();
    let line = command_line::parse(&invocation.arguments, &Table, &mut errors);
    let wait = !line.options.iter().any(|(name, _)| name == "no-wait");
    let given =
        |wanted: &str| line.options.iter().find(|(name, _)| name == wanted).and_then(|(_, value)| value.clone());
    let patience = given("ping-timeout").and_then(|text| text.parse().ok()).map_or(PING_WITHIN, Duration::from_secs);
    let asked = line.options.iter().find_map(|(name, value)| {
        match (by_option(name, value.as_deref().unwrap_or(""), wait)?, patience) {
            (Command::Ping { address, .. }, timeout) => Some(Command::Ping { address, timeout }),
            (command, _) => Some(command),
        }
    });
    let version = invocation.environment.iter().any(|(name, _)| name == "UWSGI_VERSION" || name == "RHINOD_VERSION");
    Ok(match asked {
        Some(Command::Help { .. }) => Command::Help { word: line.positional.into_iter().next() },
        Some(command) => command,
        None if version => Command::Version,
        None => Command::Serve,
    })
}

/// The command that an option stands for.
fn by_option(name: &str, value: &str, wait: bool) -> Option<Command> {
    let instance = || OsString::from(value);
    Some(match name {
        "help" | "usage" => Command::Help { word: None },
        "version" => Command::Version,
        "stop" => Command::Stop { instance: instance(), wait },
        "reload" => Command::Reload { instance: instance() },
        "pause" | "suspend" => Command::Pause { instance: instance() },
        "resume" => Command::Resume { instance: instance() },
        "ping" => Command::Ping { address: value.to_owned(), timeout: PING_WITHIN },
        "connect-and-read" => Command::ConnectAndRead { address: value.to_owned() },
        "get" => Command::Get { name: value.to_owned() },
        "dump-options" => Command::Names,
        _ if options::find(name).is_some_and(|option| option.name == "cheaper-algo-list") => Command::Policies,
        _ => return None,
    })
}

/// The names that `cheaper-algo` takes, one to a line.
pub fn policies() -> String {
    Policy::NAMES.join("\n") + "\n"
}

/// Carries out a command of rhinod's own that only prints; `None` for all others. Nothing is printed here.
pub fn print(
    command: &Command,
    invocation: &Invocation,
    world: &dyn World,
    surroundings: &Surroundings,
    ground: &dyn Ground,
    page: impl Into<Page>,
) -> Option<Printed> {
    print_as(&About::RHINOD, command, invocation, world, surroundings, ground, page)
}

/// The same for an application with rhinod in it.
#[cfg_attr(not(feature = "cli"), allow(unused_variables, reason = "what only explanations need"))]
pub fn print_as(
    about: &About,
    command: &Command,
    invocation: &Invocation,
    world: &dyn World,
    surroundings: &Surroundings,
    ground: &dyn Ground,
    page: impl Into<Page>,
) -> Option<Printed> {
    let page = page.into();
    let read = |arguments: &[OsString]| {
        let called = Invocation { arguments: arguments.to_vec(), ..invocation.clone() };
        read(&called, world, surroundings)
    };
    #[cfg(feature = "cli")]
    if let Some(explained) = explaining::explain(about, command, invocation, world, surroundings, ground, page) {
        return Some(explained);
    }
    Some(match command {
        Command::Get { name } => print_value(name, &read(&invocation.arguments)),
        Command::Help { word } => print_help(about, word.as_deref()),
        Command::HelpOf { word } => {
            Printed::output(words::find(word).map(|word| words::help_of(about.name, word)).unwrap_or_default())
        }
        Command::Version => Printed::output(about.version_line()),
        Command::Policies => Printed::output(policies()),
        Command::Names => Printed::output(Table.names().map(|name| format!("{name}\n")).collect()),
        Command::Serve
        | Command::Check { .. }
        | Command::Route { .. }
        | Command::Show { .. }
        | Command::Completions { .. }
        | Command::Manual
        | Command::Simulate { .. }
        | Command::Status { .. }
        | Command::Stop { .. }
        | Command::Reload { .. }
        | Command::Canary { .. }
        | Command::Pause { .. }
        | Command::Top { .. }
        | Command::Stacks { .. }
        | Command::Profile { .. }
        | Command::Resume { .. }
        | Command::Ping { .. }
        | Command::ConnectAndRead { .. } => return None,
    })
}

/// The first value of a name, as placeholders see it (uWSGI's manual, "Configuring uWSGI").
fn print_value(name: &str, reading: &Reading) -> Printed {
    if !reading.errors.0.is_empty() {
        return Printed::error(format!("{}\n", reading.errors), Exit::Configuration);
    }
    let found = reading.collected.directives.iter().find(|directive| directive.key == name);
    match found {
        Some(directive) => Printed::output(format!("{}\n", directive.value.as_deref().unwrap_or("true"))),
        None => Printed::error(format!("`{name}` is not given\n"), Exit::Usage),
    }
}

fn print_help(about: &About, word: Option<&str>) -> Printed {
    let Some(word) = word else { return Printed::output(help::overview(about)) };
    match help::about(word) {
        Some(text) => Printed::output(text),
        None => {
            let message = format!("no option has to do with `{word}`; rhinod --help lists the subjects\n");
            Printed::error(message, Exit::Usage)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Command, Misuse> {
        parse(&Invocation {
            program: "/usr/bin/rhinod".into(),
            arguments: arguments.iter().map(OsString::from).collect(),
            environment: Vec::new(),
            directory: "/".into(),
            started: SystemTime::UNIX_EPOCH,
            reload: false,
        })
    }

    #[test]
    fn serving_is_what_is_left() {
        for arguments in [&[][..], &["app.ini"], &["--ini", "check"], &["--module", "help"], &["app.ini", "check"]] {
            assert_eq!(parsed(arguments), Ok(Command::Serve), "{arguments:?}");
        }
    }

    #[test]
    fn words_in_first_place_are_commands() {
        let arguments = vec![OsString::from("a.ini")];
        assert_eq!(
            parsed(&["check", "a.ini"]),
            Ok(Command::Check { arguments: arguments.clone(), format: Format::Text })
        );
        assert_eq!(
            parsed(&["show", "--format", "json", "a.ini"]),
            Ok(Command::Show { arguments: arguments.clone(), format: Format::Json, changed: false })
        );
        assert_eq!(
            parsed(&["check", "a.ini", "--format=json"]),
            Ok(Command::Check { arguments, format: Format::Json })
        );
        let status = |quiet, format| Ok(Command::Status { instance: "x.pid".into(), quiet, format });
        assert_eq!(parsed(&["status", "x.pid"]), status(false, Format::Text));
        assert_eq!(parsed(&["status", "--format=json", "x.pid", "--quiet"]), status(true, Format::Json));
        let stop = |wait| Ok(Command::Stop { instance: "x.pid".into(), wait });
        assert_eq!(parsed(&["stop", "x.pid"]), stop(true));
        assert_eq!(parsed(&["stop", "--no-wait", "x.pid"]), stop(false));
        assert_eq!(parsed(&["top", "x.pid"]), Ok(Command::Top { instance: "x.pid".into() }));
        assert_eq!(parsed(&["stacks", "x.pid"]), Ok(Command::Stacks { instance: "x.pid".into() }));
        let profile = |picture: Option<&str>| {
            let (time, picture) = (std::time::Duration::from_secs(7), picture.map(Into::into));
            Ok(Command::Profile { instance: "x.pid".into(), time, picture })
        };
        assert_eq!(parsed(&["profile", "x.pid", "7"]), profile(None));
        assert_eq!(parsed(&["profile", "x.pid", "7", "-o", "a.svg"]), profile(Some("a.svg")));
        assert_eq!(parsed(&["profile", "-o", "a.svg", "x.pid", "7"]), profile(Some("a.svg")));
        assert_eq!(parsed(&["reload", "x.ini"]), Ok(Command::Reload { instance: "x.ini".into() }));
        assert_eq!(
            parsed(&["simulate", "--trace", "t"]).map(|command| matches!(command, Command::Simulate { .. })),
            Ok(true)
        );
        assert_eq!(parsed(&["completions", "zsh"]), Ok(Command::Completions { shell: Shell::Zsh }));
        assert_eq!(parsed(&["man"]), Ok(Command::Manual));
        for word in ["check", "status", "stop", "reload"] {
            assert_eq!(parsed(&[word, "--help"]), parsed(&["help", word]));
            assert!(matches!(parsed(&[word, "-h"]), Ok(Command::HelpOf { .. })), "{word}");
        }
        assert_eq!(parsed(&["help", "cheaper"]), Ok(Command::Help { word: Some("cheaper".into()) }));
    }

    #[test]
    fn options_are_commands_anywhere() {
        assert_eq!(parsed(&["-h"]), Ok(Command::Help { word: None }));
        assert_eq!(parsed(&["--help", "cheaper"]), Ok(Command::Help { word: Some("cheaper".into()) }));
        assert_eq!(parsed(&["--ini", "a.ini", "--version"]), Ok(Command::Version));
        assert_eq!(parsed(&["--stop", "p"]), Ok(Command::Stop { instance: "p".into(), wait: true }));
        assert_eq!(parsed(&["--stop", "p", "--no-wait"]), Ok(Command::Stop { instance: "p".into(), wait: false }));
        assert_eq!(parsed(&["-V"]), Ok(Command::Version));
        assert_eq!(parsed(&["--reload=p"]), Ok(Command::Reload { instance: "p".into() }));
        assert_eq!(parsed(&["--suspend", "p"]), Ok(Command::Pause { instance: "p".into() }));
        assert_eq!(parsed(&["--resume", "p"]), Ok(Command::Resume { instance: "p".into() }));
        assert_eq!(parsed(&["--connect-and-read", ":1"]), Ok(Command::ConnectAndRead { address: ":1".into() }));
        let ping = |timeout| Ok(Command::Ping { address: "/s".into(), timeout: Duration::from_secs(timeout) });
        assert_eq!(parsed(&["--ping", "/s"]), ping(3));
        assert_eq!(parsed(&["--ping-timeout=7", "--ping", "/s"]), ping(7));
        assert_eq!(parsed(&["--cheaper-list"]), Ok(Command::Policies));
        assert_eq!(parsed(&["a.ini", "--get", "chdir"]), Ok(Command::Get { name: "chdir".into() }));
        assert_eq!(parsed(&["--module", "--version"]), Ok(Command::Serve), "the value of another option");
    }

    #[test]
    fn commands_that_are_not_complete_say_what_is_missing() {
        let incomplete: [&[&str]; 11] = [
            &["check"],
            &["show", "--format", "xml", "a"],
            &["status"],
            &["stop", "a", "b"],
            &["profile", "a"],
            &["profile", "a", "0"],
            &["profile", "a", "7", "-o"],
            &["profile", "a", "7", "b"],
            &["reload", "--hard", "a"],
            &["completions", "csh"],
            &["staus", "a"],
        ];
        for arguments in incomplete {
            let misuse = parsed(arguments).map_err(|misuse| misuse.to_string());
            assert!(misuse.is_err_and(|text| text.ends_with("; rhinod --help lists what there is")), "{arguments:?}");
        }
    }

    #[test]
    fn exit_statuses_are_all_different() {
        let mut codes: Vec<u8> = Exit::ALL.iter().map(|exit| exit.code()).collect();
        assert!(codes.is_sorted());
        codes.dedup();
        assert_eq!(codes.len(), Exit::ALL.len());
    }
}
