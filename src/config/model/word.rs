//! Enums that are written as one word each: in configurations, and in settings that travel between processes.
//!
//! Not for enums that carry data. Pure; used wherever a configuration is.

/// A word that this version does not know: a later one may.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this version of rhinod knows no {what} `{word}`")]
pub struct UnknownWord {
    pub(super) what: &'static str,
    pub(super) word: String,
}

/// Declares an enum without data together with its words: what it is in a message, then each variant and its word. The
/// words are also how it travels, and one that is not known is refused by name.
macro_rules! words {
    (
        $(#[$outer:meta])*
        $name:ident, $what:literal {
            $($(#[$inner:meta])* $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "&'static str")]
        pub enum $name {
            $($(#[$inner])* $variant,)+
        }

        impl $name {
            /// Each of them.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// Each word, in the order of [`Self::ALL`].
            pub const NAMES: &'static [&'static str] = &[$($word,)+];

            /// How it is written.
            pub const fn name(self) -> &'static str {
                match self {
                    $($name::$variant => $word,)+
                }
            }

            /// What is written so.
            pub fn of_name(name: &str) -> Option<$name> {
                match name {
                    $($word => Some($name::$variant),)+
                    _ => None,
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::config::model::word::UnknownWord;

            fn try_from(word: String) -> Result<$name, Self::Error> {
                $name::of_name(&word).ok_or($crate::config::model::word::UnknownWord { what: $what, word })
            }
        }

        impl From<$name> for &'static str {
            fn from(word: $name) -> &'static str {
                word.name()
            }
        }
    };
}

pub(super) use words;
