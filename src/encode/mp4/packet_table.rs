//! Where the packets of a track are (ISO/IEC 14496-12, 8.6 and 8.7).

use std::io;

use super::boxes::{full_box, list, numbers};

/// Sizes and places of packets. A chunk is a run of them in the file.
#[derive(Default)]
pub(super) struct PacketTable {
    sizes: Vec<u32>,
    /// Offset of each chunk, and its packets.
    chunks: Vec<(u64, u32)>,
}

impl PacketTable {
    /// Adds a packet of so many bytes to the next chunk.
    pub(super) fn push(&mut self, bytes: u32) {
        self.sizes.push(bytes);
    }

    /// Adds a chunk of the last `packets` packets at this offset.
    pub(super) fn end_chunk(&mut self, offset: u64, packets: u32) {
        self.chunks.push((offset, packets));
    }

    /// Bytes of the largest packet.
    pub(super) fn largest(&self) -> u32 {
        self.sizes.iter().copied().max().unwrap_or(0)
    }

    /// Bits per second.
    pub(super) fn bit_rate(&self, duration: u64, rate: u32) -> u32 {
        let bytes: u64 = self.sizes.iter().map(|&size| u64::from(size)).sum();
        let bits = u128::from(bytes) * 8 * u128::from(rate) / u128::from(duration.max(1));
        u32::try_from(bits).unwrap_or(u32::MAX)
    }

    /// Leaves out packets behind this duration, as encoders append them.
    ///
    /// # Errors
    /// `InvalidData` if the packets are shorter.
    pub(super) fn cut(&mut self, duration: u64, packet_frames: u32) -> io::Result<()> {
        let needed = duration.div_ceil(u64::from(packet_frames)) as usize;
        if self.sizes.len() < needed {
            let text =
                format!("the encoder returned {} packets instead of {needed}", self.sizes.len());
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let mut surplus = (self.sizes.len() - needed) as u32;
        self.sizes.truncate(needed);
        while surplus > 0 {
            let Some((_, packets)) = self.chunks.last_mut() else { break };
            let cut = surplus.min(*packets);
            *packets -= cut;
            surplus -= cut;
            if *packets == 0 {
                self.chunks.pop();
            }
        }
        Ok(())
    }

    /// The boxes `stts`, `stsc`, `stsz`, and `stco` or `co64`, given the duration of all packets and of each but the last.
    pub(super) fn boxes(&self, duration: u64, packet_frames: u32) -> Vec<u8> {
        let packets = self.sizes.len() as u32;
        let last = match self.sizes.len() {
            0 => 0,
            // Within a packet, by `cut`.
            packets => (duration - (packets as u64 - 1) * u64::from(packet_frames)) as u32,
        };
        let durations = match packets {
            0 => Vec::new(),
            _ if last == packet_frames => vec![[packets, packet_frames]],
            1 => vec![[1, last]],
            _ => vec![[packets - 1, packet_frames], [1, last]],
        };
        let durations = durations.into_iter().map(numbers);
        let sizes = numbers([0, packets].into_iter().chain(self.sizes.iter().copied()));
        [
            full_box(b"stts", 0, 0, &[&list(durations)]),
            full_box(b"stsc", 0, 0, &[&list(self.runs().into_iter().map(numbers))]),
            full_box(b"stsz", 0, 0, &[&sizes]),
            self.offsets(),
        ]
        .concat()
    }

    /// Runs of chunks of equally many packets: the number of the first one, the packets, and the sample entry.
    fn runs(&self) -> Vec<[u32; 3]> {
        let mut runs: Vec<[u32; 3]> = Vec::new();
        for (&(_, packets), number) in self.chunks.iter().zip(1..) {
            if runs.last().is_none_or(|run| run[1] != packets) {
                runs.push([number, packets, 1]);
            }
        }
        runs
    }

    fn offsets(&self) -> Vec<u8> {
        let offsets = self.chunks.iter().map(|&(offset, _)| offset);
        match self.chunks.last() {
            Some(&(last, _)) if last > u64::from(u32::MAX) => {
                full_box(b"co64", 0, 0, &[&list(offsets.map(u64::to_be_bytes))])
            }
            _ => full_box(
                b"stco",
                0,
                0,
                &[&list(offsets.map(|offset| (offset as u32).to_be_bytes()))],
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(sizes: usize, chunks: &[(u64, u32)]) -> PacketTable {
        PacketTable { sizes: vec![7; sizes], chunks: chunks.to_vec() }
    }

    #[test]
    fn packets_behind_the_end_are_left_out() {
        let mut packets = table(5, &[(10, 2), (20, 2), (30, 1)]);
        packets.cut(2049, 1024).unwrap();
        assert_eq!((packets.sizes.len(), &packets.chunks[..]), (3, &[(10, 2), (20, 1)][..]));
        packets.cut(2048, 1024).unwrap();
        assert_eq!(packets.chunks, [(10, 2)]);
        let error = packets.cut(2049, 1024).unwrap_err();
        assert_eq!(error.to_string(), "the encoder returned 2 packets instead of 3");
        packets.cut(0, 1024).unwrap();
        assert!(packets.sizes.is_empty() && packets.chunks.is_empty());
    }

    #[test]
    fn offsets_beyond_4_gib_have_64_bits() {
        let kind = |offset| table(1, &[(offset, 1)]).offsets()[4..8].to_vec();
        assert_eq!(kind(u64::from(u32::MAX)), b"stco");
        assert_eq!(kind(u64::from(u32::MAX) + 1), b"co64");
    }

    #[test]
    fn chunks_of_equal_length_are_one_run() {
        let packets = table(9, &[(0, 3), (1, 3), (2, 2), (3, 1)]);
        assert_eq!(packets.runs(), [[1, 3, 1], [3, 2, 1], [4, 1, 1]]);
    }
}
