//! How rings of 3 to 500 members behave with millions of keys: figures of the real placement and health, without a
//! network. `cargo xtask simulate --scale` writes them to `docs/scale.md`, with plots beside it.

mod measure;
mod plot;
mod traffic;

use std::fmt::Write as _;
use std::path::Path;

use ringhold_ring::Placement;

use plot::Series;

const SIZES: [usize; 8] = [3, 5, 10, 20, 50, 100, 200, 500];
/// Sizes that are measured with ten times as many keys too.
const LARGE_SIZES: [usize; 3] = [3, 50, 500];
const KEYS: u64 = 1_000_000;
const MANY_KEYS: u64 = 10_000_000;
const PLACEMENTS: [Placement; 2] = [Placement::Modulo, Placement::Rendezvous];
/// `cluster.handoff_rate` by default, bytes a second.
const HANDOFF_RATE: u64 = 64 << 20;
/// What a record of 1 KiB takes on its way, key and frame included.
const RECORD_BYTES: u64 = 1_024 + 96;

/// Measures everything, and writes the page and its plots into the folder `docs`.
///
/// # Errors
/// When a file cannot be written.
pub fn write(docs: &Path) -> std::io::Result<()> {
    let mut page = String::from(INTRODUCTION);
    let shares = shares(&mut page);
    let moved = moved(&mut page);
    let probes = probes(&mut page);
    repair(&mut page);
    requests(&mut page);
    std::fs::write(
        docs.join("scale-share.svg"),
        plot::svg("The largest share of keys", "times the mean", &shares),
    )?;
    std::fs::write(
        docs.join("scale-moved.svg"),
        plot::svg("Keys that move to another owner", "part of all", &moved),
    )?;
    std::fs::write(docs.join("scale-probes.svg"), plot::svg("Probes of one member", "a second", &probes))?;
    std::fs::write(docs.join("scale.md"), page)
}

const INTRODUCTION: &str = "# Scale

What rings of 3 to 500 members do with millions of keys. The figures come from the code that places keys and the
state machine that probes members, run without a network; `cargo xtask simulate --scale` writes this page anew. Keys
are `session-0`, `session-1` and so on.
";

const fn name(placement: Placement) -> &'static str {
    match placement {
        Placement::Modulo => "modulo",
        Placement::Rendezvous => "rendezvous",
    }
}

// Writing to a String cannot fail: what `writeln!` returns is dropped below.

fn shares(page: &mut String) -> Vec<Series> {
    page.push_str(
        "
## Share of each member

The smallest and the largest part of all keys that a member owns, the mean being 1. Chi-squared is given for each
degree of freedom: about 1 is what chance gives, much more would be a fault of the placement.

![The largest share](scale-share.svg)

| placement | members | keys | smallest | largest | chi-squared |
|---|---:|---:|---:|---:|---:|
",
    );
    let mut all = Vec::new();
    for placement in PLACEMENTS {
        let mut points = Vec::new();
        let large = LARGE_SIZES.map(|members| (members, MANY_KEYS));
        for (members, keys) in SIZES.map(|members| (members, KEYS)).into_iter().chain(large) {
            let Some(ring) = measure::ring(members, placement, 1) else { continue };
            let share = measure::share(&ring, keys);
            if keys == KEYS {
                points.push((members, share.most));
            }
            let _ = writeln!(
                page,
                "| {} | {members} | {keys} | {:.4} | {:.4} | {:.2} |",
                name(placement),
                share.least,
                share.most,
                share.chi_squared
            );
        }
        all.push(Series { name: name(placement), points });
    }
    all
}

