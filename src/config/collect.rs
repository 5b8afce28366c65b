//! From text, command line and environment to one ordered list of directives.
//!
//! Order and precedence are uWSGI's (reference/config.md 1.1 and 1.2): environment, then options of the command line,
//! then positional files; a file is read at the place where it is named; the last of equal keys wins when options are
//! applied, which is not done here. Runs in the master, before anything is started; asks the outside only through
//! [`World`].

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use super::command_line;
use super::declaration::Declaration;
use super::directive::{Directive, Origin};
use super::environment;
use super::error::{ConfigError, ConfigErrors};
use super::expand::{self, Budget};
use super::guard::Guards;
use super::ini::{self, Item, NotText};
use super::keyword::{Format, Keyword, Opener, Place};
use super::logic::{Block, Blocks, Trouble, View};
use super::magic::{FileNames, Line, Magic};
use super::placeholder::{Environment, Files, Placeholders};
use super::source::{self, Reader, Source};
use super::strict::{Judge, Judgement};
use super::structured;
use super::vocabulary::Vocabulary;
use super::world::{Invocation, World};

/// The section that is read unless another one is asked for.
pub const DEFAULT_SECTION: &str = "uwsgi";

/// Most entries of one configuration: the bound of loops.
const ENTRIES_MAX: usize = 100_000;

/// Deepest nesting of files that name each other.
const FILES_DEPTH_MAX: usize = 32;

/// Most errors and most warnings of one run.
const COMPLAINTS_MAX: usize = 1_000;

/// What a configuration says, with everything resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// Every entry in the order in which options are applied. Those of the language itself (`ini`, `if-env`, `set`, …)
    /// are among them, as in uWSGI's `--show-config`; what `declare-option` made comes first and is not listed there.
    pub directives: Vec<Directive>,
    /// What the operator should know although the start goes on.
    pub warnings: Vec<ConfigError>,
    /// Every file that was read, absolute, once, in order.
    pub files: Vec<PathBuf>,
    /// Names that some value refers to as `%(name)`.
    pub placeholders_used: HashSet<String>,
    /// The magic variables at the end, for `uwsgi.magic_table`.
    pub magic: Vec<(char, String)>,
    /// The last `strict`, if there is any.
    pub strict: Option<bool>,
    /// The last `fallback-config`, if there is any.
    pub fallback: Option<String>,
    /// Whether a file, or another source, could not be read at all.
    pub missed_source: bool,
}

impl Collected {
    /// The directives that uWSGI's `--show-config` prints: all but those that `declare-option` made.
    pub fn listed(&self) -> impl Iterator<Item = &Directive> {
        self.directives.iter().filter(|directive| !matches!(directive.origin, Origin::Declared { .. }))
    }
}

/// Reads the environment, the command line and every file they name.
///
/// # Errors
/// All errors of the run, not just the first: see [`ConfigError`] for what each of them tells.
pub fn collect(
    invocation: &Invocation,
    vocabulary: &dyn Vocabulary,
    world: &dyn World,
) -> Result<Collected, ConfigErrors> {
    let (collected, errors) = collect_all(invocation, vocabulary, world);
    errors.into_result(collected)
}

/// The same, with what could be read although there are errors: so that the values are judged in the same run.
pub fn collect_all(
    invocation: &Invocation,
    vocabulary: &dyn Vocabulary,
    world: &dyn World,
) -> (Collected, ConfigErrors) {
    let mut collector = Collector::new(invocation, vocabulary, world);
    collector.read_environment();
    collector.read_command_line(&invocation.arguments);
    collector.tell_of_open_blocks();
    collector.expand();
    collector.read_inherited();
    collector.finish()
}

/// One entry on its way.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) directive: Directive,
    /// Whether its value stays as it stands.
    pub(crate) done: bool,
    /// Whether it came from `set-placeholder`, which even `strict` allows.
    pub(crate) placeholder: bool,
}

/// Which options the file that is being read belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Named by `ini`, `yaml`, `json`, `config` or a positional argument: names the upper-case magic variables.
    Main,
    /// Named by `include` or `inherit`.
    Side,
}

