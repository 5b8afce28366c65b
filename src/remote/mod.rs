//! Asking other instances, and other servers, for something: one connection for each question, and a deadline for each step of
//! it. Any process.
//!
//! - `line` is the connection.
//! - `functions` calls what another instance has (`rpc-allow-from`).
//! - `caches` asks a cache of another instance (`cache-allow-from`).

mod caches;
mod functions;
mod line;

pub use caches::{CacheCommand, CacheQuestion, ask_cache};
pub use functions::call;
pub(crate) use line::Line;
