//! The `ringhold` program: a thin caller of the library.

fn main() {}
