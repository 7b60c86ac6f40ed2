//! How long a page of a list is.

/// Sessions on a page of the list: by default, and at most.
pub(crate) const PAGE_SIZE: u32 = 50;
const MAX_PAGE_SIZE: u32 = 500;

/// As many as were asked for, within reason.
pub(crate) fn page_size(wanted: u32) -> usize {
    let size = if wanted == 0 { PAGE_SIZE } else { wanted };
    size.min(MAX_PAGE_SIZE) as usize
}
