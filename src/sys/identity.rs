//! Who the process is, or the one that it executes: user and groups. Master.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::unistd::{
    Gid, Group, Uid, User, getgid, getgrouplist, getgroups, getuid, setegid, seteuid, setgid, setgroups, setresgid,
    setresuid, setuid,
};

use super::capabilities;
use crate::config::model::Identity;

/// A user and the groups that go with it, resolved from names before anything is changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// User to become.
    pub user: Option<Uid>,
    /// Primary group to have.
    pub group: Option<Gid>,
    /// Whether that was asked for, and is not just the user's.
    pub group_was_named: bool,
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
    /// Nor may others change the group.
    #[error("cannot become group {0}: only root may change the group (ours is {1})")]
    NotRootsGroup(Gid, Gid),
    /// A system call failed.
    #[error("cannot {0}: {1}")]
    Refused(&'static str, io::Error),
}

/// Who an instance is to be. Without `gid`, the user's own primary group is taken, and never root's groups
/// (uWSGI keeps them, a fault).
pub fn of(who: &Identity) -> Result<Credentials, IdentityError> {
    let mut credentials = resolve(who.uid.as_deref(), who.gid.as_deref(), !who.no_initgroups)?;
    for extra in &who.add_gids {
        let extra = find_group(extra)?;
        if !credentials.groups.contains(&extra) {
            credentials.groups.push(extra);
        }
    }
    Ok(credentials)
}

