//! What values of options look like.
//!
//! How their text is read is in `number` and `address`; what comes of it is a `Parsed`. Pure; runs wherever a
//! configuration is read.

use super::address::parse_address;
use super::number::{parse_flag, parse_int, parse_mode, parse_octal, parse_scaled, parse_time};
use super::parsed::{Parsed, Unfit};

/// What the values of an option look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// On or off.
    Flag,
    /// On or off, and on means that something else is off (`disable-logging`).
    InvertedFlag,
    /// A whole number within bounds, both included.
    Int {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// A size in bytes. There are no unit suffixes.
    Bytes,
    /// A size in kilobytes.
    Kilobytes,
    /// A size in megabytes.
    Megabytes,
    /// A time in seconds.
    Seconds,
    /// A time in milliseconds.
    Milliseconds,
    /// A path of the file system.
    Path,
    /// An address to listen on or to connect to.
    Address,
    /// Any text.
    Text,
    /// `KEY=VALUE`.
    Pair,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Three octal digits, permissions of a file.
    Mode,
    /// Octal digits, a mask.
    Octal,
    /// A user's name, or a number above zero.
    User,
    /// A group's name, or a number above zero.
    UserGroup,
    /// On, off, or a text that is on and says how (`log-date`).
    FlagOrText,
    /// A configuration file; read by the language.
    ConfigFile,
    /// Logic of the configuration language (`if-env`, `for`).
    Logic,
    /// What the command line does at once.
    Action,
}

impl Kind {
    /// Reads a value. `None` is a bare flag of the command line, an empty text a bare key of a file.
    pub fn parse<'a>(&self, value: Option<&'a str>) -> Result<Parsed<'a>, Unfit> {
        let text = value.unwrap_or("");
        match self {
            Kind::Flag | Kind::InvertedFlag => Ok(parse_flag(text)),
            Kind::Int { min, max } => parse_int(value, *min, *max, "a whole number"),
            Kind::Bytes => parse_scaled(value, 1, "a number of bytes"),
            Kind::Kilobytes => parse_scaled(value, 1024, "a number of kilobytes"),
            Kind::Megabytes => parse_scaled(value, 1024 * 1024, "a number of megabytes"),
            Kind::Seconds => parse_time(value, 1000, "a number of seconds"),
            Kind::Milliseconds => parse_time(value, 1, "a number of milliseconds"),
            Kind::Path if text.is_empty() => Err(Unfit::new("a path")),
            Kind::Address => parse_address(text),
            Kind::Pair if !text.contains('=') => Err(Unfit::new("KEY=VALUE")),
            Kind::Choice(words) => parse_choice(text, words),
            Kind::Mode => parse_mode(value),
            Kind::Octal => parse_octal(text),
            Kind::User => parse_account(text, "user"),
            Kind::UserGroup => parse_account(text, "group"),
            Kind::Path | Kind::Pair | Kind::Text | Kind::ConfigFile | Kind::Logic | Kind::Action => {
                Ok(Parsed::new(text, 0))
            }
            Kind::FlagOrText => Ok(Parsed::new(text, parse_flag(text).number)),
        }
    }

    /// What a value looks like, for manuals: `N`, `SECONDS`, `PATH`, `A|B`; empty for switches.
    pub fn placeholder(&self) -> String {
        match self {
            Kind::Flag | Kind::InvertedFlag | Kind::Action => String::new(),
            Kind::Int { .. } => "N".to_owned(),
            Kind::Bytes => "BYTES".to_owned(),
            Kind::Kilobytes => "KB".to_owned(),
            Kind::Megabytes => "MB".to_owned(),
            Kind::Seconds => "SECONDS".to_owned(),
            Kind::Milliseconds => "MS".to_owned(),
            Kind::Path => "PATH".to_owned(),
            Kind::Address => "ADDRESS".to_owned(),
            Kind::Text | Kind::FlagOrText | Kind::Logic => "TEXT".to_owned(),
            Kind::Pair => "KEY=VALUE".to_owned(),
            Kind::Choice(words) => words.join("|"),
            Kind::Mode => "MODE".to_owned(),
            Kind::Octal => "OCTAL".to_owned(),
            Kind::User => "USER".to_owned(),
            Kind::UserGroup => "GROUP".to_owned(),
            Kind::ConfigFile => "FILE".to_owned(),
        }
    }
}

fn parse_choice<'a>(text: &'a str, words: &[&str]) -> Result<Parsed<'a>, Unfit> {
    match words.iter().position(|word| *word == text) {
        Some(index) => Ok(Parsed::new(text, i64::try_from(index).unwrap_or(0))),
        None => Err(Unfit::new(format!("one of {}", words.join(", ")))),
    }
}

/// A name or a number above zero. uWSGI looks `0` up as a name and fails; `root` is the way to write it.
fn parse_account<'a>(text: &'a str, what: &str) -> Result<Parsed<'a>, Unfit> {
    let expected = format!("the name of a {what}, or a number above 0");
    match text {
        "" => Err(Unfit::new(expected)),
        "0" => Err(Unfit::new(expected).hint("`root` means no change")),
        _ => Ok(Parsed::new(text, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_names_or_numbers_above_zero() {
        assert!(Kind::User.parse(Some("www-data")).is_ok());
        assert!(Kind::UserGroup.parse(Some("33")).is_ok());
        assert!(Kind::User.parse(Some("0")).is_err());
        assert!(Kind::User.parse(Some("")).is_err());
    }
}
