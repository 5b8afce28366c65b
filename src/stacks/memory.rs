//! Numbers and blocks out of a memory that is not ours: an address may lead nowhere, and what stands there is believed for no
//! more than what it is. Pure; the operator's process.

/// The memory of another process.
pub trait Memory {
    /// Fills `bytes` with what stands from `address` on. False: not all of it can be read.
    fn read(&self, address: u64, bytes: &mut [u8]) -> bool;
}

/// So many bytes from an address on.
pub(super) fn block(memory: &dyn Memory, address: u64, length: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; length];
    (address != 0 && memory.read(address, &mut bytes)).then_some(bytes)
}

/// The word `offset` bytes behind an address.
pub(super) fn word(memory: &dyn Memory, address: u64, offset: usize) -> Option<u64> {
    let mut bytes = [0; 8];
    let address = address.checked_add(offset as u64).filter(|_| address != 0)?;
    memory.read(address, &mut bytes).then(|| u64::from_ne_bytes(bytes))
}

/// A word of a block.
pub(super) fn word_in(block: &[u8], offset: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(block.get(offset..offset.checked_add(8)?)?.try_into().ok()?))
}

/// A number of 32 bits in a block.
pub(super) fn number_in(block: &[u8], offset: usize) -> Option<i32> {
    Some(i32::from_ne_bytes(block.get(offset..offset.checked_add(4)?)?.try_into().ok()?))
}
