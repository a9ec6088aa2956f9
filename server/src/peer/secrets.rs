//! The shared secrets as this part of the node uses them: for proofs when a stream opens, and for tokens on what is
//! sent in plain HTTP.

use http::{HeaderValue, Request};
use ringhold_ring::{MemberAddress, Timestamp};

use crate::security::shared_secret::{NoRandomness, SharedSecrets};
use crate::security::token::{self, BodyDigest, TokenSigner};

/// One generation of shared secrets; replaced as a whole.
#[derive(Debug)]
pub(super) struct Secrets {
    shared: SharedSecrets,
    signer: TokenSigner,
}

impl Secrets {
    /// What `member` proves itself with.
    pub(super) fn new(shared: SharedSecrets, member: MemberAddress) -> Self {
        let signer = TokenSigner::new(&shared, member);
        Self { shared, signer }
    }

    /// The secret that signs, and those that are accepted.
    pub(super) const fn shared(&self) -> &SharedSecrets {
        &self.shared
    }

    /// Puts a member token on a request to `receiver` that is sent now, in place of one that it may bear.
    pub(super) fn sign<B>(
        &self,
        request: &mut Request<B>,
        body: &[u8],
        receiver: &MemberAddress,
        now: Timestamp,
    ) -> Result<(), NoRandomness> {
        let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let signed = token::Request { method: request.method().as_str(), path };
        let token = self.signer.sign(signed, BodyDigest::of(body), receiver, now)?;
        if let Ok(token) = HeaderValue::try_from(token) {
            request.headers_mut().insert(token::HEADER, token);
        }
        Ok(())
    }
}
