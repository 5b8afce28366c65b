//! What this machine grants to whom: looked up by being that user for the moment of one question. For `rhinod check`, which
//! has one thread and nothing else to do; in a master only about its own rights.

use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::{AccessFlags, Uid, User, faccessat};

use super::certificates;
use super::clock::epoch_s;
use super::identity::{self, IdentityError};
use super::machine::{binds_low_ports, unprivileged_port_start};
use crate::config::ground::{Access, Ground, Misfit, Who};
use crate::config::model::{Identity, Protocol, Tls};

/// The machine that rhinod runs on.
#[derive(Debug, Clone, Copy)]
pub struct Grounds {
    /// Whether this binary has an application of its own.
    pub embeds_application: bool,
}

impl Ground for Grounds {
    fn embeds_application(&self) -> bool {
        self.embeds_application
    }

    fn judge_identity(&self, identity: &Identity) -> Result<(), Misfit> {
        let misfit = |error: IdentityError| Misfit { option: to_blame(&error, identity), problem: error.to_string() };
        let credentials = identity::of(identity).map_err(misfit)?;
        identity::judge(&credentials).map_err(misfit)
    }

    fn judge_owner(&self, owner: &str) -> Result<(), String> {
        identity::resolve_owner(owner).map(drop).map_err(|error| error.to_string())
    }

    fn name_of(&self, who: Who<'_>) -> String {
        match who {
            Who::Server(Identity { uid: Some(uid), .. }) => format!("user {uid}"),
            _ => name_of_user(Uid::effective()),
        }
    }

    fn access(&self, who: Who<'_>, path: &Path, access: Access) -> io::Result<()> {
        let flags = match access {
            Access::Read => AccessFlags::R_OK,
            Access::Write => AccessFlags::W_OK,
            Access::Execute => AccessFlags::X_OK,
        };
        let ask = || faccessat(AT_FDCWD, path, flags, AtFlags::AT_EACCESS);
        Ok(being(who, ask)??)
    }

    fn judge_tls(&self, tls: &Tls, protocol: Protocol, start: &Path) -> Result<Option<String>, String> {
        let material = certificates::read(tls, start).map_err(|(_, problem)| problem)?;
        crate::tls::judge(tls, &material, protocol)?;
        Ok(crate::tls::remark(tls, &material, epoch_s()))
    }

    fn may_bind(&self, who: Who<'_>, port: u16) -> bool {
        let reserved = port != 0 && u32::from(port) < unprivileged_port_start();
        !reserved || being(who, binds_low_ports).unwrap_or(false)
    }
}

/// Which option of an identity an error is about.
pub fn to_blame(error: &IdentityError, who: &Identity) -> &'static str {
    match error {
        IdentityError::NoSuchGroup(name) if who.gid.as_ref() == Some(name) => "gid",
        IdentityError::NoSuchGroup(_) => "add-gid",
        IdentityError::NotRootsGroup(..) => "gid",
        IdentityError::NoSuchUser(_) | IdentityError::NotRoot(..) | IdentityError::Refused(..) => "uid",
    }
}

/// What a user is called in messages.
pub fn name_of_user(user: Uid) -> String {
    match User::from_uid(user) {
        Ok(Some(entry)) => format!("user {}", entry.name),
        _ => format!("user {user}"),
    }
}

/// Asks something as somebody.
fn being<T>(who: Who<'_>, ask: impl FnOnce() -> T) -> io::Result<T> {
    let Who::Server(identity) = who else { return Ok(ask()) };
    let credentials = identity::of(identity).map_err(io::Error::other)?;
    identity::as_user(&credentials, ask).map_err(|error| match error {
        IdentityError::Refused(_, error) => error,
        _ => Errno::EPERM.into(),
    })
}
