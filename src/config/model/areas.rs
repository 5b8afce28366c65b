//! Areas of memory that applications share byte by byte (uWSGI's manual, "SharedArea – share memory pages between uWSGI
//! components").
//!
//! A section of the configuration. Pure; the master makes them, and applications use them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Bytes of a page, which is what areas are measured in.
pub const PAGE_BYTES: u64 = 4_096;

/// One area (`sharedarea`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Area {
    /// How many bytes it has: whole pages.
    pub bytes: u64,
    /// The file whose bytes they are.
    pub file: Option<PathBuf>,
    /// The descriptor of the start whose bytes they are.
    pub descriptor: Option<i32>,
    /// Where in the file they begin.
    pub offset: u64,
    /// Whether the application gets it as an object as well (`py-sharedarea`).
    pub is_object: bool,
}

impl Area {
    /// What the memory of the area with this number is called on the way to a zygote.
    pub fn memory_name(number: usize) -> String {
        format!("sharedarea {number}")
    }
}
