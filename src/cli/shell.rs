//! The shells that there are completions for. Pure; runs before anything else.

/// A shell that can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shell {
    /// bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

impl Shell {
    /// Every shell.
    pub const ALL: &'static [Shell] = &[Shell::Bash, Shell::Zsh, Shell::Fish];

    /// The shell of this name.
    pub fn of_name(name: &str) -> Option<Shell> {
        Shell::ALL.iter().copied().find(|shell| shell.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Shell::Bash => "bash",
            Shell::Zsh => "zsh",
            Shell::Fish => "fish",
        }
    }

    /// The name under which the shell looks for the script.
    pub fn file_name(self) -> &'static str {
        match self {
            Shell::Bash => "rhinod.bash",
            Shell::Zsh => "_rhinod",
            Shell::Fish => "rhinod.fish",
        }
    }
}
