//! How two members prove to each other that they know the shared secret when they open a stream, and how each frame
//! of a stream without TLS is protected afterwards.
//!
//! Pure functions: the stream sends what is made here. Both HELLOs carry random bytes and everything that was agreed;
//! the proofs are over both of them and over the TLS channel, so no proof is good for another stream.
//!
//! Invariant: each direction has a key of its own and counts its frames, so that a frame that is changed, repeated,
//! left out, moved or sent back does not verify.

use aws_lc_rs::{constant_time, digest, hkdf, hmac};

use super::shared_secret::{KEY_BYTES, SharedSecrets, expand};

/// The length of a proof, in bytes.
pub const PROOF_BYTES: usize = 32;
/// The length of a frame's MAC, in bytes.
pub const TAG_BYTES: usize = 16;
/// The label under which both sides export the TLS channel's secret (RFC 5705), 32 bytes, no context.
pub const CHANNEL_LABEL: &[u8] = b"EXPORTER-ringhold-member-stream";

const LABEL: &str = "member stream";

/// A proof that its sender knows the secret.
pub type Proof = [u8; PROOF_BYTES];
/// The MAC of a frame.
pub type Tag = [u8; TAG_BYTES];

/// The side that opened the connection, or the one that accepted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It opened.
    Opener,
    /// It accepted.
    Acceptor,
}

impl Side {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Opener => b"opener",
            Self::Acceptor => b"acceptor",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Opener => Self::Acceptor,
            Self::Acceptor => Self::Opener,
        }
    }
}

/// The proof of the other side does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the other side does not know the shared secret: compare auth.shared_secret on both nodes")]
pub struct ProofError;

/// A frame that this stream's other side did not send at this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("frame {0} was changed, repeated, left out or forged: close the stream")]
pub struct FrameError(u64);

/// Everything that was said before the proofs: both HELLOs as they were sent, and what both sides exported from TLS
/// under [`CHANNEL_LABEL`] (nothing on a plain stream).
#[derive(Clone, Copy, Debug)]
pub struct Transcript([u8; 32]);

impl Transcript {
    /// The transcript of these bytes.
    #[must_use]
    pub fn new(opener_hello: &[u8], acceptor_hello: &[u8], channel: &[u8]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        for part in [opener_hello, acceptor_hello, channel] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.finish().as_ref());
        Self(bytes)
    }
}

/// The keys of one stream, under one secret, for one side of it.
pub struct StreamKeys {
    side: Side,
    proof: hmac::Key,
    opener: hmac::Key,
    acceptor: hmac::Key,
    transcript: Transcript,
}

impl StreamKeys {
    /// The keys of the side that opened: it proves with the secret that signs.
    #[must_use]
    pub fn opener(secrets: &SharedSecrets, transcript: Transcript) -> Self {
        let root = secrets.signing().key(&[LABEL.as_bytes()]);
        Self::derive(&root, Side::Opener, transcript)
    }

    /// The keys of the side that accepted, once the opener has proved that it knows one of the accepted secrets;
    /// the answer is proved with the same one.
    ///
    /// # Errors
    /// [`ProofError`] when the proof holds under none of them.
    pub fn acceptor(
        secrets: &SharedSecrets,
        transcript: Transcript,
        proof: &Proof,
    ) -> Result<Self, ProofError> {
        let roots = secrets.accepted().iter();
        let candidates =
            roots.map(|root| Self::derive(&root.key(&[LABEL.as_bytes()]), Side::Acceptor, transcript));
        // Every secret is tried, so that the time tells nothing of which one it was.
        let holding = candidates.filter(|keys| keys.check(proof).is_ok());
        holding.fold(None, |first: Option<Self>, keys| first.or(Some(keys))).ok_or(ProofError)
    }

