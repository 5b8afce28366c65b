//! Where the text of a configuration comes from: paths, `-`, `fd://N` and `exec://command`.
//!
//! Everything read passes through one [`Reader`], which counts it against limits and keeps the list of files. The
//! forms are uWSGI's manual, "Configuring uWSGI"; sources on the network and symbols of a binary are refused.
//! Pure but for what it asks the `World`.

use std::path::{Path, PathBuf};

use super::keyword::Format;
use crate::config::world::{SOURCE_BYTES_MAX, World};

/// Most sources read in one run: ends what includes itself, long after any real configuration.
pub(crate) const SOURCES_MAX: usize = 1_000;

/// Most bytes read in one run.
const BYTES_MAX: usize = 4 * SOURCE_BYTES_MAX;

/// Something that text can be read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// `-`.
    StandardInput,
    /// `fd://N`.
    Descriptor(u32),
    /// `exec://command`.
    Command(String),
    /// A path, made absolute.
    File(PathBuf),
}

/// Schemes of uWSGI's that rhinod does not read, and what to do instead.
const REFUSED: [(&str, &str); 8] = [
    ("http://", "fetch it to a file before the start"),
    ("https://", "fetch it to a file before the start"),
    ("data://", "put it into a file"),
    ("sym://", "put it into a file"),
    ("section://", "put it into a file"),
    ("call://", "put it into a file"),
    ("callint://", "put it into a file"),
    ("emperor://", "put it into a file"),
];

impl Source {
    /// Reads the name of a source; relative paths start at `directory`.
    pub(crate) fn parse(name: &str, directory: &Path) -> Result<Self, String> {
        if name.is_empty() {
            return Err("expected the name of a file".to_owned());
        }
        if name == "-" {
            return Ok(Self::StandardInput);
        }
        if let Some(number) = name.strip_prefix("fd://") {
            return number.parse().map(Self::Descriptor).map_err(|_| "expected fd:// and a number".to_owned());
        }
        if let Some(command) = name.strip_prefix("exec://") {
            return Ok(Self::Command(command.to_owned()));
        }
        for (scheme, instead) in REFUSED {
            if name.starts_with(scheme) {
                return Err(format!("{scheme} is not supported as a source of configuration; {instead}"));
            }
        }
        Ok(Self::File(directory.join(name)))
    }
}

/// Cuts `file.ini:section` at the last colon; of a URL, at the last colon behind its last slash. No section: `None`.
pub(crate) fn split_section(name: &str) -> (&str, Option<&str>) {
    let searched_from = if name.contains("://") { name.rfind('/').map_or(0, |slash| slash + 1) } else { 0 };
    match name[searched_from..].rfind(':') {
        Some(colon) => (&name[..searched_from + colon], Some(&name[searched_from + colon + 1..])),
        None => (name, None),
    }
}

/// The format of a file that is given without saying it, and its name and section. `None`: the ending says nothing.
pub(crate) fn by_ending(name: &str) -> Option<(Format, &str, Option<&str>)> {
    if let Some(format) = Format::of_ending(name) {
        return Some((format, name, None));
    }
    let (file, section) = split_section(name);
    Some((Format::of_ending(file)?, file, Some(section?)))
}

/// Reads sources within limits and remembers which files they were.
pub(crate) struct Reader<'a> {
    world: &'a dyn World,
    directory: &'a Path,
    bytes_left: usize,
    sources_left: usize,
    /// Every file read, absolute, once, in order.
    pub(crate) files: Vec<PathBuf>,
    /// Whether some source could not be read at all.
    pub(crate) missed: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(world: &'a dyn World, directory: &'a Path) -> Self {
        Self { world, directory, bytes_left: BYTES_MAX, sources_left: SOURCES_MAX, files: Vec::new(), missed: false }
    }

    /// The content of a source by its name, or why there is none.
    pub(crate) fn read_named(&mut self, name: &str) -> Result<Vec<u8>, String> {
        let source = Source::parse(name, self.directory)?;
        self.read(&source)
    }

    /// The content of a source, or why there is none.
    pub(crate) fn read(&mut self, source: &Source) -> Result<Vec<u8>, String> {
        if self.sources_left == 0 {
            return Err(format!("more than {SOURCES_MAX} files were read; does one include itself?"));
        }
        self.sources_left -= 1;
        let read = match source {
            Source::StandardInput => self.world.read_standard_input(),
            Source::Descriptor(descriptor) => self.world.read_descriptor(*descriptor),
            Source::Command(command) => self.world.run(command, self.directory),
            Source::File(path) => self.world.read(path),
        };
        let bytes = read.map_err(|error| {
            self.missed = true;
            match source {
                Source::File(path) => format!("{} cannot be read: {error}", path.display()),
                _ => format!("cannot be read: {error}"),
            }
        })?;
        if bytes.len() > SOURCE_BYTES_MAX {
            return Err(format!("is larger than {} MiB", SOURCE_BYTES_MAX >> 20));
        }
        self.bytes_left = self
            .bytes_left
            .checked_sub(bytes.len())
            .ok_or_else(|| format!("more than {} MiB were read in all", BYTES_MAX >> 20))?;
        if let Source::File(path) = source
            && !self.files.contains(path)
        {
            self.files.push(path.clone());
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_stands_behind_the_last_colon() {
        assert_eq!(split_section("a.ini"), ("a.ini", None));
        assert_eq!(split_section("a.ini:web"), ("a.ini", Some("web")));
        assert_eq!(split_section("a.ini:"), ("a.ini", Some("")));
        assert_eq!(split_section(":base"), ("", Some("base")));
        assert_eq!(split_section("exec://cat a.ini"), ("exec://cat a.ini", None));
        assert_eq!(split_section("fd://3:web"), ("fd://3", Some("web")));
    }

    #[test]
    fn a_name_is_a_source_or_says_why_not() {
        let parse = |name: &str| Source::parse(name, Path::new("/srv"));
        assert_eq!(parse("-"), Ok(Source::StandardInput));
        assert_eq!(parse("fd://3"), Ok(Source::Descriptor(3)));
        assert_eq!(parse("exec://date"), Ok(Source::Command("date".to_owned())));
        assert_eq!(parse("a.ini"), Ok(Source::File("/srv/a.ini".into())));
        assert_eq!(parse("/etc/a.ini"), Ok(Source::File("/etc/a.ini".into())));
        assert!(parse("").is_err());
        assert!(parse("fd://x").is_err());
        for (scheme, _) in REFUSED {
            assert!(parse(&format!("{scheme}x")).unwrap_err().starts_with(scheme), "{scheme}");
        }
    }

    #[test]
    fn the_ending_gives_the_format_with_or_without_a_section() {
        assert_eq!(by_ending("a.yml"), Some((Format::Yaml, "a.yml", None)));
        assert_eq!(by_ending("a.ini:x"), Some((Format::Ini, "a.ini", Some("x"))));
        assert_eq!(by_ending("app.py"), None);
        assert_eq!(by_ending("pkg:app"), None);
    }
}
