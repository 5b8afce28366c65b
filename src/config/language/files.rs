//! Files: those that a configuration names, read at the place where they are named.
//!
//! Which file, which format, which section, and what surrounds its text (uWSGI's manual, "Configuring uWSGI"). The
//! grammar is in `ini` and `structured`; what its entries do is `collect`'s business. Runs in the master, before
//! anything is started; asks the outside only through `World`.

use std::sync::Arc;

use super::collect::{Collector, DEFAULT_SECTION};
use super::ini::{self, Item, NotText};
use super::keyword::{Format, Place};
use super::magic::{FileNames, Line};
use super::source::{self, Source};
use super::structured::{self, Malformed};
use crate::config::directive::Origin;
use crate::config::error::ConfigError;
use crate::config::nearest::nearest;

/// Deepest nesting of files, settings and declared options that name each other.
const DEPTH_MAX: usize = 32;

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
pub(super) struct Text {
    name: Arc<str>,
    bytes: Vec<u8>,
}

impl Collector<'_> {
    pub(super) fn inject(&mut self, place: Place, name: &str) -> Result<(), String> {
        let text = Text { name: name.into(), bytes: self.reader.read_named(name)? };
        match place {
            Place::Before => self.injected_before.push(text),
            Place::After => self.injected_after.push(text),
        }
        Ok(())
    }

    /// Runs something that may come here again, such as a file that names itself; too deep ends the reading.
    pub(super) fn deepen(&mut self, act: impl FnOnce(&mut Self)) -> Result<(), String> {
        if self.depth >= DEPTH_MAX {
            self.stopped = true;
            return Err(format!("more than {DEPTH_MAX} files or settings within each other; does one name itself?"));
        }
        self.depth += 1;
        act(self);
        self.depth -= 1;
        Ok(())
    }

    pub(super) fn load_by_ending(&mut self, name: &str, role: Role) -> Result<(), String> {
        match source::by_ending(name) {
            Some((format, file, section)) => self.load(format, file, section, role),
            None => Err("expected the name of a file that ends in .ini, .yaml, .yml, .json or .js".to_owned()),
        }
    }

    pub(super) fn load_with_section(&mut self, format: Format, name: &str, role: Role) -> Result<(), String> {
        let (file, section) = source::split_section(name);
        self.load(format, file, section, role)
    }

    /// Reads one source now; its entries are added as it is read.
    pub(super) fn load(&mut self, format: Format, file: &str, section: Option<&str>, role: Role) -> Result<(), String> {
        let given = file; // empty when only a section is named, and so is then %o
        let file = match (file, &self.last_ini) {
            ("", Some(last)) if section.is_some() => last.clone(),
            ("", None) if section.is_some() => {
                return Err("no ini file was read yet that could have this section".into());
            }
            _ => file.to_owned(),
        };
        let source = Source::parse(&file, &self.invocation.directory)?;
        let bytes = self.reader.read(&source)?;
        if format == Format::Ini {
            self.last_ini = Some(file.clone());
        }
        self.enter(given, &source, section.unwrap_or_default(), role);
        let texts = self.with_injections(Text { name: file.as_str().into(), bytes: without_mark(bytes) });
        let section = section.filter(|name| !name.is_empty()).unwrap_or(DEFAULT_SECTION);
        let origin = Origin::File { path: file.as_str().into(), line: 0, section: section.into() };
        self.deepen(|collector| match format {
            Format::Ini => collector.read_ini(&texts, section, &origin),
            Format::Yaml | Format::Json | Format::Xml => collector.read_structured(format, &texts, section, &origin),
        })
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

    fn read_ini(&mut self, texts: &[Text], section: &str, origin: &Origin) {
        let name: Arc<str> = section.into();
        let mut inside = false;
        let mut any = false;
        let mut sections: Vec<String> = Vec::new();
        for text in texts {
            for Line { number, text: line } in self.magic.lines(&text.bytes) {
                let origin = || Origin::File { path: text.name.clone(), line: number, section: name.clone() };
                match ini::read_line(&line) {
                    Ok(Item::Nothing) => {}
                    Ok(Item::Section(found)) => {
                        inside = found == section;
                        if sections.len() < SECTIONS_TOLD_MAX && !sections.contains(&found) {
                            sections.push(found);
                        }
                    }
                    Ok(Item::Entry { .. }) if !inside => {}
                    Ok(Item::Entry { key, value }) => {
                        any = true;
                        self.add(&key, Some(&value), &origin());
                    }
                    Err(NotText) if inside => self.complain(ConfigError::at(&origin(), "expected text in UTF-8")),
                    Err(NotText) => {}
                }
                if self.stopped {
                    return;
                }
            }
        }
        if !any {
            self.warn(empty_section(origin, section, &sections));
        }
    }

    fn read_structured(&mut self, format: Format, texts: &[Text], section: &str, whole: &Origin) {
        let mut lines = Vec::new();
        for text in texts {
            lines.extend(self.magic.lines(&text.bytes).into_iter().map(|line| (text.name.clone(), line)));
        }
        let name: Arc<str> = section.into();
        let origin = |number: usize| match number.checked_sub(1).and_then(|index| lines.get(index)) {
            Some((path, line)) => Origin::File { path: path.clone(), line: line.number, section: name.clone() },
            None => whole.clone(),
        };
        let bytes = lines.iter().map(|(_, line)| line.text.as_slice()).collect::<Vec<_>>().join(&b'\n');
        let Ok(text) = String::from_utf8(bytes) else {
            return self.complain(ConfigError::at(whole, "expected text in UTF-8"));
        };
        match structured::read(format, &text, section) {
            Err(Malformed { line, problem }) => self.complain(ConfigError::at(&origin(line), problem)),
            Ok(items) => items.into_iter().for_each(|(line, item)| match item {
                structured::Item::Entry { key, value } => self.add(&key, Some(&value), &origin(line)),
                structured::Item::Ignored { key, what } => {
                    let problem = format!("{what} is no value of an option; ignored");
                    self.warn(ConfigError::of(&key, None, &origin(line), problem));
                }
            }),
        }
    }
}

/// The complaint about a section that gave nothing, `found` being those that the file has.
fn empty_section(whole: &Origin, section: &str, found: &[String]) -> ConfigError {
    if found.iter().any(|name| name == section) {
        return ConfigError::at(whole, format!("there is nothing in its section [{section}]"));
    }
    let complaint = ConfigError::at(whole, format!("it has no section [{section}]"));
    match nearest(section, found.iter().map(String::as_str)) {
        Some(slip) => complaint.suggest(format!("did you mean [{}]?", slip.name)),
        None if found.is_empty() => complaint,
        None => complaint.suggest(format!("it has [{}]", found.join("], ["))),
    }
}

/// Drops the byte-order mark of UTF-8, which would hide the first section from uWSGI.
fn without_mark(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    bytes
}
