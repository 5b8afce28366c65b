//! The queue that all processes of the instance share (uWSGI's manual, "The uWSGI queue framework").
//!
//! A section of the configuration. Not for what is done with it (`ring`). Pure; the master makes it, and workers use it.

pub use crate::ring::Settings as QueueSettings;
