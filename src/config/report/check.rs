//! `rhinod check`: what each line of a configuration will do, before anything is started.
//!
//! A [`Check`] is the answer as data; `text` and `json` render it. The words are those of the option table. Not for
//! the values that hold in the end (`show`). Pure; runs in the command.

use crate::config::vocabulary::is_of_application;
use std::collections::{HashMap, HashSet};
use std::fmt::Write;

use serde::Serialize;

use super::page::Page;
use super::paint::{Colour, Paint};
use crate::config::directive::{Directive, Origin};
use crate::config::error::{ConfigError, OneLine};
use crate::config::load::Reading;
use crate::config::options::{self, Group, Opt, Repeat, Status};

/// Longest part of a line that stands left of its explanation, in characters.
const LEFT_WIDTH_MAX: usize = 60;

/// What a configuration will do, line by line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What will happen at the start.
    pub verdict: Verdict,
    /// Every line, in the order in which options are applied.
    pub lines: Vec<Line>,
    /// What is wrong without a line of its own.
    pub errors: Vec<String>,
    /// What else is to know without a line of its own.
    pub notes: Vec<String>,
    /// What a start does that was not tried.
    pub untried: Vec<String>,
}

/// What will happen at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every line does what it says.
    Fine,
    /// It starts, but some lines do nothing.
    SomeLinesDoNothing,
    /// It starts and answers every request with 500.
    WillNotServe,
    /// It does not start.
    WillNotStart,
}

/// One line of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Where it was written, as messages say it.
    pub origin: String,
    /// The key.
    pub key: String,
    /// The value; `None` is a bare flag of the command line.
    pub value: Option<String>,
    /// What becomes of it.
    pub fate: Fate,
    /// What it does, or why it does nothing, or what is wrong with it.
    pub explanation: String,
    /// What else is to know about it.
    pub notes: Vec<String>,
}

/// What becomes of a line. The order is that of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It stops the start.
    StopsTheStart,
    /// The application cannot be loaded as it says.
    KeepsFromServing,
    /// It does nothing, and something should be done about it.
    DoesNothing,
    /// It does what the table says.
    Works,
    /// It need not do anything here.
    NotNeeded,
    /// It belongs to the configuration language and has been obeyed.
    Language,
    /// It is no option; other values refer to it, or other programs do.
    Placeholder,
}

impl Fate {
    const ALL: [Fate; 7] = [
        Fate::StopsTheStart,
        Fate::KeepsFromServing,
        Fate::DoesNothing,
        Fate::Works,
        Fate::NotNeeded,
        Fate::Language,
        Fate::Placeholder,
    ];

    fn heading(self) -> (&'static str, Colour) {
        match self {
            Fate::StopsTheStart => ("stops the start", Colour::Red),
            Fate::KeepsFromServing => ("keeps it from serving", Colour::Red),
            Fate::DoesNothing => ("does nothing", Colour::Yellow),
            Fate::Works => ("works", Colour::Green),
            Fate::NotNeeded => ("accepted, not needed here", Colour::Green),
            Fate::Language => ("configuration language", Colour::Plain),
            Fate::Placeholder => ("placeholders", Colour::Plain),
        }
    }
}

/// Judges every line of a configuration.
pub fn check(reading: &Reading) -> Check {
    let directives = &reading.collected.directives;
    let last = last_of_each(directives);
    let said = Said::about(reading);
    let mut lines: Vec<Line> = directives.iter().map(|directive| judge(directive, reading, &said)).collect();
    for (index, line) in lines.iter_mut().enumerate().filter(|(_, line)| line.fate == Fate::Works) {
        let successor =
            options::find(&line.key).and_then(|option| last.get(option.name)).filter(|last| **last != index);
        line.notes.extend(successor.map(|last| format!("{} takes its place", directives[*last].origin)));
    }
    let idle = lines.iter().any(|line| line.fate == Fate::DoesNothing);
    let verdict = match (reading.errors.0.is_empty(), reading.unserved.is_empty(), idle) {
        (false, ..) => Verdict::WillNotStart,
        (true, false, _) => Verdict::WillNotServe,
        (true, true, true) => Verdict::SomeLinesDoNothing,
        (true, true, false) => Verdict::Fine,
    };
    let places: HashSet<Place> = directives.iter().flat_map(places_of).collect();
    let homeless = |complaint: &&ConfigError| !places.contains(&place_of(complaint));
    let text = |complaint: &ConfigError| complaint.to_string();
    Check {
        verdict,
        errors: reading.errors.0.iter().chain(&reading.unserved).filter(homeless).map(text).collect(),
        notes: reading.warnings.iter().chain(&reading.idle).filter(homeless).map(text).collect(),
        lines,
        untried: Vec::new(),
    }
}

