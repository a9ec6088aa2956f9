//! The kinds of values: how each is read, checked, printed and described.
//!
//! Reading either gives a value that is right in itself, or the sentence that says what would be right.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use ringhold_ring::{MAX_MEMBERS, MemberAddress, Placement, Ttl};

use crate::given::Given;
use crate::sections::LogFormat;
use crate::units::{parse_duration, parse_size, print_duration, print_size};

/// How values of one kind are read and written.
pub(crate) trait Kind<T>: Sync {
    /// The value, or what would be right.
    fn read(&self, given: Given<'_>) -> Result<T, String>;
    /// The value in TOML.
    fn write(&self, value: &T) -> String;
    /// What values there are, for the documentation.
    fn describe(&self) -> String;
}

/// A whole number within a range.
pub(crate) struct Count(pub(crate) RangeInclusive<u64>);

impl<T: Copy + TryFrom<u64> + TryInto<u64>> Kind<T> for Count {
    fn read(&self, given: Given<'_>) -> Result<T, String> {
        let number = given.integer().and_then(|number| u64::try_from(number).ok());
        let within = number.filter(|number| self.0.contains(number));
        within
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("it is a whole number from {} to {}", self.0.start(), self.0.end()))
    }

    fn write(&self, value: &T) -> String {
        (*value).try_into().unwrap_or(u64::MAX).to_string()
    }

    fn describe(&self) -> String {
        format!("whole number, {} to {}", self.0.start(), self.0.end())
    }
}

/// A number of bytes within a range.
pub(crate) struct Size(pub(crate) RangeInclusive<u64>);

impl<T: Copy + TryFrom<u64> + TryInto<u64>> Kind<T> for Size {
    fn read(&self, given: Given<'_>) -> Result<T, String> {
        let bytes = match given.text() {
            Some(text) => parse_size(text),
            None => given.integer().and_then(|number| u64::try_from(number).ok()),
        };
        let bytes =
            bytes.ok_or("a size is a whole number and a unit: \"1GiB\", \"2MiB\", \"512KiB\", \"5MB\"")?;
        let within = Some(bytes).filter(|bytes| self.0.contains(bytes));
        within.and_then(|bytes| T::try_from(bytes).ok()).ok_or_else(|| {
            format!("it is a size from {} to {}", print_size(*self.0.start()), print_size(*self.0.end()))
        })
    }

    fn write(&self, value: &T) -> String {
        quoted(&print_size((*value).try_into().unwrap_or(u64::MAX)))
    }

    fn describe(&self) -> String {
        format!("size, {} to {}", print_size(*self.0.start()), print_size(*self.0.end()))
    }
}

/// A duration within a range.
pub(crate) struct Span(pub(crate) RangeInclusive<Duration>);

impl Kind<Duration> for Span {
    fn read(&self, given: Given<'_>) -> Result<Duration, String> {
        const RIGHT: &str = "a duration is a whole number and a unit: \"250ms\", \"10s\", \"2m\", \"1h\"";
        let Some(duration) = given.text().and_then(parse_duration) else {
            let bare = given.integer().or_else(|| given.text()?.parse().ok());
            return Err(match bare {
                Some(number) if number >= 0 => format!("{RIGHT}; \"{number}s\" would be {number} seconds"),
                _ => RIGHT.into(),
            });
        };
        Some(duration).filter(|duration| self.0.contains(duration)).ok_or_else(|| {
            let (least, most) = (print_duration(*self.0.start()), print_duration(*self.0.end()));
            format!("it is a duration from {least} to {most}")
        })
    }

    fn write(&self, value: &Duration) -> String {
        quoted(&print_duration(*value))
    }

    fn describe(&self) -> String {
        format!("duration, {} to {}", print_duration(*self.0.start()), print_duration(*self.0.end()))
    }
}

/// A time to live in whole seconds, or none.
pub(crate) struct Lifetime;

impl Kind<Option<Ttl>> for Lifetime {
    fn read(&self, given: Given<'_>) -> Result<Option<Ttl>, String> {
        let ttl = match given.text() {
            Some("none") => return Ok(None),
            Some(text) => match parse_duration(text) {
                Some(duration) if duration.subsec_nanos() == 0 => Ttl::from_seconds(duration.as_secs()).ok(),
                Some(_) => None,
                None => text.parse().ok(),
            },
            None => given
                .integer()
                .and_then(|number| u64::try_from(number).ok())
                .and_then(|seconds| Ttl::from_seconds(seconds).ok()),
        };
        ttl.map(Some).ok_or_else(|| {
            format!(
                "it is \"none\", a whole number of seconds from 1 to {}, or a duration in whole seconds like \"10m\"",
                Ttl::MAX_SECONDS
            )
        })
    }

    fn write(&self, value: &Option<Ttl>) -> String {
        quoted(&value.map_or_else(|| "none".into(), |ttl| print_duration(ttl.as_duration())))
    }

    fn describe(&self) -> String {
        format!("`\"none\"`, whole seconds from 1 to {}, or a duration in whole seconds", Ttl::MAX_SECONDS)
    }
}

/// `true` or `false`.
pub(crate) struct Switch;

impl Kind<bool> for Switch {
    fn read(&self, given: Given<'_>) -> Result<bool, String> {
        given.switch().ok_or_else(|| "it is true or false".into())
    }

