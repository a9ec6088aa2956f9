//! Every chore of the project: `cargo xtask test`.

fn main() {}
