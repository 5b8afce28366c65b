//! Magic variables: what the one-letter `%x` stand for that are replaced in the raw text of a file before it is parsed.
//!
//! The table is uWSGI's manual, "Configuring uWSGI". Not for replacing them (`lines`), nor for `%(name)`, which `expand`
//! replaces in values later. Pure.

use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::config::world::{Facts, Invocation};

/// What the letters stand for at one moment of the reading.
#[derive(Debug, Clone)]
pub(crate) struct Magic {
    version: String,
    hostname: String,
    directory: String,
    program: String,
    seconds: String,
    micros: String,
    cpus: String,
    uid: String,
    user: String,
    gid: String,
    group: String,
    current: FileNames,
    first: Option<FileNames>,
}

/// The names that one configuration file goes by; all empty before the first file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FileNames {
    given: String,
    path: String,
    name: String,
    directory: String,
    extension: String,
    stem: String,
    parent: String,
    section: String,
    inode: String,
    hash: String,
    components: Vec<String>,
}

impl FileNames {
    /// `path` is absolute; `section` is what was asked for behind the colon, empty when nothing was.
    pub(crate) fn new(given: &str, path: &Path, section: &str, inode: u64) -> Self {
        let text = path.to_string_lossy().into_owned();
        let (parents, name) = text.rsplit_once('/').unwrap_or(("", &text));
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        Self {
            given: given.to_owned(),
            name: name.to_owned(),
            directory: format!("{parents}/"),
            extension: extension.to_owned(),
            stem: stem.to_owned(),
            parent: parents.rsplit('/').next().unwrap_or_default().to_owned(),
            section: section.to_owned(),
            inode: inode.to_string(),
            hash: djb33x(text.as_bytes()),
            components: parents.split('/').skip(1).map(str::to_owned).collect(),
            path: text,
        }
    }

    fn letter(&self, letter: u8) -> Option<&str> {
        Some(match letter {
            b'o' => &self.given,
            b'p' => &self.path,
            b's' => &self.name,
            b'd' => &self.directory,
            b'e' => &self.extension,
            b'n' => &self.stem,
            b'c' => &self.parent,
            b'x' => &self.section,
            b'i' => &self.inode,
            b'j' => &self.hash,
            b'0'..=b'9' => self.components.get(usize::from(letter - b'0')).map_or("", String::as_str),
            _ => return None,
        })
    }
}

/// The bytes of the little-endian hash as upper-case hexadecimal digits.
fn djb33x(bytes: &[u8]) -> String {
    let hash = bytes.iter().fold(5381_u32, |hash, byte| hash.wrapping_mul(33) ^ u32::from(*byte));
    hash.to_le_bytes().iter().map(|byte| format!("{byte:02X}")).collect()
}

