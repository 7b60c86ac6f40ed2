//! Writes bits, the highest first.

/// Bytes that are filled bit by bit.
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    /// The last bits, fewer than eight, in the lowest places.
    pending: u64,
    pending_bits: u32,
}

impl BitWriter {
    /// A writer that holds so many bytes without growing.
    pub(super) fn with_capacity(bytes: usize) -> BitWriter {
        BitWriter { bytes: Vec::with_capacity(bytes), pending: 0, pending_bits: 0 }
    }

    /// Appends the lowest `bits` bits of `value`, at most 32; the others must be 0.
    pub(super) fn push(&mut self, value: u32, bits: u32) {
        debug_assert!(bits <= 32 && u64::from(value) < 1 << bits);
        self.pending = self.pending << bits | u64::from(value);
        self.pending_bits += bits;
        while self.pending_bits >= 8 {
            self.pending_bits -= 8;
            self.bytes.push((self.pending >> self.pending_bits) as u8);
        }
        self.pending &= (1 << self.pending_bits) - 1;
    }

    /// Removes all bits.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        (self.pending, self.pending_bits) = (0, 0);
    }

    /// Bits written.
    pub(super) fn bits(&self) -> usize {
        8 * self.bytes.len() + self.pending_bits as usize
    }

    /// All bytes, the last one filled up with zeros.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.push(0, (8 - self.pending_bits) % 8);
        self.bytes
    }
}
