//! Reloads of real files: good ones, bad ones, and those that did not change.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::keystore::Passwords;
use super::super::material::{SecretSources, TlsFiles};
use super::super::secret::SecretSource;
use super::super::shared_secret::generate_secret;
use super::super::testing::{Workshop, now};
use super::super::tls::{Options, Tls};
use super::*;

/// A minute ahead: what the tools make meanwhile is valid by it.
fn clock() -> Clock {
    Clock::manual(now() + Duration::from_secs(60))
}

/// A source that keeps the last good content of a file; "bad" is bad.
fn text(shop: &Workshop, name: &str) -> (Source, Arc<Mutex<String>>) {
    let path = shop.path(name);
    let kept = Arc::new(Mutex::new(std::fs::read_to_string(&path).unwrap_or_default()));
    let (file, target) = (path.clone(), Arc::clone(&kept));
    let apply = move || {
        let content = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
        if content == "bad" {
            return Err("it is bad".to_owned());
        }
        *target.lock() = content;
        Ok(vec![file.clone()])
    };
    (Source { name: "text", files: vec![path], apply: Box::new(apply) }, kept)
}

#[test]
fn a_changed_file_is_loaded_once() {
    let shop = Workshop::new();
    shop.write("file", "one");
    let (source, kept) = text(&shop, "file");
    let watcher = Watcher::new(vec![source], clock());
    assert_eq!(watcher.check(Trigger::Interval), []);
    shop.write("file", "two");
    assert_eq!(watcher.check(Trigger::Interval), [Outcome { name: "text", result: Ok(()) }]);
    assert_eq!(*kept.lock(), "two");
    assert_eq!(watcher.check(Trigger::Interval), []);
    assert_eq!(watcher.report()[0].reloads, 1);
}

#[test]
fn a_file_that_is_touched_or_replaced_by_its_like_is_not_loaded() {
    let shop = Workshop::new();
    shop.write("file", "one");
    let (source, _) = text(&shop, "file");
    let watcher = Watcher::new(vec![source], clock());
    shop.write("new", "one");
    std::fs::rename(shop.path("new"), shop.path("file")).unwrap();
    assert_eq!(watcher.check(Trigger::Interval), []);
    assert_eq!(watcher.check(Trigger::Demand).len(), 1, "on demand everything is loaded");
}

#[test]
fn a_change_that_keeps_length_and_time_is_seen() {
    let shop = Workshop::new();
    let path = shop.write("file", "one");
    let (source, kept) = text(&shop, "file");
    let watcher = Watcher::new(vec![source], clock());
    let before = std::fs::metadata(&path).unwrap().modified().unwrap();
    // The kernel stamps with the time of its last tick: wait until that has moved.
    let ticked = || {
        shop.write("probe", "x");
        std::fs::metadata(shop.path("probe")).unwrap().modified().unwrap() > before
    };
    while !ticked() {}
    shop.write("file", "two");
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(before).unwrap();
    assert_eq!(watcher.check(Trigger::Interval).len(), 1);
    assert_eq!(*kept.lock(), "two");
}

#[test]
fn a_bad_file_changes_nothing_and_is_reported_until_it_is_right() {
    let shop = Workshop::new();
    shop.write("file", "one");
    let (source, kept) = text(&shop, "file");
    let clock = clock();
    let watcher = Watcher::new(vec![source], clock.clone());
    let start = clock.wall();
    clock.advance(Duration::from_secs(60));
    shop.write("file", "bad");
    assert_eq!(watcher.check(Trigger::Interval), [Outcome { name: "text", result: Err("it is bad".into()) }]);
    assert_eq!(*kept.lock(), "one");
    let status = watcher.report().remove(0);
    assert_eq!(status.error, Some(("it is bad".into(), clock.wall())));
    assert_eq!((status.loaded_at, status.failures), (start, 1));
    assert_eq!(watcher.check(Trigger::Interval), [], "one bad file is one line in the log");
    shop.write("file", "good again");
    assert_eq!(watcher.check(Trigger::Interval).len(), 1);
    let status = watcher.report().remove(0);
    assert_eq!((status.error, status.loaded_at, status.reloads), (None, clock.wall(), 1));
}

#[test]
fn a_file_that_disappears_changes_nothing() {
    let shop = Workshop::new();
    let path = shop.write("file", "one");
    let (source, kept) = text(&shop, "file");
    let watcher = Watcher::new(vec![source], clock());
    std::fs::remove_file(path).unwrap();
    assert!(watcher.check(Trigger::Interval)[0].result.is_err());
    assert_eq!(*kept.lock(), "one");
}