impl Magic {
    /// The variables before any file is read.
    pub(crate) fn new(invocation: &Invocation, facts: &Facts) -> Self {
        let started = invocation.started.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            hostname: facts.hostname.clone(),
            directory: invocation.directory.to_string_lossy().into_owned(),
            program: invocation.program.to_string_lossy().into_owned(),
            seconds: started.as_secs().to_string(),
            micros: started.as_micros().to_string(),
            cpus: facts.cpus.to_string(),
            uid: facts.uid.to_string(),
            user: facts.user.clone(),
            gid: facts.gid.to_string(),
            group: facts.group.clone(),
            current: FileNames::default(),
            first: None,
        }
    }

    /// A file is about to be read. `main` files (all but those of `include` and `inherit`) give the upper-case
    /// variables, the first of them for good.
    pub(crate) fn enter(&mut self, names: FileNames, main: bool) {
        if main && self.first.is_none() {
            self.first = Some(names.clone());
        }
        self.current = names;
    }

    /// Something without a path is about to be read: only its name changes.
    pub(crate) fn enter_unnamed(&mut self, given: &str) {
        given.clone_into(&mut self.current.given);
    }

    /// What a letter stands for; `None` when it is none, and then both characters vanish.
    pub(crate) fn letter(&self, letter: u8) -> Option<&str> {
        Some(match letter {
            b'v' => &self.directory,
            b'V' => &self.version,
            b'h' => &self.hostname,
            b't' => &self.seconds,
            b'T' => &self.micros,
            b'k' => &self.cpus,
            b'u' => &self.uid,
            b'U' => &self.user,
            b'g' => &self.gid,
            b'G' => &self.group,
            b'b' => &self.program,
            b'[' => "\u{1b}",
            b'%' => "%",
            b'(' => "%(",
            b'O' | b'P' | b'S' | b'D' | b'E' | b'N' | b'C' | b'X' | b'I' | b'J' => {
                let first = self.first.as_ref()?;
                first.letter(letter.to_ascii_lowercase())?
            }
            _ => self.current.letter(letter)?,
        })
    }

    /// One for tests.
    #[cfg(test)]
    pub(crate) fn example() -> Magic {
        let facts = Facts { hostname: "web1".into(), cpus: 4, uid: 1, user: "u".into(), gid: 2, group: "g".into() };
        let invocation = Invocation {
            program: "/usr/bin/rhinod".into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: "/srv/app".into(),
            started: UNIX_EPOCH + std::time::Duration::from_micros(1_718_000_000_000_001),
            reload: false,
        };
        Magic::new(&invocation, &facts)
    }

    /// Every letter that stands for something, for `uwsgi.magic_table`.
    pub(crate) fn table(&self) -> Vec<(char, String)> {
        (b'0'..=b'z')
            .filter(|letter| letter.is_ascii_alphanumeric())
            .filter_map(|letter| Some((char::from(letter), self.letter(letter)?.to_owned())))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::language::lines::Lines;

    fn replaced(magic: &Magic, text: &str) -> String {
        let lines: Vec<Vec<u8>> = Lines::new(magic, text.as_bytes().into()).map(|line| line.text).collect();
        String::from_utf8(lines.join(&b'\n')).unwrap()
    }

    #[test]
    fn every_letter_stands_for_what_the_reference_says() {
        let mut magic = Magic::example();
        let path = Path::new("/srv/app/conf/site.prod.ini"); // the example of the manual
        magic.enter(FileNames::new("conf/site.prod.ini", path, "web", 262_171), true);
        let text = "%o|%p|%s|%d|%e|%n|%c|%x|%i|%0|%1|%2|%3|%v|%h|%t|%T|%k|%u|%U|%g|%G|%b|%%|%(a)|%[|%q|";
        let expected = "conf/site.prod.ini|/srv/app/conf/site.prod.ini|site.prod.ini|/srv/app/conf/|ini|site.prod|conf|web\
                        |262171|srv|app|conf||/srv/app|web1|1718000000|1718000000000001|4|1|u|2|g|/usr/bin/rhinod|%|%(a)\
                        |\u{1b}||";
        assert_eq!(replaced(&magic, text), expected);
    }

    #[test]
    fn the_hash_is_that_of_uwsgi() {
        for (path, hash) in
            [("/tmp/bb/sub/m.ini", "2506437F"), ("/tmp/bb/sub/lm.ini", "49C1EB5B"), ("/tmp/bb/lsub/lm.ini", "051AC038")]
        {
            assert_eq!(djb33x(path.as_bytes()), hash, "{path}"); // as 2.0.31 showed them
        }
    }

    #[test]
    fn upper_case_letters_stay_with_the_first_main_file() {
        let mut magic = Magic::example();
        assert_eq!(replaced(&magic, "%n%N"), "");
        for (name, main, expected) in [("a", false, "a-"), ("b", true, "b-b"), ("c", true, "c-b"), ("d", false, "d-b")]
        {
            magic.enter(FileNames::new(name, Path::new(&format!("/{name}.ini")), "", 1), main);
            assert_eq!(replaced(&magic, "%n-%N"), expected);
        }
    }
}
