//! h2load, the load generator of nghttp2, for HTTP/2: Debian's package, one thread.
//!
//! It is a closed loop and says nothing of latencies that would be worth a row. It counts answers by status.

use std::net::SocketAddr;
use std::time::Duration;

use crate::error::{Error, doing};
use crate::load::Outcome;
use crate::process::{self, Cores};

/// Connections, and streams at once on each.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// `-c`
    pub connections: usize,
    /// `-m`
    pub streams: usize,
}

/// Loads `paths` on `address` for `time`.
pub fn run(
    address: SocketAddr,
    paths: &[String],
    shape: Shape,
    time: Duration,
    cores: Cores,
) -> Result<Outcome, Error> {
    let Shape { connections, streams } = shape;
    let mut command = process::on(cores, "h2load");
    command
        .args([format!("-c{connections}"), format!("-m{streams}"), "-t1".into()])
        .args(["-D".into(), time.as_secs().max(1).to_string()]);
    command.args(paths.iter().map(|path| format!("http://{address}{path}")));
    let output = command.output().map_err(doing("starting h2load"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    parse(&text).ok_or_else(|| Error::Answer {
        from: format!("h2load of {address}"),
        what: format!("a run in which every answer has a status of 2xx would be right:\n{text}"),
    })
}

/// The figures of a run without a failure.
fn parse(text: &str) -> Option<Outcome> {
    let line = |start: &str| text.lines().find_map(|line| line.strip_prefix(start));
    let (seconds, rest) = line("finished in ")?.split_once("s, ")?;
    let per_second: f64 = rest.split_once(" req/s")?.0.parse().ok()?;
    let statuses: Vec<u64> = line("status codes: ")?
        .split(", ")
        .map_while(|status| status.split(' ').next()?.parse().ok())
        .collect();
    let [answers, 0, 0, 0] = *statuses else { return None };
    let seconds: f64 = seconds.parse().ok()?;
    Some(Outcome { answers, per_second, seconds, ..Outcome::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "finished in 2.00s, 75146.00 req/s, 9.60MB/s
requests: 150292 total, 150548 started, 150292 done, 150292 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 150292 2xx, 0 3xx, 0 4xx, 0 5xx
";

    #[test]
    fn a_run_counts_only_when_every_answer_was_a_success() {
        let outcome = parse(GOOD).unwrap();
        assert_eq!((outcome.answers, outcome.per_second), (150_292, 75_146.0));
        assert!(parse(&GOOD.replace("0 4xx", "1 4xx")).is_none());
        assert!(parse("").is_none());
    }
}
