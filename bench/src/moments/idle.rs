//! What members of a ring send each other when nobody asks for anything, and what that costs them.
//!
//! The traffic is that of the machine's loopback, so nothing else should use it meanwhile.

use std::time::Duration;

use super::{Findings, Series, goal};
use crate::error::{Error, doing};
use crate::process::{Cores, Server};
use crate::programs::{Asked, Kind, Lab, Link, Members};
use crate::rounds::Effort;

const MEMBERS: [usize; 3] = [3, 6, 12];
/// Until streams are open and first probes are done.
const SETTLING: Duration = Duration::from_secs(3);
const SECONDS: u64 = 3;
/// The quietest one counts: what else uses loopback only adds.
const WINDOWS: usize = 4;
/// Cost for each pair may differ by so much between rings of different sizes.
const LINEAR: f64 = 1.25;

pub fn run(lab: &Lab, _effort: Effort) -> Result<Findings, Error> {
    let (mut rows, mut points, mut each) = (Vec::new(), Vec::new(), Vec::new());
    for count in MEMBERS {
        let members = Members { count, asked: Asked::Owner, between: Link::Mtls, replicas: 1 };
        let setup = lab.start(Kind::Ring(members), Cores::Any)?;
        std::thread::sleep(SETTLING);
        let cpu = || setup.servers.iter().map(Server::cpu).sum::<Result<Duration, _>>();
        let window = || {
            let (cpu_before, bytes_before) = (cpu()?, loopback_bytes()?);
            std::thread::sleep(Duration::from_secs(SECONDS));
            let bytes = loopback_bytes()?.saturating_sub(bytes_before) as f64 / SECONDS as f64;
            Ok::<_, Error>((bytes, cpu()?.saturating_sub(cpu_before).as_secs_f64() * 1e6 / SECONDS as f64))
        };
        let windows = (0..WINDOWS).map(|_| window()).collect::<Result<Vec<_>, _>>()?;
        let quietest = windows.into_iter().min_by(|(one, _), (other, _)| one.total_cmp(other));
        let (bytes, used) = quietest.unwrap_or_default();
        let pair = bytes / (count * (count - 1)) as f64;
        eprintln!("  {count} members: {bytes:.0} B/s, {pair:.0} B/s for each pair");
        points.push((count.to_string(), bytes / count as f64));
        rows.push([
            count.to_string(),
            format!("{:.0}", bytes / count as f64),
            format!("{pair:.0}"),
            format!("{:.0}", used / count as f64),
        ]);
        each.push(pair);
    }
    let (least, most) =
        each.iter().fold((f64::INFINITY, 0.0_f64), |(least, most), each| (least.min(*each), most.max(*each)));
    Ok(Findings {
        measured: format!("the quietest {SECONDS} s of {WINDOWS} times as long, mTLS between members, nothing pinned"),
        note: "Bytes on loopback with all headers; a member's traffic is linear in the number of the others if the cost \
               for each pair stays."
            .into(),
        goals: vec![goal("idle traffic for each pair of members", "most to least", "at most 1.25", format!("{:.2}", most / least), most / least <= LINEAR)],
        series: Some(Series { label: "bytes a second for each member, idle, by members".into(), points }),
        ..Findings::of(["members", "bytes/s for each member", "bytes/s for each pair and direction", "CPU us/s for each member"], rows)
    })
}

fn loopback_bytes() -> Result<u64, Error> {
    let path = "/proc/net/dev";
    let text = std::fs::read_to_string(path).map_err(doing(format!("reading {path}")))?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("lo:"));
    let bytes = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    bytes.ok_or_else(|| Error::Answer { from: path.into(), what: "a line for lo would be right".into() })
}
