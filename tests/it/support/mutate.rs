//! Reproducible damage.

/// SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Debug, Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `most`.
    pub fn below(&mut self, most: u64) -> u64 {
        self.next() % most.max(1)
    }

    fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }
}

/// One to four kinds of damage, more often near the front, where headers are.
pub fn mutate(original: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..=random.below(4) {
        if bytes.is_empty() {
            break;
        }
        let reach = if random.below(2) == 0 { bytes.len().min(400) } else { bytes.len() };
        let at = random.index(reach);
        let length = (1 + random.index(64)).min(bytes.len() - at);
        match random.below(8) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][random.index(6)],
            2 => bytes[at..at + length].fill([0, 0xff][random.index(2)]),
            3 => bytes[at..at + length].fill_with(|| random.next() as u8),
            4 => bytes.truncate(at),
            5 => drop(bytes.drain(at..at + length)),
            6 => {
                let copy = bytes[at..at + length].to_vec();
                let to = random.index(bytes.len());
                bytes.splice(to..to, copy);
            }
            _ => {
                // A size or a count of extremes, in either byte order.
                let value =
                    [0, 1, 255, 65_535, 0x7fff_ffff, u32::MAX - 1, u32::MAX][random.index(7)];
                let value = [value.to_be_bytes(), value.to_le_bytes()][random.index(2)];
                let end = bytes.len().min(at + 4);
                bytes[at..end].copy_from_slice(&value[..end - at]);
            }
        }
    }
    bytes
}

/// Corrects the checksums of Ogg pages, so that damage reaches the codec.
pub fn mend_ogg(bytes: &mut [u8]) {
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(4).position(|window| window == b"OggS") {
        at += found;
        let Some(&segments) = bytes.get(at + 26) else { return };
        let lengths = at + 27..at + 27 + usize::from(segments);
        let Some(held) = bytes.get(lengths.clone()) else { return };
        let end = lengths.end + held.iter().map(|&length| usize::from(length)).sum::<usize>();
        if let Some(page) = bytes.get_mut(at..end) {
            page[22..26].fill(0);
            let crc = page.iter().fold(0_u32, |crc, &byte| {
                (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| {
                    crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 }
                })
            });
            page[22..26].copy_from_slice(&crc.to_le_bytes());
        }
        at += 4;
    }
}
