//! From text, command line and environment to one ordered list of directives.
//!
//! Order and precedence are uWSGI's (uWSGI's manual, "How uWSGI parses config files"): environment, then options of the
//! command line, then positional files; a file is read at the place where it is named; the last of equal keys wins when
//! options are applied, which is not done here. Runs in the master, before anything is started; asks the outside only
//! through [`World`].

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::path::PathBuf;

use super::command_line;
use super::declaration::Declaration;
use super::entry::{Entries, Entry};
use super::environment;
use super::expand::{self, Budget};
use super::files::{Role, Text};
use super::guard::Guards;
use super::keyword::{Keyword, Opener};
use super::logic::{Block, Blocks, Trouble, View};
use super::magic::Magic;
use super::source::{self, Reader};
use crate::config::directive::{Directive, Origin};
use crate::config::error::{Complaints, ConfigError, ConfigErrors};
use crate::config::vocabulary::Vocabulary;
use crate::config::world::{Invocation, World};

/// The section that is read unless another one is asked for.
pub(super) const DEFAULT_SECTION: &str = "uwsgi";

/// Most entries of one configuration: the bound of loops.
const ENTRIES_MAX: usize = 100_000;

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

/// The same for who wants to see everything even when something is wrong (`rhinod check`): what could be read, and
/// the errors.
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

/// A run in progress.
pub(super) struct Collector<'a> {
    pub(super) invocation: &'a Invocation,
    pub(super) vocabulary: &'a dyn Vocabulary,
    pub(super) world: &'a dyn World,
    pub(super) reader: Reader<'a>,
    pub(super) magic: Magic,
    pub(super) entries: Entries,
    /// What `declare-option` made; applied before all others, because uWSGI applies them while it reads.
    pub(super) declared: Vec<Entry>,
    pub(super) declarations: HashMap<String, Declaration>,
    pub(super) blocks: Blocks,
    pub(super) guards: Guards,
    pub(super) injected_before: Vec<Text>,
    pub(super) injected_after: Vec<Text>,
    /// The ini file read last, which `:section` speaks of.
    pub(super) last_ini: Option<String>,
    pub(super) depth: usize,
    /// Whether entries come from `inherit`, whose values are not expanded.
    pub(super) inheriting: bool,
    pub(super) budget: Budget,
    pub(super) references: HashSet<String>,
    pub(super) strict: Option<bool>,
    pub(super) errors: Complaints,
    pub(super) warnings: Complaints,
    /// A limit was reached; nothing more is read.
    pub(super) stopped: bool,
}

impl<'a> Collector<'a> {
    fn new(invocation: &'a Invocation, vocabulary: &'a dyn Vocabulary, world: &'a dyn World) -> Self {
        Self {
            invocation,
            vocabulary,
            world,
            reader: Reader::new(world, &invocation.directory),
            magic: Magic::new(invocation, world.facts()),
            entries: Entries::default(),
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
            errors: Complaints::default(),
            warnings: Complaints::default(),
            stopped: false,
        }
    }

    fn read_environment(&mut self) {
        let mut errors = Vec::new();
        for variable in environment::options(&self.invocation.environment, &mut errors) {
            self.add(&variable.key, Some(&variable.value), &variable.origin);
        }
        errors.into_iter().for_each(|error| self.complain(error));
    }

    fn read_command_line(&mut self, arguments: &[OsString]) {
        let mut errors = Vec::new();
        let line = command_line::parse(arguments, self.vocabulary, &mut errors);
        errors.into_iter().for_each(|error| self.complain(error));
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
        self.entries.push(Entry::new(Directive { key: key.to_owned(), value, origin: origin.clone() }, done));
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

    pub(super) fn complain(&mut self, error: ConfigError) {
        self.errors.note(error);
    }

    pub(super) fn warn(&mut self, warning: ConfigError) {
        self.warnings.note(warning);
    }

    pub(super) fn stop(&mut self, error: ConfigError) {
        if !self.stopped {
            self.stopped = true;
            self.errors.note(error);
        }
    }
}

/// The switch of uWSGI: only these words turn it off (uWSGI's manual, "uWSGI Options").
fn is_on(text: &str) -> bool {
    text != "0" && !["false", "off", "no"].iter().any(|word| text.eq_ignore_ascii_case(word))
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
