//! The words that explain a configuration without starting anything (`check`, `show`, `route`), and what is made of the table of
//! options (`man`, `completions`). Nothing is printed here. Runs in the command.

use std::ffi::OsString;

use super::about::About;
use super::asked::Asked;
use super::command::{Command, Format};
use super::printed::Printed;
use super::{completions, manual, route};
use crate::config::foresight::foresee;
use crate::config::ground::Ground;
use crate::config::load::{Reading, read};
use crate::config::looking::Looking;
use crate::config::report::check::{Check, Verdict, check};
use crate::config::report::page::Page;
use crate::config::report::show::show;
use crate::config::surroundings::Surroundings;
use crate::config::world::{Invocation, World};
use crate::exit::Exit;

/// What such a command has to say; `None` for all others.
pub(super) fn explain(
    about: &About,
    command: &Command,
    invocation: &Invocation,
    world: &dyn World,
    surroundings: &Surroundings,
    ground: &dyn Ground,
    page: Page,
) -> Option<Printed> {
    let look = |arguments: &[OsString]| look(arguments, invocation, world, surroundings);
    Some(match command {
        Command::Check { arguments, format } => {
            let (mut reading, is_complete) = look(arguments);
            let untried = foresee(&mut reading, is_complete, invocation, world, ground);
            print_check(&Check { untried, ..check(&reading) }, *format, page)
        }
        Command::Route { file, asked } => print_route(asked, &look(std::slice::from_ref(file)).0, invocation, world),
        Command::Show { arguments, format, changed } => print_show(&look(arguments).0, *format, *changed, page),
        Command::Completions { shell } => Printed::output(completions::script(*shell)),
        Command::Manual => Printed::output(manual::manual_page_of(about)),
        _ => return None,
    })
}

/// Reads a configuration without executing anything that it names, unless `--run` is among the arguments; also whether
/// nothing is missing for that.
fn look(
    arguments: &[OsString],
    invocation: &Invocation,
    world: &dyn World,
    surroundings: &Surroundings,
) -> (Reading, bool) {
    let (run, arguments): (Vec<_>, Vec<_>) = arguments.iter().cloned().partition(|argument| argument == "--run");
    let called = Invocation { arguments, ..invocation.clone() };
    if !run.is_empty() {
        return (read(&called, world, surroundings), true);
    }
    let looking = Looking::at(world);
    let mut reading = read(&called, &looking, surroundings);
    let remarks = looking.remarks();
    let is_complete = remarks.is_empty();
    reading.warnings.extend(remarks);
    (reading, is_complete)
}

fn print_check(report: &Check, format: Format, page: Page) -> Printed {
    let exit = match report.verdict {
        Verdict::Fine => Exit::Success,
        Verdict::SomeLinesDoNothing => Exit::LinesDoNothing,
        Verdict::WillNotServe | Verdict::WillNotStart => Exit::WillNotStart,
    };
    Printed::output(if format == Format::Json { report.json() } else { report.text(page) }).ending(exit)
}

fn print_show(reading: &Reading, format: Format, changed: bool, page: Page) -> Printed {
    let report = if changed { show(reading).changed() } else { show(reading) };
    let exit = if report.errors.is_empty() { Exit::Success } else { Exit::WillNotStart };
    Printed::output(if format == Format::Json { report.json() } else { report.text(page.paint) }).ending(exit)
}

fn print_route(asked: &Asked, reading: &Reading, invocation: &Invocation, world: &dyn World) -> Printed {
    if !reading.errors.0.is_empty() {
        return Printed::error(format!("{}\n", reading.errors), Exit::Configuration);
    }
    let epoch_us = invocation.started.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64);
    let routed = route::route(&reading.config.routing.rules, asked, &invocation.directory, world, epoch_us);
    match routed {
        Ok(text) => Printed::output(text),
        Err(problem) => Printed::error(problem, Exit::Usage),
    }
}
