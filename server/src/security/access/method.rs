//! How clients can prove who they are: a chain of methods, each a file of its own.
//!
//! A method looks for its own kind of credential only. It says nothing when there is none, and refuses when there is
//! a wrong one; the next is asked only in the first case, so a wrong credential is never outvoted by another.

use std::sync::Arc;

use http::{HeaderMap, Method as HttpMethod, StatusCode};

use super::bearer::Scope;

/// One way to prove who one is.
pub trait Method: std::fmt::Debug + Send + Sync {
    /// What to ask for in `WWW-Authenticate` (RFC 9110 section 11.6.1): `Bearer`, later `Negotiate`.
    fn challenge(&self) -> &'static str;

    /// Who a request comes from; none when it shows no credential of this kind.
    ///
    /// # Errors
    /// [`CredentialError`] when it shows a wrong one.
    fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Grant>, CredentialError>;
}

/// Who was recognised, and what that is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The name for logs.
    pub name: Arc<str>,
    /// What it is good for.
    pub scope: Scope,
}

/// Why a request is refused for its credentials. It never holds them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// None was shown; what would help.
    #[error("it shows no credentials; accepted are: {}", .0.join(", "))]
    Missing(Vec<&'static str>),
    /// More than one `Authorization`, or one that cannot be read.
    #[error("its Authorization header cannot be read")]
    Malformed,
    /// Not one of ours.
    #[error("its {0} credentials are not known here")]
    Unknown(&'static str),
    /// Good for reading only.
    #[error("\"{0}\" may only read")]
    ReadOnly(Arc<str>),
}

impl CredentialError {
    /// 401 when other credentials would help, 403 when not.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::Missing(_) | Self::Malformed | Self::Unknown(_) => StatusCode::UNAUTHORIZED,
            Self::ReadOnly(_) => StatusCode::FORBIDDEN,
        }
    }
}

/// Asks each method in turn. Without methods nobody needs credentials.
///
/// # Errors
/// [`CredentialError`] of the first method that refuses, or when all are silent.
pub fn authenticate(
    methods: &[Box<dyn Method>],
    headers: &HeaderMap,
    method: &HttpMethod,
) -> Result<Option<Grant>, CredentialError> {
    if methods.is_empty() {
        return Ok(None);
    }
    for way in methods {
        if let Some(grant) = way.authenticate(headers)? {
            let may = grant.scope.allows(method);
            return if may { Ok(Some(grant)) } else { Err(CredentialError::ReadOnly(grant.name)) };
        }
    }
    Err(CredentialError::Missing(methods.iter().map(|way| way.challenge()).collect()))
}
