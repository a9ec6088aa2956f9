//! The steps of a chore: each is announced and timed, the first failure is the last step, and the end is a table.

use std::time::{Duration, Instant};

use crate::error::Error;

/// The steps taken so far.
#[derive(Debug, Default)]
pub struct Steps {
    taken: Vec<Taken>,
}

#[derive(Debug)]
struct Taken {
    name: &'static str,
    time: Duration,
    passed: bool,
}

impl Steps {
    /// Takes one step.
    pub fn take<T>(
        &mut self,
        name: &'static str,
        step: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        println!("\n=== {name}");
        let start = Instant::now();
        let result = step();
        self.taken.push(Taken { name, time: start.elapsed(), passed: result.is_ok() });
        result
    }

    /// A line for each step taken, and one for all of them.
    pub fn table(&self) -> String {
        let line = |name: &str, time: Duration, passed: bool| {
            let result = if passed { "passed" } else { "FAILED" };
            format!("{name:<20} {result} {:>8.1} s\n", time.as_secs_f64())
        };
        let steps = self.taken.iter().map(|step| line(step.name, step.time, step.passed));
        let all = line(
            "all",
            self.taken.iter().map(|step| step.time).sum(),
            self.taken.iter().all(|step| step.passed),
        );
        steps.chain([all]).collect::<String>().trim_end().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_tells_what_passed_and_what_failed() {
        let mut steps = Steps::default();
        assert_eq!(steps.take("format", || Ok(7)).unwrap(), 7);
        assert!(steps.take("lints", || Err::<(), _>(Error::NoCargoDeny)).is_err());
        let table = steps.table();
        let words: Vec<Vec<&str>> =
            table.lines().map(|line| line.split_whitespace().take(2).collect()).collect();
        assert_eq!(words, [["format", "passed"], ["lints", "FAILED"], ["all", "FAILED"]]);
    }
}
