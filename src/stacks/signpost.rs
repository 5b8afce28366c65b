//! What a Python process says of itself to whoever reads its memory: four words on a page that stands in its list of mappings under
//! a name. They hold for its forks, too, since what they name is where it was in a fork. Pure; written in a zygote.

/// The name of the page.
pub const SIGNPOST: &str = "rhinod-interpreter";

/// What the page begins with; the last byte is the version of what follows.
const MAGIC: u64 = u64::from_be_bytes(*b"rhinod\0\x01");

/// Where an interpreter has what is read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signpost {
    /// The address of `_PyRuntime`.
    pub runtime: u64,
    /// The address of `PyCode_Type`, by which code is told from anything else.
    pub code_type: u64,
    /// `PY_VERSION_HEX`.
    pub version: u64,
}

impl Signpost {
    /// How many bytes it takes.
    pub const BYTES: usize = 32;

    /// As the page has it.
    pub fn bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        for (place, word) in bytes.chunks_exact_mut(8).zip([MAGIC, self.runtime, self.code_type, self.version]) {
            place.copy_from_slice(&word.to_ne_bytes());
        }
        bytes
    }

    /// From such a page; `None` where it is none, or another version's.
    pub fn read(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let mut words = bytes.chunks_exact(8).map(|word| u64::from_ne_bytes(word.try_into().unwrap_or_default()));
        (words.next()? == MAGIC).then_some(())?;
        Some(Self { runtime: words.next()?, code_type: words.next()?, version: words.next()? })
    }

    /// Major and minor version.
    pub fn python(&self) -> (u8, u8) {
        let [_, _, _, _, major, minor, ..] = self.version.to_be_bytes();
        (major, minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_anything_else_is_none() {
        let signpost = Signpost { runtime: 1 << 40, code_type: 7, version: 0x030b_02f0 };
        assert_eq!(Signpost::read(&signpost.bytes()), Some(signpost));
        assert_eq!(signpost.python(), (3, 11));
        assert_eq!(Signpost::read(&[0; 32]), None);
    }
}
