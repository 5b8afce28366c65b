//! What the command line asks for: to serve, or one of the commands that print something and end.
//!
//! [`parse`] finds the command; [`print()`] carries out those that only print. Serving, and commands that talk to other
//! processes, are left to the caller. Not for the options of a configuration (`config`). Runs before anything else.

pub mod completions;
mod help;
pub mod manual;
pub mod sample;

use std::ffi::OsString;
use std::path::PathBuf;

use crate::config::language::command_line;
use crate::config::load::{Reading, read};
use crate::config::looking::Looking;
use crate::config::model::Policy;
use crate::config::options::{self, Table};
use crate::config::report::check::{Verdict, check};
use crate::config::report::paint::Paint;
use crate::config::report::show::show;
use crate::config::surroundings::Surroundings;
use crate::config::vocabulary::Vocabulary;
use crate::config::world::{Invocation, World};

use completions::Shell;

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Serve what the arguments and the files among them describe.
    Serve,
    /// `check`: say what each line does. The arguments are those of serving.
    Check {
        /// What to check.
        arguments: Vec<OsString>,
        /// How to say it.
        format: Format,
    },
    /// `show`: print the values that hold. The arguments are those of serving.
    Show {
        /// What to show.
        arguments: Vec<OsString>,
        /// How to print it.
        format: Format,
    },
    /// `simulate`: try scaling rules on a recorded load.
    Simulate {
        /// Everything behind the word.
        arguments: Vec<OsString>,
    },
    /// `status`: say how an instance is doing.
    Status {
        /// Its pid file, master fifo or statistics socket.
        target: OsString,
    },
    /// `--stop`.
    Stop {
        /// The pid file of the instance.
        pidfile: PathBuf,
    },
    /// `--reload`.
    Reload {
        /// The pid file of the instance.
        pidfile: PathBuf,
    },
    /// `--pause` and `--suspend`.
    Pause {
        /// The pid file of the instance.
        pidfile: PathBuf,
    },
    /// `--resume`.
    Resume {
        /// The pid file of the instance.
        pidfile: PathBuf,
    },
    /// `--connect-and-read`: print what an address sends.
    ConnectAndRead {
        /// The address, as `socket` takes them.
        address: String,
    },
    /// `--help`.
    Help {
        /// What to explain; the command line as a whole without it.
        word: Option<String>,
    },
    /// `--version`, also by the environment variable `UWSGI_VERSION` (uWSGI's manual, "Configuring uWSGI").
    Version,
    /// `--cheaper-algo-list`.
    Policies,
    /// `--get`: print the value of one option or placeholder.
    Get {
        /// Its name.
        name: String,
    },
    /// `--dump-options`: print every name.
    Names,
    /// `completions`.
    Completions {
        /// For which shell.
        shell: Shell,
    },
    /// `man`.
    Manual,
}

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Why a command line asks for nothing that rhinod can do; one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; rhinod --help lists what there is")]
pub struct Misuse(String);

pub use crate::exit::Exit;

/// Finds out what the command line asks for. A word such as `check` counts only in first place, where uWSGI would
/// look for a file; an option such as `--stop` counts anywhere, and the first one wins.
///
/// # Errors
/// A command that is not complete. Mistakes in options of serving are found by `config::load`.
pub fn parse(invocation: &Invocation) -> Result<Command, Misuse> {
    let mut arguments = invocation.arguments.clone();
    let first = arguments.first().and_then(|word| word.to_str()).map(str::to_owned);
    if let Some(word) = first.filter(|word| COMMANDS.contains(&word.as_str())) {
        arguments.remove(0);
        return parse_command(&word, arguments);
    }
    let mut errors = Vec::new();
    let line = command_line::parse(&arguments, &Table, &mut errors);
    let asked = line.options.iter().find_map(|(name, value)| by_option(name, value.as_deref().unwrap_or("")));
    let version = invocation.environment.iter().any(|(name, _)| name == "UWSGI_VERSION" || name == "RHINOD_VERSION");
    Ok(match asked {
        Some(Command::Help { .. }) => Command::Help { word: line.positional.into_iter().next() },
        Some(command) => command,
        None if version => Command::Version,
        None => Command::Serve,
    })
}

