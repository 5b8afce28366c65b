//! Files: those that a configuration names, opened at the place where they are named.
//!
//! Which file, which format, which section, and what surrounds its text (uWSGI's manual, "Configuring uWSGI"). What stands
//! in one is `opened`'s business. Runs in the master, before anything is started; asks the outside only through `World`.

use std::path::Path;

use super::keyword::{Format, Place};
use super::magic::{FileNames, Magic};
use super::opened::{Opened, Text};
use super::source::{self, Reader, Source};
use crate::config::world::{Invocation, World};

/// The section that is read unless another one is asked for.
const DEFAULT_SECTION: &str = "uwsgi";

/// Which options the file that is being read belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Named by `ini`, `yaml`, `json`, `config` or a positional argument: names the upper-case magic variables.
    Main,
    /// Named by `include` or `inherit`.
    Side,
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
        let text = Text { name: name.into(), bytes: self.reader.read_named(name)?.into() };
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
        let texts = self.with_injections(Text { name: file.as_str().into(), bytes: without_mark(&bytes).into() });
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

/// Drops the byte-order mark of UTF-8, which would hide the first section from uWSGI.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}
