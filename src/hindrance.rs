//! What stood in the way of a file or a program, for the message that an operator reads: which directory, which user, and
//! what to do about it. Looked up after something has failed, by the process in which it has.

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::config::Host;
use crate::config::foresight::way::Ways;
use crate::config::ground::{Access, Ground, Who};
use crate::sys::ground::Grounds;

/// An error with what stood in the way to a path, as far as that can be told.
pub(crate) fn explain(path: &Path, access: Access, error: &io::Error) -> String {
    explain_to(Who::Starter, path, access, error)
}

/// The same for what was tried as somebody else.
pub(crate) fn explain_to(who: Who<'_>, path: &Path, access: Access, error: &io::Error) -> String {
    if !matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::NotFound | ErrorKind::NotADirectory) {
        return error.to_string();
    }
    let Ok(path) = std::path::absolute(path) else { return error.to_string() };
    match hindrance(who, &path, access) {
        Some(hindrance) => format!("{error}: {hindrance}"),
        None => error.to_string(),
    }
}

/// Whether a directory on the way to a path is closed to somebody.
pub(crate) fn is_closed_to(who: Who<'_>, path: &Path) -> bool {
    let (world, ground) = (Host::new(), Grounds { embeds_application: false });
    (Ways { world: &world, ground: &ground }).obstacle(who, path).is_some()
}

fn hindrance(who: Who<'_>, path: &Path, access: Access) -> Option<String> {
    let (world, ground) = (Host::new(), Grounds { embeds_application: false });
    let name = ground.name_of(who);
    if let Some(obstacle) = (Ways { world: &world, ground: &ground }).obstacle(who, path) {
        return Some(format!("{obstacle}; {}", obstacle.remedy()));
    }
    let refused = |path: &Path, access| ground.access(who, path, access).is_err();
    match access {
        Access::Write if !path.exists() => {
            let directory = path.parent().filter(|directory| refused(directory, Access::Write))?.display();
            Some(format!(
                "{name} may not make files in {directory}; chown {directory} to the user, or name another directory"
            ))
        }
        Access::Write => refused(path, Access::Write).then(|| format!("{name} may not write to it; chown or chmod it")),
        Access::Execute => {
            let is_closed = path.exists() && refused(path, Access::Execute);
            is_closed.then(|| format!("{name} may not execute it; chmod o+rx {}", path.display()))
        }
        Access::Read => {
            refused(path, Access::Read).then(|| format!("{name} may not read it; chmod o+r {}", path.display()))
        }
    }
}
