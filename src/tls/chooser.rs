//! Which certificate a client gets: by the name that it asks for (RFC 6066, section 3), or else the socket's own. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// The certificates of a socket.
#[derive(Debug)]
pub(super) struct Chooser {
    /// For whoever asks for no name, or for another one.
    pub(super) own: Arc<CertifiedKey>,
    pub(super) named: BTreeMap<String, Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Chooser {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| find(&self.named, name));
        Some(Arc::clone(named.unwrap_or(&self.own)))
    }
}

/// What stands for a name: its own entry, or one of all names of its domain.
fn find<'n, T>(names: &'n BTreeMap<String, T>, asked: &str) -> Option<&'n T> {
    let asked = asked.to_ascii_lowercase();
    names.get(&asked).or_else(|| {
        let (_, domain) = asked.split_once('.')?;
        names.get(&format!("*.{domain}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_its_own_certificate_or_that_of_its_domain() {
        let names = [("a.example", 1), ("*.example", 2), ("*.in.example", 3)];
        let names: BTreeMap<String, u32> = names.map(|(name, number)| (name.to_owned(), number)).into();
        for (asked, expected) in [
            ("a.example", Some(1)),
            ("A.Example", Some(1)),
            ("b.example", Some(2)),
            ("c.in.example", Some(3)),
            ("d.c.in.example", None),
            ("example", None),
            ("*.example", Some(2)),
            ("", None),
        ] {
            assert_eq!(find(&names, asked).copied(), expected, "{asked}");
        }
    }
}