const COMMANDS: &[&str] = &["check", "show", "simulate", "status", "help", "version", "completions", "man"];

fn parse_command(word: &str, mut arguments: Vec<OsString>) -> Result<Command, Misuse> {
    let first = arguments.first().cloned();
    let wants_help = first.as_ref().is_some_and(|first| first == "--help" || first == "-h");
    Ok(match word {
        "check" | "show" if wants_help => Command::Help { word: None },
        "check" | "show" => {
            let format = take_format(&mut arguments)?;
            if arguments.is_empty() {
                return Err(Misuse(format!("{word} needs a file or options")));
            }
            match word {
                "check" => Command::Check { arguments, format },
                _ => Command::Show { arguments, format },
            }
        }
        "simulate" => Command::Simulate { arguments },
        "status" => match first {
            Some(target) => Command::Status { target },
            None => return Err(Misuse("status needs a pid file, a master fifo or a statistics socket".to_owned())),
        },
        "completions" => match first.and_then(|name| Shell::of_name(&name.to_string_lossy())) {
            Some(shell) => Command::Completions { shell },
            None => return Err(Misuse("completions needs bash, zsh or fish".to_owned())),
        },
        "man" => Command::Manual,
        "version" => Command::Version,
        _ => Command::Help { word: first.map(|word| word.to_string_lossy().into_owned()) },
    })
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

/// The command that an option stands for.
fn by_option(name: &str, value: &str) -> Option<Command> {
    let pidfile = || PathBuf::from(value);
    Some(match name {
        "help" | "usage" => Command::Help { word: None },
        "version" => Command::Version,
        "stop" => Command::Stop { pidfile: pidfile() },
        "reload" => Command::Reload { pidfile: pidfile() },
        "pause" | "suspend" => Command::Pause { pidfile: pidfile() },
        "resume" => Command::Resume { pidfile: pidfile() },
        "connect-and-read" => Command::ConnectAndRead { address: value.to_owned() },
        "get" => Command::Get { name: value.to_owned() },
        "dump-options" => Command::Names,
        _ if options::find(name).is_some_and(|option| option.name == "cheaper-algo-list") => Command::Policies,
        _ => return None,
    })
}

/// What a command that only prints has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// For standard output.
    pub output: String,
    /// For standard error.
    pub errors: String,
    /// The status to end with.
    pub exit: Exit,
}

impl Printed {
    fn output(output: String) -> Printed {
        Printed { output, errors: String::new(), exit: Exit::Success }
    }

    fn error(errors: String, exit: Exit) -> Printed {
        Printed { output: String::new(), errors, exit }
    }

    fn ending(self, exit: Exit) -> Printed {
        Printed { exit, ..self }
    }
}

/// The names that `cheaper-algo` takes, one to a line.
pub fn policies() -> String {
    Policy::NAMES.join("\n") + "\n"
}

/// Carries out a command that only prints; `None` for all others. Nothing is printed here.
pub fn print(
    command: &Command,
    invocation: &Invocation,
    world: &dyn World,
    surroundings: &Surroundings,
    paint: Paint,
) -> Option<Printed> {
    let read = |arguments: &[OsString]| {
        let called = Invocation { arguments: arguments.to_vec(), ..invocation.clone() };
        read(&called, world, surroundings)
    };
    let look = |arguments: &[OsString]| look(arguments, invocation, world, surroundings);
    Some(match command {
        Command::Check { arguments, format } => print_check(&look(arguments), *format, paint),
        Command::Show { arguments, format } => print_show(&look(arguments), *format, paint),
        Command::Get { name } => print_value(name, &read(&invocation.arguments)),
        Command::Help { word } => print_help(word.as_deref()),
        Command::Version => Printed::output(concat!(env!("CARGO_PKG_VERSION"), "\n").to_owned()),
        Command::Policies => Printed::output(policies()),
        Command::Names => Printed::output(Table.names().map(|name| format!("{name}\n")).collect()),
        Command::Completions { shell } => Printed::output(completions::script(*shell)),
        Command::Manual => Printed::output(manual::manual_page()),
        Command::Serve
        | Command::Simulate { .. }
        | Command::Status { .. }
        | Command::Stop { .. }
        | Command::Reload { .. }
        | Command::Pause { .. }
        | Command::Resume { .. }
        | Command::ConnectAndRead { .. } => return None,
    })
}

