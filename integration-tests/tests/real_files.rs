//! Real data: the sources of the crates that this very build downloaded, stored through one node, and read back
//! byte for byte through the two others.

#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringhold_integration_tests::Ring;
use ringhold_ring::Key;

/// About how many files are stored, besides the smallest and the largest.
const FILES: usize = 3000;
const EXTREMES: usize = 20;
const LIMIT: u64 = 2 << 20;
const CLIENTS: usize = 8;

/// A file, and the key it is stored under: its path below the directory of sources.
#[derive(Clone, Debug)]
struct Source {
    path: PathBuf,
    key: String,
    bytes: u64,
}

/// Where cargo keeps the sources it has downloaded.
fn sources_directory() -> PathBuf {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    home.expect("cargo has a home").join("registry/src")
}

/// Every file below `directory` that can be an object, by key.
fn sources(directory: &Path) -> Vec<Source> {
    let mut found = BTreeMap::new();
    let mut directories: Vec<_> = entries(directory).collect();
    let roots = directories.clone();
    while let Some(directory) = directories.pop() {
        for path in entries(&directory) {
            let metadata = std::fs::symlink_metadata(&path).expect("it was listed");
            if metadata.is_dir() {
                directories.push(path);
            } else if metadata.is_file() && metadata.len() <= LIMIT {
                let below = roots.iter().find_map(|root| path.strip_prefix(root).ok());
                let key = below.and_then(Path::to_str).and_then(|text| Key::new(text.to_owned()).ok());
                if let Some(key) = key.map(|key| key.as_str().to_owned()) {
                    found.insert(key.clone(), Source { path, key, bytes: metadata.len() });
                }
            }
        }
    }
    found.into_values().collect()
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(directory).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()))
}

/// A few thousand of them, from all over, the smallest and the largest among them.
fn selection(mut all: Vec<Source>) -> Vec<Source> {
    let step = (all.len() / FILES).max(1);
    let mut chosen: BTreeMap<_, _> =
        all.iter().step_by(step).map(|one| (one.key.clone(), one.clone())).collect();
    all.sort_by_key(|one| one.bytes);
    let extremes = all.iter().take(EXTREMES).chain(all.iter().rev().take(EXTREMES));
    chosen.extend(extremes.map(|one| (one.key.clone(), one.clone())));
    chosen.into_values().collect()
}

/// Puts every `client`th source through member 0; says who executed each.
async fn put(ring: Arc<Ring>, sources: Arc<Vec<Source>>, client: usize) -> Vec<String> {
    let mut executed_by = Vec::new();
    for source in sources.iter().skip(client).step_by(CLIENTS) {
        let value = std::fs::read(&source.path).expect("a source can be read");
        let answer = ring[0].object("PUT", &source.key).body(value).send().await;
        assert_eq!(answer.status, 201, "{}: {answer:?}", source.key);
        executed_by.push(answer.header("x-ringhold-member").expect("it says who executed").to_owned());
    }
    executed_by
}

/// Reads every `client`th source through the members 1 and 2, and compares.
async fn compare(ring: Arc<Ring>, sources: Arc<Vec<Source>>, client: usize) {
    for source in sources.iter().skip(client).step_by(CLIENTS) {
        let value = std::fs::read(&source.path).expect("a source can be read");
        for member in [1, 2] {
            let answer = ring[member].object("GET", &source.key).send().await;
            assert_eq!(answer.status, 200, "{} through {member}", source.key);
            // Not assert_eq: nobody wants to read two files in a message.
            assert!(answer.body == value, "{} through {member} differs from the file", source.key);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_files_come_back_byte_for_byte_and_are_spread_evenly() {
    let directory = sources_directory();
    let sources = Arc::new(selection(sources(&directory)));
    assert!(sources.len() > 1000, "only {} files below {}", sources.len(), directory.display());
    let ring = Arc::new(Ring::start(3).await);

    let clients: Vec<_> =
        (0..CLIENTS).map(|client| tokio::spawn(put(ring.clone(), sources.clone(), client))).collect();
    let mut shares = BTreeMap::<_, u64>::new();
    for client in clients {
        for member in client.await.expect("every file is stored") {
            *shares.entry(member).or_default() += 1;
        }
    }
    let clients: Vec<_> =
        (0..CLIENTS).map(|client| tokio::spawn(compare(ring.clone(), sources.clone(), client))).collect();
    for client in clients {
        client.await.expect("every file comes back");
    }

    let by_rule = sources.iter().fold([0; 3], |mut counts, source| {
        counts[ring.owner_of(&source.key)] += 1;
        counts
    });
    let by_ring = ring.members().iter().map(|member| shares.get(&member.address().to_string()).copied());
    assert_eq!(by_ring.collect::<Vec<_>>(), by_rule.map(Some), "each file at its owner");
    let p = p_value(by_rule);
    assert!(p > 0.001, "shares of {by_rule:?} are too unequal for chance: p = {p}");
}

/// How likely three equal members get shares at least this unequal (chi-squared, two degrees of freedom).
fn p_value(shares: [u64; 3]) -> f64 {
    let expected = shares.iter().sum::<u64>() as f64 / 3.0;
    let statistic: f64 = shares.iter().map(|share| (*share as f64 - expected).powi(2) / expected).sum();
    // With two degrees of freedom the distribution is the exponential one.
    (-statistic / 2.0).exp()
}

#[test]
fn the_measure_of_equality_tells_equal_from_unequal() {
    assert!((p_value([1000, 1000, 1000]) - 1.0).abs() < 1e-9);
    assert!(p_value([1000, 1030, 970]) > 0.3);
    assert!(p_value([1000, 1150, 850]) < 0.001);
}
