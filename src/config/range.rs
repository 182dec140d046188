//! [`HostRange`]: many hosts in one text, as in `web[01-40].example.com`.

use std::{fmt, str::FromStr};

use thiserror::Error;

use crate::address::{Address, AddressError};

/// The maximum number of hosts in a range, and in the output of a command that lists hosts.
pub(super) const MAX_HOSTS: usize = 4096;

/// The names or addresses of one host or many: `web[01-40]`, `deploy@web[1-3,7].example.com`, `web[0-10/2]`.
///
/// Brackets hold numbers and ranges, separated by commas; a range can have a step. Numbers with leading zeros keep
/// their width. If there are several brackets, the last one counts fastest. Brackets with a colon are an IPv6 address.
///
/// ```
/// use switchback::config::HostRange;
///
/// let range: HostRange = "deploy@web[08-10]".parse()?;
/// assert_eq!(range.hosts(), ["deploy@web08", "deploy@web09", "deploy@web10"]);
/// # Ok::<(), switchback::config::HostRangeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRange {
    text: String,
    hosts: Vec<String>,
}

impl HostRange {
    /// Returns the hosts, in the order of the range: at least one.
    #[must_use]
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// Returns the hosts as addresses.
    pub fn addresses(&self) -> Result<Vec<Address>, AddressError> {
        self.hosts.iter().map(|host| host.parse()).collect()
    }
}

/// Pairs names with addresses, in their order. Without names, each host is called as in its address.
pub(super) fn pair(names: Option<Vec<String>>, addresses: Vec<Address>) -> Result<Vec<(String, Address)>, String> {
    let names = names.unwrap_or_else(|| addresses.iter().map(|address| address.host().to_owned()).collect());
    let (many, of) = (addresses.len(), names.len());
    if many != of {
        let (es, s) = (if many == 1 { "" } else { "es" }, if of == 1 { "" } else { "s" });
        return Err(format!("{many} address{es} for {of} name{s}"));
    }
    Ok(names.into_iter().zip(addresses).collect())
}

impl FromStr for HostRange {
    type Err = HostRangeError;

    fn from_str(text: &str) -> Result<Self, HostRangeError> {
        let refuse = |rule| HostRangeError { text: text.to_owned(), rule };
        let parts = parse(text).map_err(refuse)?;
        let count = parts.iter().try_fold(1_usize, |count, part| count.checked_mul(part.len()));
        if count.is_none_or(|count| count > MAX_HOSTS) {
            return Err(refuse(Rule::TooMany));
        }
        let hosts = parts.iter().fold(vec![String::new()], |hosts, part| {
            let more = |host: &String| part.texts().map(|text| format!("{host}{text}")).collect::<Vec<_>>();
            hosts.iter().flat_map(more).collect()
        });
        Ok(Self { text: text.to_owned(), hosts })
    }
}

impl fmt::Display for HostRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A text that is not a valid range of hosts, and the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{} is not a range of hosts: {rule}", crate::name::shortened(text))]
pub struct HostRangeError {
    text: String,
    rule: Rule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
enum Rule {
    #[error("the brackets must hold numbers of at most 9 digits, such as `[01-40]`, `[1-3,7]` or `[0-10/2]`")]
    Numbers,
    #[error("a bracket is not closed")]
    Open,
    #[error("a range must count up, with a step of at least 1")]
    Order,
    #[error("with leading zeros, both ends of a range must have the same number of digits")]
    Width,
    #[error("it has more than {MAX_HOSTS} hosts")]
    TooMany,
}

/// A part of a range: a fixed text, or the numbers of a pair of brackets.
#[derive(Debug)]
enum Part<'t> {
    Text(&'t str),
    Numbers(Vec<Numbers>),
}

/// The numbers from `first` to `last`, padded to `width`.
#[derive(Debug)]
struct Numbers {
    first: usize,
    last: usize,
    step: usize,
    width: usize,
}

impl Part<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Text(_) => 1,
            Self::Numbers(all) => all.iter().map(|numbers| (numbers.last - numbers.first) / numbers.step + 1).sum(),
        }
    }

    fn texts(&self) -> Box<dyn Iterator<Item = String> + '_> {
        match self {
            Self::Text(text) => Box::new(std::iter::once((*text).to_owned())),
            Self::Numbers(all) => Box::new(all.iter().flat_map(|numbers| {
                let width = numbers.width;
                (numbers.first..=numbers.last).step_by(numbers.step).map(move |number| format!("{number:0width$}"))
            })),
        }
    }
}

fn parse(text: &str) -> Result<Vec<Part<'_>>, Rule> {
    let (mut parts, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once('[') {
        parts.push(Part::Text(before));
        let (inside, after) = after.split_once(']').ok_or(Rule::Open)?;
        parts.push(if inside.contains(':') {
            // An IPv6 address keeps its brackets.
            Part::Text(&rest[before.len()..rest.len() - after.len()])
        } else {
            Part::Numbers(inside.split(',').map(Numbers::parse).collect::<Result<_, _>>()?)
        });
        rest = after;
    }
    parts.push(Part::Text(rest));
    Ok(parts)
}

