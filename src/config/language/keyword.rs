//! The options that belong to the language itself: they load, define, guard and choose other directives.
//!
//! Everything else is only carried along. Names: uWSGI's manual, "How uWSGI parses config files". Pure.

/// What a directive does to the reading of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keyword {
    /// `ini`, `yaml`, `json`, `xml`, and `config`, which goes by the ending: reads a file now.
    Load(Option<Format>),
    /// `include`: reads a file now, by its ending, and never names the upper-case magic variables.
    Include,
    /// `inherit`: reads a file after everything was expanded.
    Inherit,
    /// `set`: adds an entry.
    Set,
    /// `set-placeholder`: adds an entry that is no option and is never expanded itself.
    SetPlaceholder,
    /// `declare-option`: defines an option as a template of others.
    DeclareOption,
    /// `strict`.
    Strict,
    /// `fallback-config`.
    FallbackConfig,
    /// `inject-before`, `inject-after`: text around every file read later.
    Inject(Place),
    /// `blacklist`: forbids options from here on.
    Blacklist,
    /// `end-blacklist`.
    EndBlacklist,
    /// `whitelist`: forbids all other options from here on.
    Whitelist,
    /// `end-whitelist`.
    EndWhitelist,
    /// `if-…`, `for…`: opens a block.
    Open(Opener),
    /// `endif`, `end-if`, `endfor`, `end-for`, `end`: closes the innermost block.
    Close,
}

/// The format of a configuration file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Lines of `key = value`.
    Ini,
    /// YAML.
    Yaml,
    /// JSON.
    Json,
    /// XML, which is refused.
    Xml,
}

impl Format {
    /// The format that a file name's ending stands for.
    pub(crate) fn of_ending(name: &str) -> Option<Self> {
        let (_, ending) = name.rsplit_once('.')?;
        match ending {
            "ini" => Some(Self::Ini),
            "yaml" | "yml" => Some(Self::Yaml),
            "json" | "js" => Some(Self::Json),
            "xml" => Some(Self::Xml),
            _ => None,
        }
    }
}

/// On which side of a file text is injected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In front of it.
    Before,
    /// Behind it.
    After,
}

/// What opens a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opener {
    /// An `if-…`: the test, and whether its result is turned round (`if-not-…`).
    If(Test, bool),
    /// A `for…`.
    For(Items),
}

/// What an `if-…` tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Test {
    /// An environment variable is set, or equals a value.
    Env,
    /// An entry of that name exists so far, or its first one equals a value.
    Opt,
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// Anything readable.
    Exists,
    /// This is a reload.
    Reload,
    /// The host's name.
    Hostname,
    /// The host's name matches a regular expression.
    HostnameMatch,
    /// A plugin of uWSGI's whose features are there.
    Plugin,
}

/// What a `for…` goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Items {
    /// Words between blanks.
    Words,
    /// The numbers from 1.
    Times,
    /// Paths that match a pattern.
    Glob,
    /// Lines of a file.
    Lines,
}

impl Keyword {
    /// The keyword of that name, with `_` and `-` alike; `None` for everything that is not of the language.
    pub(crate) fn of(name: &str) -> Option<Self> {
        if name.contains('_') { Self::exact(&name.replace('_', "-")) } else { Self::exact(name) }
    }

    fn exact(name: &str) -> Option<Self> {
        Some(match name {
            "ini" => Self::Load(Some(Format::Ini)),
            "yaml" | "yml" => Self::Load(Some(Format::Yaml)),
            "json" | "js" => Self::Load(Some(Format::Json)),
            "xml" | "xmlconfig" => Self::Load(Some(Format::Xml)),
            "config" => Self::Load(None),
            "include" => Self::Include,
            "inherit" => Self::Inherit,
            "set" => Self::Set,
            "set-placeholder" | "set-ph" => Self::SetPlaceholder,
            "declare-option" => Self::DeclareOption,
            "strict" => Self::Strict,
            "fallback-config" => Self::FallbackConfig,
            "inject-before" => Self::Inject(Place::Before),
            "inject-after" => Self::Inject(Place::After),
            "blacklist" => Self::Blacklist,
            "end-blacklist" => Self::EndBlacklist,
            "whitelist" => Self::Whitelist,
            "end-whitelist" => Self::EndWhitelist,
            "endif" | "end-if" | "endfor" | "end-for" | "end" => Self::Close,
            _ => Self::Open(Opener::of(name)?),
        })
    }

    /// Whether the directive's own value is used as it stands, because it acts before values are expanded.
    pub(crate) fn acts_at_once(self) -> bool {
        !matches!(self, Self::Inherit | Self::FallbackConfig)
    }
}

impl Opener {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "for" => Self::For(Items::Words),
            "for-times" => Self::For(Items::Times),
            "for-glob" => Self::For(Items::Glob),
            "for-readline" => Self::For(Items::Lines),
            "ifenv" => Self::If(Test::Env, false),
            "ifdir" => Self::If(Test::Directory, false),
            "ifexists" => Self::If(Test::Exists, false),
            "ifplugin" => Self::If(Test::Plugin, false),
            _ => {
                let rest = name.strip_prefix("if-")?;
                let (inverted, test) = match rest.strip_prefix("not-") {
                    Some(test) => (true, test),
                    None => (false, rest),
                };
                Self::If(Test::of(test)?, inverted)
            }
        })
    }
}

impl Test {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "env" => Self::Env,
            "opt" => Self::Opt,
            "file" => Self::File,
            "dir" | "directory" => Self::Directory,
            "exists" => Self::Exists,
            "reload" => Self::Reload,
            "hostname" => Self::Hostname,
            "hostname-match" => Self::HostnameMatch,
            "plugin" => Self::Plugin,
            _ => return None,
        })
    }
}
