//! The unsafe corner of the extension module: what PyO3 has no safe name for, and lending a request to Python objects.
//!
//! Everything else in this crate is safe code. Zygote and worker.

#![allow(unsafe_code)]

pub(crate) mod accept_loop;
pub(crate) mod descriptor;
pub(crate) mod fork;
pub(crate) mod immortal;
pub(crate) mod interrupt;
pub(crate) mod landmarks;
pub(crate) mod lease;
pub(crate) mod quick;
pub(crate) mod text;
