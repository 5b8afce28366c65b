//! What the program is that somebody calls: rhinod itself, or an application with rhinod in it. Pure.

/// Name, version and purpose of an application, for `--version`, `--help` and `man`; see [`main_as`](crate::main_as).
///
/// ```
/// const GREETER: rhinod::About = rhinod::About::new("greeter", "1.2.0").described("Greets whoever asks.");
/// // Or, with what stands in Cargo.toml:
/// let about = rhinod::about!();
/// # let _ = (GREETER, about);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) description: &'static str,
}

impl About {
    /// An application by its name, which is that of its command, and its version.
    pub const fn new(name: &'static str, version: &'static str) -> Self {
        Self { name, version, description: "" }
    }

    /// Adds what it is for, in one sentence.
    #[must_use]
    pub const fn described(self, description: &'static str) -> Self {
        Self { description, ..self }
    }

    /// rhinod, without an application.
    pub(crate) const RHINOD: Self = Self::new("rhinod", env!("CARGO_PKG_VERSION"));

    fn is_rhinod(&self) -> bool {
        self.name == Self::RHINOD.name
    }

    /// The line of `--version`. uWSGI's, and so rhinod's own, is the number alone.
    pub(super) fn version_line(&self) -> String {
        match self.is_rhinod() {
            true => format!("{}\n", self.version),
            false => format!("{} (rhinod {})\n", self.title(), Self::RHINOD.version),
        }
    }

    /// Name and version, as far as there is one.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.name, self.version).trim_end().to_owned()
    }

    /// What it is, in a paragraph.
    pub(super) fn introduction(&self) -> String {
        if self.is_rhinod() {
            return "rhinod serves applications behind nginx's uwsgi_pass and reads uWSGI's configuration.\n"
                .to_owned();
        }
        let purpose = if self.description.is_empty() { String::new() } else { format!(": {}", self.description) };
        format!(
            "{}{purpose}\nIt is served by rhinod {}, which reads uWSGI's configuration.\n",
            self.title(),
            Self::RHINOD.version
        )
    }
}

/// What Cargo.toml says of the application that calls this: its name, version and description, as an [`About`](crate::About).
#[macro_export]
macro_rules! about {
    () => {
        $crate::About::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")).described(env!("CARGO_PKG_DESCRIPTION"))
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_is_itself_and_rhinod_is_the_number_that_uwsgi_would_tell() {
        let greeter = About::new("greeter", "1.2.0").described("Greets whoever asks.");
        let own = env!("CARGO_PKG_VERSION");
        assert_eq!(greeter.version_line(), format!("greeter 1.2.0 (rhinod {own})\n"));
        assert!(greeter.introduction().starts_with("greeter 1.2.0: Greets whoever asks.\nIt is served by rhinod "));
        assert_eq!(About::RHINOD.version_line(), format!("{own}\n"));
        assert!(About::RHINOD.introduction().starts_with("rhinod serves applications"));
    }
}
