//! Who the process is: user, groups, umask, directory. Master, before it serves.

use std::io;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist, setgid, setgroups, setuid};

/// A user and the groups that go with it, resolved from names before anything is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User to become.
    pub user: Option<Uid>,
    /// Primary group to have.
    pub group: Option<Gid>,
    /// All supplementary groups to have; everything else is dropped.
    pub groups: Vec<Gid>,
}

/// Why credentials cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// `uid` names nobody.
    #[error("there is no user \"{0}\"")]
    NoSuchUser(String),
    /// `gid` or `add-gid` names nothing.
    #[error("there is no group \"{0}\"")]
    NoSuchGroup(String),
    /// Only root may change.
    #[error("cannot become user {0}: only root may change the user (we are {1})")]
    NotRoot(Uid, Uid),
    /// A system call failed.
    #[error("cannot {0}: {1}")]
    Refused(&'static str, io::Error),
}

/// Resolves names. Without `gid`, the user's own primary group is taken, and never root's groups
/// (uWSGI keeps them, a fault).
pub fn resolve(uid: Option<&str>, gid: Option<&str>, add: &[String]) -> Result<Credentials, IdentityError> {
    let user = uid.map(find_user).transpose()?;
    let named_group = gid.map(find_group).transpose()?;
    let group = named_group.or(user.as_ref().map(|(_, group, _)| *group));
    let mut groups = Vec::new();
    if let (Some((_, _, Some(name))), Some(group)) = (&user, group)
        && let Ok(name) = std::ffi::CString::new(name.as_str())
    {
        groups = getgrouplist(&name, group).unwrap_or_default();
    }
    if groups.is_empty() {
        groups.extend(group);
    }
    for extra in add {
        let extra = find_group(extra)?;
        if !groups.contains(&extra) {
            groups.push(extra);
        }
    }
    Ok(Credentials { user: user.map(|(uid, _, _)| uid), group, groups })
}

/// User, primary group and name of a user given by name or number. A number needs no entry in the user database.
fn find_user(name: &str) -> Result<(Uid, Gid, Option<String>), IdentityError> {
    let entry = match name.parse() {
        Ok(number) => {
            let uid = Uid::from_raw(number);
            match User::from_uid(uid) {
                Ok(Some(user)) => user,
                _ => return Ok((uid, Gid::from_raw(number), None)),
            }
        }
        Err(_) => match User::from_name(name) {
            Ok(Some(user)) => user,
            _ => return Err(IdentityError::NoSuchUser(name.to_owned())),
        },
    };
    Ok((entry.uid, entry.gid, Some(entry.name)))
}

fn find_group(name: &str) -> Result<Gid, IdentityError> {
    match name.parse() {
        Ok(number) => Ok(Gid::from_raw(number)),
        Err(_) => match Group::from_name(name) {
            Ok(Some(group)) => Ok(group.gid),
            _ => Err(IdentityError::NoSuchGroup(name.to_owned())),
        },
    }
}

/// Takes the credentials on, groups first. As the same user already, nothing happens.
pub fn become_user(credentials: &Credentials) -> Result<(), IdentityError> {
    let own = Uid::effective();
    if !own.is_root() {
        return match credentials.user {
            Some(user) if user != own => Err(IdentityError::NotRoot(user, own)),
            _ => Ok(()),
        };
    }
    if credentials.user.is_none() && credentials.group.is_none() && credentials.groups.is_empty() {
        return Ok(());
    }
    setgroups(&credentials.groups).map_err(|error| IdentityError::Refused("set the groups", error.into()))?;
    if let Some(group) = credentials.group {
        setgid(group).map_err(|error| IdentityError::Refused("set the group", error.into()))?;
    }
    if let Some(user) = credentials.user {
        setuid(user).map_err(|error| IdentityError::Refused("set the user", error.into()))?;
    }
    Ok(())
}
