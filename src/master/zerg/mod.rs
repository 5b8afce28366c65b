//! Listening sockets that several instances share (uWSGI's manual, "Zerg mode"): taken from others at the start, held for
//! others, and given to whoever comes for them. What travels is in `sys::handing`. Master only.

mod giving;
mod pools;
mod taking;

pub(super) use pools::Pools;
pub(super) use taking::take_sockets;
