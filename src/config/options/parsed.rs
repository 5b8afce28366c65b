//! A value that fits its option, and why another one does not.
//!
//! Not for reading text (`kind`). Pure; runs wherever a configuration is read.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::model::Address;

/// A valid value.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed<'a> {
    /// The text as given; empty for a bare flag.
    pub text: &'a str,
    /// The number it stands for: 0 or 1 of a switch, bytes of a size, milliseconds of a time, bits of a mode.
    pub number: i64,
    /// The address it stands for, of [`Kind::Address`](super::Kind::Address).
    pub address: Option<Address>,
    /// What the operator should know although the value is valid.
    pub remark: Option<String>,
}

/// Why a value does not fit its option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// What was expected, to follow "expected".
    pub expected: String,
    /// What may have been meant.
    pub hint: Option<String>,
}

impl<'a> Parsed<'a> {
    pub(super) fn new(text: &'a str, number: i64) -> Parsed<'a> {
        Parsed { text, number, address: None, remark: None }
    }

    /// A switch that is on.
    pub fn on(&self) -> bool {
        self.number != 0
    }

    /// A number or size; zero for what has none.
    pub fn size(&self) -> usize {
        usize::try_from(self.number).unwrap_or(0)
    }

    /// A number or size; zero for what has none.
    pub fn amount(&self) -> u64 {
        u64::try_from(self.number).unwrap_or(0)
    }

    /// A number or size, `None` when it is zero and zero means off.
    pub fn unless_zero(&self) -> Option<u64> {
        Some(self.amount()).filter(|amount| *amount > 0)
    }

    /// A time.
    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.amount())
    }

    /// A time, `None` when it is zero and zero means off.
    pub fn duration_unless_zero(&self) -> Option<Duration> {
        Some(self.duration()).filter(|time| !time.is_zero())
    }

    /// A path as given.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(self.text)
    }

    /// The text, owned.
    pub fn string(&self) -> String {
        self.text.to_owned()
    }

    /// Both sides of the first `=`; the right one empty without any.
    pub fn pair(&self) -> (String, String) {
        let (key, value) = self.text.split_once('=').unwrap_or((self.text, ""));
        (key.to_owned(), value.to_owned())
    }
}

impl Unfit {
    pub(super) fn new(expected: impl Into<String>) -> Unfit {
        Unfit { expected: expected.into(), hint: None }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Unfit {
        self.hint = Some(hint.into());
        self
    }
}