    fn derive(root: &[u8; KEY_BYTES], side: Side, transcript: Transcript) -> Self {
        let stream = hkdf::Salt::new(hkdf::HKDF_SHA256, &transcript.0).extract(root);
        let key = |label: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, expand(&stream, &[label]).as_slice());
        let (proof, opener, acceptor) = (key(b"proof"), key(b"opener frames"), key(b"acceptor frames"));
        Self { side, proof, opener, acceptor, transcript }
    }

    /// What this side sends to prove itself.
    #[must_use]
    pub fn proof(&self) -> Proof {
        let mut proof = [0; PROOF_BYTES];
        proof.copy_from_slice(self.tag_of(self.side).as_ref());
        proof
    }

    /// Checks what the other side sent.
    ///
    /// # Errors
    /// [`ProofError`].
    pub fn check(&self, proof: &Proof) -> Result<(), ProofError> {
        let expected = self.tag_of(self.side.other());
        constant_time::verify_slices_are_equal(expected.as_ref(), proof).map_err(|_| ProofError)
    }

    fn tag_of(&self, side: Side) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.proof);
        context.update(side.label());
        context.update(&self.transcript.0);
        context.sign()
    }

    /// What protects the frames of a stream without TLS: for sending, and for receiving.
    #[must_use]
    pub fn frames(self) -> (FrameSealer, FrameOpener) {
        let (own, others) = match self.side {
            Side::Opener => (self.opener, self.acceptor),
            Side::Acceptor => (self.acceptor, self.opener),
        };
        (FrameSealer { key: own, next: 0 }, FrameOpener { key: others, next: 0 })
    }
}

impl std::fmt::Debug for StreamKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamKeys").field("side", &self.side).field("keys", &"***").finish()
    }
}

/// Makes the MAC of each frame that is sent, in order.
#[derive(Debug)]
pub struct FrameSealer {
    key: hmac::Key,
    next: u64,
}

impl FrameSealer {
    /// The MAC of the next frame, given in parts that need not lie together.
    #[must_use = "send it with the frame"]
    pub fn seal(&mut self, parts: &[&[u8]]) -> Tag {
        let mac = frame_mac(&self.key, self.next, parts);
        self.next += 1;
        let mut tag = [0; TAG_BYTES];
        tag.copy_from_slice(&mac.as_ref()[..TAG_BYTES]);
        tag
    }
}

/// Checks the MAC of each frame that is received, in order.
#[derive(Debug)]
pub struct FrameOpener {
    key: hmac::Key,
    next: u64,
}

impl FrameOpener {
    /// Checks the next frame. After an error the stream is of no more use.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn open(&mut self, parts: &[&[u8]], tag: &Tag) -> Result<(), FrameError> {
        let mac = frame_mac(&self.key, self.next, parts);
        constant_time::verify_slices_are_equal(&mac.as_ref()[..TAG_BYTES], tag)
            .map_err(|_| FrameError(self.next))?;
        self.next += 1;
        Ok(())
    }
}

fn frame_mac(key: &hmac::Key, number: u64, parts: &[&[u8]]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(&number.to_be_bytes());
    parts.iter().for_each(|part| context.update(part));
    context.sign()
}

#[cfg(test)]
mod tests {
    use super::super::secret::Secret;
    use super::super::shared_secret::generate_secret;
    use super::*;

    fn secrets() -> SharedSecrets {
        SharedSecrets::new(&generate_secret().unwrap(), &[]).unwrap()
    }

