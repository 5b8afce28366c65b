//! What stands in the way to a path: the first directory that is missing or that somebody may not go through, links
//! followed. Pure but for what it asks; runs in `rhinod check`, and in the master for what a message says.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::config::ground::{Access, Ground, Who};
use crate::config::world::{Kind, World};

/// What stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// Nothing is there.
    Missing(PathBuf),
    /// It is no directory.
    NoDirectory(PathBuf),
    /// It is, and who is named may not go through it.
    Closed(PathBuf, String),
}

impl Obstacle {
    /// What the operator may do about it.
    pub fn remedy(&self) -> String {
        match self {
            Self::Missing(path) if path.starts_with("/run") || path.starts_with("/var/run") => {
                let name = path.file_name().unwrap_or_default().display();
                format!(
                    "make it at each boot: RuntimeDirectory={name} in a unit of systemd, or a line of tmpfiles.d; now: \
                     mkdir {} and chown it to the user",
                    path.display()
                )
            }
            Self::Missing(path) => format!("make it (mkdir -p {}) or name another one", path.display()),
            Self::NoDirectory(_) => "name a directory".to_owned(),
            Self::Closed(path, _) => {
                format!("let the user in (chmod o+x {0}), or move what lies below {0}", path.display())
            }
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => write!(out, "there is no {}", path.display()),
            Self::NoDirectory(path) => write!(out, "{} is not a directory", path.display()),
            Self::Closed(path, name) => write!(out, "{name} may not go through the directory {}", path.display()),
        }
    }
}

/// Where somebody goes, and who may go where.
#[derive(Clone, Copy)]
pub struct Ways<'a> {
    /// What there is.
    pub world: &'a dyn World,
    /// Who may do what with it.
    pub ground: &'a dyn Ground,
}

impl Ways<'_> {
    /// What keeps somebody from getting at what has this absolute path. That it is missing itself is not looked at.
    pub fn obstacle(&self, who: Who<'_>, path: &Path) -> Option<Obstacle> {
        let directory = path.parent()?;
        self.obstacle_through(who, directory).or_else(|| {
            let real = self.world.resolve(path).or_else(|_| self.world.resolve(directory).map(|real| real.join("x")));
            let real = real.ok().filter(|real| real != path)?;
            self.obstacle_through(who, real.parent()?)
        })
    }

    /// What keeps somebody from being in a directory.
    pub fn obstacle_into(&self, who: Who<'_>, directory: &Path) -> Option<Obstacle> {
        self.obstacle(who, &directory.join("x"))
    }

    fn obstacle_through(&self, who: Who<'_>, directory: &Path) -> Option<Obstacle> {
        let mut steps: Vec<&Path> = directory.ancestors().collect();
        steps.reverse();
        steps.into_iter().find_map(|step| {
            // From the top, so that what cannot be seen is told by what hides it.
            match self.world.look(step) {
                None => Some(Obstacle::Missing(step.to_owned())),
                Some(sight) if sight.kind != Kind::Directory => Some(Obstacle::NoDirectory(step.to_owned())),
                Some(_) => {
                    let closed = self.ground.access(who, step, Access::Execute).is_err();
                    closed.then(|| Obstacle::Closed(step.to_owned(), self.ground.name_of(who)))
                }
            }
        })
    }
}

/// What to do where a port is kept for root.
pub fn low_port(port: u16) -> String {
    format!(
        "ports below 1024 are root's: take one above and let the web server have {port}, or AmbientCapabilities=\
         CAP_NET_BIND_SERVICE in a unit of systemd"
    )
}
