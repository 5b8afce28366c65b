//! What the language has to know of the options: that a name is one, and whether it takes a value.
//!
//! The option table implements [`Vocabulary`]; what an option *does* is no business of the language.
//! Pure; runs in the master before anything else.

/// Whether an option takes a value on the command line. In files every option may have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// `--name` alone; `--name=value` is an error.
    None,
    /// `--name value` or `--name=value`.
    Required,
    /// `--name` or `--name=value`; the next word is never taken.
    Optional,
}

/// What a name of the vocabulary stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// The spelling under which the vocabulary lists this name, that is with the hyphens where they belong.
    pub name: &'static str,
    /// The one name that all aliases of an option share.
    pub canonical: &'static str,
    /// Whether it takes a value on the command line.
    pub argument: Argument,
}

/// Whether a key is an option of the application's own (`app-greeting`): it may have any value, and only the application
/// knows what it means.
pub fn is_of_application(key: &str) -> bool {
    key.strip_prefix(APPLICATION_PREFIX).is_some_and(|name| !name.is_empty())
}

/// How keys begin that are the application's own.
pub const APPLICATION_PREFIX: &str = "app-";

/// The known options. Underscores and hyphens are alike in `name` (`wsgi_file` is `wsgi-file`).
pub trait Vocabulary {
    /// The option of that name, alias or not; `None` when there is none.
    fn lookup(&self, name: &str) -> Option<Meaning>;
    /// The option of that short letter (`p` in `-p`).
    fn short(&self, letter: char) -> Option<Meaning>;
    /// Every accepted spelling, in a fixed order.
    fn names(&self) -> Box<dyn Iterator<Item = &'static str> + '_>;
    /// Whether the option of that name does something, and that value fits it.
    fn would_act(&self, name: &str, value: Option<&str>) -> bool;
    /// Whether what that plugin of uWSGI's does is built in (`if-plugin`).
    fn provides(&self, plugin: &str) -> bool;
}
