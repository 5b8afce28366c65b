//! What a command that only prints has to say, and how it ends. Nothing is printed here. Pure.

use crate::exit::Exit;

/// What a command that only prints has to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Printed {
    /// For standard output.
    pub output: String,
    /// For standard error.
    pub errors: String,
    /// The status to end with.
    pub exit: Exit,
}

impl Printed {
    pub(super) fn output(output: String) -> Printed {
        Printed { output, errors: String::new(), exit: Exit::Success }
    }

    pub(super) fn error(errors: String, exit: Exit) -> Printed {
        Printed { output: String::new(), errors, exit }
    }

    #[cfg(feature = "cli")]
    pub(super) fn ending(self, exit: Exit) -> Printed {
        Printed { exit, ..self }
    }
}