/// Where each option that only its last line sets stands last. Sources have an order that surprises: a positional file
/// comes after the command line (uWSGI's manual, "How uWSGI parses config files").
fn last_of_each(directives: &[Directive]) -> HashMap<&'static str, usize> {
    let given = directives.iter().enumerate();
    let options = given.filter_map(|(index, directive)| Some((options::find(&directive.key)?, index)));
    options.filter(|(option, _)| option.repeat == Repeat::Last).map(|(option, index)| (option.name, index)).collect()
}

fn judge(directive: &Directive, reading: &Reading, said: &Said<'_>) -> Line {
    let about = |complaints: &ByPlace<'_>| -> Vec<String> {
        places_of(directive).filter_map(|place| complaints.get(&place)).flatten().copied().map(reason).collect()
    };
    let (errors, unserved, idle) = (about(&said.errors), about(&said.unserved), about(&said.idle));
    let option = options::find(&directive.key);
    let (fate, explanation) = if !errors.is_empty() {
        (Fate::StopsTheStart, errors.join("; "))
    } else if !unserved.is_empty() {
        (Fate::KeepsFromServing, unserved.join("; "))
    } else if !idle.is_empty() {
        (Fate::DoesNothing, idle.join("; "))
    } else {
        option.map_or_else(|| placeholder(directive, reading), |option| fate_of(option, directive))
    };
    Line {
        origin: directive.origin.to_string(),
        key: directive.key.clone(),
        value: directive.value.clone(),
        fate,
        explanation,
        notes: about(&said.warnings),
    }
}

fn fate_of(option: &Opt, directive: &Directive) -> (Fate, String) {
    let parsed = option.parse(directive.value.as_deref());
    let off = parsed.is_ok_and(|parsed| option.is_switched_off(&parsed));
    match option.status {
        _ if option.group() == Group::Language && option.status == Status::Works => {
            (Fate::Language, option.manual.to_owned())
        }
        Status::Works if off => (Fate::Works, format!("Off: {}", option.manual)),
        Status::Works => (Fate::Works, option.manual.to_owned()),
        Status::Accepted(reason) => (Fate::NotNeeded, reason.to_owned()),
        // Building has put every other one that is on into the list of idle lines or of errors.
        Status::NotYet(_) | Status::Unsupported(_) | Status::Refused(_) => {
            (Fate::NotNeeded, format!("Off: {}", option.manual))
        }
    }
}

fn placeholder(directive: &Directive, reading: &Reading) -> (Fate, String) {
    let explanation = if is_of_application(&directive.key) {
        "An option of the application's own"
    } else if reading.collected.placeholders_used.contains(&directive.key) {
        "Other values refer to it"
    } else if matches!(directive.origin, Origin::Environment { .. }) {
        "Not an option; left to other programs"
    } else {
        "Not an option; the application can read it"
    };
    (Fate::Placeholder, explanation.to_owned())
}

/// What a complaint can be about: a key with its value where it stands, or, without a key, a line of a file or the whole.
type Place<'a> = (&'a Origin, Option<(&'a str, Option<&'a str>)>);

type ByPlace<'a> = HashMap<Place<'a>, Vec<&'a ConfigError>>;

fn place_of(complaint: &ConfigError) -> Place<'_> {
    (&complaint.origin, complaint.key.as_deref().map(|key| (key, complaint.value.as_deref())))
}

/// Where complaints about this line may be found.
fn places_of(directive: &Directive) -> impl Iterator<Item = Place<'_>> {
    let own = (&directive.origin, Some((directive.key.as_str(), directive.value.as_deref())));
    let line = matches!(directive.origin, Origin::File { .. }).then_some((&directive.origin, None));
    [own].into_iter().chain(line)
}

/// Everything that is said, by what it is about: there may be many lines and many complaints.
struct Said<'a> {
    errors: ByPlace<'a>,
    unserved: ByPlace<'a>,
    idle: ByPlace<'a>,
    warnings: ByPlace<'a>,
}

