//! Blocks: `if-…`, `for…` and their ends.
//!
//! The conditions and items are uWSGI's manual, "Configuration logic". Every entry inside a block is tested or
//! multiplied on its own. Blocks may be nested here, which uWSGI refuses: each entry goes through them from the
//! outermost to the innermost, and `%(_)` is the value of the innermost block that has one. Pure but for what it asks
//! the `World`.

use std::path::Path;

use regex_lite::Regex;

use super::expand::number;
use super::keyword::{Items, Opener, Test};
use super::sealed::{seal, unseal};
use super::source::Reader;
use crate::config::directive::Origin;
use crate::config::error::ConfigError;
use crate::config::vocabulary::Vocabulary;
use crate::config::world::{Invocation, Kind, World};

/// Most items of one `for`, and most entries that one line becomes.
pub(crate) const ITEMS_MAX: usize = 100_000;

/// Most tests and loops of one run.
const STEPS_MAX: usize = 1_000_000;

/// Most bytes that the values made in blocks may have together.
const BYTES_MAX: usize = 64 << 20;

/// Deepest nesting of blocks.
const DEPTH_MAX: usize = 32;

/// uWSGI reads lines in pieces of this many bytes at most.
const LINE_BYTES_MAX: usize = 1_023;

/// What a value is replaced by inside a block.
const CONTEXT: &str = "%(_)";

/// An open block.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    opener: Opener,
    key: String,
    argument: String,
    /// Where it was opened.
    pub(crate) origin: Origin,
    /// Whether its opening line was taken rather than dropped by an outer block.
    pub(crate) listed: bool,
    /// How many entries it dropped.
    pub(crate) dropped: usize,
    items: Option<Vec<String>>,
}

impl Block {
    pub(crate) fn new(opener: Opener, key: &str, argument: &str, origin: &Origin, listed: bool) -> Self {
        Self {
            opener,
            key: key.to_owned(),
            argument: argument.to_owned(),
            origin: origin.clone(),
            listed,
            dropped: 0,
            items: None,
        }
    }

    fn complaint(&self, problem: impl Into<String>) -> ConfigError {
        ConfigError::of(&self.key, Some(&self.argument), &self.origin, problem)
    }

    /// How it was opened, for messages: `if-env = NAME`.
    pub(crate) fn opening(&self) -> String {
        if self.argument.is_empty() { self.key.clone() } else { format!("{} = {}", self.key, self.argument) }
    }
}

/// What a block makes of an entry.
enum Verdict {
    Drop,
    /// Take it; `Some`: this replaces `%(_)`.
    Once(Option<String>),
    Each(Vec<String>),
}

/// What conditions look at.
pub(crate) struct View<'a, 'r> {
    pub(crate) invocation: &'a Invocation,
    pub(crate) world: &'a dyn World,
    pub(crate) vocabulary: &'a dyn Vocabulary,
    pub(crate) reader: &'r mut Reader<'a>,
    /// The value of the first entry of a name so far; a flag without value is none.
    pub(crate) entry: &'r dyn Fn(&str) -> Option<String>,
    /// What the operator should know.
    pub(crate) remarks: &'r mut Vec<ConfigError>,
}

/// Why an entry could not be put through the blocks.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// A block's argument is wrong; the entry is dropped.
    Wrong(ConfigError),
    /// A limit is reached; the reading must end.
    Limit(ConfigError),
}

/// The open blocks, outermost first, and what is left of their limits.
#[derive(Debug)]
pub(crate) struct Blocks {
    stack: Vec<Block>,
    steps_left: usize,
    bytes_left: usize,
}

impl Blocks {
    pub(crate) fn new() -> Self {
        Self { stack: Vec::new(), steps_left: STEPS_MAX, bytes_left: BYTES_MAX }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.stack.is_empty()
    }

    /// Opens a block inside the ones that are open.
    pub(crate) fn open(&mut self, block: Block) -> Result<(), String> {
        if self.stack.len() >= DEPTH_MAX {
            return Err(format!("blocks are nested more than {DEPTH_MAX} deep"));
        }
        self.stack.push(block);
        Ok(())
    }

    /// Closes the innermost block.
    pub(crate) fn close(&mut self) -> Option<Block> {
        self.stack.pop()
    }

    /// Puts the open blocks aside: a file that is read from within a block is taken as a whole.
    pub(crate) fn set_aside(&mut self) -> Vec<Block> {
        std::mem::take(&mut self.stack)
    }

