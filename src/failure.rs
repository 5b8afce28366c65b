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
    /// The configuration cannot be used.
    pub fn configuration(message: impl ToString) -> Self {
        Self { message: message.to_string(), exit: Exit::Configuration, subject: None }
    }

    /// A file of the configuration, or another source of it, cannot be read.
    pub fn no_input(message: impl ToString) -> Self {
        Self { message: message.to_string(), exit: Exit::Input, subject: None }
    }

    /// A system call failed.
    pub fn system(what: &str, error: &std::io::Error) -> Self {
        Self { message: format!("cannot {what}: {error}"), exit: Exit::System, subject: None }
    }

    /// A file cannot be written.
    pub fn file(message: String) -> Self {
        Self { message, exit: Exit::Create, subject: None }
    }

    /// The same, with the option whose value is at fault.
    pub fn about(self, option: &'static str) -> Self {
        self.at(Subject::Option(option))
    }

    /// The same, with what is at fault.
    pub fn at(self, subject: Subject) -> Self {
        Self { subject: Some(subject), ..self }
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
        Self { message: error.to_string(), exit, subject: None }
    }
}

impl From<IdentityError> for StartFailure {
    fn from(error: IdentityError) -> Self {
        let exit = match &error {
            IdentityError::NoSuchUser(_) | IdentityError::NoSuchGroup(_) => Exit::Account,
            IdentityError::NotRoot(..) => Exit::Permission,
            IdentityError::Refused(..) => Exit::System,
        };
        Self { message: error.to_string(), exit, subject: None }
    }
}
