//! The load generator: what `make bench` measures with, and what the tests ask servers with.
//!
//! [`packet`] builds requests, [`client`] sends them; the `loadgen` command is both, usable against any uwsgi or HTTP
//! server. It shares no code with the server's codec: a mistake made on both sides would go unseen. It does not depend
//! on `rhinod` either, so that tests which use it are compiled beside it.

pub mod client;
pub mod packet;