    /// Puts them back and returns those that the file left open.
    pub(crate) fn put_back(&mut self, aside: Vec<Block>) -> Vec<Block> {
        std::mem::replace(&mut self.stack, aside)
    }

    /// What the open blocks make of one value: none, one or many.
    pub(crate) fn apply(
        &mut self,
        value: Option<&str>,
        view: &mut View<'_, '_>,
    ) -> Result<Vec<Option<String>>, Trouble> {
        let mut contexts: Vec<Option<String>> = vec![None];
        for index in 0..self.stack.len() {
            contexts = self.pass_through(index, contexts, view)?;
        }
        if contexts.is_empty() {
            self.stack.iter_mut().for_each(|block| block.dropped += 1);
        }
        contexts.into_iter().map(|context| self.in_context(value, context.as_deref())).collect()
    }

    fn pass_through(
        &mut self,
        index: usize,
        contexts: Vec<Option<String>>,
        view: &mut View<'_, '_>,
    ) -> Result<Vec<Option<String>>, Trouble> {
        let mut passed = Vec::new();
        for context in contexts {
            match self.steps_left.checked_sub(1) {
                Some(left) => self.steps_left = left,
                None => return Err(self.limit(format!("blocks take more than {STEPS_MAX} tests and loops"))),
            }
            match self.stack[index].judge(context.as_deref(), view)? {
                Verdict::Drop => {}
                Verdict::Once(own) => passed.push(own.or(context)),
                Verdict::Each(items) => passed.extend(items.into_iter().map(Some)),
            }
            if passed.len() > ITEMS_MAX {
                return Err(self.limit(format!("loops make more than {ITEMS_MAX} entries of one line")));
            }
        }
        Ok(passed)
    }

    fn in_context(&mut self, value: Option<&str>, context: Option<&str>) -> Result<Option<String>, Trouble> {
        let Some(value) = value else { return Ok(None) };
        let made = replace_context(value, context);
        match self.bytes_left.checked_sub(made.len()) {
            Some(left) => self.bytes_left = left,
            None => return Err(self.limit(format!("the entries made in blocks exceed {} MiB in all", BYTES_MAX >> 20))),
        }
        Ok(Some(made))
    }

    fn limit(&self, problem: String) -> Trouble {
        let complaint = |block: &Block| block.complaint(problem.as_str());
        Trouble::Limit(self.stack.last().map_or_else(|| ConfigError::at(&Origin::Program, problem.as_str()), complaint))
    }
}

impl Block {
    fn judge(&mut self, context: Option<&str>, view: &mut View<'_, '_>) -> Result<Verdict, Trouble> {
        let wrong = |problem| Trouble::Wrong(ConfigError::of(&self.key, Some(&self.argument), &self.origin, problem));
        let argument = replace_context(&self.argument, context);
        let kind = match self.opener {
            Opener::If(test, inverted) => return test_once(test, inverted, &argument, view).map_err(wrong),
            Opener::For(kind) => kind,
        };
        if let Some(items) = &self.items {
            return Ok(Verdict::Each(items.clone()));
        }
        let items = match kind {
            Items::Lines => self.lines(&argument, view),
            Items::Words => at_most(words(&argument)),
            Items::Glob => at_most(glob(&argument, view)),
            Items::Times => times(&argument),
        };
        let items = items.map_err(wrong)?;
        if !self.argument.contains(CONTEXT) {
            self.items = Some(items.clone());
        }
        Ok(Verdict::Each(items))
    }

    /// The lines of a file; none, and a remark, when it cannot be read.
    fn lines(&self, name: &str, view: &mut View<'_, '_>) -> Result<Vec<String>, String> {
        let bytes = match view.reader.read_named(&unseal(name)) {
            Ok(bytes) => bytes,
            Err(problem) => {
                view.remarks.push(self.complaint(format!("{problem}; there is nothing to go through")));
                return Ok(Vec::new());
            }
        };
        let text = String::from_utf8(bytes).map_err(|_| "expected a file in UTF-8".to_owned())?;
        at_most(text.split_inclusive('\n').flat_map(|line| pieces(without_end(line))).collect())
    }
}

fn replace_context(text: &str, context: Option<&str>) -> String {
    match context {
        Some(context) => text.replace(CONTEXT, context),
        None => text.to_owned(),
    }
}

