//! Files: those that a configuration names, opened at the place where they are named.
//!
//! Which file, which format, which section, and what surrounds its text (uWSGI's manual, "Configuring uWSGI"). The
//! grammar is in `ini` and `structured`; what becomes of the entries is for `collector` to say, which asks for them one
//! text after the other, because an entry may change what magic variables stand for in the next. Runs in the master,
//! before anything is started; asks the outside only through `World`.

use std::path::Path;
use std::sync::Arc;
use std::vec::IntoIter;

use super::ini::{self, Item, NotText};
use super::keyword::{Format, Place};
use super::magic::{FileNames, Line, Loss, Magic};
use super::source::{self, Reader, Source};
use super::structured::{self, Malformed};
use crate::config::directive::Origin;
use crate::config::error::ConfigError;
use crate::config::nearest::nearest;
use crate::config::world::{Invocation, World};

/// The section that is read unless another one is asked for.
const DEFAULT_SECTION: &str = "uwsgi";

/// Most sections that a message lists.
const SECTIONS_TOLD_MAX: usize = 10;

/// Which options the file that is being read belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Named by `ini`, `yaml`, `json`, `config` or a positional argument: names the upper-case magic variables.
    Main,
    /// Named by `include` or `inherit`.
    Side,
}

/// A piece of a file's text and the name of the file that it is from.
#[derive(Debug, Clone)]
struct Text {
    name: Arc<str>,
    bytes: Vec<u8>,
}

/// Where the text of one run comes from, and what surrounds it.
pub(super) struct Files<'a> {
    pub(super) reader: Reader<'a>,
    pub(super) magic: Magic,
    world: &'a dyn World,
    directory: &'a Path,
    injected_before: Vec<Text>,
    injected_after: Vec<Text>,
    /// The ini file read last, which `:section` speaks of.
    last_ini: Option<String>,
}

impl<'a> Files<'a> {
    /// Nothing is read yet.
    pub(super) fn new(invocation: &'a Invocation, world: &'a dyn World) -> Self {
        Self {
            reader: Reader::new(world, &invocation.directory),
            magic: Magic::new(invocation, world.facts()),
            world,
            directory: &invocation.directory,
            injected_before: Vec::new(),
            injected_after: Vec::new(),
            last_ini: None,
        }
    }

    /// Has a file's text stand around that of every file opened later.
    pub(super) fn inject(&mut self, place: Place, name: &str) -> Result<(), String> {
        let text = Text { name: name.into(), bytes: self.reader.read_named(name)? };
        match place {
            Place::Before => self.injected_before.push(text),
            Place::After => self.injected_after.push(text),
        }
        Ok(())
    }

    /// Opens a file whose name tells its format, and may name a section.
    pub(super) fn open_by_ending(&mut self, name: &str, role: Role) -> Result<Opened, String> {
        match source::by_ending(name) {
            Some((format, file, section)) => self.open(format, file, section, role),
            None => Err("expected the name of a file that ends in .ini, .yaml, .yml, .json or .js".to_owned()),
        }
    }

    /// Opens a file of a format; its name may name a section.
    pub(super) fn open_with_section(&mut self, format: Format, name: &str, role: Role) -> Result<Opened, String> {
        let (file, section) = source::split_section(name);
        self.open(format, file, section, role)
    }

    /// Reads one source. From here on the magic variables speak of it.
    pub(super) fn open(
        &mut self,
        format: Format,
        file: &str,
        section: Option<&str>,
        role: Role,
    ) -> Result<Opened, String> {
        let given = file; // empty when only a section is named, and so is then %o
        let file = match (file, &self.last_ini) {
            ("", Some(last)) if section.is_some() => last.clone(),
            ("", None) if section.is_some() => {
                return Err("no ini file was read yet that could have this section".into());
            }
            _ => file.to_owned(),
        };
        let source = Source::parse(&file, self.directory)?;
        let bytes = self.reader.read(&source)?;
        if format == Format::Ini {
            self.last_ini = Some(file.clone());
        }
        self.enter(given, &source, section.unwrap_or_default(), role);
        let texts = self.with_injections(Text { name: file.as_str().into(), bytes: without_mark(bytes) });
        let section = section.filter(|name| !name.is_empty()).unwrap_or(DEFAULT_SECTION);
        Ok(Opened::new(format, texts, file.as_str().into(), section.into()))
    }

    fn enter(&mut self, given: &str, source: &Source, section: &str, role: Role) {
        let Source::File(path) = source else { return self.magic.enter_unnamed(given) };
        let shown =
            if self.world.is_link(path) { path.clone() } else { self.world.resolve(path).unwrap_or(path.clone()) };
        let inode = self.world.look(path).map_or(0, |sight| sight.inode);
        self.magic.enter(FileNames::new(given, &shown, section, inode), role == Role::Main);
    }