fn moved(page: &mut String) -> Vec<Series> {
    page.push_str(
        "
## Keys that move

The part of all keys that gets another owner when one member is added to so many. With modulo it is nearly all of
them, as in Repose; with rendezvous it is what the new member owns.

![Keys that move](scale-moved.svg)

| members | modulo | rendezvous |
|---:|---:|---:|
",
    );
    let mut all = PLACEMENTS.map(|placement| Series { name: name(placement), points: Vec::new() });
    for members in SIZES {
        let parts = PLACEMENTS.map(|placement| measure::moved(members, placement, KEYS).unwrap_or_default());
        for (series, part) in all.iter_mut().zip(parts) {
            series.points.push((members, part));
        }
        let [modulo, rendezvous] = parts;
        let _ = writeln!(page, "| {members} | {:.2} % | {:.2} % |", 100.0 * modulo, 100.0 * rendezvous);
    }
    all.to_vec()
}

fn probes(page: &mut String) -> Vec<Series> {
    page.push_str(
        "
## Probes

Heartbeats that one member sends in a second, with the default settings, and all members together: each is one small
frame and one answer on a stream that is open anyway. A member that is down is asked less often, once in its rest.

![Probes](scale-probes.svg)

| members | a member's | with a tenth of the others down | all together |
|---:|---:|---:|---:|
",
    );
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for members in SIZES {
        let Some(ring) = measure::ring(members, Placement::Modulo, 1) else { continue };
        let all_up = measure::probes_a_second(&ring, 0).unwrap_or_default();
        let some_down = measure::probes_a_second(&ring, (members / 10).max(1)).unwrap_or_default();
        up.push((members, all_up));
        down.push((members, some_down));
        let together = all_up * members as f64;
        let _ = writeln!(page, "| {members} | {all_up:.1} | {some_down:.1} | {together:.0} |");
    }
    vec![Series { name: "all up", points: up }, Series { name: "a tenth down", points: down }]
}

fn repair(page: &mut String) {
    page.push_str(
        "
## Time to repair

A member comes back empty, `replicas = 2`, objects of 1 KiB: how many records it must be handed, and how long that
takes at least when every other member sends at `cluster.handoff_rate` (64 MiB a second each): the one that has the
most to send decides. The network into the returning member is not counted.

| placement | members | keys | records handed | MiB | from the busiest member | seconds |
|---|---:|---:|---:|---:|---:|---:|
",
    );
    for placement in PLACEMENTS {
        for (members, keys) in
            [(3, KEYS), (10, KEYS), (100, KEYS), (3, MANY_KEYS), (50, MANY_KEYS), (500, MANY_KEYS)]
        {
            let Some(ring) = measure::ring(members, placement, 2) else { continue };
            let (total, busiest) = measure::handed(&ring, keys);
            let seconds = (busiest * RECORD_BYTES) as f64 / HANDOFF_RATE as f64;
            let _ = writeln!(
                page,
                "| {} | {members} | {keys} | {total} | {} | {busiest} | {seconds:.1} |",
                name(placement),
                (total * RECORD_BYTES) >> 20
            );
        }
    }
}

fn requests(page: &mut String) {
    page.push_str(
        "
## Messages for each request

Whole rings of the real nodes over the simulated network, without faults; clients ask any member. A request for a key of another
member is forwarded once, which is 1 - 1/N of them; a write is copied to `replicas` - 1 members. What is expected by that stands
beside what was counted.

| members | replicas | requests | forwards for each | expected | writes | copies for each | expected | heartbeats a second, each member |
|---:|---:|---:|---:|---:|---:|---:|---:|---:|
",
    );
    for (members, replicas) in [(3, 1), (3, 2), (3, 3), (10, 2), (30, 2), (60, 3)] {
        let traffic = traffic::measure(members, replicas);
        let _ = writeln!(
            page,
            "| {members} | {replicas} | {} | {:.3} | {:.3} | {} | {:.3} | {} | {:.1} |",
            traffic.requests,
            traffic.forwards_each(),
            1.0 - 1.0 / members as f64,
            traffic.writes,
            traffic.copies_each(),
            replicas - 1,
            traffic.heartbeats_a_second
        );
    }
}
