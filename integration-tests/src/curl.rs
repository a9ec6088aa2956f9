//! `curl`, as people use it: whether it gets an answer, which one, or why there is none.

use std::path::Path;

use crate::workshop::Workshop;

/// What became of one request.
#[derive(Clone, Debug)]
pub struct Curled {
    /// The status; 0 when there was no answer.
    pub status: u16,
    /// The body.
    pub body: String,
    /// How curl ended.
    pub code: Option<i32>,
    /// What curl said beside.
    pub said: String,
}

impl Curled {
    /// That there was an answer of this status.
    ///
    /// # Panics
    /// When there was another or none.
    pub fn assert_status(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
    }

    /// That TLS failed before there was any answer.
    ///
    /// # Panics
    /// When there was one, or nobody listened.
    pub fn assert_no_handshake(&self) {
        // In TLS 1.3 the client learns only after its own last message that it was refused: 56 (or 55), not 35.
        assert!(matches!(self.code, Some(35 | 55 | 56 | 60 | 58)), "{self:?}");
        assert_eq!(self.status, 0, "{self:?}");
    }
}

/// Runs curl with these options, separated by blanks, for one URL.
#[must_use]
pub fn curl(shop: &Workshop, options: &str, url: &str) -> Curled {
    const MARK: &str = "\n--status--";
    let format = format!("{MARK}%{{http_code}}");
    let mut words = vec!["curl", "-sS", "--noproxy", "*", "--max-time", "20", "-w", &format];
    words.extend(options.split_whitespace());
    words.push(url);
    let said = shop.try_run(&words);
    let (body, status) = said.out.rsplit_once(MARK).unwrap_or((&said.out, "000"));
    Curled { status: status.parse().unwrap_or(0), body: body.to_owned(), code: said.code, said: said.err }
}

/// The options that show a certificate and check the other side's against `authority`.
#[must_use]
pub fn with_certificate(pem: &Path, authority: &Path) -> String {
    format!("--cert {} --cacert {}", pem.display(), authority.display())
}