#[test]
fn a_folder_behind_a_swapped_link_is_seen() {
    let shop = Workshop::new();
    for version in ["v1", "v2"] {
        std::fs::create_dir(shop.path(version)).unwrap();
        shop.write(&format!("{version}/file"), version);
    }
    std::os::unix::fs::symlink(shop.path("v1"), shop.path("data")).unwrap();
    let (source, kept) = text(&shop, "data/file");
    let watcher = Watcher::new(vec![source], clock());
    std::os::unix::fs::symlink(shop.path("v2"), shop.path("next")).unwrap();
    std::fs::rename(shop.path("next"), shop.path("data")).unwrap();
    assert_eq!(watcher.check(Trigger::Interval).len(), 1);
    assert_eq!(*kept.lock(), "v2");
}

#[test]
fn keystore_and_password_are_replaced_together_or_not_at_all() {
    let shop = Workshop::new();
    let make = |name: &str| {
        shop.run(&format!("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -out c -days 30 -subj /CN={name}"));
        shop.run(&format!("openssl pkcs12 -export -inkey k -in c -passout pass:pass-{name} -out store.p12"));
    };
    make("old");
    shop.write("password", "pass-old");
    let files = TlsFiles {
        keystore: shop.path("store.p12"),
        keystore_password: Some(SecretSource::File(shop.path("password"))),
        ..TlsFiles::default()
    };
    let clock = clock();
    let tls =
        Arc::new(Tls::new(files.load(clock.wall()).unwrap(), Options::default(), clock.clone()).unwrap());
    let (target, wall) = (Arc::clone(&tls), clock.clone());
    let source = Source {
        name: "tls",
        files: files.files(),
        apply: Box::new(move || {
            let material = files.load(wall.wall()).map_err(|error| error.to_string())?;
            target.replace(material).map_err(|error| error.to_string())?;
            Ok(files.files())
        }),
    };
    let watcher = Watcher::new(vec![source], clock);
    let subject = || tls.current().material.identity.leaf().subject().to_owned();

    make("new");
    let outcome = watcher.check(Trigger::Interval).remove(0);
    let why = outcome.result.unwrap_err();
    assert!(why.contains("the keystore password is wrong") && !why.contains("pass-"), "{why}");
    assert_eq!(subject(), "CN=old");
    shop.write("password", "pass-new");
    assert_eq!(watcher.check(Trigger::Interval)[0].result, Ok(()));
    assert_eq!(subject(), "CN=new");
    assert!(shop.open("store.p12", &Passwords::one("pass-new")).is_ok());
}

#[test]
fn a_weak_new_secret_keeps_the_old_one() {
    let shop = Workshop::new();
    shop.write("secret", generate_secret().unwrap().expose());
    let sources = SecretSources { signing: SecretSource::File(shop.path("secret")), accepted: Vec::new() };
    let loads = Arc::new(AtomicUsize::new(0));
    let (files, count) = (sources.files(), Arc::clone(&loads));
    let apply = move || {
        sources.load().map_err(|error| error.to_string())?;
        count.fetch_add(1, Ordering::Relaxed);
        Ok(sources.files())
    };
    let watcher = Watcher::new(vec![Source { name: "secrets", files, apply: Box::new(apply) }], clock());
    shop.write("secret", "changeme");
    let why = watcher.check(Trigger::Interval).remove(0).result.unwrap_err();
    assert!(why.contains("ringhold secret generate") && !why.contains("changeme"), "{why}");
    assert_eq!(loads.load(Ordering::Relaxed), 0);
    shop.write("secret", generate_secret().unwrap().expose());
    assert_eq!(watcher.check(Trigger::Interval)[0].result, Ok(()));
}

#[tokio::test]
async fn the_watcher_runs_by_itself_and_on_demand() {
    let shop = Workshop::new();
    shop.write("file", "one");
    let (source, kept) = text(&shop, "file");
    let watcher = Arc::new(Watcher::new(vec![source], clock()));
    let running = tokio::spawn(Arc::clone(&watcher).run(Duration::from_millis(10)));
    shop.write("file", "two");
    let reloads = |count: u64| {
        let watcher = Arc::clone(&watcher);
        async move {
            while watcher.report()[0].reloads < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reloads(1)).await.unwrap();
    assert_eq!(*kept.lock(), "two");
    watcher.demand();
    tokio::time::timeout(Duration::from_secs(60), reloads(2)).await.unwrap();
    running.abort();
}
