//! What type a file has, by its name: lists in the form of `/etc/mime.types`, then one that is built in, as slim
//! containers have none. Worker only.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// Types by extension.
#[derive(Debug, Default)]
pub(super) struct MimeTypes {
    /// Of the lists that the operator names; the first entry for an extension counts.
    listed: HashMap<String, String>,
}

impl MimeTypes {
    /// With the lists in these files, as far as they can be read.
    pub(super) fn of(files: &[PathBuf]) -> MimeTypes {
        let mut types = MimeTypes::default();
        for file in files {
            match std::fs::read(file) {
                Ok(text) => types.take(&String::from_utf8_lossy(&text)),
                Err(error) => log::warn!("mimefile {}: {error}; the built-in list of types counts", file.display()),
            }
        }
        types
    }

    /// Lines are `type extension extension…`; whatever does not begin with a letter or digit is a comment.
    fn take(&mut self, text: &str) {
        for line in text.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_alphanumeric())) {
            let mut words = line.split_ascii_whitespace();
            let Some(kind) = words.next().filter(|kind| kind.contains('/')) else { continue };
            for extension in words {
                self.listed.entry(extension.to_ascii_lowercase()).or_insert_with(|| kind.to_owned());
            }
        }
    }

    /// The type of a file, by what is behind the last dot of its name.
    pub(super) fn type_of(&self, path: &Path) -> Option<&str> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match self.listed.get(&extension) {
            Some(listed) => Some(listed),
            None => mime_guess::from_ext(&extension).first_raw(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_extension_tells_the_type() {
        let mut types = MimeTypes::default();
        types.take("# comment\ntext/x-c c h\napplication/x-special css odd\ntext/other css\nnonsense zzz9\n\n");
        for (name, expected) in [
            ("a.html", Some("text/html")),
            ("a.HTML", Some("text/html")),
            ("a.js", Some("text/javascript")),
            ("a.wasm", Some("application/wasm")),
            ("a.tar.gz", Some("application/gzip")),
            ("a.css", Some("application/x-special")),
            ("a.h", Some("text/x-c")),
            ("a.zzz9", None),
            ("a", None),
            (".css", None),
        ] {
            assert_eq!(types.type_of(Path::new(name)), expected, "{name}");
        }
    }
}
