//! Passwords and shared secrets, as the configuration names and hides them.

pub use ringhold_config::{MAX_SECRET_BYTES, Secret, SecretError, SecretSource};
