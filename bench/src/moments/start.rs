//! How long a node takes to start.

use std::time::{Duration, Instant};

use super::{Findings, MIB, goal};
use crate::error::Error;
use crate::process::{SERVERS, Server, addresses, is_ready};
use crate::programs::{Lab, Node};
use crate::rounds::Effort;
use crate::table::median;

const PATIENCE: Duration = Duration::from_secs(10);

pub fn run(lab: &Lab, effort: Effort) -> Result<Findings, Error> {
    let (mut times, mut resident) = (Vec::new(), Vec::new());
    for _ in 0..effort.rounds * 4 {
        let [address] = addresses()?;
        let home = lab.home()?;
        let command = lab.serve(&Node::of(address, &[address]), SERVERS, &home)?;
        let begun = Instant::now();
        let server = Server::start("ringhold", command, &home)?;
        while !is_ready(address, Some("/readyz")) {
            if begun.elapsed() > PATIENCE {
                let what = format!("it was not ready after {PATIENCE:?}");
                return Err(Error::Program { program: "ringhold".into(), what });
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
        resident.push(server.resident_bytes()? as f64 / MIB);
    }
    let most = times.iter().copied().fold(0.0, f64::max);
    let (starts, middle, resident) = (times.len(), median(times), median(resident));
    let row = [starts.to_string(), format!("{middle:.1}"), format!("{most:.1}"), format!("{resident:.1}")];
    Ok(Findings {
        measured: format!("{starts} starts on one core"),
        goals: vec![goal(
            "an empty node",
            "median start",
            "at most 20 ms",
            format!("{middle:.1} ms"),
            middle <= 20.0,
        )],
        ..Findings::of(["starts", "median ms", "most ms", "resident MiB"], vec![row])
    })
}