struct Collector<'a> {
    invocation: &'a Invocation,
    vocabulary: &'a dyn Vocabulary,
    world: &'a dyn World,
    reader: Reader<'a>,
    magic: Magic,
    entries: Vec<Entry>,
    /// What `declare-option` made; applied before all others, because uWSGI applies them while it reads.
    declared: Vec<Entry>,
    declarations: HashMap<String, Declaration>,
    blocks: Blocks,
    guards: Guards,
    injected_before: Vec<Text>,
    injected_after: Vec<Text>,
    /// The ini file read last, which `:section` speaks of.
    last_ini: Option<String>,
    depth: usize,
    /// Whether entries come from `inherit`, whose values are not expanded.
    inheriting: bool,
    budget: Budget,
    references: HashSet<String>,
    strict: Option<bool>,
    fallback: Option<String>,
    errors: Vec<ConfigError>,
    warnings: Vec<ConfigError>,
    /// A limit was reached; nothing more is read.
    stopped: bool,
}

/// A piece of a file's text and the name of the file that it is from.
#[derive(Debug, Clone)]
struct Text {
    name: Arc<str>,
    bytes: Vec<u8>,
}

impl<'a> Collector<'a> {
    fn new(invocation: &'a Invocation, vocabulary: &'a dyn Vocabulary, world: &'a dyn World) -> Self {
        Self {
            invocation,
            vocabulary,
            world,
            reader: Reader::new(world, &invocation.directory),
            magic: Magic::new(invocation, world.facts()),
            entries: Vec::new(),
            declared: Vec::new(),
            declarations: HashMap::new(),
            blocks: Blocks::new(),
            guards: Guards::default(),
            injected_before: Vec::new(),
            injected_after: Vec::new(),
            last_ini: None,
            depth: 0,
            inheriting: false,
            budget: Budget::new(),
            references: HashSet::new(),
            strict: None,
            fallback: None,
            errors: Vec::new(),
            warnings: Vec::new(),
            stopped: false,
        }
    }

    fn read_environment(&mut self) {
        for variable in environment::options(&self.invocation.environment, &mut self.errors) {
            self.add(&variable.key, Some(&variable.value), &variable.origin);
        }
    }

    fn read_command_line(&mut self, arguments: &[OsString]) {
        let line = command_line::parse(arguments, self.vocabulary, &mut self.errors);
        for (key, value) in &line.options {
            self.add(key, value.as_deref(), &Origin::CommandLine);
        }
        for name in &line.positional {
            self.read_positional(name);
        }
    }

    /// A word without option is a configuration file. Words that begin with a bracket only pad the process title.
    fn read_positional(&mut self, name: &str) {
        if name.starts_with('[') {
            return;
        }
        match source::by_ending(name) {
            Some((format, file, section)) => {
                if let Err(problem) = self.load(format, file, section, Role::Main) {
                    self.complain(ConfigError::at(&Origin::CommandLine, format!("{name}: {problem}")));
                }
            }
            None => {
                let error = ConfigError::at(&Origin::CommandLine, format!("{name}: expected a configuration file"));
                self.complain(error.suggest(instead_of_positional(name)));
            }
        }
    }

    /// One entry from any source: guarded, put through the open blocks, listed and, if it is of the language, obeyed.
    fn add(&mut self, key: &str, value: Option<&str>, origin: &Origin) {
        if self.stopped {
            return;
        }
        if let Some(value) = value {
            let names = expand::references(value);
            self.references.extend(names.into_iter().map(str::to_owned));
        }
        if let Err(problem) = self.guards.check(key) {
            return self.complain(ConfigError::of(key, value, origin, problem));
        }
        let keyword = Keyword::of(key);
        match keyword {
            Some(Keyword::Open(opener)) => self.open_block(opener, key, value, origin),
            Some(Keyword::Close) => self.close_block(key, value, origin),
            _ if self.blocks.is_empty() => self.admit(key, value.map(str::to_owned), origin, keyword),
            _ => self.admit_in_blocks(key, value, origin, keyword),
        }
    }

    fn admit_in_blocks(&mut self, key: &str, value: Option<&str>, origin: &Origin, keyword: Option<Keyword>) {
        let Some(values) = self.through_blocks(value) else { return };
        let aside = self.blocks.set_aside();
        for value in values {
            self.admit(key, value, origin, keyword);
            for block in self.blocks.set_aside() {
                self.warn(ConfigError::at(&block.origin, format!("`{}` is never closed in its file", block.opening())));
            }
        }
        self.blocks.put_back(aside);
    }

