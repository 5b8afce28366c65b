//! What keeps an instance from starting or a command from being carried out, and of which kind it is. Commands and master.

use crate::config::subject::Subject;
use crate::exit::Exit;
use crate::sys::identity::IdentityError;
use crate::sys::listeners::ListenError;

/// Why an instance does not start: for the operator in words, for the init system as a status.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StartFailure {
    /// What is wrong, and where.
    pub message: String,
    /// The status to end with.
    pub exit: Exit,
    /// What of the configuration is at fault, where something is: whoever read it knows its place.
    pub subject: Option<Subject>,
}

impl StartFailure {
    /// What is wrong, and of which kind that is.
    pub fn new(exit: Exit, message: String) -> Self {
        Self { message, exit, subject: None }
    }

    /// The configuration cannot be used.
    pub fn configuration(message: impl ToString) -> Self {
        Self::new(Exit::Configuration, message.to_string())
    }

    /// A file of the configuration, or another source of it, cannot be read.
    pub fn no_input(message: impl ToString) -> Self {
        Self::new(Exit::Input, message.to_string())
    }

    /// A system call failed.
    pub fn system(what: &str, error: &std::io::Error) -> Self {
        Self::new(Exit::System, format!("cannot {what}: {error}"))
    }

    /// A file cannot be written.
    pub fn file(message: String) -> Self {
        Self::new(Exit::Create, message)
    }

    /// The same, with the option whose value is at fault.
    pub fn about(self, option: &'static str) -> Self {
        self.at(Subject::Option(option))
    }

    /// The same, with what is at fault.
    pub fn at(self, subject: Subject) -> Self {
        Self { subject: Some(subject), ..self }
    }

    /// The same, and what to do about it.
    pub fn suggest(mut self, remedy: &str) -> Self {
        self.message += "; ";
        self.message += remedy;
        self
    }
}

impl From<ListenError> for StartFailure {
    fn from(error: ListenError) -> Self {
        let exit = match &error {
            ListenError::InUse(_) | ListenError::NotASocket(_) => Exit::Address,
            ListenError::Refused(_, error) if error.kind() == std::io::ErrorKind::PermissionDenied => Exit::Permission,
            ListenError::Refused(..) => Exit::System,
            ListenError::Owner(..) => Exit::Account,
        };
        Self::new(exit, error.to_string())
    }
}

impl From<IdentityError> for StartFailure {
    fn from(error: IdentityError) -> Self {
        let exit = match &error {
            IdentityError::NoSuchUser(_) | IdentityError::NoSuchGroup(_) => Exit::Account,
            IdentityError::NotRoot(..) | IdentityError::NotRootsGroup(..) => Exit::Permission,
            IdentityError::Refused(..) => Exit::System,
        };
        Self::new(exit, error.to_string())
    }
}
