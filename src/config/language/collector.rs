//! A run in progress: what becomes of each entry, from whichever source it comes.
//!
//! An entry is guarded, put through the open blocks, listed, and, if it is of the language itself, obeyed: it may set
//! another entry or name a file, whose entries then come here in their turn. Runs in the master, before anything is
//! started; asks the outside only through [`World`].

use std::collections::{HashMap, HashSet};

use super::declaration::Declaration;
use super::entry::{Entries, Entry};
use super::expand::{self, Budget};
use super::files::{Files, Role};
use super::guard::Guards;
use super::keyword::{Keyword, Opener};
use super::logic::{Block, Blocks, Trouble, View};
use super::opened::{Found, Opened};
use super::placeholder;
use super::sealed::{unseal, unseal_in_place};
use crate::config::directive::{Directive, Origin};
use crate::config::error::{Complaints, ConfigError};
use crate::config::vocabulary::Vocabulary;
use crate::config::world::{Invocation, World};

/// Most entries of one configuration: the bound of loops.
const ENTRIES_MAX: usize = 100_000;

/// Deepest nesting of files, settings and declared options that name each other.
const DEPTH_MAX: usize = 32;

/// A run in progress.
pub(super) struct Collector<'a> {
    pub(super) invocation: &'a Invocation,
    pub(super) vocabulary: &'a dyn Vocabulary,
    pub(super) world: &'a dyn World,
    pub(super) files: Files<'a>,
    pub(super) entries: Entries,
    /// What `declare-option` made; applied before all others, because uWSGI applies them while it reads.
    pub(super) declared: Vec<Entry>,
    pub(super) declarations: HashMap<String, Declaration>,
    pub(super) blocks: Blocks,
    pub(super) guards: Guards,
    depth: usize,
    /// Whether entries come from `inherit`, whose values are not expanded.
    pub(super) inheriting: bool,
    pub(super) budget: Budget,
    pub(super) references: HashSet<String>,
    pub(super) strict: Option<bool>,
    pub(super) errors: Complaints,
    pub(super) warnings: Complaints,
    /// A limit was reached; nothing more is read.
    pub(super) stopped: bool,
    /// An argument without option named an application.
    pub(super) named_application: bool,
}

impl<'a> Collector<'a> {
    /// Nothing is read yet.
    pub(super) fn new(invocation: &'a Invocation, vocabulary: &'a dyn Vocabulary, world: &'a dyn World) -> Self {
        Self {
            invocation,
            vocabulary,
            world,
            files: Files::new(invocation, world),
            entries: Entries::default(),
            declared: Vec::new(),
            declarations: HashMap::new(),
            blocks: Blocks::new(),
            guards: Guards::default(),
            depth: 0,
            inheriting: false,
            budget: Budget::new(),
            references: HashSet::new(),
            strict: None,
            errors: Complaints::default(),
            warnings: Complaints::default(),
            stopped: false,
            named_application: false,
        }
    }

    /// One entry from any source: guarded, put through the open blocks, listed and, if it is of the language, obeyed.
    pub(super) fn add(&mut self, key: &str, value: Option<&str>, origin: &Origin) {
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
        let first = |name: &str| entries.first_value(name).map(str::to_owned);
        let mut remarks = Vec::new();
        let mut view = View {
            invocation: self.invocation,
            world: self.world,
            vocabulary: self.vocabulary,
            reader: &mut self.files.reader,
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

    fn expand_at_once(&mut self, value: Option<String>, key: &str, origin: &Origin) -> Option<String> {
        let value = value?;
        let variables = &self.invocation.environment;
        match placeholder::expand_name(&value, &self.entries, variables, &mut self.budget) {
            Ok(text) => Some(text),
            Err(problem) => {
                self.complain(ConfigError::of(key, Some(&value), origin, problem));
                Some(value)
            }
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
        self.entries.push(Entry::new(Directive { key: key.to_owned(), value, origin: origin.clone() }, done));
    }

    fn obey(&mut self, keyword: Keyword, key: &str, value: Option<&str>, origin: &Origin) {
        let given = value.unwrap_or_default();
        let text = &*unseal(given);
        let result = match keyword {
            Keyword::Load(Some(format)) => {
                self.files.open_with_section(format, text, Role::Main).and_then(|opened| self.take_in(opened))
            }
            Keyword::Load(None) => self.load(text, Role::Main),
            Keyword::Include => self.load(text, Role::Side),
            Keyword::Set => self.set(given, origin, false),
            Keyword::SetPlaceholder => self.set(given, origin, true),
            Keyword::DeclareOption => self.declare(given),
            Keyword::Inject(place) => self.files.inject(place, text),
            Keyword::Inherit | Keyword::FallbackConfig => Ok(()), // when all is read
            Keyword::Open(_) | Keyword::Close => Ok(()),          // only where it stands in the text
            Keyword::Strict => {
                self.strict = Some(is_on(text));
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
        let key = &*unseal(key);
        if !placeholder {
            return self.deepen(|collector| collector.add(key, Some(value), origin));
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
        let name = unseal(&name).into_owned();
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
            self.declared.push(Entry::new(directive, self.inheriting));
            if let Some(keyword) = keyword
                && let Err(problem) = self.deepen(|collector| collector.obey(keyword, &key, Some(&value), &origin))
            {
                self.complain(ConfigError::at(&origin, problem));
            }
        }
    }

    /// Reads a file now whose name tells its format.
    pub(super) fn load(&mut self, name: &str, role: Role) -> Result<(), String> {
        self.files.open_by_ending(name, role).and_then(|opened| self.take_in(opened))
    }

    /// Adds the entries of a file as they are read.
    pub(super) fn take_in(&mut self, mut opened: Opened) -> Result<(), String> {
        self.deepen(|collector| {
            while let Some(found) = opened.next(&collector.files.magic) {
                for found in found {
                    match found {
                        Found::Entry { key, value, origin } => collector.add(&key, Some(&value), &origin),
                        Found::Wrong(error) => collector.complain(error),
                        Found::Odd(warning) => collector.warn(warning),
                    }
                    if collector.stopped {
                        return;
                    }
                }
            }
        })
    }

    /// Runs something that may come here again, such as a file that names itself; too deep ends the reading.
    fn deepen(&mut self, act: impl FnOnce(&mut Self)) -> Result<(), String> {
        if self.depth >= DEPTH_MAX {
            self.stopped = true;
            return Err(format!("more than {DEPTH_MAX} files or settings within each other; does one name itself?"));
        }
        self.depth += 1;
        act(self);
        self.depth -= 1;
        Ok(())
    }

    pub(super) fn complain(&mut self, error: ConfigError) {
        self.errors.note(for_people(error));
    }

    pub(super) fn warn(&mut self, warning: ConfigError) {
        self.warnings.note(for_people(warning));
    }

    pub(super) fn stop(&mut self, error: ConfigError) {
        if !self.stopped {
            self.stopped = true;
            self.complain(error);
        }
    }
}

/// A complaint with every text as it is.
fn for_people(mut complaint: ConfigError) -> ConfigError {
    unseal_in_place(&mut complaint.problem);
    complaint.value.as_mut().into_iter().chain(&mut complaint.suggestion).for_each(unseal_in_place);
    complaint
}

/// The switch of uWSGI: only these words turn it off (uWSGI's manual, "uWSGI Options").
fn is_on(text: &str) -> bool {
    text != "0" && !["false", "off", "no"].iter().any(|word| text.eq_ignore_ascii_case(word))
}
