//! What travels between processes that may be of different versions of this program: JSON in an envelope that says what
//! it is and in which version (docs/PROTOCOL.md, "What travels").
//!
//! The version counts changes that a reader must know of. A new field is none: who does not know it ignores it, and who
//! misses it has a default. `tests/data/travel` holds what earlier versions have written. Not for records of fixed size
//! (`worker_protocol`). Pure; used in master, zygote and router.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

/// A kind of thing that travels, and the newest version of it that this program reads and the one that it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    name: &'static str,
    version: u32,
}

/// A configuration on its way to a zygote, which may be another program (`rust-app`) or another version.
pub const SETTINGS: Kind = Kind { name: "rhinod settings", version: 1 };

/// What a master gives a router.
pub const ROUTER: Kind = Kind { name: "rhinod router", version: 1 };

/// What certificates a router shows from now on.
pub const CERTIFICATES: Kind = Kind { name: "rhinod certificates", version: 1 };

/// What a master leaves to its next image.
pub const HANDOVER: Kind = Kind { name: "rhinod handover", version: 1 };

#[derive(Serialize)]
struct Outgoing<'a, T> {
    format: &'static str,
    version: u32,
    body: &'a T,
}

#[derive(Deserialize)]
struct Incoming {
    format: String,
    version: u32,
    body: Value,
}

/// Why something cannot be read.
#[derive(Debug, Error)]
pub enum TravelError {
    /// Not in an envelope at all, as from a program before there were any.
    #[error("no {expected} with a version: {source}")]
    NoEnvelope {
        /// What should have come.
        expected: &'static str,
        /// What the JSON reader says.
        source: serde_json::Error,
    },
    /// Something else.
    #[error("{found:?} in the place of {expected}")]
    Other {
        /// What should have come.
        expected: &'static str,
        /// What it says it is.
        found: String,
    },
    /// From a program that means things which this one does not know.
    #[error("{name} of version {found}; this program ({program}) understands up to version {known}")]
    Newer {
        /// What it is.
        name: &'static str,
        /// Its version.
        found: u32,
        /// The newest that can be read.
        known: u32,
        /// The program's own version.
        program: &'static str,
    },
    /// Something in it cannot be used.
    #[error("{name} of version {version} cannot be used: {source}")]
    Body {
        /// What it is.
        name: &'static str,
        /// Its version.
        version: u32,
        /// What the JSON reader says.
        source: serde_json::Error,
    },
}

impl Kind {
    /// Puts something into its envelope.
    ///
    /// # Errors
    /// When it holds what JSON cannot express, as a path that is no UTF-8.
    pub fn pack<T: Serialize>(self, body: &T) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&Outgoing { format: self.name, version: self.version, body })
    }

    /// Takes something out of its envelope.
    ///
    /// # Errors
    /// When it is not what was expected, or of a version that this program does not know.
    pub fn open<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, TravelError> {
        let Kind { name, version: known } = self;
        let Incoming { format, version, body } =
            serde_json::from_slice(bytes).map_err(|source| TravelError::NoEnvelope { expected: name, source })?;
        if format != name {
            return Err(TravelError::Other { expected: name, found: format });
        }
        if version > known {
            return Err(TravelError::Newer { name, found: version, known, program: env!("CARGO_PKG_VERSION") });
        }
        serde_json::from_value(body).map_err(|source| TravelError::Body { name, version, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THING: Kind = Kind { name: "rhinod thing", version: 2 };

    fn refusal(text: &str) -> String {
        THING.open::<Vec<u32>>(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_packed_comes_out_again_and_so_does_what_an_older_version_packed() {
        assert_eq!(THING.open::<Vec<u32>>(&THING.pack(&[1, 2]).unwrap()).unwrap(), [1, 2]);
        let older = br#"{"format":"rhinod thing","version":1,"body":[3]}"#;
        assert_eq!(THING.open::<Vec<u32>>(older).unwrap(), [3]);
        let more = br#"{"format":"rhinod thing","version":2,"signed":true,"body":[3]}"#;
        assert_eq!(THING.open::<Vec<u32>>(more).unwrap(), [3]);
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_reason() {
        assert!(refusal("[1]").starts_with("no rhinod thing with a version: "));
        assert!(refusal("{\"body\":[1]}").contains("missing field `format`"));
        let other = refusal(r#"{"format":"rhinod settings","version":1,"body":[1]}"#);
        assert_eq!(other, "\"rhinod settings\" in the place of rhinod thing");
        let newer = refusal(r#"{"format":"rhinod thing","version":3,"body":[1]}"#);
        assert!(newer.starts_with("rhinod thing of version 3; this program ("), "{newer}");
        assert!(newer.ends_with(") understands up to version 2"), "{newer}");
        let body = refusal(r#"{"format":"rhinod thing","version":2,"body":{}}"#);
        assert!(body.starts_with("rhinod thing of version 2 cannot be used: invalid type"), "{body}");
    }
}