fn test_once(test: Test, inverted: bool, given: &str, view: &View<'_, '_>) -> Result<Verdict, String> {
    let argument = &*unseal(given);
    let (holds, context) = match test {
        Test::Env => compare(argument, |name| environment(view.invocation, name)),
        Test::Opt => compare(argument, view.entry),
        Test::File => (kind_of(argument, view) == Some(Kind::File), Some(given.to_owned())),
        Test::Directory => (kind_of(argument, view) == Some(Kind::Directory), Some(given.to_owned())),
        Test::Exists => (is_readable(argument, view), Some(given.to_owned())),
        Test::Reload => (view.invocation.reload, None),
        Test::Hostname => (view.world.facts().hostname == argument, Some(given.to_owned())),
        Test::HostnameMatch => (matches(argument, &view.world.facts().hostname)?, Some(given.to_owned())),
        Test::Plugin => (view.vocabulary.provides(argument), Some(given.to_owned())),
    };
    Ok(if holds == inverted { Verdict::Drop } else { Verdict::Once(context) })
}

/// `NAME` asks whether there is a value, `NAME=value` whether it is that one. The context is the value.
fn compare(argument: &str, value_of: impl Fn(&str) -> Option<String>) -> (bool, Option<String>) {
    match argument.split_once('=') {
        None => {
            let value = value_of(argument);
            (value.is_some(), value)
        }
        Some((name, wanted)) => {
            let value = value_of(name);
            (value.as_deref().map(unseal).as_deref() == Some(wanted), value)
        }
    }
}

/// The value of a variable, sealed.
fn environment(invocation: &Invocation, name: &str) -> Option<String> {
    let found = invocation.environment.iter().find(|(key, _)| key.to_str() == Some(name))?;
    Some(seal(&found.1.to_string_lossy()))
}

fn kind_of(path: &str, view: &View<'_, '_>) -> Option<Kind> {
    view.world.look(&absolute(path, view)?).map(|sight| sight.kind)
}

fn is_readable(path: &str, view: &View<'_, '_>) -> bool {
    absolute(path, view).and_then(|path| view.world.look(&path)).is_some_and(|sight| sight.readable)
}

fn absolute(path: &str, view: &View<'_, '_>) -> Option<std::path::PathBuf> {
    (!path.is_empty()).then(|| view.invocation.directory.join(Path::new(path)))
}

fn matches(pattern: &str, hostname: &str) -> Result<bool, String> {
    let regex = Regex::new(pattern).map_err(|error| format!("expected a regular expression: {error}"))?;
    Ok(regex.is_match(hostname))
}

fn words(argument: &str) -> Vec<String> {
    argument.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn at_most(items: Vec<String>) -> Result<Vec<String>, String> {
    if items.len() > ITEMS_MAX {
        Err(format!("expected at most {ITEMS_MAX} items, not {}", items.len()))
    } else {
        Ok(items)
    }
}

fn times(argument: &str) -> Result<Vec<String>, String> {
    let limit = i64::try_from(ITEMS_MAX).unwrap_or(i64::MAX);
    match number(argument) {
        _ if !argument.trim_start_matches(['+', '-']).starts_with(|first: char| first.is_ascii_digit()) => {
            Err("expected a number of rounds".to_owned())
        }
        rounds if rounds > limit => Err(format!("expected at most {ITEMS_MAX} rounds")),
        rounds => Ok((1..=rounds).map(|round| round.to_string()).collect()),
    }
}

/// As the shell would: a pattern without any match stands for itself, directories end with a slash.
fn glob(given: &str, view: &View<'_, '_>) -> Vec<String> {
    let pattern = &*unseal(given);
    let directory = &view.invocation.directory;
    let absolute = directory.join(pattern);
    let found = view.world.glob(&absolute.to_string_lossy());
    if found.is_empty() {
        return vec![given.to_owned()];
    }
    let relative = !Path::new(pattern).is_absolute();
    let name = |path: &std::path::PathBuf| {
        let shown = path.strip_prefix(directory).ok().filter(|_| relative).unwrap_or(path);
        let is_directory = view.world.look(path).is_some_and(|sight| sight.kind == Kind::Directory);
        format!("{}{}", shown.to_string_lossy(), if is_directory { "/" } else { "" })
    };
    found.iter().map(name).collect()
}

/// A line without its end, which is CR and LF in files from Windows.
fn without_end(line: &str) -> &str {
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.strip_suffix('\r').unwrap_or(line)
}

fn pieces(line: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = line;
    while rest.len() > LINE_BYTES_MAX {
        let mut cut = LINE_BYTES_MAX;
        while !rest.is_char_boundary(cut) {
            cut -= 1;
        }
        let (piece, behind) = rest.split_at(cut);
        pieces.push(piece.to_owned());
        rest = behind;
    }
    pieces.push(rest.to_owned());
    pieces
}