    /// What the open blocks make of a value; `None` when they take it away for good.
    fn through_blocks(&mut self, value: Option<&str>) -> Option<Vec<Option<String>>> {
        let entries = &self.entries;
        let first = |name: &str| {
            entries.iter().find(|entry| entry.directive.key == name).and_then(|entry| entry.directive.value.clone())
        };
        let mut remarks = Vec::new();
        let mut view = View {
            invocation: self.invocation,
            world: self.world,
            vocabulary: self.vocabulary,
            reader: &mut self.reader,
            entry: &first,
            remarks: &mut remarks,
        };
        let result = self.blocks.apply(value, &mut view);
        for remark in remarks {
            self.warn(remark);
        }
        match result {
            Ok(values) => Some(values),
            Err(Trouble::Wrong(error)) => {
                self.complain(error);
                None
            }
            Err(Trouble::Limit(error)) => {
                self.stop(error);
                None
            }
        }
    }

    fn open_block(&mut self, opener: Opener, key: &str, value: Option<&str>, origin: &Origin) {
        let nested = !self.blocks.is_empty();
        let taken = if nested { self.through_blocks(value).is_some_and(|values| !values.is_empty()) } else { true };
        if self.stopped {
            return;
        }
        if nested {
            let note = "a block inside a block; uWSGI refuses this, and would end the outer block at the first end";
            self.warn(ConfigError::of(key, value, origin, note));
        }
        let argument = value.unwrap_or_default();
        if let Err(problem) = self.blocks.open(Block::new(opener, key, argument, origin, taken)) {
            return self.stop(ConfigError::of(key, value, origin, problem));
        }
        if argument.contains("$(") {
            let note = "a condition or loop is read before $( ) and %( ) are replaced, so this is taken literally";
            self.warn(ConfigError::of(key, value, origin, note));
        }
        if taken {
            self.list(key, value.map(str::to_owned), origin, true);
        }
    }

    fn close_block(&mut self, key: &str, value: Option<&str>, origin: &Origin) {
        let listed = match self.blocks.close() {
            Some(block) => block.listed,
            None => {
                self.warn(ConfigError::of(key, value, origin, "there is no open block here"));
                true
            }
        };
        if listed {
            self.list(key, value.map(str::to_owned), origin, true);
        }
    }

    /// Lists an entry that the blocks let through and does what the language asks for with it.
    fn admit(&mut self, key: &str, value: Option<String>, origin: &Origin, keyword: Option<Keyword>) {
        let value = match keyword {
            Some(Keyword::Load(_) | Keyword::Include) if !self.inheriting => self.expand_at_once(value, key, origin),
            _ => value,
        };
        let done = self.inheriting || keyword.is_some_and(Keyword::acts_at_once);
        self.list(key, value.clone(), origin, done);
        if self.stopped {
            return;
        }
        match keyword {
            Some(keyword) => self.obey(keyword, key, value.as_deref(), origin),
            None => self.use_declaration(key, value.as_deref(), origin),
        }
    }

    fn list(&mut self, key: &str, value: Option<String>, origin: &Origin, done: bool) {
        if self.entries.len() + self.declared.len() >= ENTRIES_MAX {
            return self.stop(ConfigError::of(
                key,
                value.as_deref(),
                origin,
                format!("more than {ENTRIES_MAX} entries"),
            ));
        }
        let directive = Directive { key: key.to_owned(), value, origin: origin.clone() };
        self.entries.push(Entry { directive, done, placeholder: false });
    }

    fn obey(&mut self, keyword: Keyword, key: &str, value: Option<&str>, origin: &Origin) {
        let text = value.unwrap_or_default();
        let result = match keyword {
            Keyword::Load(Some(format)) => self.load_with_section(format, text, Role::Main),
            Keyword::Load(None) => self.load_by_ending(text, Role::Main),
            Keyword::Include => self.load_by_ending(text, Role::Side),
            Keyword::Set => self.set(text, origin, false),
            Keyword::SetPlaceholder => self.set(text, origin, true),
            Keyword::DeclareOption => self.declare(text),
            Keyword::Inject(place) => self.inject(place, text),
            Keyword::Inherit | Keyword::Open(_) | Keyword::Close => Ok(()), // later; not here
            Keyword::Strict => {
                self.strict = Some(is_on(text));
                Ok(())
            }
            Keyword::FallbackConfig => {
                self.fallback = Some(text.to_owned());
                Ok(())
            }
            Keyword::Blacklist => {
                self.guards.forbid(text);
                Ok(())
            }
            Keyword::EndBlacklist => {
                self.guards.end_forbid();
                Ok(())
            }
            Keyword::Whitelist => {
                self.guards.allow_only(text);
                Ok(())
            }
            Keyword::EndWhitelist => {
                self.guards.end_allow_only();
                Ok(())
            }
        };
        if let Err(problem) = result {
            self.complain(ConfigError::of(key, value, origin, problem));
        }
    }

