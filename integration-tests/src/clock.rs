//! A time of day that is a test's to set, for whichever members are started under it.
//!
//! Timers go on as they are: the monotonic clock and the dates of files are left alone. Its words execute the program in
//! their place and leave no process between, so that who kills a member has killed all of it.

use std::path::PathBuf;
use std::process::Command;

/// A file that says how far its readers' time of day is off.
#[derive(Debug)]
pub struct Clock(PathBuf);

impl Clock {
    /// The clock in `file`, which is right.
    ///
    /// # Panics
    /// When the file cannot be written.
    #[must_use]
    pub fn new(file: impl Into<PathBuf>) -> Self {
        let clock = Self(file.into());
        clock.set("+0");
        clock
    }

    /// Moves it to an offset, as `+13h` or `-600`.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn set(&self, offset: &str) {
        let new = self.0.with_extension("new");
        std::fs::write(&new, offset).expect("there is room");
        std::fs::rename(&new, &self.0).expect("the folder is ours");
    }

    /// What stands before a program that lives by it.
    ///
    /// # Panics
    /// Without `faketime`.
    #[must_use]
    pub fn wrapper(&self) -> Vec<String> {
        let library = Command::new("faketime").args(["-m", "-f", "+0", "printenv", "LD_PRELOAD"]).output();
        let library = String::from_utf8(library.expect("faketime is installed").stdout).expect("a path");
        let settings = [
            format!("LD_PRELOAD={}", library.trim()),
            format!("FAKETIME_TIMESTAMP_FILE={}", self.0.display()),
        ];
        let fixed = [
            "FAKETIME_NO_CACHE=1",
            "NO_FAKE_STAT=1",
            // Both names: versions of the library differ.
            "DONT_FAKE_MONOTONIC=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
        ];
        let words = ["env".to_owned()].into_iter().chain(settings);
        words.chain(fixed.map(str::to_owned)).collect()
    }
}
