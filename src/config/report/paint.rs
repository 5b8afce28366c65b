//! Colours for reports on a terminal. Pure: who prints says whether it is one.

use std::ffi::OsString;

/// Whether reports are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// With escape sequences, for a terminal.
    Coloured,
    /// Without.
    Bare,
}

/// A colour that a terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// The terminal's own.
    Plain,
    /// For what is wrong.
    Red,
    /// For what is fine.
    Green,
    /// For what is worth a look.
    Yellow,
}

impl Paint {
    /// Colours for a terminal that has them, unless `NO_COLOR` is set and not empty (no-color.org).
    pub fn of(is_terminal: bool, environment: &[(OsString, OsString)]) -> Paint {
        let value = |name: &str| environment.iter().find(|(known, _)| known == name).map(|(_, value)| value);
        let refused = value("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = value("TERM").is_some_and(|term| term == "dumb");
        if is_terminal && !refused && !dumb { Paint::Coloured } else { Paint::Bare }
    }

    /// The text in bold and in a colour.
    pub fn bold(self, text: &str, colour: Colour) -> String {
        let code = match (self, colour) {
            (Paint::Bare, _) => return text.to_owned(),
            (Paint::Coloured, Colour::Plain) => "1",
            (Paint::Coloured, Colour::Red) => "1;31",
            (Paint::Coloured, Colour::Green) => "1;32",
            (Paint::Coloured, Colour::Yellow) => "1;33",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paint(is_terminal: bool, environment: &[(&str, &str)]) -> Paint {
        let environment: Vec<(OsString, OsString)> =
            environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        Paint::of(is_terminal, &environment)
    }

    #[test]
    fn colours_need_a_terminal_and_nobody_against_them() {
        assert_eq!(paint(true, &[("TERM", "xterm"), ("NO_COLOR", "")]), Paint::Coloured);
        assert_eq!(paint(false, &[("TERM", "xterm")]), Paint::Bare);
        assert_eq!(paint(true, &[("NO_COLOR", "1")]), Paint::Bare);
        assert_eq!(paint(true, &[("TERM", "dumb")]), Paint::Bare);
        assert_eq!(Paint::Bare.bold("x", Colour::Red), "x");
        assert_eq!(Paint::Coloured.bold("x", Colour::Red), "\x1b[1;31mx\x1b[0m");
    }
}