/// Resolves names. `all_groups`: with those that the user database has for the user.
pub fn resolve(uid: Option<&str>, gid: Option<&str>, all_groups: bool) -> Result<Credentials, IdentityError> {
    let user = uid.map(find_user).transpose()?;
    let named_group = gid.map(find_group).transpose()?;
    let group = named_group.or(user.as_ref().map(|(_, group, _)| *group));
    let mut groups = Vec::new();
    if let (true, Some((_, _, Some(name))), Some(group)) = (all_groups, &user, group)
        && let Ok(name) = std::ffi::CString::new(name.as_str())
    {
        groups = getgrouplist(&name, group).unwrap_or_default();
    }
    if groups.is_empty() {
        groups.extend(group);
    }
    let user = user.map(|(uid, _, _)| uid);
    Ok(Credentials { user, group, group_was_named: named_group.is_some(), groups })
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

/// Resolves `user`, `user:group`, or numbers.
pub fn resolve_owner(text: &str) -> Result<Credentials, IdentityError> {
    let (user, group) = match text.split_once(':') {
        Some((user, group)) => (user, Some(group)),
        None => (text, None),
    };
    resolve((!user.is_empty()).then_some(user), group, false)
}

/// Whether this process may take the credentials on. Who is not root can only stay who it is.
pub fn judge(credentials: &Credentials) -> Result<(), IdentityError> {
    let (own, own_group) = (Uid::effective(), Gid::effective());
    match (credentials.user, credentials.group) {
        _ if own.is_root() => Ok(()),
        (Some(user), _) if user != own => Err(IdentityError::NotRoot(user, own)),
        (_, Some(group)) if credentials.group_was_named && group != own_group => {
            Err(IdentityError::NotRootsGroup(group, own_group))
        }
        _ => Ok(()),
    }
}

/// Takes the credentials on, groups first. As the same user already, nothing happens.
pub fn become_user(credentials: &Credentials) -> Result<(), IdentityError> {
    judge(credentials)?;
    if !Uid::effective().is_root() {
        return Ok(());
    }
    set(credentials).map_err(|(what, error)| refused(what, error))
}

/// Does something with the rights of credentials and is oneself again. Only for processes with one thread.
pub fn as_user<T>(credentials: &Credentials, act: impl FnOnce() -> T) -> Result<T, IdentityError> {
    judge(credentials)?;
    let (own, own_group) = (Uid::effective(), Gid::effective());
    if !own.is_root() {
        return Ok(act());
    }
    let own_groups = getgroups().map_err(|error| refused("read the groups", error))?;
    let back = || {
        seteuid(own).map_err(|error| refused("become root again", error))?;
        setegid(own_group).map_err(|error| refused("set the group again", error))?;
        setgroups(&own_groups).map_err(|error| refused("set the groups again", error))
    };
    let take_on = || {
        setgroups(&credentials.groups).map_err(|error| refused("set the groups", error))?;
        setegid(credentials.group.unwrap_or(own_group)).map_err(|error| refused("set the group", error))?;
        seteuid(credentials.user.unwrap_or(own)).map_err(|error| refused("set the user", error))
    };
    let done = take_on().map(|()| act());
    back()?;
    done
}

/// The way back to root, for as long as a start may still fail and must leave nothing behind. What is executed meanwhile
/// does not have it: an exec forgets the saved user.
#[derive(Debug, PartialEq, Eq)]
pub struct WayBack(());

/// Takes the credentials on as [`become_user`] does, but with a way back. `None` when there is nothing to go back to.
pub fn become_user_for_now(credentials: &Credentials) -> Result<Option<WayBack>, IdentityError> {
    let Some(user) = credentials.user.filter(|user| !user.is_root() && Uid::effective().is_root()) else {
        return become_user(credentials).map(|()| None);
    };
    let take_on = || {
        setgroups(&credentials.groups).map_err(|error| ("set the groups", error))?;
        if let Some(group) = credentials.group {
            setresgid(group, group, Gid::from_raw(0)).map_err(|error| ("set the group", error))?;
        }
        setresuid(user, user, Uid::from_raw(0)).map_err(|error| ("set the user", error))
    };
    match take_on() {
        Ok(()) => Ok(Some(WayBack(()))),
        Err((what, error)) => Err(refused(what, error)),
    }
}

impl WayBack {
    /// Does something as root and is the user again.
    pub fn as_root<T>(&self, act: impl FnOnce() -> T) -> Result<T, IdentityError> {
        seteuid(Uid::from_raw(0)).map_err(|error| refused("become root again", error))?;
        // Best effort: what is made belongs to root's group then, and else to the user's.
        let _ = setegid(Gid::from_raw(0));
        let done = act();
        let away = setegid(getgid()).and_then(|()| seteuid(getuid()));
        away.map_err(|error| refused("become the user again", error))?;
        Ok(done)
    }

    /// Gives it up for good. `keeps`: with the rights of root's that this process has, until it gives them up as well.
    pub fn give_up(self, keeps: bool) -> Result<(), IdentityError> {
        let (user, group) = (getuid(), getgid());
        capabilities::keep_over_change_of_user(keeps)
            .map_err(|error| IdentityError::Refused("keep capabilities", error))?;
        setresgid(group, group, group).map_err(|error| refused("set the group", error))?;
        setresuid(user, user, user).map_err(|error| refused("set the user", error))
    }
}

fn refused(what: &'static str, error: nix::Error) -> IdentityError {
    IdentityError::Refused(what, error.into())
}

/// Has what `command` executes begin with these credentials, and of root's rights with these only. They are taken on before
/// the program runs: not even an interpreter's own start-up has those of this process. Who is not root stays who it is.
pub fn execute_as(command: &mut Command, credentials: Credentials, kept: Option<u64>) -> Result<(), IdentityError> {
    judge(&credentials)?;
    if !Uid::effective().is_root() {
        return Ok(());
    }
    let take_on = move || {
        capabilities::keep_over_change_of_user(kept.is_some())?;
        set(&credentials).map_err(|(_, error)| io::Error::from(error))?;
        kept.map_or(Ok(()), capabilities::keep_only)
    };
    // SAFETY: between fork and exec only system calls are made; nothing is allocated and no lock is taken.
    unsafe { command.pre_exec(take_on) };
    Ok(())
}

/// Groups first: afterwards one may not. Without any credentials nothing happens. The error says what was refused.
fn set(credentials: &Credentials) -> Result<(), (&'static str, nix::Error)> {
    if credentials.user.is_none() && credentials.group.is_none() && credentials.groups.is_empty() {
        return Ok(());
    }
    setgroups(&credentials.groups).map_err(|error| ("set the groups", error))?;
    if let Some(group) = credentials.group {
        setgid(group).map_err(|error| ("set the group", error))?;
    }
    if let Some(user) = credentials.user {
        setuid(user).map_err(|error| ("set the user", error))?;
    }
    Ok(())
}
