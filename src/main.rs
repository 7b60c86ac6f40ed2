//! The `stemwire` command.
fn main() {}
