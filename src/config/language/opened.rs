//! What stands in a file, one piece after the other: entries, what cannot be read, what is left out.
//!
//! The grammar is in `ini` and `structured`; which file it is, and what surrounds its text, in `files`. The pieces are taken
//! as they are asked for: an entry may change what magic variables stand for in the next text, or end the reading. Pure.

use std::sync::Arc;
use std::vec::IntoIter;

use super::ini::{self, Item, NotText};
use super::keyword::Format;
use super::lines::{LINE_BYTES_MAX, Line, Lines, Loss};
use super::magic::Magic;
use super::structured::{self, Malformed};
use crate::config::directive::Origin;
use crate::config::error::ConfigError;
use crate::config::nearest::nearest;
use crate::config::world::SOURCE_BYTES_MAX;

/// Most sections that a message lists.
const SECTIONS_TOLD_MAX: usize = 10;

/// Most bytes of a document that is read as a whole, with its variables replaced.
const DOCUMENT_BYTES_MAX: usize = 2 * SOURCE_BYTES_MAX;

/// Most losses of a document that are told.
const LOSSES_MAX: usize = 1_000;

/// A piece of a file's text and the name of the file that it is from.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub(super) name: Arc<str>,
    pub(super) bytes: Arc<[u8]>,
}

/// A piece of a file.
#[derive(Debug)]
pub(super) enum Found {
    /// A key and its value.
    Entry { key: String, value: String, origin: Origin },
    /// What cannot be read.
    Wrong(ConfigError),
    /// What is left out.
    Odd(ConfigError),
}

/// A file that is being read: what was injected before it, its own text, what comes behind.
pub(super) struct Opened {
    format: Format,
    texts: IntoIter<Text>,
    /// The text of an ini file that is being read.
    current: Option<(Arc<str>, Lines)>,
    section: Arc<str>,
    /// The file as a whole.
    whole: Origin,
    /// Whether the line of an ini file that comes next is in the section.
    inside: bool,
    /// Whether the section has given anything.
    any: bool,
    /// The first sections that there are.
    sections: Vec<String>,
    /// The first line that begins a section without a bracket at its end, and the name that is read there.
    unclosed: Option<(usize, String)>,
    ended: bool,
}

impl Opened {
    pub(super) fn new(format: Format, texts: Vec<Text>, path: Arc<str>, section: Arc<str>) -> Self {
        Self {
            format,
            texts: texts.into_iter(),
            current: None,
            whole: Origin::File { path, line: 0, section: section.clone() },
            section,
            inside: false,
            any: false,
            sections: Vec::new(),
            unclosed: None,
            ended: false,
        }
    }

    /// What comes next: one line of an ini file, or all of another one. A text that begins here has magic variables as they
    /// stand now. `None` at the end.
    pub(super) fn next(&mut self, magic: &Magic) -> Option<Vec<Found>> {
        if self.ended {
            return None;
        }
        if self.format != Format::Ini {
            self.ended = true;
            return Some(self.read_structured(magic));
        }
        loop {
            let Some((name, lines)) = &mut self.current else {
                let Some(text) = self.texts.next() else {
                    self.ended = true;
                    let complaint = (!self.any).then(|| self.empty_section());
                    return Some(complaint.into_iter().map(Found::Odd).collect());
                };
                self.current = Some((text.name, Lines::new(magic, text.bytes)));
                continue;
            };
            let Some(line) = lines.next() else {
                self.current = None;
                continue;
            };
            let origin = Origin::File { path: name.clone(), line: line.number, section: self.section.clone() };
            let found = self.read_line(&line, origin);
            if !found.is_empty() {
                return Some(found);
            }
        }
    }

    fn empty_section(&self) -> ConfigError {
        match &self.unclosed {
            // Before any guess: the section may be there, under another name.
            Some((line, name)) if !self.sections.iter().any(|known| **known == *self.section) => {
                let remedy = format!("line {line} begins [{name}], since it does not end with `]`");
                ConfigError::at(&self.whole, format!("it has no section [{}]", self.section)).suggest(remedy)
            }
            _ => nothing_in(&self.whole, &self.section, &self.sections),
        }
    }

    fn read_line(&mut self, line: &Line, origin: Origin) -> Vec<Found> {
        let mut found = Vec::new();
        let item = ini::read_line(&line.text);
        if self.inside {
            // What vanishes from a comment is nobody's loss, unless it is a line.
            let told = line.losses.iter().filter(|loss| matches!(loss, Loss::Line(_)) || item != Ok(Item::Nothing));
            found.extend(told.map(|loss| Found::Odd(ConfigError::at(&origin, loss.to_string()))));
        }
        match item {
            Ok(Item::Nothing) => {}
            Ok(Item::Section(name)) => {
                if !line.text.trim_ascii_end().ends_with(b"]") {
                    let problem = format!("no `]` at the end of the line: the section's name is read as `{name}`");
                    self.unclosed.get_or_insert((line.number, name.to_string()));
                    found.push(Found::Odd(ConfigError::at(&origin, problem)));
                }
                self.inside = *name == *self.section;
                if self.sections.len() < SECTIONS_TOLD_MAX && !self.sections.contains(&name) {
                    self.sections.push(name);
                }
            }
            Ok(Item::Entry { .. }) | Err(NotText) if !self.inside => {}
            _ if line.is_cut => {
                let problem = format!("the line is longer than {} KiB", LINE_BYTES_MAX >> 10);
                found.push(Found::Wrong(ConfigError::at(&origin, problem)));
            }
            Ok(Item::Entry { key, value }) => {
                self.any = true;
                found.push(Found::Entry { key, value, origin });
            }
            Err(NotText) => found.push(Found::Wrong(ConfigError::at(&origin, "expected text in UTF-8"))),
        }
        found
    }

