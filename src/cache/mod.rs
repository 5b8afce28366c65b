//! A cache in shared memory: how it is laid out, and everything that is done with it (uWSGI's manual, "The uWSGI caching
//! framework"). Pure: words of memory, a lock and the time come in as arguments.
//!
//! Reading takes no lock. What is linked never changes: whoever writes fills a slot of its own and swaps one word, the link
//! that leads to the entry; a number that counts such swaps tells a reader that what it has read may have gone meanwhile
//! (`chains`). So no entry is ever half seen, and no reader waits for a writer.
//!
//! Writing takes a lock that the kernel gives back when its owner dies. A writer notes the slots that it is about to take
//! and to give back before it does; from these two words the next one finishes or undoes what was left (`recovery`).
//!
//! Nothing that stands in the memory is believed: an application may have written anything there. Places outside are read
//! as zero, and walks are bounded.

mod blocks;
mod chains;
mod entry;
mod figures;
mod geometry;
mod handle;
mod lifetime;
mod making;
mod memory;
mod policy;
mod reading;
mod recovery;
mod room;
mod settings;
mod writing;

#[cfg(test)]
mod tests;

pub use figures::Figures;
pub use geometry::{Geometry, Layout, TooLarge};
pub use handle::{Cache, Lock};
pub use lifetime::{Asked, Clock, expiry};
pub use making::{create, figures, reopen};
pub use memory::{Foreign, LOCK_WORDS};
pub use policy::Policy;
pub use reading::Found;
pub use settings::Settings;
pub use writing::{Arithmetic, Outcome};
