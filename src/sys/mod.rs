//! System calls, and the only unsafe code of the server: descriptors, shared memory, processes, sockets, signals.
//!
//! Runs in every process. Nothing here decides anything; each function does one thing and says what went wrong.
#![allow(unsafe_code)]

pub mod belongings;
pub mod beneath;
pub mod capabilities;
pub mod certificates;
mod cgroup;
pub mod clock;
pub mod control;
pub mod datagrams;
pub mod files;
pub mod foreign;
pub mod forks;
pub mod ground;
pub mod handing;
pub mod holder;
pub mod identity;
pub mod impatient;
pub mod journal;
pub mod kept_memory;
pub mod line;
pub mod listeners;
pub mod loan;
pub mod machine;
pub mod mailbox;
pub mod memory;
pub mod own_path;
pub mod pipe;
pub mod process;
pub mod processes;
pub mod queue;
pub mod resources;
pub mod robust_lock;
pub mod room;
pub mod sandbox;
pub mod shared_memory;
pub mod signals;
pub mod signpost;
pub mod spawn;
pub mod stack;
pub mod stream;
pub mod task_files;
pub mod thread;
pub mod time_zone;
pub mod title;
pub mod unlinked;
pub mod visitors;
pub mod wait;
