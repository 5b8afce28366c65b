//! What something that went wrong is about, and which line of a configuration has given that. Pure; used where a start, a
//! reload or a check says what is wrong.

use std::path::{Path, PathBuf};

use super::directive::Directive;
use super::model::Address;
use super::options;

/// What is at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// The value of an option, by the option's name.
    Option(&'static str),
    /// One of the addresses that are listened on.
    Socket(Address),
    /// One of the files that are watched.
    Watch(PathBuf),
}

impl Subject {
    /// The last line that gives it.
    #[must_use]
    pub fn line<'d>(&self, directives: &'d [Directive]) -> Option<&'d Directive> {
        directives.iter().rfind(|directive| self.is_given_by(directive))
    }

    fn is_given_by(&self, line: &Directive) -> bool {
        let written = line.value.as_deref().unwrap_or_default();
        match self {
            Self::Option(name) => options::find(&line.key).is_some_and(|found| found.name == *name),
            // The name of a host has become an address, and a path may be behind a key of its own.
            Self::Socket(address) => {
                let text = match address {
                    Address::Tcp(address) => format!(":{}", address.port()),
                    address => address.to_string(),
                };
                // A certificate follows the address of a socket for TLS.
                let written = written.split(',').next().unwrap_or_default();
                let listens =
                    line.key.contains("socket") || matches!(line.key.as_str(), "http" | "httprouter" | "https");
                listens && written.ends_with(&text)
            }
            // A daemon's files are among its other keys, and a command can follow a path.
            Self::Watch(path) if line.key.contains("daemon") => {
                written.split([',', ';', '=']).any(|word| Path::new(word) == path)
            }
            Self::Watch(path) => {
                let watches = line.key.contains("touch") || line.key.starts_with("fs-");
                watches && written.split_whitespace().next().is_some_and(|word| Path::new(word) == path)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::directive::Origin;

    #[test]
    fn each_subject_is_found_at_its_own_line() {
        let lines = [
            ("socket", "/run/a.sock"),
            ("http-socket", "localhost:8000"),
            ("http", ":8080"),
            ("https", ":8443,a.crt,a.key"),
            ("pidfile", "/run/b.sock"),
            ("touch-reload", "/srv/a"),
            ("touch-exec", "/srv/b date"),
            ("attach-daemon2", "cmd=x,touch=/srv/c"),
            ("logto", "/var/log/a"),
        ];
        let lines = lines.map(|(key, value)| Directive::new(key, Some(value), Origin::Program));
        let key = |subject: Subject| subject.line(&lines).map(|line| line.key.as_str());
        assert_eq!(key(Subject::Option("logto")), Some("logto"));
        assert_eq!(key(Subject::Socket(Address::Unix("/run/a.sock".into()))), Some("socket"));
        assert_eq!(key(Subject::Socket(Address::Tcp("127.0.0.1:8000".parse().unwrap()))), Some("http-socket"));
        assert_eq!(key(Subject::Socket(Address::Tcp("0.0.0.0:8080".parse().unwrap()))), Some("http"));
        assert_eq!(key(Subject::Socket(Address::Tcp("0.0.0.0:8443".parse().unwrap()))), Some("https"));
        assert_eq!(key(Subject::Socket(Address::Unix("/run/b.sock".into()))), None);
        for (path, given) in [("/srv/a", "touch-reload"), ("/srv/b", "touch-exec"), ("/srv/c", "attach-daemon2")] {
            assert_eq!(key(Subject::Watch(path.into())), Some(given));
        }
    }
}
