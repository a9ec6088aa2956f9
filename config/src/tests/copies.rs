//! How many copies there are: what follows from the number of members, what cannot be, what is worth a word.

use super::{load_toml, wrong};

/// A ring of so many members, and what else `[cluster]` says.
fn ring(members: usize, settings: &str) -> String {
    let members: Vec<_> = (1..=members).map(|at| format!("\"127.0.0.1:{}\"", 9000 + at)).collect();
    let members = members.join(", ");
    format!("[node]\naddress = \"127.0.0.1:9001\"\n[cluster]\nmembers = [{members}]\n{settings}\n")
}

fn replicas(members: usize, settings: &str) -> usize {
    load_toml(&ring(members, settings)).unwrap().cluster.replicas
}

#[test]
fn an_object_has_two_copies_where_there_are_two_members() {
    assert_eq!([1, 2, 3, 20].map(|members| replicas(members, "")), [1, 2, 2, 2]);
    assert_eq!(load_toml("").unwrap().cluster.replicas, 1);
    assert_eq!(replicas(3, "replicas = 1"), 1);
    assert_eq!(replicas(3, "replicas = 3"), 3);
    assert_eq!(replicas(20, "replicas = 16"), 16);
}

#[test]
fn there_are_no_more_copies_than_members() {
    assert_eq!(
        wrong(&ring(3, "replicas = 4")),
        "ring.toml: cluster.replicas is 4; each copy is on another member, and cluster.members names 3: it is at \
         most 3"
    );
    assert_eq!(
        wrong("[cluster]\nreplicas = 2\n"),
        "ring.toml: cluster.replicas is 2; each copy is on another member, and cluster.members names 1: it is at \
         most 1"
    );
}

#[test]
fn no_more_copies_are_waited_for_than_are_made() {
    assert_eq!(load_toml(&ring(3, "min_copies = 2")).unwrap().cluster.min_copies, 2);
    assert_eq!(
        wrong(&ring(3, "replicas = 2\nmin_copies = 3")),
        "ring.toml: cluster.min_copies is 3; it is at most cluster.replicas, which is 2: lower this, or raise that"
    );
    assert_eq!(
        wrong(&ring(1, "min_copies = 2")),
        "ring.toml: cluster.min_copies is 2; it is at most cluster.replicas, which is 1: lower this, or raise that"
    );
}

#[test]
fn a_ring_that_stops_with_its_first_lost_member_is_warned_of() {
    let warnings = |members, settings| load_toml(&ring(members, settings)).unwrap().warnings();
    for (members, settings, word) in [
        (2, "majority_guard = true", "cluster.majority_guard is on in a ring of two"),
        (2, "min_copies = 2", "while any of them is away, no write is acknowledged"),
        (3, "replicas = 3\nmin_copies = 3", "cluster.min_copies is 3, the number of members"),
    ] {
        let [warning] = &warnings(members, settings)[..] else { panic!("{members} members, {settings}") };
        assert!(warning.contains(word), "{warning}");
    }
    for (members, settings) in [
        (1, "majority_guard = true"),
        (3, "majority_guard = true"),
        (3, "min_copies = 2"),
        (3, "replicas = 1"),
        (1, ""),
    ] {
        assert_eq!(warnings(members, settings), [""; 0], "{members} members, {settings}");
    }
}
