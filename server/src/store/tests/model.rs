//! Any sequence of operations gives the answers that a plain map of records gives.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Store { name: u8, version: u64, size: usize, lifetime: Option<u64>, content_type: u16, room: Room },
    Bury { name: u8, version: u64, lifetime: u64 },
    Read(u8),
    RemoveIf { name: u8, version: u64 },
    RemoveNewest(u8),
    Advance(u64),
    Expire(Option<u64>),
}

fn step() -> impl Strategy<Value = Step> {
    let name = || 0_u8..30;
    // Few, so that newer, older and equal ones meet; the later steps are not all stale, for keys are removed.
    let version = || 0_u64..40;
    let size = prop_oneof![4 => 0_usize..300, 2 => 300_usize..1200, 1 => 3900_usize..4300];
    let lifetime = || {
        // From the finest level of the wheel to the longest time to live.
        prop_oneof![
            3 => 1_u64..200,
            2 => 1_u64..10_000_000,
            1 => (0_u64..=i32::MAX as u64).prop_map(|seconds| seconds * 1000),
        ]
    };
    let advance = prop_oneof![4 => 0_u64..300, 2 => 0_u64..2_000_000, 1 => 0_u64..100_000_000_000];
    let room = prop_oneof![Just(Room::Evict), Just(Room::Spare)];
    let expiry = prop::option::weighted(0.7, lifetime());
    prop_oneof![
        6 => (name(), version(), size, expiry, 0_u16..100, room).prop_map(
            |(name, version, size, lifetime, content_type, room)| {
                Step::Store { name, version, size, lifetime, content_type, room }
            }
        ),
        3 => (name(), version(), lifetime())
            .prop_map(|(name, version, lifetime)| Step::Bury { name, version, lifetime }),
        4 => name().prop_map(Step::Read),
        1 => (name(), version()).prop_map(|(name, version)| Step::RemoveIf { name, version }),
        2 => name().prop_map(Step::RemoveNewest),
        3 => advance.prop_map(Step::Advance),
        2 => prop::option::of(lifetime()).prop_map(Step::Expire),
    ]
}

/// The store under test, and what it should hold: that which is over included, until it is told to expire.
struct Pair {
    store: Store,
    clock: Clock,
    model: HashMap<u8, Record>,
}

fn is_over(record: &Record, now: Timestamp) -> bool {
    let expires_at = match record {
        Record::Object(object) => object.expires_at,
        Record::Tombstone { expires_at, .. } => Some(*expires_at),
    };
    expires_at.is_some_and(|at| at <= now)
}

impl Pair {
    fn record(&self, name: u8) -> Option<&Record> {
        let tells = |record: &&Record| matches!(record, Record::Object(_)) || !self.is_over(record);
        self.model.get(&name).filter(tells)
    }

    fn is_over(&self, record: &Record) -> bool {
        is_over(record, self.clock.now())
    }

    fn live(&self, name: u8) -> Option<&Object> {
        match self.record(name).filter(|record| !self.is_over(record))? {
            Record::Object(object) => Some(object),
            Record::Tombstone { .. } => None,
        }
    }

    fn apply(&mut self, name: u8, record: Record, room: Room) {
        let newest = self.model.get(&name).map(Record::version);
        let expected = match newest {
            Some(newest) if newest >= record.version() => Applied::Stale(newest),
            _ if self.live(name).is_some() => Applied::Replaced,
            _ => Applied::Created,
        };
        assert_eq!(self.store.apply(&key(&name.to_string()), record.clone(), room), Ok(expected));
        if !matches!(expected, Applied::Stale(_)) {
            self.model.insert(name, record);
        }
    }

    fn remove_if(&mut self, name: u8, version: Version) {
        let there = self.model.get(&name).is_some_and(|record| record.version() == version);
        assert_eq!(self.store.remove_if(&key(&name.to_string()), version), there);
        if there {
            self.model.remove(&name);
        }
    }

    fn compare(&self, name: u8) {
        let (text, live) = (name.to_string(), self.live(name));
        assert_eq!(self.store.get(&key(&text)).as_ref(), live);
        assert_eq!(self.store.version(&key(&text)), live.map(|object| object.version));
        assert_eq!(self.store.record(&key(&text)).as_ref(), self.record(name));
        assert_eq!(self.store.newest(&key(&text)), self.model.get(&name).map(Record::version));
    }

    fn expire(&mut self, keep: Option<Duration>) {
        self.store.expire(keep);
        let now = self.clock.now();
        let left = |record| match (record, keep) {
            (record, _) if !is_over(&record, now) => Some(record),
            (Record::Object(Object { version, .. }), Some(keep)) => {
                Some(Record::Tombstone { version, expires_at: now + keep })
            }
            _ => None,
        };
        let model = std::mem::take(&mut self.model).into_iter();
        self.model = model.filter_map(|(name, record)| Some((name, left(record)?))).collect();
    }

    fn run(&mut self, number: usize, step: Step) {
        match step {
            Step::Store { name, version: of, size, lifetime, content_type, room } => {
                let content_type = format!("test/{content_type}");
                let object = Object {
                    value: vec![number as u8; size].into(),
                    content_type: ContentType::parse(content_type.as_bytes()).unwrap(),
                    version: version(of),
                    expires_at: lifetime.map(|millis| self.clock.now() + Duration::from_millis(millis)),
                };
                self.apply(name, Record::Object(object), room);
            }
            Step::Bury { name, version: of, lifetime } => {
                let expires_at = self.clock.now() + Duration::from_millis(lifetime);
                self.apply(name, Record::Tombstone { version: version(of), expires_at }, Room::Evict);
            }
            Step::Read(name) => self.compare(name),
            Step::RemoveIf { name, version: of } => self.remove_if(name, version(of)),
            Step::RemoveNewest(name) => {
                if let Some(newest) = self.store.newest(&key(&name.to_string())) {
                    self.remove_if(name, newest);
                }
            }
            Step::Advance(millis) => self.clock.advance(Duration::from_millis(millis)),
            Step::Expire(keep) => self.expire(keep.map(Duration::from_millis)),
        }
        let objects = self.model.values().filter(|record| matches!(record, Record::Object(_))).count() as u64;
        let usage = self.store.usage();
        assert_eq!((usage.objects, usage.tombstones), (objects, self.model.len() as u64 - objects));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_store_answers_as_a_plain_map_would(steps in prop::collection::vec(step(), 1..200)) {
        let (store, clock) = store(ROOMY);
        let mut pair = Pair { store, clock, model: HashMap::new() };
        for (number, step) in steps.into_iter().enumerate() {
            pair.run(number, step);
        }
        let mut shown = HashMap::new();
        let mut cursor = Some(Cursor::default());
        while let Some(from) = cursor {
            cursor = pair.store.scan(from, 7, |key, version| {
                shown.insert(key.as_str().parse().unwrap(), version);
            });
        }
        let expected = (0..30).filter_map(|name| Some((name, pair.record(name)?.version()))).collect();
        prop_assert_eq!(shown, expected);
        for name in 0..30 {
            pair.compare(name);
            pair.store.remove(&key(&name.to_string()));
        }
        pair.store.expire(None);
        let usage = pair.store.usage();
        prop_assert_eq!((usage.objects, usage.tombstones, usage.bytes, usage.evicted), (0, 0, 0, 0));
    }
}
