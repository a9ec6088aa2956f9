//! What keeps strangers out: keystores and TLS, automatic TLS, member tokens, stream proofs, access lists, and their
//! reload while the node runs.
//!
//! Nothing here opens a socket. Listeners and members take their TLS configurations from [`tls::Tls`], ask
//! [`access`] about every request first, and [`token`] or [`stream`] whether a caller is a member.
//!
//! Invariant: no type here shows a password, secret or key in its `Debug` output or its errors, and no failure
//! falls back to anything weaker.

pub mod access;
pub mod automatic;
pub mod certificate;
pub mod file;
pub mod identity;
pub mod keystore;
pub mod material;
pub mod refusals;
pub mod reload;
pub mod reminder;
pub mod secret;
pub mod shared_secret;
pub mod stream;
pub mod tls;
pub mod token;
pub mod tools;

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests;
