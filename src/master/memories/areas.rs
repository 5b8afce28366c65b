//! The memories of shared areas (`sharedarea`): bytes that are the application's alone. Master only.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::rc::Rc;

use nix::fcntl::OFlag;

use super::{Memories, Memory, Shape};
use crate::config::model::{Area, PAGE_BYTES};
use crate::failure::StartFailure;
use crate::sys::files::open_to_write;
use crate::sys::process::duplicate_descriptor;
use crate::sys::shared_memory::SharedWords;

impl Memories {
    /// The memory of an area: that which there is, if it fits.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn area(&self, number: usize, area: &Area) -> Result<Memory, StartFailure> {
        let (name, shape) = (Area::memory_name(number), Shape::Area(area.clone()));
        if let Some(found) = self.found(&name, &shape) {
            return Ok(found.clone());
        }
        let made = make(area).map_err(|error| {
            StartFailure::file(format!("cannot make the sharedarea {number}: {error}")).about("sharedarea")
        })?;
        log::info!("sharedarea {number} created ({} pages)", area.bytes.div_ceil(PAGE_BYTES));
        Ok(Memory { name, shape, words: Rc::new(made), disk: None })
    }
}

fn make(area: &Area) -> io::Result<SharedWords> {
    let descriptor = match (&area.file, area.descriptor) {
        (Some(path), _) => of_file(path).map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?,
        (None, Some(number)) => duplicate_descriptor(number)
            .map_err(|error| io::Error::other(format!("there is no descriptor {number}: {error}")))?,
        (None, None) => {
            let words = usize::try_from(area.bytes.div_ceil(size_of::<u64>() as u64)).map_err(io::Error::other)?;
            return SharedWords::named(c"rhinod-sharedarea", words);
        }
    };
    let found = u64::try_from(nix::sys::stat::fstat(&descriptor)?.st_size).unwrap_or(0);
    let expected = area.offset.saturating_add(area.bytes);
    if found < expected {
        // What lies behind the end of a file ends whoever looks at it (SIGBUS, mmap(2)).
        return Err(io::Error::other(format!("it has {found} bytes, and the area ends at {expected}")));
    }
    SharedWords::map(descriptor)
}

/// It must be there.
fn of_file(path: &Path) -> io::Result<OwnedFd> {
    std::fs::metadata(path)?;
    open_to_write(path, OFlag::O_RDWR, 0o600).map(OwnedFd::from)
}