impl Numbers {
    /// Parses `7`, `01-40` or `0-10/2`.
    fn parse(text: &str) -> Result<Self, Rule> {
        let (range, step) = text.split_once('/').map_or((text, None), |(range, step)| (range, Some(step)));
        let (first, last) = match range.split_once('-') {
            Some(ends) => ends,
            None if step.is_none() => (range, range),
            None => return Err(Rule::Numbers),
        };
        let is_padded = |digits: &str| digits.len() > 1 && digits.starts_with('0');
        if first.len() != last.len() && (is_padded(first) || is_padded(last)) {
            return Err(Rule::Width);
        }
        let width = if is_padded(first) { first.len() } else { 0 };
        let (first, last, step) = (number(first)?, number(last)?, step.map_or(Ok(1), number)?);
        if step == 0 || last < first { Err(Rule::Order) } else { Ok(Self { first, last, step, width }) }
    }
}

fn number(digits: &str) -> Result<usize, Rule> {
    let is_number = (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten().ok_or(Rule::Numbers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hosts(text: &str) -> Vec<String> {
        text.parse::<HostRange>().unwrap_or_else(|error| panic!("{error}")).hosts
    }

    #[test]
    fn ranges_lists_steps_and_several_brackets() {
        assert_eq!(hosts("web1"), ["web1"]);
        assert_eq!(hosts("web[1-3]"), ["web1", "web2", "web3"]);
        assert_eq!(hosts("u@w[098-100].x:22"), ["u@w098.x:22", "u@w099.x:22", "u@w100.x:22"]);
        assert_eq!(hosts("w[9-10,3,007]"), ["w9", "w10", "w3", "w007"]);
        assert_eq!(hosts("w[0-10/5]"), ["w0", "w5", "w10"]);
        assert_eq!(hosts("r[1-2]n[01-02]"), ["r1n01", "r1n02", "r2n01", "r2n02"]);
        assert_eq!(hosts("127.0.0.1:[2201-2202]"), ["127.0.0.1:2201", "127.0.0.1:2202"]);
        assert_eq!(hosts("root@[fe80::1%eth0]:22"), ["root@[fe80::1%eth0]:22"]);
        assert_eq!(hosts("w[1-4096]").len(), MAX_HOSTS);
    }

    /// Syntax that other tools give another meaning is refused, and so is a range that would fill the memory.
    #[test]
    fn anything_else_is_refused() {
        for (text, rule) in [
            ("w[1-", Rule::Open),
            ("w[", Rule::Open),
            ("w[]", Rule::Numbers),
            ("w[1-]", Rule::Numbers),
            ("w[-1]", Rule::Numbers),
            ("w[1,,2]", Rule::Numbers),
            ("w[a-c]", Rule::Numbers),
            ("w[1 - 2]", Rule::Numbers),
            ("w[+1-2]", Rule::Numbers),
            ("w[1/2]", Rule::Numbers),
            ("w[[1-2]]", Rule::Numbers),
            ("w[1-2/x]", Rule::Numbers),
            ("w[1234567890]", Rule::Numbers),
            ("w[٣]", Rule::Numbers),
            ("w[2-1]", Rule::Order),
            ("w[1-2/0]", Rule::Order),
            ("w[1-010]", Rule::Width),
            ("w[01-100]", Rule::Width),
            ("w[1-4097]", Rule::TooMany),
            ("w[0-999999999]", Rule::TooMany),
            ("w[0-99][0-99]", Rule::TooMany),
            (&"[0-999999999]".repeat(9), Rule::TooMany),
        ] {
            let error = text.parse::<HostRange>().expect_err(text);
            assert_eq!(error.rule, rule, "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn a_range_prints_as_it_was_written_and_counts_as_the_numbers_do(
            before in "[a-z@.]{0,3}", after in "[a-z.:]{0,3}", first in 0_usize..2000, count in 1_usize..40,
            step in 1_usize..9, width in 0_usize..6,
        ) {
            let last = first + (count - 1) * step;
            // Without padding if the width does not hold both ends.
            let width = if last.to_string().len() <= width { width } else { 0 };
            let text = format!("{before}[{first:0width$}-{last:0width$}/{step}]{after}");
            let range: HostRange = text.parse().expect("a range");
            prop_assert_eq!(range.to_string(), text);
            let expected: Vec<String> =
                (0..count).map(|at| format!("{before}{:0width$}{after}", first + at * step)).collect();
            prop_assert_eq!(range.hosts(), &expected[..]);
        }

        #[test]
        fn no_text_panics_and_a_text_without_brackets_is_itself(text in "[a-z0-9\\[\\],/:@-]{0,20}") {
            match text.parse::<HostRange>() {
                Ok(range) if !text.contains('[') => prop_assert_eq!(range.hosts(), std::slice::from_ref(&text)),
                Ok(range) => prop_assert!(!range.hosts().is_empty()),
                Err(error) => prop_assert!(error.to_string().contains("is not a range of hosts")),
            }
        }
    }
}
