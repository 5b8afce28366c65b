//! rhinod: a pre-fork application server with adaptive worker scaling.

pub mod config;
pub mod scaling;
pub mod simulate;