/// Reads a configuration without executing anything that it names, unless `--run` is among the arguments.
fn look(arguments: &[OsString], invocation: &Invocation, world: &dyn World, surroundings: &Surroundings) -> Reading {
    let (run, arguments): (Vec<_>, Vec<_>) = arguments.iter().cloned().partition(|argument| argument == "--run");
    let called = Invocation { arguments, ..invocation.clone() };
    if !run.is_empty() {
        return read(&called, world, surroundings);
    }
    let looking = Looking::at(world);
    let mut reading = read(&called, &looking, surroundings);
    reading.warnings.extend(looking.remarks());
    reading
}

fn print_check(reading: &Reading, format: Format, paint: Paint) -> Printed {
    let report = check(reading);
    let exit = match report.verdict {
        Verdict::Fine => Exit::Success,
        Verdict::SomeLinesDoNothing => Exit::LinesDoNothing,
        Verdict::WillNotStart => Exit::WillNotStart,
    };
    Printed::output(if format == Format::Json { report.json() } else { report.text(paint) }).ending(exit)
}

fn print_show(reading: &Reading, format: Format, paint: Paint) -> Printed {
    let report = show(reading);
    let exit = if report.errors.is_empty() { Exit::Success } else { Exit::WillNotStart };
    Printed::output(if format == Format::Json { report.json() } else { report.text(paint) }).ending(exit)
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

fn print_help(word: Option<&str>) -> Printed {
    let Some(word) = word else { return Printed::output(help::overview()) };
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
            Ok(Command::Show { arguments: arguments.clone(), format: Format::Json })
        );
        assert_eq!(
            parsed(&["check", "a.ini", "--format=json"]),
            Ok(Command::Check { arguments, format: Format::Json })
        );
        assert_eq!(parsed(&["status", "x.pid"]), Ok(Command::Status { target: "x.pid".into() }));
        assert_eq!(
            parsed(&["simulate", "--trace", "t"]).map(|command| matches!(command, Command::Simulate { .. })),
            Ok(true)
        );
        assert_eq!(parsed(&["completions", "zsh"]), Ok(Command::Completions { shell: Shell::Zsh }));
        assert_eq!(parsed(&["man"]), Ok(Command::Manual));
        assert_eq!(parsed(&["check", "--help"]), Ok(Command::Help { word: None }));
        assert_eq!(parsed(&["help", "cheaper"]), Ok(Command::Help { word: Some("cheaper".into()) }));
    }

    #[test]
    fn options_are_commands_anywhere() {
        assert_eq!(parsed(&["-h"]), Ok(Command::Help { word: None }));
        assert_eq!(parsed(&["--help", "cheaper"]), Ok(Command::Help { word: Some("cheaper".into()) }));
        assert_eq!(parsed(&["--ini", "a.ini", "--version"]), Ok(Command::Version));
        assert_eq!(parsed(&["--stop", "p"]), Ok(Command::Stop { pidfile: "p".into() }));
        assert_eq!(parsed(&["--reload=p"]), Ok(Command::Reload { pidfile: "p".into() }));
        assert_eq!(parsed(&["--suspend", "p"]), Ok(Command::Pause { pidfile: "p".into() }));
        assert_eq!(parsed(&["--resume", "p"]), Ok(Command::Resume { pidfile: "p".into() }));
        assert_eq!(parsed(&["--connect-and-read", ":1"]), Ok(Command::ConnectAndRead { address: ":1".into() }));
        assert_eq!(parsed(&["--cheaper-list"]), Ok(Command::Policies));
        assert_eq!(parsed(&["a.ini", "--get", "chdir"]), Ok(Command::Get { name: "chdir".into() }));
        assert_eq!(parsed(&["--module", "--version"]), Ok(Command::Serve), "the value of another option");
    }

    #[test]
    fn commands_that_are_not_complete_say_what_is_missing() {
        for arguments in [&["check"][..], &["show", "--format", "xml", "a"], &["status"], &["completions", "csh"]] {
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