    fn write(&self, value: &bool) -> String {
        value.to_string()
    }

    fn describe(&self) -> String {
        "`true` or `false`".into()
    }
}

/// The address of one member.
pub(crate) struct Member;

impl Kind<MemberAddress> for Member {
    fn read(&self, given: Given<'_>) -> Result<MemberAddress, String> {
        let text = given.text().ok_or("a member is host:port, for example \"10.0.0.1:9999\"")?;
        text.parse().map_err(|error: ringhold_ring::MemberAddressError| error.to_string())
    }

    fn write(&self, value: &MemberAddress) -> String {
        quoted(&value.to_string())
    }

    fn describe(&self) -> String {
        "`host:port`".into()
    }
}

/// The addresses of all members.
pub(crate) struct Members;

impl Kind<Vec<MemberAddress>> for Members {
    fn read(&self, given: Given<'_>) -> Result<Vec<MemberAddress>, String> {
        let elements = given
            .list()
            .filter(|elements| (1..=MAX_MEMBERS).contains(&elements.len()))
            .ok_or_else(|| format!("it is a list of 1 to {MAX_MEMBERS} members, each host:port"))?;
        elements.iter().map(|value| Member.read(Given { value, ..given })).collect()
    }

    fn write(&self, value: &Vec<MemberAddress>) -> String {
        let members: Vec<_> = value.iter().map(|member| Member.write(member)).collect();
        format!("[{}]", members.join(", "))
    }

    fn describe(&self) -> String {
        format!("list of 1 to {MAX_MEMBERS} `host:port`")
    }
}

/// An address to bind.
pub(crate) struct Socket;

impl Kind<SocketAddr> for Socket {
    fn read(&self, given: Given<'_>) -> Result<SocketAddr, String> {
        let address = given.text().and_then(|text| text.parse().ok());
        address.filter(|address: &SocketAddr| address.port() != 0).ok_or_else(|| {
            "a listener's address is an IP address and a port from 1 to 65535, for example \"127.0.0.1:9999\" \
             or \"[::1]:9999\""
                .into()
        })
    }

    fn write(&self, value: &SocketAddr) -> String {
        quoted(&value.to_string())
    }

    fn describe(&self) -> String {
        "`ip:port`".into()
    }
}

/// One of a few words.
pub(crate) struct Choice<T: 'static> {
    pub(crate) all: &'static [T],
    pub(crate) name: fn(T) -> &'static str,
}

impl<T: Copy + Sync> Choice<T> {
    fn names(&self, quote: &str) -> String {
        let names: Vec<_> =
            self.all.iter().map(|one| format!("{quote}{}{quote}", (self.name)(*one))).collect();
        names.join(" or ")
    }
}

impl<T: Copy + Sync> Kind<T> for Choice<T> {
    fn read(&self, given: Given<'_>) -> Result<T, String> {
        let found = self.all.iter().find(|one| given.text() == Some((self.name)(**one)));
        found.copied().ok_or_else(|| format!("it is {}", self.names("\"")))
    }

    fn write(&self, value: &T) -> String {
        quoted((self.name)(*value))
    }

    fn describe(&self) -> String {
        self.names("`")
    }
}

pub(crate) const PLACEMENT: Choice<Placement> =
    Choice { all: &[Placement::Modulo, Placement::Rendezvous], name: Placement::name };

pub(crate) const LOG_FORMAT: Choice<LogFormat> = Choice { all: &LogFormat::ALL, name: LogFormat::name };

/// A short name: letters, digits, `-`, `_` and `.`.
pub(crate) struct Name;

impl Name {
    const MAX_BYTES: usize = 64;
}

impl Kind<String> for Name {
    fn read(&self, given: Given<'_>) -> Result<String, String> {
        let plain = |text: &&str| {
            (1..=Self::MAX_BYTES).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        let text = given.text().filter(plain);
        text.map(Into::into).ok_or_else(|| {
            let quotes = if given.text().is_none() { ", in quotes" } else { "" };
            format!("it is a name of 1 to {} letters, digits, '-', '_' or '.'{quotes}", Self::MAX_BYTES)
        })
    }

    fn write(&self, value: &String) -> String {
        quoted(value)
    }

    fn describe(&self) -> String {
        format!("1 to {} letters, digits, `-`, `_`, `.`", Self::MAX_BYTES)
    }
}

/// A log filter; its own parser, in the server, has the last word.
pub(crate) struct Filter;

impl Filter {
    const MAX_BYTES: usize = 1000;
}

impl Kind<String> for Filter {
    fn read(&self, given: Given<'_>) -> Result<String, String> {
        let sane =
            |text: &&str| (1..=Self::MAX_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
        given.text().filter(sane).map(Into::into).ok_or_else(|| {
            "it is a filter like \"info\" or \"warn,ringhold_server=debug\", at most 1000 bytes".into()
        })
    }

    fn write(&self, value: &String) -> String {
        quoted(value)
    }

    fn describe(&self) -> String {
        "log filter, at most 1000 bytes".into()
    }
}

/// A TOML basic string.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            character if character.is_control() => {
                quoted.push_str(&format!("\\u{:04X}", u32::from(character)));
            }
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}
