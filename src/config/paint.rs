//! Colours for reports on a terminal. Pure: whether to use them is decided by who prints.

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
