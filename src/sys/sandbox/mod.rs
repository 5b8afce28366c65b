//! Bounds that a process takes on for good, for itself and all that it makes: system calls that are refused (`calls`), and
//! the files that are left (`files`). With either it never gets more rights either. Zygote.
//!
//! They hold for the thread that takes them on, so that there must be no other yet.

pub mod calls;
pub mod files;
