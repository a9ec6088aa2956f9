//! Where keys live, as every node tells it: the tables of Repose's addressing, and what they mean here.

use ringhold_integration_tests::Ring;
use ringhold_ring::Placement;

/// Key, digest, UUID form, and the index of its owner among 2, 3, 4 and 5 members.
const TABLE: [(&str, &str, &str, [usize; 4]); 10] = [
    ("object-key", "cd26615a30a3cdce02e3a834fed5711a", "cecda330-5a61-26cd-1a71-d5fe34a8e302", [0, 0, 2, 1]),
    ("a", "0cc175b9c0f1b6a831c399e269772661", "a8b6f1c0-b975-c10c-6126-7769e299c331", [1, 1, 1, 2]),
    ("foo", "acbd18db4cc2f85cedef654fccc4a4d8", "5cf8c24c-db18-bdac-d8a4-c4cc4f65efed", [0, 0, 0, 4]),
    ("bar", "37b51d194a7513e45b56f6524f2d51f2", "e413754a-191d-b537-f251-2d4f52f6565b", [0, 0, 2, 0]),
    ("user1", "24c9e15e52afc47c225b757e7bee1f9d", "7cc4af52-5ee1-c924-9d1f-ee7b7e755b22", [1, 1, 1, 0]),
    ("test", "098f6bcd4621d373cade4e832627b4f6", "73d32146-cd6b-8f09-f6b4-2726834edeca", [0, 1, 2, 4]),
    ("hello", "5d41402abc4b2a76b9719d911017c592", "762a4bbc-2a40-415d-92c5-1710919d71b9", [0, 1, 2, 4]),
    ("Grüße", "49c5f675b49037b6044b803ac9d1a6d7", "b63790b4-75f6-c549-d7a6-d1c93a804b04", [1, 0, 3, 0]),
    ("1", "c4ca4238a0b923820dcc509a6f75849b", "8223b9a0-3842-cac4-9b84-756f9a50cc0d", [1, 0, 3, 0]),
    ("3", "eccbc87e4b5ce2fe28308fd9f2a7baf3", "fee25c4b-7ec8-cbec-f3ba-a7f2d98f3028", [1, 0, 3, 2]),
];

#[tokio::test]
async fn every_node_puts_keys_where_repose_puts_them() {
    for (column, members) in [2, 3, 4, 5].into_iter().enumerate() {
        let ring = Ring::start(members).await;
        let addresses: Vec<_> = ring.members().iter().map(|member| member.address().to_string()).collect();
        for (key, digest, uuid, owners) in TABLE {
            for member in ring.members() {
                let location = member.locate(key).await;
                assert_eq!((location.digest.as_str(), location.uuid.as_str()), (digest, uuid), "{key}");
                assert_eq!(location.owner, addresses[owners[column]], "{key} among {members}");
                assert_eq!(location.preference_list[0], location.owner);
                assert_eq!(location.homes, location.preference_list[..2], "{key} among {members}");
                let mut all = location.preference_list.clone();
                all.sort_by_key(|address| addresses.iter().position(|known| known == address));
                assert_eq!(all, addresses, "every member once");
            }
        }
    }
}

#[tokio::test]
async fn a_key_is_executed_where_it_is_located() {
    for placement in [Placement::Modulo, Placement::Rendezvous] {
        let ring = Ring::builder(3).placement(placement).start().await;
        for (key, ..) in TABLE {
            let location = ring[0].locate(key).await;
            assert_eq!(
                location.owner,
                ring[ring.owner_of(key)].address().to_string(),
                "{key} by {placement}"
            );
            for member in ring.members() {
                assert_eq!(member.locate(key).await, location);
                let answer = member.object("PUT", key).body(key).send().await;
                assert_eq!(answer.header("x-ringhold-member"), Some(location.owner.as_str()));
            }
        }
    }
}

/// A key's second choice is Repose's choice among the members that are left.
#[tokio::test]
async fn with_one_member_damaged_only_its_keys_move() {
    let mut ring = Ring::builder(3).set("cluster.rest", "10m").start().await;
    let gone = ring[0].address();
    let mut before = Vec::new();
    for (key, ..) in TABLE {
        before.push(ring[1].locate(key).await);
    }
    ring.kill(0);
    ring.wait_until_seen(gone, "damaged", std::time::Duration::from_secs(5)).await;
    for ((key, _, _, owners), before) in TABLE.into_iter().zip(before) {
        for member in [1, 2] {
            let now = ring[member].locate(key).await;
            assert_eq!(now.preference_list, before.preference_list, "{key}");
            let expected = if before.owner == gone.to_string() {
                ring[1 + owners[0]].address().to_string()
            } else {
                before.owner.clone()
            };
            assert_eq!(now.owner, expected, "{key}");
        }
    }
}

#[tokio::test]
async fn a_text_that_is_no_key_is_nowhere() {
    let ring = Ring::start(1).await;
    for path in ["/cluster/locate/", "/cluster/locate/%00", "/cluster/locate/%zz"] {
        ring[0].request("GET", path).send().await.assert_problem(400, "bad-key");
    }
}
