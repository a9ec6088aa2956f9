//! Only a shell while this branch stands alone.
fn main() {}
