//! Where the workspace is, on this machine and now.

use std::ffi::OsString;
use std::path::PathBuf;

/// The root of the clone that this chore was started in.
///
/// Cargo names the package's directory when it runs a program; what was compiled in is for a program that is
/// started by hand.
pub fn root() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    let mut root = PathBuf::from(package);
    root.pop();
    root
}

/// The cargo that runs us, so that every step uses the same toolchain.
pub fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}
