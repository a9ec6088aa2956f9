//! Targets side by side, each in a process of its own: one that takes the process down takes nothing else with it.
//!
//! A process that ends of itself has told what it found. One that dies (a stack that overflows, memory or processor
//! time beyond its limits) could not: it is run again from the same seed, and writes each input down before it tries
//! it. Invariant: a target that breaks leaves its input in a file, or is said not to have broken the second time.

use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What becomes of `each` of some things, as many at a time as `jobs`.
pub fn side_by_side<T: Sync, R: Send>(things: &[T], jobs: usize, each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let work = || {
        while let Some(thing) = things.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = each(thing);
            if let Ok(mut results) = results.lock() {
                results.push(result);
            }
        }
    };
    std::thread::scope(|scope| (0..jobs.max(1)).for_each(|_| drop(scope.spawn(work))));
    results.into_inner().unwrap_or_default()
}

/// Runs one target to its end. `start` makes the command; with a file, one that writes each input there first.
///
/// # Errors
/// What is known of what went wrong, and where the input is if the process could not say that itself.
pub fn supervise(target: &str, note: &Path, start: impl Fn(Option<&Path>) -> Command) -> Result<(), String> {
    let run =
        |mut command: Command| command.status().map_err(|error| format!("cannot run {target}: {error}"));
    let first = run(start(None))?;
    if has_told(first) {
        return if first.success() { Ok(()) } else { Err(format!("{target} breaks: see above")) };
    }
    println!("{target:<12} died ({first}): once more, to find its input");
    let folder = note.parent().map_or(Ok(()), std::fs::create_dir_all);
    folder.map_err(|error| format!("cannot make a folder for {}: {error}", note.display()))?;
    let second = run(start(Some(note)))?;
    if !has_told(second) {
        return Err(format!(
            "{target} dies ({second})\n  again: cargo run -p ringhold-fuzz -- --replay {target} {}",
            note.display()
        ));
    }
    // Only the input that kills is worth keeping.
    let _ = std::fs::remove_file(note);
    Err(format!("{target} died ({first}), and not when it was run again from the same seed ({second})"))
}

fn has_told(status: ExitStatus) -> bool {
    matches!(status.code(), Some(0 | 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> impl Fn(Option<&Path>) -> Command {
        move |note| {
            let mut command = Command::new("sh");
            command.args(["-c", script, "sh"]).args(note);
            command
        }
    }

    #[test]
    fn all_things_are_done_whatever_the_number_of_jobs() {
        for jobs in [0, 1, 3, 100] {
            let mut done = side_by_side(&[1, 2, 3, 4, 5], jobs, |number| number * number);
            done.sort_unstable();
            assert_eq!(done, [1, 4, 9, 16, 25], "{jobs} jobs");
        }
    }

    #[test]
    fn a_process_that_ends_of_itself_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("note");
        assert_eq!(supervise("quiet", &note, shell("exit 0")), Ok(()));
        assert!(supervise("loud", &note, shell("exit 1")).unwrap_err().contains("loud breaks"));
        assert!(!note.exists());
    }

    #[test]
    fn a_process_that_dies_leaves_its_input() {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("findings").join("note");
        let script = "if [ $# = 1 ]; then printf deadly > \"$1\"; fi; kill -SEGV $$";
        let told = supervise("mortal", &note, shell(script)).unwrap_err();
        assert!(told.contains("--replay mortal") && told.contains(&*note.to_string_lossy()), "{told}");
        assert_eq!(std::fs::read(&note).unwrap(), b"deadly");
    }

    #[test]
    fn a_death_that_does_not_repeat_is_a_failure_too() {
        let folder = tempfile::tempdir().unwrap();
        let note = folder.path().join("note");
        let script = "if [ $# = 1 ]; then printf harmless > \"$1\"; else kill -KILL $$; fi";
        let told = supervise("moody", &note, shell(script)).unwrap_err();
        assert!(told.contains("not when it was run again"), "{told}");
        assert!(!note.exists());
    }
}