    fn with_injections(&self, text: Text) -> Vec<Text> {
        self.injected_before.iter().cloned().chain([text]).chain(self.injected_after.iter().cloned()).collect()
    }
}

/// What stands in a file, in its order.
#[derive(Debug)]
pub(super) enum Found {
    /// A key and its value.
    Entry { key: String, value: String, origin: Origin },
    /// What cannot be read.
    Wrong(ConfigError),
    /// What is left out.
    Odd(ConfigError),
}

/// A file whose entries are taken one text after the other: what was injected before it, its own, what comes behind.
pub(super) struct Opened {
    format: Format,
    texts: IntoIter<Text>,
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
    fn new(format: Format, texts: Vec<Text>, path: Arc<str>, section: Arc<str>) -> Self {
        Self {
            format,
            texts: texts.into_iter(),
            whole: Origin::File { path, line: 0, section: section.clone() },
            section,
            inside: false,
            any: false,
            sections: Vec::new(),
            unclosed: None,
            ended: false,
        }
    }

    /// What the next text holds, with magic variables as they stand now; `None` at the end.
    pub(super) fn next(&mut self, magic: &Magic) -> Option<Vec<Found>> {
        if self.ended {
            return None;
        }
        match self.format {
            Format::Ini => match self.texts.next() {
                Some(text) => Some(self.read_ini(&text, magic)),
                None => {
                    self.ended = true;
                    let complaint = (!self.any).then(|| self.empty_section());
                    Some(complaint.into_iter().map(Found::Odd).collect())
                }
            },
            Format::Yaml | Format::Json | Format::Xml => {
                self.ended = true;
                Some(self.read_structured(magic))
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

    fn read_ini(&mut self, text: &Text, magic: &Magic) -> Vec<Found> {
        let mut found = Vec::new();
        for Line { number, text: line, losses } in magic.lines(&text.bytes) {
            let origin = || Origin::File { path: text.name.clone(), line: number, section: self.section.clone() };
            let item = ini::read_line(&line);
            if self.inside {
                // What vanishes from a comment is nobody's loss, unless it is a line.
                let told = losses.iter().filter(|loss| matches!(loss, Loss::Line(_)) || item != Ok(Item::Nothing));
                found.extend(told.map(|loss| Found::Odd(ConfigError::at(&origin(), loss.to_string()))));
            }
            match item {
                Ok(Item::Nothing) => {}
                Ok(Item::Section(name)) => {
                    if !line.trim_ascii_end().ends_with(b"]") {
                        let problem = format!("no `]` at the end of the line: the section's name is read as `{name}`");
                        self.unclosed.get_or_insert((number, name.to_string()));
                        found.push(Found::Odd(ConfigError::at(&origin(), problem)));
                    }
                    self.inside = *name == *self.section;
                    if self.sections.len() < SECTIONS_TOLD_MAX && !self.sections.contains(&name) {
                        self.sections.push(name);
                    }
                }
                Ok(Item::Entry { .. }) if !self.inside => {}
                Ok(Item::Entry { key, value }) => {
                    self.any = true;
                    found.push(Found::Entry { key, value, origin: origin() });
                }
                Err(NotText) if self.inside => {
                    found.push(Found::Wrong(ConfigError::at(&origin(), "expected text in UTF-8")));
                }
                Err(NotText) => {}
            }
        }
        found
    }

    /// All texts are one document.
    fn read_structured(&mut self, magic: &Magic) -> Vec<Found> {
        let mut lines = Vec::new();
        for text in self.texts.by_ref() {
            lines.extend(magic.lines(&text.bytes).into_iter().map(|line| (text.name.clone(), line)));
        }
        let origin = |number: usize| match number.checked_sub(1).and_then(|index| lines.get(index)) {
            Some((path, line)) => Origin::File { path: path.clone(), line: line.number, section: self.section.clone() },
            None => self.whole.clone(),
        };
        let bytes = lines.iter().map(|(_, line)| line.text.as_slice()).collect::<Vec<_>>().join(&b'\n');
        let Ok(text) = String::from_utf8(bytes) else {
            return vec![Found::Wrong(ConfigError::at(&self.whole, "expected text in UTF-8"))];
        };
        match structured::read(self.format, &text, &self.section) {
            Err(Malformed { line, problem }) => vec![Found::Wrong(ConfigError::at(&origin(line), problem))],
            Ok(items) => {
                let losses_of = |number: usize| number.checked_sub(1).and_then(|index| lines.get(index));
                let mut found = Vec::new();
                for (number, item) in items {
                    let losses = losses_of(number).map(|(_, line)| line.losses.as_slice()).unwrap_or_default();
                    let told = losses.iter().map(|loss| Found::Odd(ConfigError::at(&origin(number), loss.to_string())));
                    found.extend(told);
                    found.push(of_item(item, origin(number)));
                }
                found
            }
        }
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

/// Drops the byte-order mark of UTF-8, which would hide the first section from uWSGI.
fn without_mark(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    bytes
}
