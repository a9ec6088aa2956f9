//! Keeps a node's automatic certificate young: replaces it when half its life has passed, and when the secret does.
//!
//! Invariant: the old material stays in use until the new one is complete, so no connection is refused on the way.

use std::sync::Arc;

use parking_lot::Mutex;
use ringhold_ring::Timestamp;

use super::super::shared_secret::SharedSecrets;
use super::super::tls::{Options, Tls};
use super::{AutomaticError, BACKDATE, LIFETIME, NodeNames, material};
use crate::clock::Clock;

/// The automatic TLS of a node.
#[derive(Debug)]
pub struct AutomaticTls {
    tls: Arc<Tls>,
    names: NodeNames,
    clock: Clock,
    secrets: Mutex<SharedSecrets>,
}

impl AutomaticTls {
    /// Issues the first certificate.
    ///
    /// # Errors
    /// [`AutomaticError`].
    pub fn start(
        secrets: SharedSecrets,
        names: NodeNames,
        options: Options,
        clock: Clock,
    ) -> Result<Self, AutomaticError> {
        let first = material(&secrets, &names, clock.wall())?;
        let tls = Arc::new(Tls::new(first, options, clock.clone())?);
        Ok(Self { tls, names, clock, secrets: Mutex::new(secrets) })
    }

    /// For listeners and member connections.
    #[must_use]
    pub const fn tls(&self) -> &Arc<Tls> {
        &self.tls
    }

    /// When the certificate in use is to be replaced: half its life before it ends.
    #[must_use]
    pub fn renew_at(&self) -> Timestamp {
        let current = self.tls.current();
        current.material.identity.leaf().not_before() + BACKDATE + LIFETIME / 2
    }

    /// Replaces the certificate when that is due; call it every minute or so. Answers whether it did.
    ///
    /// # Errors
    /// [`AutomaticError`]; then the old one stays, and the next call tries again.
    pub fn renew_if_due(&self) -> Result<bool, AutomaticError> {
        let issued_at = self.tls.current().material.identity.leaf().not_before() + BACKDATE;
        let now = self.clock.wall();
        // A clock that was set back leaves a certificate from the future: nobody would accept it.
        if now < self.renew_at() && now + BACKDATE >= issued_at {
            return Ok(false);
        }
        self.replace(&self.secrets.lock().clone())?;
        Ok(true)
    }

    /// Issues a certificate under another secret at once, and trusts what the new ones sign.
    ///
    /// # Errors
    /// [`AutomaticError`]; then nothing changes.
    pub fn replace_secrets(&self, secrets: SharedSecrets) -> Result<(), AutomaticError> {
        let mut kept = self.secrets.lock();
        self.replace(&secrets)?;
        *kept = secrets;
        Ok(())
    }

    fn replace(&self, secrets: &SharedSecrets) -> Result<(), AutomaticError> {
        Ok(self.tls.replace(material(secrets, &self.names, self.clock.wall())?)?)
    }
}
