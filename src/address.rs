//! [`Address`]: a host's SSH address, in a grammar that leaves no room for options or commands.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The SSH address of a host: `[user@]host[:port]`. The host is an alias of the ssh configuration, a name, an
/// IPv4 address, or an IPv6 address in brackets.
///
/// The grammar applies before `ssh` starts: it rejects a host or user that begins with `-` or contains a character that
/// a shell or `ssh` would interpret (CVE-2017-1000117, CVE-2023-51385).
///
/// ```
/// use switchback::Address;
///
/// let address: Address = "deploy@web1.example.com:2222".parse()?;
/// assert_eq!((address.user(), address.host(), address.port()), (Some("deploy"), "web1.example.com", Some(2222)));
/// assert!("-oProxyCommand=x".parse::<Address>().is_err());
/// # Ok::<(), switchback::AddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    host: Box<str>,
    user: Option<Box<str>>,
    port: Option<u16>,
}

impl Address {
    /// Returns the user, if given; otherwise the ssh configuration decides.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// Returns the host (a name, an alias or an IP address) without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port, if given; otherwise the ssh configuration decides.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        self.port
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let refuse = |rule| AddressError { text: text.to_owned(), rule };
        let (user, rest) = match text.rsplit_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, text),
        };
        if user.is_some_and(|user| !is_user(user)) {
            return Err(refuse(AddressRule::User));
        }
        let (host, port) = split_port(rest).ok_or_else(|| refuse(AddressRule::Host))?;
        let port = port.map(|port| parse_port(port).ok_or_else(|| refuse(AddressRule::Port))).transpose()?;
        Ok(Self { host: host.into(), user: user.map(Into::into), port })
    }
}

/// Splits `host[:port]` into the host without its brackets and the text of the port.
fn split_port(text: &str) -> Option<(&str, Option<&str>)> {
    if let Some(bracketed) = text.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']')?;
        let port = if after.is_empty() { None } else { Some(after.strip_prefix(':')?) };
        return is_ipv6(host).then_some((host, port));
    }
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    is_host(host).then_some((host, port))
}

fn is_host(text: &str) -> bool {
    text.len() <= 253
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').map_or((text, None), |(address, zone)| (address, Some(zone)));
    let zone_is_plain = zone.is_none_or(|zone| !zone.is_empty() && zone.bytes().all(|b| b.is_ascii_alphanumeric()));
    address.parse::<std::net::Ipv6Addr>().is_ok() && zone_is_plain
}

fn is_user(text: &str) -> bool {
    text.len() <= 32
        && text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn parse_port(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok().filter(|port| *port != 0)).flatten()
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that is not a valid host address, and the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{} is not a host address: {rule}", crate::name::shortened(text))]
pub struct AddressError {
    text: String,
    rule: AddressRule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
enum AddressRule {
    #[error(
        "the host must be a name of letters, digits, `.`, `_` and `-` that begins with a letter or digit, or an IPv6 address in brackets"
    )]
    Host,
    #[error("the user must be 1 to 32 letters, digits, `.`, `_` and `-`, and begin with a letter, digit or `_`")]
    User,
    #[error("the port must be a number from 1 to 65535")]
    Port,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_alike() {
        for good in
            ["web1", "deploy@web1.example.com:22", "10.0.0.1:2222", "[::1]", "root@[fe80::1%eth0]:22", "a_b-c.d"]
        {
            assert_eq!(good.parse::<Address>().map(|a| a.to_string()), Ok(good.to_owned()));
        }
    }

    /// Rejects options, shell syntax and bad ports. FAULTS.md N13, N14, N15.
    #[test]
    fn nothing_else_is_an_address() {
        let long = "x".repeat(300);
        for bad in [
            "",
            "-oProxyCommand=x",
            "a;b",
            "a b",
            "user@-x",
            "%h",
            "$(x)",
            "[fe80::1%$(x)]",
            &long,
            "exämple",
            "x$(id)@h",
            "x\\@h",
            "-l@h",
            "a b@h",
            "@h",
            "h:",
            "h:0",
            "h:65536",
            "h:22 -o",
            "h:+22",
            "h:-1",
            "::1",
            "[::1",
            "[h]:22",
            "a@b@c",
            "h\n",
            "h:22\n",
            "u\0@h",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad:?} was accepted");
        }
    }
}