impl<'a> Said<'a> {
    fn about(reading: &'a Reading) -> Self {
        let by_place = |complaints: &'a [ConfigError]| {
            let mut found = ByPlace::new();
            complaints.iter().for_each(|complaint| found.entry(place_of(complaint)).or_default().push(complaint));
            found
        };
        Said {
            errors: by_place(&reading.errors.0),
            unserved: by_place(&reading.unserved),
            idle: by_place(&reading.idle),
            warnings: by_place(&reading.warnings),
        }
    }
}

/// A complaint without its place, which stands at the beginning of the line already.
fn reason(complaint: &ConfigError) -> String {
    match &complaint.suggestion {
        Some(suggestion) => format!("{}; {suggestion}", complaint.problem),
        None => complaint.problem.clone(),
    }
}

impl Check {
    /// The report for a terminal or a file.
    pub fn text(&self, page: impl Into<Page>) -> String {
        let page = page.into();
        let paint = page.paint;
        let mut text = String::new();
        let widest = page.columns.map_or(LEFT_WIDTH_MAX, |columns| LEFT_WIDTH_MAX.min(columns / 2));
        let width = self.lines.iter().map(|line| left(line).chars().count()).filter(|width| *width <= widest);
        let width = width.max().unwrap_or(0);
        for fate in Fate::ALL {
            let lines: Vec<&Line> = self.lines.iter().filter(|line| line.fate == fate).collect();
            if lines.is_empty() {
                continue;
            }
            let (heading, colour) = fate.heading();
            let _ = writeln!(text, "{}", paint.bold(&format!("{heading} ({})", lines.len()), colour));
            for line in lines {
                line.write(&mut text, width, page);
            }
            text.push('\n');
        }
        for (heading, colour, complaints) in
            [("error:", Colour::Red, &self.errors), ("note:", Colour::Yellow, &self.notes)]
        {
            for complaint in complaints {
                text.push_str(&paint.bold(heading, colour));
                page.flow(&mut text, heading.len(), 2, &format!(" {complaint}"));
                text.push('\n');
            }
        }
        if !self.untried.is_empty() {
            page.flow(&mut text, 0, 2, &format!("Not tried: {}.\n", self.untried.join("; ")));
        }
        let _ = writeln!(text, "{}", self.verdict_line(paint));
        text
    }

    fn verdict_line(&self, paint: Paint) -> String {
        let count = |fate: Fate| self.lines.iter().filter(|line| line.fate == fate).count();
        match self.verdict {
            Verdict::Fine => {
                paint.bold("Nothing keeps it from starting, and every line does what it says.", Colour::Green)
            }
            Verdict::SomeLinesDoNothing => {
                let idle = count(Fate::DoesNothing);
                let lines = if idle == 1 { "1 line does".to_owned() } else { format!("{idle} lines do") };
                paint.bold(&format!("Nothing keeps it from starting, but {lines} nothing."), Colour::Yellow)
            }
            Verdict::WillNotServe => paint.bold("It starts, but answers every request with 500.", Colour::Red),
            Verdict::WillNotStart => paint.bold("It will not start.", Colour::Red),
        }
    }

    /// The report for programs; the shape is that of [`Check`].
    pub fn json(&self) -> String {
        // Strings, lists and unit variants only: serialising them cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

impl Line {
    /// Writes what stands in the line, and beside it, in a column behind `width` characters, what becomes of it.
    fn write(&self, text: &mut String, width: usize, page: Page) {
        let (left, column) = (left(self), width + 4);
        let blanks = |count: usize| " ".repeat(count);
        let _ = write!(text, "  {left:width$}  ");
        let come_to = left.chars().count() + 4;
        if page.columns.is_some() && come_to > column {
            let _ = write!(text, "\n{}", blanks(column));
        }
        page.flow(text, column, column, &self.explanation);
        text.push('\n');
        for note in &self.notes {
            let _ = write!(text, "{}{}", blanks(column), page.paint.bold("note:", Colour::Yellow));
            page.flow(text, column + "note:".len(), column, &format!(" {note}"));
            text.push('\n');
        }
    }
}

fn left(line: &Line) -> String {
    format!("{}  {}", line.origin, assignment(line))
}

fn assignment(line: &Line) -> String {
    let key = OneLine(&line.key);
    match line.value.as_deref() {
        None | Some("") => key.to_string(),
        Some(value) => format!("{key} = {}", OneLine(value)),
    }
}
