//! Whether a read costs more where there are more objects: nodes of each size side by side, in rounds.

use super::{Findings, Series, VALUE_BYTES, bulk, goal, once, scattered, server};
use crate::error::Error;
use crate::load::{Operation, Pace, Plan, Span};
use crate::process::{GENERATOR, SERVERS};
use crate::programs::{Kind, Lab, Link, Setup};
use crate::rounds::Effort;
use crate::table::median;

/// Objects beside the effort's number of them.
const TIMES: [(usize, usize); 5] = [(1, 1000), (1, 100), (1, 10), (1, 1), (10, 1)];
/// So many different ones are read, scattered over all: more than any cache holds.
const READ: usize = 500_000;
/// Keys that are told to a generator at once.
const CHUNK: usize = 500_000;

struct Node {
    objects: usize,
    setup: Setup,
    read: Vec<String>,
    cost_us: Vec<f64>,
}

pub fn run(lab: &Lab, effort: Effort) -> Result<Findings, Error> {
    let mut nodes = Vec::new();
    for (times, parts) in TIMES {
        let objects = effort.objects * times / parts;
        let setup = lab.start(Kind::Ringhold(Link::Plain), SERVERS)?;
        let keys = setup.keys(objects, VALUE_BYTES);
        keys.chunks(CHUNK).try_for_each(|chunk| once(&setup, Operation::Put, chunk))?;
        nodes.push(Node { objects, setup, read: scattered(&keys, READ), cost_us: Vec::new() });
    }
    for _ in 0..effort.rounds {
        for node in &mut nodes {
            let span = Span::Timed { warm_up: effort.warm_up, measured: effort.measured };
            let (connections, pace) = (64, Pace::Closed { depth: 1 });
            let plan = Plan { connections, pace, span, ..bulk(&node.setup, Operation::Get, &node.read) };
            let server = server(&node.setup)?;
            let before = server.cpu()?;
            let outcome = plan.run(GENERATOR)?;
            let used = server.cpu()?.saturating_sub(before).as_secs_f64() * 1e6;
            node.cost_us.push(used / outcome.answers.max(1) as f64);
            eprintln!(
                "  {} objects: {:.0}/s, {:.2} us",
                node.objects,
                outcome.per_second,
                used / outcome.answers as f64
            );
        }
    }
    let Some(base) = nodes.first().map(|node| node.cost_us.clone()) else { return Ok(Findings::default()) };
    let ratio =
        |node: &Node| median(node.cost_us.iter().zip(&base).map(|(cost, base)| cost / base).collect());
    let most = nodes.iter().map(ratio).fold(0.0, f64::max);
    let cost = |node: &Node| median(node.cost_us.clone());
    let rows = nodes
        .iter()
        .map(|node| [node.objects.to_string(), format!("{:.2}", cost(node)), format!("{:.2}", ratio(node))]);
    Ok(Findings {
        note: format!("At most {READ} different objects are read, scattered over all."),
        goals: vec![goal(
            "the largest store to the smallest",
            "server CPU for each GET",
            "at most 1.5",
            format!("{most:.2}"),
            most <= 1.5,
        )],
        series: Some(Series {
            label: "server CPU for each GET, us, by objects".into(),
            points: nodes.iter().map(|node| (node.objects.to_string(), cost(node))).collect(),
        }),
        ..Findings::of(["objects", "server CPU us/request", "ratio"], rows.collect())
    })
}