    fn fixed() -> SharedSecrets {
        SharedSecrets::new(&Secret::from("ringhold test vector: not a secret 0123"), &[]).unwrap()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn pair(secrets: &SharedSecrets) -> (StreamKeys, StreamKeys) {
        let transcript = Transcript::new(b"hello from A", b"hello from B", b"");
        let opener = StreamKeys::opener(secrets, transcript);
        let acceptor = StreamKeys::acceptor(secrets, transcript, &opener.proof()).unwrap();
        (opener, acceptor)
    }

    #[test]
    fn both_sides_prove_that_they_know_the_secret() {
        let (opener, acceptor) = pair(&secrets());
        assert_eq!(opener.check(&acceptor.proof()), Ok(()));
        assert_eq!(acceptor.check(&opener.proof()), Ok(()));
    }

    #[test]
    fn another_secret_is_refused_on_both_sides() {
        let transcript = Transcript::new(b"a", b"b", b"");
        let ours = StreamKeys::opener(&secrets(), transcript);
        let theirs = StreamKeys::opener(&secrets(), transcript);
        assert_eq!(StreamKeys::acceptor(&secrets(), transcript, &ours.proof()).unwrap_err(), ProofError);
        assert_eq!(ours.check(&theirs.proof()), Err(ProofError));
    }

    #[test]
    fn a_proof_sent_back_proves_nothing() {
        let (opener, acceptor) = pair(&secrets());
        assert_eq!(opener.check(&opener.proof()), Err(ProofError));
        assert_eq!(acceptor.check(&acceptor.proof()), Err(ProofError));
    }

    #[test]
    fn a_proof_is_worth_nothing_in_another_stream() {
        let secrets = secrets();
        let proof = StreamKeys::opener(&secrets, Transcript::new(b"ab", b"c", b"")).proof();
        let others: [[&[u8]; 3]; 4] =
            [[b"ab", b"d", b""], [b"xb", b"c", b""], [b"a", b"bc", b""], [b"ab", b"c", b"tls"]];
        for [opener, acceptor, channel] in others {
            let transcript = Transcript::new(opener, acceptor, channel);
            assert!(StreamKeys::acceptor(&secrets, transcript, &proof).is_err());
        }
    }

    #[test]
    fn during_a_rotation_the_answer_is_proved_with_the_secret_that_the_opener_used() {
        let (old, new) = (generate_secret().unwrap(), generate_secret().unwrap());
        let behind = SharedSecrets::new(&old, std::slice::from_ref(&new)).unwrap();
        let ahead = SharedSecrets::new(&new, &[old]).unwrap();
        let transcript = Transcript::new(b"a", b"b", b"");
        for (one, other) in [(&behind, &ahead), (&ahead, &behind)] {
            let opener = StreamKeys::opener(one, transcript);
            let acceptor = StreamKeys::acceptor(other, transcript, &opener.proof()).unwrap();
            assert_eq!(opener.check(&acceptor.proof()), Ok(()));
            let ((mut seal, _), (_, mut open)) = (opener.frames(), acceptor.frames());
            assert_eq!(open.open(&[b"x"], &seal.seal(&[b"x"])), Ok(()));
        }
    }

    #[test]
    fn frames_verify_in_order_and_in_any_split() {
        let (opener, acceptor) = pair(&secrets());
        let ((mut seal, _), (_, mut open)) = (opener.frames(), acceptor.frames());
        for text in ["one", "two", "", "three"] {
            let tag = seal.seal(&[text.as_bytes()]);
            let (head, tail) = text.as_bytes().split_at(text.len() / 2);
            assert_eq!(open.open(&[head, tail], &tag), Ok(()));
        }
    }

    #[test]
    fn a_changed_repeated_missing_moved_or_returned_frame_is_refused() {
        let (opener, acceptor) = pair(&secrets());
        let ((mut seal, mut own_open), (mut others_seal, mut open)) = (opener.frames(), acceptor.frames());
        let first = seal.seal(&[b"first"]);
        let second = seal.seal(&[b"second"]);
        assert_eq!(open.open(&[b"second"], &second), Err(FrameError(0)), "the first was left out");
        assert_eq!(open.open(&[b"First"], &first), Err(FrameError(0)), "it was changed");
        assert_eq!(own_open.open(&[b"first"], &first), Err(FrameError(0)), "it was sent back");
        assert_eq!(open.open(&[b"first"], &first), Ok(()));
        assert_eq!(open.open(&[b"first"], &first), Err(FrameError(1)), "it was repeated");
        assert_eq!(open.open(&[b"second"], &others_seal.seal(&[b"second"])), Err(FrameError(1)));
    }

    #[test]
    fn the_vectors_of_the_documentation_hold() {
        let transcript = Transcript::new(b"hello from A", b"hello from B", b"");
        let opener = StreamKeys::opener(&fixed(), transcript);
        let acceptor = StreamKeys::acceptor(&fixed(), transcript, &opener.proof()).unwrap();
        assert_eq!(hex(&opener.proof()), OPENER_PROOF);
        assert_eq!(hex(&acceptor.proof()), ACCEPTOR_PROOF);
        let (mut seal, _) = opener.frames();
        assert_eq!(hex(&seal.seal(&[b"frame"])), FIRST_TAG);
    }

    const OPENER_PROOF: &str = "30042b768d84755fa8ad40d0a5047df58d11dbcc136e96a373e5e6a526936539";
    const ACCEPTOR_PROOF: &str = "ea84f429b2fb231bf13eac47e60e0fc02f2dab8e56c8d44fdd33be1c936bc4c0";
    const FIRST_TAG: &str = "91941039727cc0c4ba026e26755b5272";

    #[test]
    fn no_debug_output_shows_a_key() {
        let (opener, _) = pair(&secrets());
        assert!(format!("{opener:?}").contains("***"));
        let (seal, open) = opener.frames();
        for output in [format!("{seal:?}"), format!("{open:?}")] {
            assert!(!output.contains('['), "no bytes of a key: {output}");
        }
    }
}
