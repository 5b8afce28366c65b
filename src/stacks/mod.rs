//! Where the threads of a Python interpreter are, read out of its memory from outside while it goes on: no thread is stopped, and
//! nothing is loaded into it. Whatever stands there may be anything: every length and every walk has a bound.
//!
//! Not for getting at the memory (`sys::foreign`). Pure; used by `rhinod stacks` and `rhinod profile`, but for the signpost, which
//! the zygote of a Python application puts up.

mod code;
mod flames;
mod kernel_numbers;
mod layout;
mod line_table;
mod memory;
mod signpost;
mod walk;

pub use flames::Flames;
pub use kernel_numbers::fill_in;
pub use layout::Unreadable;
pub use memory::Memory;
pub use signpost::{SIGNPOST, Signpost};
pub use walk::{Frame, Reader, Thread};
