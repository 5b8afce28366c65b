//! How large a ring is, and where in its memory what stands.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// `RHQU` and the version of the layout.
const FORMAT: u64 = 0x5248_5155_0000_0002;

/// Words at the beginning that belong to the lock.
pub const LOCK_WORDS: usize = 16;

/// Words of the header, those of the lock included.
const HEADER_WORDS: usize = 32;

/// Words of a block in front of its item: the checksum.
pub(super) const CHECKSUM_WORDS: usize = 1;

/// What uWSGI keeps in front of each item, within the size that is configured.
const ITEM_HEAD_BYTES: u64 = 16;

/// Most bytes that are laid out: more than any machine has, and far from where numbers wrap.
const BYTES_MAX: u128 = 1 << 46;

/// What is configured (`queue` and its relatives).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Slots; 0: there is no queue.
    pub slots: u64,
    /// Bytes of a slot, 16 of which are not for its item.
    pub block_bytes: u64,
    /// The file that keeps it.
    pub store: Option<PathBuf>,
    /// How often that is brought to the disk, in seconds; 0: when the kernel does.
    pub store_sync_s: u64,
}

impl Settings {
    /// What its memory is called on the way to a zygote.
    pub const MEMORY_NAME: &'static str = "queue";
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { slots: 0, block_bytes: 8_192, store: None, store_sync_s: 0 }
    }
}

/// The numbers that say how a ring is laid out. Two rings of one geometry have the same layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Geometry {
    format: u64,
    pub(super) slots: u32,
    block_bytes: u64,
}

/// Why there can be no such ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// No memory has room for it.
    #[error("such a queue would need {0} bytes")]
    TooLarge(u128),
    /// No item has room in a slot.
    #[error("slots of {0} bytes have no room for an item: 16 of them are not for it")]
    TooSmall(u64),
}

/// Where what stands, in words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places {
    pub(super) slots: usize,
    pub(super) blocks: usize,
    pub(super) block_words: usize,
}

impl Geometry {
    /// What is configured.
    ///
    /// # Errors
    /// Why that cannot be.
    pub fn of(settings: &Settings) -> Result<Self, Unfit> {
        let Settings { slots, block_bytes, .. } = *settings;
        if block_bytes <= ITEM_HEAD_BYTES {
            return Err(Unfit::TooSmall(block_bytes));
        }
        let bytes = (u128::from(slots) + 1) * (u128::from(block_bytes) + 16) + HEADER_WORDS as u128 * 8;
        let slots = u32::try_from(slots).ok().filter(|_| bytes <= BYTES_MAX && block_bytes <= u64::from(u32::MAX));
        let slots = slots.ok_or(Unfit::TooLarge(bytes))?;
        Ok(Self { format: FORMAT, slots, block_bytes })
    }

    /// Most bytes of an item.
    pub fn item_bytes(&self) -> usize {
        usize::try_from(self.block_bytes.saturating_sub(ITEM_HEAD_BYTES)).unwrap_or(0)
    }

    /// How many words of memory it needs.
    pub fn words(&self) -> usize {
        let Places { blocks, block_words, .. } = self.places();
        blocks + (self.slots as usize + 1) * block_words
    }

    pub(super) fn places(&self) -> Places {
        let slots = HEADER_WORDS;
        Places {
            slots,
            blocks: slots + self.slots as usize,
            block_words: CHECKSUM_WORDS + self.item_bytes().div_ceil(8),
        }
    }

    /// The numbers that stand in the header, for whoever finds the memory again.
    pub(super) fn numbers(&self) -> [u64; 4] {
        [self.format, self.slots.into(), self.block_bytes, 0]
    }
}
