//! [`Functions`]: the shell functions that a script needs.

use std::collections::BTreeSet;

/// Functions of a shell, each with the text up to the next one.
#[derive(Debug)]
pub(super) struct Functions {
    parts: Vec<(String, String)>,
}

/// The prefix of each of our names.
const OURS: &str = "sb_";

impl Functions {
    /// Parses the functions of these texts, each of which begins with one.
    pub(super) fn of(texts: &[&str]) -> Self {
        let mut parts: Vec<(String, String)> = Vec::new();
        for line in texts.iter().flat_map(|text| text.lines()) {
            if let Some((name, _)) = line.split_once("() ").filter(|(name, _)| is_name(name)) {
                parts.push((name.to_owned(), String::new()));
            }
            let (_, text) = parts.last_mut().expect("a text begins with a function");
            text.push_str(line);
            text.push('\n');
        }
        Self { parts }
    }

    /// Returns the functions that `script` needs, directly or through others, except those in `known`, and adds
    /// them there.
    ///
    /// Keeps their order. Every word that looks like a name counts as one, which includes too much at times, and never
    /// too little. A prefix such as `sb_all_$1` stands for all names that begin with it.
    pub(super) fn needed(&self, script: &[u8], known: &mut BTreeSet<usize>) -> String {
        let mut new = BTreeSet::new();
        let mut todo: Vec<Vec<u8>> = names(script);
        while let Some(name) = todo.pop() {
            for (at, (function, text)) in self.parts.iter().enumerate() {
                let function = function.as_bytes();
                let is_meant = function == name || name.ends_with(b"_") && function.starts_with(&name);
                if is_meant && known.insert(at) {
                    new.insert(at);
                    todo.extend(names(text.as_bytes()));
                }
            }
        }
        new.into_iter().map(|at| self.parts[at].1.as_str()).collect()
    }
}

fn is_name(text: &str) -> bool {
    text.strip_prefix(OURS).is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_in_name))
}

fn is_in_name(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte == b'_'
}

/// Returns the names in a text, each once. The bare prefix does not count.
fn names(text: &[u8]) -> Vec<Vec<u8>> {
    let words = text.split(|byte| !is_in_name(*byte));
    let names: BTreeSet<&[u8]> =
        words.filter(|word| word.len() > OURS.len() && word.starts_with(OURS.as_bytes())).collect();
    names.into_iter().map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "sb_a() { sb_b; }\nsb_b() {\nsb_x=1\nsb_$x $1\n}\nsb_more='y'\nsb_c() { sb_d_$1; }\nsb_d_one() { :; }\nsb_d_two() { sb_a; }\n";

    fn needed(script: &str, known: &mut BTreeSet<usize>) -> String {
        Functions::of(&[TEXT]).needed(script.as_bytes(), known)
    }

    #[test]
    fn what_is_needed_comes_once_with_all_that_it_needs() {
        let mut known = BTreeSet::new();
        assert_eq!(needed("x 'sb_z' sb_b", &mut known), "sb_b() {\nsb_x=1\nsb_$x $1\n}\nsb_more='y'\n");
        assert_eq!(
            needed("sb_b; sb_c\n", &mut known),
            "sb_a() { sb_b; }\nsb_c() { sb_d_$1; }\nsb_d_one() { :; }\nsb_d_two() { sb_a; }\n"
        );
        assert_eq!(needed("sb_a sb_b sb_c", &mut known), "");
    }
}
