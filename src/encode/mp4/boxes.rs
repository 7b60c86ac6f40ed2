//! Boxes (ISO/IEC 14496-12, 4.2) as bytes.

/// A box of these parts.
pub(super) fn boxed(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let content: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = Vec::with_capacity(8 + content);
    // Tables of a day of audio have a few megabytes, and no cover has 4 GiB.
    bytes.extend(u32::try_from(8 + content).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(kind);
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}

/// A box with a version and flags.
pub(super) fn full_box(kind: &[u8; 4], version: u8, flags: u32, parts: &[&[u8]]) -> Vec<u8> {
    let head = (u32::from(version) << 24 | flags).to_be_bytes();
    let parts: Vec<&[u8]> = [&head[..]].into_iter().chain(parts.iter().copied()).collect();
    boxed(kind, &parts)
}

/// Big-endian numbers.
pub(super) fn numbers(numbers: impl IntoIterator<Item = u32>) -> Vec<u8> {
    numbers.into_iter().flat_map(u32::to_be_bytes).collect()
}

/// The count of some entries, and the entries.
pub(super) fn list<E: AsRef<[u8]>>(entries: impl IntoIterator<Item = E>) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    let mut count = 0_u32;
    for entry in entries {
        bytes.extend_from_slice(entry.as_ref());
        count += 1;
    }
    bytes[..4].copy_from_slice(&count.to_be_bytes());
    bytes
}

/// Version 0 or 1 of a box with times up to this one, and the function that writes a time.
pub(super) fn time_width(largest: u64) -> (u8, impl Fn(u64) -> Vec<u8>) {
    let version = u8::from(largest > u64::from(u32::MAX));
    let write = move |time: u64| match version {
        // Not larger than `largest`.
        0 => (time as u32).to_be_bytes().to_vec(),
        _ => time.to_be_bytes().to_vec(),
    };
    (version, write)
}
