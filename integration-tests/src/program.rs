//! Which `ringhold` program is under test.

use std::path::PathBuf;

/// `RINGHOLD_BIN`, or the program that was built beside this test.
///
/// # Panics
/// When there is none: it says how to build it.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("RINGHOLD_BIN") {
        let path = PathBuf::from(path);
        assert!(path.is_file(), "RINGHOLD_BIN is {}, and that is not a file", path.display());
        return path;
    }
    // target/debug/deps/this-test -> target/debug/ringhold
    let test = std::env::current_exe().expect("a running program has a path");
    let path = test.ancestors().nth(2).expect("tests run from target/*/deps").join("ringhold");
    assert!(
        path.is_file(),
        "there is no program at {}: run `cargo build -p ringhold-server` first, or name one in RINGHOLD_BIN",
        path.display()
    );
    path
}
