//! Page sizes of lists.

/// Sessions per page: the default and the limit.
pub(crate) const PAGE_SIZE: u32 = 50;
pub(crate) const MAX_PAGE_SIZE: u32 = 500;

/// The page size for a request: the default for 0, limited to [`MAX_PAGE_SIZE`].
pub(crate) fn page_size(wanted: u32) -> usize {
    let size = if wanted == 0 { PAGE_SIZE } else { wanted };
    size.min(MAX_PAGE_SIZE) as usize
}
