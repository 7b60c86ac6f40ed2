//! Weight files as their authors publish them.

pub(crate) mod tensorflow;
