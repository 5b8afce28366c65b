//! Where this program is, for what is executed from there: zygotes, vassals, the next images of a master and of an Emperor.
//! Master and Emperor.
//!
//! By the name that it was called by, if that leads to it: where the name leads over a link that a deployment switches,
//! the next generation has the next release's program, also when the one of the start is deleted.

use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The path, from when it started: after an upgrade it leads to the new binary. `name`: by which it was called, `start`: in
/// which directory.
///
/// # Errors
/// What the system says where the name does not lead to it.
pub fn own_path(name: &OsStr, start: &Path) -> io::Result<PathBuf> {
    let search_path = std::env::var_os("PATH").unwrap_or_default();
    match called_by(name, start, &search_path, Path::new("/proc/self/exe")) {
        Some(path) => Ok(path),
        None => told_by_kernel(),
    }
}

/// The path that a name stands for, if it leads to the file that runs.
fn called_by(name: &OsStr, start: &Path, search_path: &OsStr, running: &Path) -> Option<PathBuf> {
    let identity = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
    let own = identity(running)?;
    let name = Path::new(name);
    let candidates: Vec<PathBuf> = match name.components().count() {
        1 if name.is_relative() => {
            std::env::split_paths(search_path).map(|directory| start.join(directory).join(name)).collect()
        }
        _ => vec![start.join(name)],
    };
    candidates.into_iter().find(|path| identity(path) == Some(own))
}

fn told_by_kernel() -> io::Result<PathBuf> {
    let path = std::env::current_exe()?;
    // A binary that was replaced since is shown by the kernel with this mark; the path itself leads to the new one.
    let text = path.to_string_lossy();
    Ok(text.strip_suffix(" (deleted)").map(PathBuf::from).unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_found_by_the_name_it_was_called_by() {
        let base = tempfile::tempdir().unwrap();
        let release = base.path().join("releases/1");
        std::fs::create_dir_all(&release).unwrap();
        std::fs::write(release.join("run"), "").unwrap();
        std::os::unix::fs::symlink(&release, base.path().join("current")).unwrap();
        let running = release.join("run");
        let path = std::env::join_paths([Path::new("/nowhere"), &base.path().join("current")]).unwrap();
        let find = |name: &str| called_by(OsStr::new(name), base.path(), &path, &running);
        for name in ["run", "current/run"] {
            assert_eq!(find(name), Some(base.path().join("current/run")), "{name}");
        }
        assert_eq!(find("sh"), None, "another program");
        assert_eq!(find("./run"), None, "a name with a slash is not looked for in PATH");
    }
}
