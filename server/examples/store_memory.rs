//! Resident memory per object beyond key and value: 16-byte keys, 100-byte values, after a load, after reading
//! everything, after overwrites of random sizes, and after everything has expired.
//!
//! `cargo run --release -p ringhold-server --example store_memory -- [objects] [overwrites]`

use std::time::Duration;

use ringhold_config::Store as Settings;
use ringhold_ring::{Key, MemberAddress, Timestamp, VersionClock, WriterId};
use ringhold_server::clock::Clock;
use ringhold_server::object::{ContentType, Object, Record};
use ringhold_server::store::{Room, Store};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let objects: u64 = arguments.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let overwrites: u64 = arguments.next().map_or(Ok(0), |text| text.parse())?;

    let clock = Clock::manual(Timestamp::from_millis(1_800_000_000_000));
    let settings = Settings { max_bytes: 16 << 30, max_object_bytes: 1 << 20, default_ttl: None };
    let store = Store::new(&settings, clock.clone());
    let member: MemberAddress = "127.0.0.1:9999".parse()?;
    let versions = VersionClock::new(WriterId::of(&member));
    let put = |number: u64, bytes: u64| -> Result<(), Box<dyn std::error::Error>> {
        let object = Object {
            value: vec![1; usize::try_from(bytes)?].into(),
            content_type: ContentType::Json,
            version: versions.next(clock.now()),
            expires_at: Some(clock.now() + Duration::from_secs(3600 + number % 3600)),
        };
        store.apply(&Key::new(format!("{number:016}"))?, Record::Object(object), Room::Evict)?;
        Ok(())
    };

    let empty = resident_bytes()?;
    let mut payload = objects * 116;
    let report = |what: &str, payload: u64| -> Result<(), Box<dyn std::error::Error>> {
        let usage = store.usage();
        let beyond = |bytes: i64| {
            (bytes - i64::try_from(payload)?)
                .checked_div(i64::try_from(usage.objects)?)
                .map_or(Ok::<_, std::num::TryFromIntError>(0), Ok)
        };
        println!(
            "{what:<40} {:>9} objects  resident {:>4} B beyond  allocated {:>4} B beyond  accounted {:>4} B beyond",
            usage.objects,
            beyond(i64::try_from(resident_bytes()?.saturating_sub(empty))?)?,
            beyond(i64::try_from(store.allocated_bytes())?)?,
            beyond(i64::try_from(usage.bytes)?)?,
        );
        Ok(())
    };

    for number in 0..objects {
        put(number, 100)?;
    }
    report("loaded", payload)?;
    for number in 0..objects {
        store.get(&Key::new(format!("{number:016}"))?).ok_or("an object is missing")?;
    }
    report("read", payload)?;

    let mut dice = 1_u64;
    let mut sizes = vec![100; usize::try_from(objects)?];
    for round in 0..overwrites {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (number, bytes) = ((dice >> 33) % objects, (dice >> 20) % 200);
        let size = &mut sizes[usize::try_from(number)?];
        payload = payload + bytes - std::mem::replace(size, bytes);
        put(number, bytes)?;
        if round % 50_000 == 0 {
            store.expire(None);
        }
    }
    if overwrites > 0 {
        store.expire(None);
        report(&format!("{overwrites} overwrites, 0 to 199 bytes"), payload)?;
    }

    clock.advance(Duration::from_secs(7200));
    store.expire(None);
    println!(
        "expired: {} objects, resident {} KiB more than empty",
        store.usage().objects,
        resident_bytes()?.saturating_sub(empty) >> 10
    );
    Ok(())
}

/// From the second field of `/proc/self/statm`, in pages of 4 KiB.
fn resident_bytes() -> Result<u64, Box<dyn std::error::Error>> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = statm.split_whitespace().nth(1).ok_or("statm has no second field")?.parse()?;
    Ok(pages * 4096)
}
