//! The master process: the driver around the pure state machine.

pub mod machine;