    /// All texts are one document.
    fn read_structured(&mut self, magic: &Magic) -> Vec<Found> {
        let wrong = |origin: &Origin, problem: String| vec![Found::Wrong(ConfigError::at(origin, problem))];
        let mut document = Document::default();
        for text in self.texts.by_ref() {
            if !document.append(&text.name, Lines::new(magic, text.bytes)) {
                let problem = format!("longer than {} MiB with its variables replaced", DOCUMENT_BYTES_MAX >> 20);
                return wrong(&self.whole, problem);
            }
        }
        let origin = |line: usize| match document.place(line) {
            Some((path, line)) => Origin::File { path, line, section: self.section.clone() },
            None => self.whole.clone(),
        };
        let Ok(text) = std::str::from_utf8(&document.bytes) else {
            return wrong(&self.whole, "expected text in UTF-8".to_owned());
        };
        match structured::read(self.format, text, &self.section) {
            Err(Malformed { line, problem }) => wrong(&origin(line), problem),
            Ok(items) => {
                let mut found = Vec::new();
                for (line, item) in items {
                    let told = document.losses_of(line);
                    found.extend(told.map(|loss| Found::Odd(ConfigError::at(&origin(line), loss.to_string()))));
                    found.push(of_item(item, origin(line)));
                }
                found
            }
        }
    }
}

/// Texts one behind the other as one, and where its lines came from.
#[derive(Default)]
struct Document {
    bytes: Vec<u8>,
    /// How many lines it has.
    lines: usize,
    /// Lines of the document, from 1, from which on they are those of a text in its order: that text, and which line of it.
    runs: Vec<(usize, Arc<str>, usize)>,
    /// What was lost in which line of the document.
    losses: Vec<(usize, Loss)>,
}

impl Document {
    /// Whether there was room for it.
    fn append(&mut self, name: &Arc<str>, lines: Lines) -> bool {
        let mut expected = None;
        for line in lines {
            if line.is_cut || self.bytes.len() + line.text.len() >= DOCUMENT_BYTES_MAX {
                return false;
            }
            if self.lines > 0 {
                self.bytes.push(b'\n');
            }
            self.bytes.extend_from_slice(&line.text);
            self.lines += 1;
            if expected != Some(line.number) {
                self.runs.push((self.lines, name.clone(), line.number));
            }
            expected = Some(line.number + 1);
            let room = LOSSES_MAX.saturating_sub(self.losses.len());
            self.losses.extend(line.losses.into_iter().take(room).map(|loss| (self.lines, loss)));
        }
        true
    }

    /// The text that a line of the document is from, and which line of it.
    fn place(&self, line: usize) -> Option<(Arc<str>, usize)> {
        if line > self.lines {
            return None;
        }
        let behind = self.runs.partition_point(|(first, ..)| *first <= line);
        let (first, name, number) = self.runs.get(behind.checked_sub(1)?)?;
        Some((name.clone(), number + line - first))
    }

    fn losses_of(&self, line: usize) -> impl Iterator<Item = &Loss> {
        let from = self.losses.partition_point(|(place, _)| *place < line);
        self.losses[from..].iter().take_while(move |(place, _)| *place == line).map(|(_, loss)| loss)
    }
}

fn of_item(item: structured::Item, origin: Origin) -> Found {
    match item {
        structured::Item::Entry { key, value } => Found::Entry { key, value, origin },
        structured::Item::Ignored { key, what } => {
            let problem = format!("{what} is no value of an option; ignored");
            Found::Odd(ConfigError::of(&key, None, &origin, problem))
        }
    }
}

/// The complaint about a section that gave nothing, `found` being those that the file has.
fn nothing_in(whole: &Origin, section: &str, found: &[String]) -> ConfigError {
    if found.iter().any(|name| name == section) {
        return ConfigError::at(whole, format!("there is nothing in its section [{section}]"));
    }
    let complaint = ConfigError::at(whole, format!("it has no section [{section}]"));
    match nearest(section, found.iter().map(String::as_str)) {
        Some(slip) => complaint.suggest(format!("did you mean [{}]?", slip.name)),
        None if found.is_empty() => complaint.suggest(format!("put a line [{section}] before its options")),
        None => complaint.suggest(format!("it has [{}]: write {whole}:{}", found.join("], ["), found[0])),
    }
}