    fn set(&mut self, text: &str, origin: &Origin, placeholder: bool) -> Result<(), String> {
        let (key, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
        if !placeholder {
            self.add(key, Some(value), origin);
            return Ok(());
        }
        if self.vocabulary.lookup(key).is_some() {
            return Err(format!("`{key}` is an option and cannot be a placeholder; use set = {text}"));
        }
        self.list(key, Some(value.to_owned()), origin, true);
        if let Some(entry) = self.entries.last_mut() {
            entry.placeholder = true;
        }
        Ok(())
    }

    fn declare(&mut self, text: &str) -> Result<(), String> {
        let (name, declaration) = Declaration::parse(text)?;
        if self.vocabulary.lookup(&name).is_some() {
            return Err(format!("`{name}` is an option already"));
        }
        self.declarations.insert(name, declaration);
        Ok(())
    }

    fn use_declaration(&mut self, key: &str, value: Option<&str>, origin: &Origin) {
        let Some(declaration) = self.declarations.get(key) else { return };
        let made = declaration.instantiate(value.unwrap_or_default());
        if let Some(entry) = self.entries.last_mut() {
            entry.done = true;
        }
        let origin = Origin::Declared { option: key.to_owned(), used: Box::new(origin.clone()) };
        for (key, value) in made {
            if self.entries.len() + self.declared.len() >= ENTRIES_MAX {
                return self.stop(ConfigError::at(&origin, format!("more than {ENTRIES_MAX} entries")));
            }
            let keyword = Keyword::of(&key);
            let directive = Directive { key: key.clone(), value: Some(value.clone()), origin: origin.clone() };
            self.declared.push(Entry { directive, done: self.inheriting, placeholder: false });
            if let Some(keyword) = keyword {
                self.deepen(&origin, |collector| collector.obey(keyword, &key, Some(&value), &origin));
            }
        }
    }

    fn inject(&mut self, place: Place, name: &str) -> Result<(), String> {
        let text = Text { name: name.into(), bytes: self.reader.read_named(name)? };
        match place {
            Place::Before => self.injected_before.push(text),
            Place::After => self.injected_after.push(text),
        }
        Ok(())
    }

    /// Runs something that may read files which may come here again.
    fn deepen(&mut self, origin: &Origin, act: impl FnOnce(&mut Self)) {
        if self.depth >= FILES_DEPTH_MAX {
            let problem = format!("files name each other more than {FILES_DEPTH_MAX} deep; does one include itself?");
            return self.stop(ConfigError::at(origin, problem));
        }
        self.depth += 1;
        act(self);
        self.depth -= 1;
    }

    fn load_by_ending(&mut self, name: &str, role: Role) -> Result<(), String> {
        match source::by_ending(name) {
            Some((format, file, section)) => self.load(format, file, section, role),
            None => Err("expected the name of a file that ends in .ini, .yaml, .yml, .json or .js".to_owned()),
        }
    }

    fn load_with_section(&mut self, format: Format, name: &str, role: Role) -> Result<(), String> {
        let (file, section) = source::split_section(name);
        self.load(format, file, section, role)
    }

    /// Reads one source now; its entries are added as it is read.
    fn load(&mut self, format: Format, file: &str, section: Option<&str>, role: Role) -> Result<(), String> {
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
        self.enter(&file, &source, section.unwrap_or_default(), role);
        let texts = self.with_injections(Text { name: file.as_str().into(), bytes: without_mark(bytes) });
        let section = section.filter(|name| !name.is_empty()).unwrap_or(DEFAULT_SECTION);
        let origin = Origin::File { path: file.as_str().into(), line: 0, section: section.into() };
        let mut result = Ok(());
        self.deepen(&origin, |collector| match format {
            Format::Ini => collector.read_ini(&texts, section, &origin),
            Format::Yaml | Format::Json | Format::Xml => result = collector.read_structured(format, &texts, section),
        });
        result
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
        for text in texts {
            for Line { number, text: line } in self.magic.lines(&text.bytes) {
                let origin = || Origin::File { path: text.name.clone(), line: number, section: name.clone() };
                match ini::read_line(&line) {
                    Ok(Item::Nothing) => {}
                    Ok(Item::Section(found)) => inside = found == section,
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
            self.warn(ConfigError::at(origin, format!("there is nothing in its section [{section}]")));
        }
    }

    fn read_structured(&mut self, format: Format, texts: &[Text], section: &str) -> Result<(), String> {
        let mut lines = Vec::new();
        for text in texts {
            lines.extend(self.magic.lines(&text.bytes).into_iter().map(|line| (text.name.clone(), line)));
        }
        let whole = lines.iter().map(|(_, line)| line.text.as_slice()).collect::<Vec<_>>().join(&b'\n');
        let text = String::from_utf8(whole).map_err(|_| "expected text in UTF-8".to_owned())?;
        let found = structured::read(format, &text, section)?;
        let name: Arc<str> = section.into();
        for (number, item) in found {
            let (path, line) =
                lines.get(number.saturating_sub(1)).map_or(("".into(), 0), |(path, line)| (path.clone(), line.number));
            let origin = Origin::File { path, line, section: name.clone() };
            match item {
                structured::Item::Entry { key, value } => self.add(&key, Some(&value), &origin),
                structured::Item::Ignored { key, what } => {
                    self.warn(ConfigError::of(
                        &key,
                        None,
                        &origin,
                        format!("{what} is no value of an option; ignored"),
                    ));
                }
            }
        }
        Ok(())
    }

    fn expand_at_once(&mut self, value: Option<String>, key: &str, origin: &Origin) -> Option<String> {
        let value = value?;
        if !value.contains("$(") && !value.contains("%(") {
            return Some(value);
        }
        let first = first_of_each_key(&self.entries);
        let mut used = HashSet::new();
        let mut placeholders = Placeholders { entries: &self.entries, first: &first, used: &mut used };
        let mut environment = Environment { variables: &self.invocation.environment };
        let result = expand::substitute(value.clone(), b'%', &mut placeholders, &mut Vec::new(), &mut self.budget)
            .and_then(|text| expand::substitute(text, b'$', &mut environment, &mut Vec::new(), &mut self.budget));
        match result {
            Ok(text) => Some(text),
            Err(problem) => {
                self.complain(ConfigError::of(key, Some(&value), origin, problem));
                Some(value)
            }
        }
    }

    fn tell_of_open_blocks(&mut self) {
        for block in self.blocks.set_aside() {
            let problem =
                format!("`{}` is never closed; it dropped {} entries after it", block.opening(), block.dropped);
            self.warn(ConfigError::at(&block.origin, problem).suggest("add an endif or endfor"));
        }
    }

    /// The three passes over every value. An entry with an error keeps what it has.
    fn expand(&mut self) {
        for symbol in [b'$', b'@', b'%'] {
            let first = first_of_each_key(&self.entries);
            for index in 0..self.entries.len() {
                self.expand_entry(index, symbol, &first);
            }
            for index in 0..self.declared.len() {
                self.expand_declared(index, symbol, &first);
            }
        }
    }

    fn expand_entry(&mut self, index: usize, symbol: u8, first: &HashMap<String, usize>) {
        let entry = &mut self.entries[index];
        if entry.done || !entry.directive.value.as_deref().is_some_and(|value| has_symbol(value, symbol)) {
            return;
        }
        let text = entry.directive.value.clone().unwrap_or_default();
        let is_first = first.get(&entry.directive.key) == Some(&index);
        let mut chain = if is_first && symbol == b'%' { vec![entry.directive.key.clone()] } else { Vec::new() };
        match self.substitute(text, symbol, first, &mut chain) {
            Ok(text) => self.entries[index].directive.value = Some(text),
            Err(problem) => {
                let error = ConfigError::about(&self.entries[index].directive, problem);
                self.entries[index].done = true;
                self.complain(error);
            }
        }
    }

    fn expand_declared(&mut self, index: usize, symbol: u8, first: &HashMap<String, usize>) {
        let entry = &self.declared[index];
        if entry.done {
            return;
        }
        let text = entry.directive.value.clone().unwrap_or_default();
        match self.substitute(text, symbol, first, &mut Vec::new()) {
            Ok(text) => self.declared[index].directive.value = Some(text),
            Err(problem) => {
                let error = ConfigError::about(&self.declared[index].directive, problem);
                self.declared[index].done = true;
                self.complain(error);
            }
        }
    }

    fn substitute(
        &mut self,
        text: String,
        symbol: u8,
        first: &HashMap<String, usize>,
        chain: &mut Vec<String>,
    ) -> Result<String, String> {
        let budget = &mut self.budget;
        match symbol {
            b'$' => {
                let mut environment = Environment { variables: &self.invocation.environment };
                expand::substitute(text, symbol, &mut environment, chain, budget)
            }
            b'@' => expand::substitute(text, symbol, &mut Files { reader: &mut self.reader }, chain, budget),
            _ => {
                let mut used = std::mem::take(&mut self.references);
                let mut placeholders = Placeholders { entries: &self.entries, first, used: &mut used };
                let result = expand::substitute(text, symbol, &mut placeholders, chain, budget);
                self.references = used;
                result
            }
        }
    }

    /// `inherit`, in the order of the list, which grows at its end meanwhile.
    fn read_inherited(&mut self) {
        self.inheriting = true;
        let mut index = 0;
        while index < self.entries.len() && !self.stopped {
            let directive = &self.entries[index].directive;
            if Keyword::of(&directive.key) == Some(Keyword::Inherit) {
                let directive = directive.clone();
                if let Err(problem) = self.load_by_ending(directive.value.as_deref().unwrap_or_default(), Role::Side) {
                    self.complain(ConfigError::about(&directive, problem));
                }
                self.tell_of_open_blocks();
            }
            index += 1;
        }
    }

    fn finish(mut self) -> (Collected, ConfigErrors) {
        self.judge_keys();
        let entries = self.declared.into_iter().chain(self.entries);
        let collected = Collected {
            directives: entries.map(|entry| entry.directive).collect(),
            warnings: self.warnings,
            files: self.reader.files,
            placeholders_used: self.references,
            magic: self.magic.table(),
            strict: self.strict,
            fallback: self.fallback,
            missed_source: self.reader.missed,
        };
        (collected, ConfigErrors(self.errors))
    }

    fn judge_keys(&mut self) {
        let judge = Judge {
            vocabulary: self.vocabulary,
            strict: self.strict,
            used: &self.references,
            declared: &|key| self.declarations.contains_key(key),
        };
        let judgements: Vec<Judgement> =
            self.declared.iter().chain(&self.entries).map(|entry| judge.judge(entry)).collect();
        for judgement in judgements {
            match judgement {
                Judgement::Fine => {}
                Judgement::Warning(warning) => self.warn(warning),
                Judgement::Error(error) => self.complain(error),
            }
        }
    }

    fn complain(&mut self, error: ConfigError) {
        note(&mut self.errors, error);
    }

    fn warn(&mut self, warning: ConfigError) {
        note(&mut self.warnings, warning);
    }

    fn stop(&mut self, error: ConfigError) {
        if !self.stopped {
            self.stopped = true;
            note(&mut self.errors, error);
        }
    }
}

/// Says the same thing once, as a loop may come by many times.
fn note(complaints: &mut Vec<ConfigError>, complaint: ConfigError) {
    if complaints.len() < COMPLAINTS_MAX && !complaints.contains(&complaint) {
        complaints.push(complaint);
    }
}

fn first_of_each_key(entries: &[Entry]) -> HashMap<String, usize> {
    let mut first = HashMap::with_capacity(entries.len());
    for (index, entry) in entries.iter().enumerate() {
        if !first.contains_key(&entry.directive.key) {
            first.insert(entry.directive.key.clone(), index);
        }
    }
    first
}

fn has_symbol(value: &str, symbol: u8) -> bool {
    value.as_bytes().windows(2).any(|pair| pair == [symbol, b'('])
}

/// The switch of uWSGI: only these words turn it off (reference/config.md 4).
fn is_on(text: &str) -> bool {
    text != "0" && !["false", "off", "no"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Drops the byte-order mark of UTF-8, which would hide the first section from uWSGI.
fn without_mark(mut bytes: Vec<u8>) -> Vec<u8> {
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    bytes
}

fn instead_of_positional(name: &str) -> String {
    if name == "-" {
        "use --ini - for standard input".to_owned()
    } else if name.ends_with(".py") || name.ends_with(".wsgi") {
        format!("use --wsgi-file {name}")
    } else if name.contains(':') {
        format!("use --module {name}")
    } else {
        "its name must end in .ini, .yaml, .yml, .json or .js; use --ini for others".to_owned()
    }
}
