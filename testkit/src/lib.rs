//! What the tests of all packages share, in the test's process: results on record ([`recorded`]), where random tests
//! take their seeds from ([`seeds`]), and bytes that are nearly right ([`mutation`]).
//!
//! Nothing here knows rhinod. Instances, nginx and clients for tests of whole servers are in `tests/servers/harness`.

pub mod mutation;
pub mod recorded;
pub mod seeds;
