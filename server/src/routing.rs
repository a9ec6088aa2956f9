//! "Local, forward, or stand in?": asks the view; nothing else decides.

use std::sync::Arc;

use bytes::Bytes;
use ringhold_ring::Key;

use crate::object::{Answer, Forwarding, Operation, Route};
use crate::owner::Owner;

/// The door to the ring's objects: for listeners, for members' streams and for the program that embeds a node.
#[derive(Clone, Debug)]
pub struct Objects {
    owner: Arc<Owner>,
    me: Bytes,
}

impl Objects {
    /// Objects that are all at home here.
    #[must_use]
    pub fn local(owner: Arc<Owner>, me: Bytes) -> Self {
        Self { owner, me }
    }

    /// Carries `operation` out at the member that owns `key`, wherever that is.
    pub async fn execute(&self, key: &Key<'_>, operation: Operation, forwarding: Forwarding) -> Answer {
        let _ = forwarding;
        let result = self.owner.execute(key, operation).await;
        Answer { result, member: self.me.clone(), route: Route::Local }
    }
}
