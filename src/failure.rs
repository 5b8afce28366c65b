//! What keeps an instance from starting or a command from being carried out, and of which kind it is. Commands and master.

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
    /// The option whose value is at fault, where one is: whoever read the configuration knows its place.
    pub option: Option<&'static str>,
}

impl StartFailure {
    /// The configuration cannot be used.
    pub fn configuration(message: impl ToString) -> Self {
        Self { message: message.to_string(), exit: Exit::Configuration, option: None }
    }

    /// A file of the configuration, or another source of it, cannot be read.
    pub fn no_input(message: impl ToString) -> Self {
        Self { message: message.to_string(), exit: Exit::Input, option: None }
    }

    /// A system call failed.
    pub fn system(what: &str, error: &std::io::Error) -> Self {
        Self { message: format!("cannot {what}: {error}"), exit: Exit::System, option: None }
    }

    /// A file cannot be written.
    pub fn file(message: String) -> Self {
        Self { message, exit: Exit::Create, option: None }
    }

    /// The same, with the option whose value is at fault.
    pub fn about(self, option: &'static str) -> Self {
        Self { option: Some(option), ..self }
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
        Self { message: error.to_string(), exit, option: None }
    }
}

impl From<IdentityError> for StartFailure {
    fn from(error: IdentityError) -> Self {
        let exit = match &error {
            IdentityError::NoSuchUser(_) | IdentityError::NoSuchGroup(_) => Exit::Account,
            IdentityError::NotRoot(..) => Exit::Permission,
            IdentityError::Refused(..) => Exit::System,
        };
        Self { message: error.to_string(), exit, option: None }
    }
}
