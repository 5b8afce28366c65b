//! What keeps an instance from starting, and the exit code that tells which kind it was. Master only.

use crate::sys::identity::IdentityError;
use crate::sys::listeners::ListenError;

/// Why an instance does not start: one line for the operator, one code for the init system.
///
/// Codes are those of sysexits(3), but for 22, which is uWSGI's for an application that cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StartFailure {
    /// What is wrong, and where.
    pub message: String,
    /// The exit code.
    pub code: i32,
}

/// The configuration is wrong (EX_CONFIG).
pub(crate) const CODE_CONFIGURATION: i32 = 78;
/// A configuration file cannot be read (EX_NOINPUT).
pub(crate) const CODE_NO_INPUT: i32 = 66;
/// A user or group does not exist (EX_NOUSER).
pub(crate) const CODE_NO_USER: i32 = 67;
/// An address is in use (EX_UNAVAILABLE).
pub(crate) const CODE_ADDRESS: i32 = 69;
/// The system refuses (EX_OSERR).
pub(crate) const CODE_SYSTEM: i32 = 71;
/// A file cannot be written (EX_CANTCREAT).
pub(crate) const CODE_FILE: i32 = 73;
/// Not allowed (EX_NOPERM).
pub(crate) const CODE_PERMISSION: i32 = 77;

impl StartFailure {
    /// The configuration cannot be used.
    pub fn configuration(message: impl ToString) -> Self {
        Self { message: message.to_string(), code: CODE_CONFIGURATION }
    }

    /// A system call failed.
    pub fn system(what: &str, error: &std::io::Error) -> Self {
        Self { message: format!("cannot {what}: {error}"), code: CODE_SYSTEM }
    }

    /// A file cannot be written.
    pub fn file(message: String) -> Self {
        Self { message, code: CODE_FILE }
    }
}

impl From<ListenError> for StartFailure {
    fn from(error: ListenError) -> Self {
        let code = match &error {
            ListenError::InUse(_) | ListenError::NotASocket(_) => CODE_ADDRESS,
            ListenError::Refused(_, error) if error.kind() == std::io::ErrorKind::PermissionDenied => CODE_PERMISSION,
            ListenError::Refused(..) => CODE_SYSTEM,
            ListenError::Owner(..) => CODE_NO_USER,
        };
        Self { message: error.to_string(), code }
    }
}

impl From<IdentityError> for StartFailure {
    fn from(error: IdentityError) -> Self {
        let code = match &error {
            IdentityError::NoSuchUser(_) | IdentityError::NoSuchGroup(_) => CODE_NO_USER,
            IdentityError::NotRoot(..) => CODE_PERMISSION,
            IdentityError::Refused(..) => CODE_SYSTEM,
        };
        Self { message: error.to_string(), code }
    }
}
