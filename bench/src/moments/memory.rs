//! Memory for each object: at the worst count, after overwrites, and after many of other sizes.

use super::{Findings, Series, VALUE_BYTES, bulk, goal, once, scattered, server};
use crate::error::Error;
use crate::load::{Dialect, Operation, Plan, Sizes};
use crate::process::{GENERATOR, SERVERS};
use crate::programs::{Kind, Lab, Link};
use crate::rounds::Effort;

const KEY_BYTES: usize = 16;
/// Passes that overwrite every object with a value of another size.
const PASSES: u64 = 10;
/// The table of a store doubles somewhere between half of the objects and all: the worst count is a user's, too.
const STEPS: std::ops::RangeInclusive<usize> = 4..=8;

const KINDS: [(&str, Kind); 4] = [
    ("ringhold", Kind::Ringhold(Link::Plain)),
    ("ringhold, mimalloc", Kind::RingholdMimalloc),
    ("redis", Kind::Redis),
    ("memcached", Kind::Memcached(Dialect::Memcached)),
];

pub fn run(lab: &Lab, effort: Effort) -> Result<Findings, Error> {
    let (mut rows, mut points, mut goals) = (Vec::new(), Vec::new(), Vec::new());
    for (name, kind) in KINDS {
        if let Some(why) = lab.why_not(kind)? {
            eprintln!("  {name}: left out, {why}");
            continue;
        }
        let figures @ [worst, _, mixed] = bytes_beyond(lab, kind, effort)?;
        eprintln!("  {name}: {figures:.0?}");
        if points.is_empty() {
            let text = |bytes: f64| format!("{bytes:.0} B");
            goals.push(goal(
                "ringhold, worst count",
                "bytes for each object",
                "at most 64",
                text(worst),
                worst <= 64.0,
            ));
            let what = "ringhold, after overwrites of random sizes";
            goals.push(goal(what, "bytes for each object", "at most 90", text(mixed), mixed <= 90.0));
        }
        points.push((name.into(), worst));
        let [worst, rewritten, mixed] = figures.map(|bytes| format!("{bytes:.0}"));
        rows.push([name.into(), worst, rewritten, mixed]);
    }
    let columns = [
        "what",
        "values of 100 B: worst count from half to all, each read once",
        "all, each overwritten once",
        "all, each overwritten ten times by 1 to 199 B",
    ];
    Ok(Findings {
        measured: format!("{} objects", effort.objects),
        note: "Resident memory of the process less what it had when empty, less keys and values. Ringhold's figure \
               includes version, expiry and content type; Redis and memcached hold no version, and here no expiry."
            .into(),
        goals,
        series: Some(Series { label: "bytes for each object, worst count".into(), points }),
        ..Findings::of(columns, rows)
    })
}

fn bytes_beyond(lab: &Lab, kind: Kind, effort: Effort) -> Result<[f64; 3], Error> {
    let setup = lab.start(kind, SERVERS)?;
    let server = server(&setup)?;
    let empty = server.resident_bytes()?;
    let beyond = |objects: usize, values: usize| {
        let resident = server.resident_bytes()?.saturating_sub(empty) as f64;
        Ok::<_, Error>((resident - (objects * KEY_BYTES + values) as f64) / objects as f64)
    };
    let keys = setup.keys(effort.objects, VALUE_BYTES);
    let (mut worst, mut stored) = (f64::NEG_INFINITY, 0);
    for step in STEPS {
        let objects = effort.objects * step / STEPS.end();
        once(&setup, Operation::Put, &keys[stored..objects])?;
        once(&setup, Operation::Get, &keys[..objects])?;
        worst = worst.max(beyond(objects, objects * VALUE_BYTES)?);
        stored = objects;
    }
    once(&setup, Operation::Put, &keys)?;
    let rewritten = beyond(stored, stored * VALUE_BYTES)?;
    let keys = scattered(&keys, stored);
    let mut values = 0;
    for seed in 0..PASSES {
        let sizes = Sizes::Spread { mean: VALUE_BYTES, seed };
        Plan { sizes, ..bulk(&setup, Operation::Put, &keys) }.run(GENERATOR)?;
        values = (0..stored).map(|number| sizes.of(number)).sum();
    }
    Ok([worst, rewritten, beyond(stored, values)?])
}
