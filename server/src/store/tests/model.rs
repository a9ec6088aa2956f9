//! Any sequence of operations gives the answers that a plain map gives.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Put { name: u8, size: usize, lifetime: Option<u64>, content_type: u16 },
    Get(u8),
    Remove(u8),
    Advance(u64),
    Expire,
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![4 => 0_usize..300, 2 => 300_usize..1200, 1 => 3900_usize..4300];
    // From the finest level of the wheel to the longest time to live.
    let lifetime = prop_oneof![
        2 => Just(None),
        3 => (1_u64..200).prop_map(Some),
        2 => (1_u64..10_000_000).prop_map(Some),
        1 => (0_u64..=i32::MAX as u64).prop_map(|seconds| Some(seconds * 1000)),
    ];
    let advance = prop_oneof![4 => 0_u64..300, 2 => 0_u64..2_000_000, 1 => 0_u64..100_000_000_000];
    prop_oneof![
        6 => (0_u8..40, size, lifetime, 0_u16..100)
            .prop_map(|(name, size, lifetime, content_type)| Step::Put { name, size, lifetime, content_type }),
        4 => (0_u8..40).prop_map(Step::Get),
        2 => (0_u8..40).prop_map(Step::Remove),
        3 => advance.prop_map(Step::Advance),
        2 => Just(Step::Expire),
    ]
}

/// The store under test, and what it should hold.
struct Pair {
    store: Store,
    clock: Clock,
    model: HashMap<u8, Object>,
}

impl Pair {
    fn live(&self, name: u8) -> Option<&Object> {
        let now = self.clock.now();
        self.model.get(&name).filter(|object| object.expires_at.is_none_or(|at| now < at))
    }

    fn run(&mut self, number: usize, step: Step) {
        match step {
            Step::Put { name, size, lifetime, content_type } => {
                let content_type = format!("test/{content_type}");
                let object = Object {
                    value: vec![number as u8; size].into(),
                    content_type: ContentType::parse(content_type.as_bytes()).unwrap(),
                    version: version(number as u64),
                    expires_at: lifetime.map(|millis| self.clock.now() + Duration::from_millis(millis)),
                };
                let expected = if self.live(name).is_some() { Put::Replaced } else { Put::Created };
                assert_eq!(self.store.put(&key(&name.to_string()), object.clone()), Ok(expected));
                self.model.insert(name, object);
            }
            Step::Get(name) => {
                assert_eq!(self.store.get(&key(&name.to_string())).as_ref(), self.live(name));
            }
            Step::Remove(name) => {
                let there = self.live(name).is_some();
                assert_eq!(self.store.remove(&key(&name.to_string())), there);
                self.model.remove(&name);
            }
            Step::Advance(millis) => self.clock.advance(Duration::from_millis(millis)),
            Step::Expire => {
                self.store.expire();
                let now = self.clock.now();
                self.model.retain(|_, object| object.expires_at.is_none_or(|at| now < at));
                assert_eq!(self.store.usage().objects, self.model.len() as u64);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_store_answers_as_a_plain_map_would(steps in prop::collection::vec(step(), 1..200)) {
        let (store, clock) = store(ROOMY);
        let mut pair = Pair { store, clock, model: HashMap::new() };
        for (number, step) in steps.into_iter().enumerate() {
            pair.run(number, step);
        }
        for name in 0..40 {
            let found = pair.store.get(&key(&name.to_string()));
            prop_assert_eq!(found.as_ref(), pair.live(name));
            pair.store.remove(&key(&name.to_string()));
        }
        pair.store.expire();
        let usage = pair.store.usage();
        prop_assert_eq!((usage.objects, usage.bytes, usage.evicted), (0, 0, 0));
    }
}
