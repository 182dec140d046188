//! [`minify`]: the text of a shell script as hosts receive it, so that layout and comments cost nothing on the wire.

/// Drops comments, indentation, empty lines, line continuations, and blanks around `;`, `|`, `||` and `&&`.
///
/// Quoted text and here-documents stay as they are. The script is one of ours, and follows three rules: a comment
/// stands after a blank or on a line of its own; the delimiter of a here-document directly follows its operator; a
/// `case` in a substitution in double quotes puts its patterns in two parentheses.
pub(super) fn minify(script: &str) -> String {
    let mut minifier = Minifier { rest: script, ..Minifier::default() };
    while let Some(next) = minifier.rest.chars().next() {
        match minifier.inside.last() {
            None | Some(Inside::Parentheses) => minifier.code(next),
            Some(Inside::Braces) => minifier.braces(next),
            Some(Inside::DoubleQuotes) => minifier.double_quotes(next),
        }
    }
    minifier.out
}

/// The construct around the next character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// `(...)`, `$(...)` and `$((...))`.
    Parentheses,
    /// `${...}`.
    Braces,
    DoubleQuotes,
}

#[derive(Debug, Default)]
struct Minifier<'a> {
    rest: &'a str,
    out: String,
    /// The length of the output that later trimming must leave alone.
    fixed: usize,
    inside: Vec<Inside>,
    /// The delimiters of the here-documents that begin after this line, and whether tabs may stand before them.
    here_documents: Vec<(String, bool)>,
}

impl Minifier<'_> {
    fn code(&mut self, next: char) {
        match next {
            '#' if self.is_between_words() => self.skip(|char| char != '\n'),
            '\n' => self.end_line(),
            ' ' | '\t' if self.is_at_line_start() || self.follows_operator() => self.skip(is_blank),
            '\\' if self.rest.starts_with("\\\n") => self.join_lines(),
            '\\' => self.keep_escape(),
            '\'' => self.keep_single_quotes(),
            '"' => self.open(1, Inside::DoubleQuotes),
            '$' => self.keep_dollar(),
            '(' => self.open(1, Inside::Parentheses),
            ')' => self.close(),
            ';' if self.rest.starts_with(";;") => {
                self.trim(|char| is_blank(char) || char == '\n');
                self.keep(2);
            }
            ';' | '|' => self.keep_operator(1),
            '&' if self.rest.starts_with("&&") => self.keep_operator(2),
            '<' if self.rest.starts_with("<<<") => self.keep(3),
            '<' if self.rest.starts_with("<<") => self.begin_here_document(),
            other => self.keep(other.len_utf8()),
        }
    }

    fn braces(&mut self, next: char) {
        match next {
            '\\' => self.keep_escape(),
            '\'' if !self.inside.contains(&Inside::DoubleQuotes) => self.keep_single_quotes(),
            '"' => self.open(1, Inside::DoubleQuotes),
            '$' => self.keep_dollar(),
            '}' => self.close(),
            other => self.keep(other.len_utf8()),
        }
    }

    fn double_quotes(&mut self, next: char) {
        match next {
            '\\' => self.keep_escape(),
            '"' => self.close(),
            '$' => self.keep_dollar(),
            other => self.keep(other.len_utf8()),
        }
        self.fixed = self.out.len();
    }

    /// Whether a `#` here would begin a comment.
    fn is_between_words(&self) -> bool {
        self.is_at_line_start() || self.follows_operator() || self.unfixed().ends_with(is_blank)
    }

    /// Whether an operator that needs no blank after it ends the output. An `&` is none: `& >` and `&>` differ.
    fn follows_operator(&self) -> bool {
        self.unfixed().ends_with([';', '|']) || self.unfixed().ends_with("&&")
    }

    fn unfixed(&self) -> &str {
        &self.out[self.fixed..]
    }

    fn is_at_line_start(&self) -> bool {
        self.out.is_empty() || self.out.ends_with('\n')
    }

    /// Moves so many bytes to the output.
    fn keep(&mut self, length: usize) {
        let (kept, rest) = self.rest.split_at(length);
        self.out.push_str(kept);
        self.rest = rest;
    }

    fn skip(&mut self, is_skipped: impl Fn(char) -> bool) {
        self.rest = self.rest.trim_start_matches(is_skipped);
    }

    fn open(&mut self, length: usize, inside: Inside) {
        self.keep(length);
        self.inside.push(inside);
    }

    /// Leaves the innermost construct. A pattern of a `case` closes one that nothing opened.
    fn close(&mut self) {
        self.keep(1);
        self.inside.pop();
    }

    fn keep_escape(&mut self) {
        let escaped = self.rest.chars().nth(1).map_or(0, char::len_utf8);
        self.keep(1 + escaped);
        self.fixed = self.out.len();
    }

    fn keep_single_quotes(&mut self) {
        let length = self.rest[1..].find('\'').map_or(self.rest.len(), |end| end + 2);
        self.keep(length);
        self.fixed = self.out.len();
    }

    fn keep_dollar(&mut self) {
        match self.rest.as_bytes().get(1) {
            Some(b'(') => self.open(2, Inside::Parentheses),
            Some(b'{') => self.open(2, Inside::Braces),
            _ => self.keep(1),
        }
    }

    fn keep_operator(&mut self, length: usize) {
        self.trim(is_blank);
        self.keep(length);
    }

    /// Drops what ends the output and matches, as far back as the output may change.
    fn trim(&mut self, is_dropped: impl Fn(char) -> bool) {
        let length = self.out.trim_end_matches(is_dropped).len();
        self.out.truncate(length.max(self.fixed));
    }

    fn end_line(&mut self) {
        self.trim(is_blank);
        self.rest = &self.rest[1..];
        if !self.is_at_line_start() {
            self.out.push('\n');
        }
        for (delimiter, tabs) in std::mem::take(&mut self.here_documents) {
            self.keep_here_document(&delimiter, tabs);
        }
    }

    /// Drops an escaped line break, and turns the blanks around it into one.
    fn join_lines(&mut self) {
        self.rest = &self.rest[2..];
        if self.rest.starts_with(is_blank) {
            self.skip(is_blank);
            if !self.is_between_words() {
                self.out.push(' ');
            }
        }
    }

    fn begin_here_document(&mut self) {
        let tabs = self.rest.starts_with("<<-");
        let after = &self.rest[if tabs { 3 } else { 2 }..];
        let word = after.split([' ', '\t', '\n', ';', '&', '|', ')']).next().unwrap_or_default();
        self.here_documents.push((word.replace(['\'', '"', '\\'], ""), tabs));
        self.keep(self.rest.len() - after.len() + word.len());
        self.fixed = self.out.len();
    }

    /// Moves lines to the output, up to the delimiter.
    fn keep_here_document(&mut self, delimiter: &str, tabs: bool) {
        loop {
            let length = self.rest.find('\n').map_or(self.rest.len(), |end| end + 1);
            let line = self.rest[..length].trim_end_matches('\n');
            let is_last = length == 0 || delimiter == if tabs { line.trim_start_matches('\t') } else { line };
            self.keep(length);
            if is_last {
                break;
            }
        }
        self.fixed = self.out.len();
    }
}

fn is_blank(char: char) -> bool {
    matches!(char, ' ' | '\t')
}

#[cfg(test)]
mod tests {
    use super::minify;

    #[test]
    fn comments_indentation_and_empty_lines_go() {
        let script = "# a\n\n\t# b\nf() {   # c\n    if a; then\n\n        b   # it's \"quoted\"\n    fi\n}\n";
        assert_eq!(minify(script), "f() {\nif a;then\nb\nfi\n}\n");
    }

    #[test]
    fn operators_need_no_blanks() {
        let script = "if a || b && c | d; then e & fi; # f\na \\| \\; b '; ' >&2 & >c\na |\n    b\n";
        assert_eq!(minify(script), "if a||b&&c|d;then e & fi;\na \\| \\; b '; ' >&2 & >c\na|\nb\n");
    }

    #[test]
    fn a_hash_in_a_word_stays() {
        for script in ["a ${x#y} ${#x} $# a#b \\# '#' \"#\" \"a # b\" ${x## } '\n # a'\n", "a\\ # b\n", "$(a)#b\n"] {
            assert_eq!(minify(script), script);
        }
    }

    #[test]
    fn quoted_text_stays() {
        for quoted in [
            "'\n    # a\n\n    b'",
            "\"\n    # a\n\n    b \\\"  ;; \\\n   c\"",
            "\"${x:-\n   # a}\"",
            "\"$(a \"b\n   # c\")\n   # d\"",
            "${x%'\n   # a'}",
        ] {
            assert_eq!(minify(&format!("    a {quoted}\n    b   # c\n")), format!("a {quoted}\nb\n"));
        }
    }

    #[test]
    fn code_in_quoted_text_is_code() {
        assert_eq!(minify("a \"$(\n    b # c\n    d 'e'\n)   f\"\n"), "a \"$(\nb\nd 'e'\n)   f\"\n");
    }

    #[test]
    fn here_documents_stay() {
        let script = "    a <<'END' | b <<-END # c\n    # d\n\n    'e\nEND\n    f\n\tEND\n    g\n";
        assert_eq!(minify(script), "a <<'END'|b <<-END\n    # d\n\n    'e\nEND\n    f\n\tEND\ng\n");
        assert_eq!(
            minify("case a in\nb)\ncat <<END\nc\nEND\n;;\nesac\n"),
            "case a in\nb)\ncat <<END\nc\nEND\n;;\nesac\n"
        );
    }

    #[test]
    fn the_end_of_a_case_costs_two_bytes() {
        let script = "case a in\n    b)\n        c # d\n        ;;\n    *) ;;\nesac\n";
        assert_eq!(minify(script), "case a in\nb)\nc;;\n*);;\nesac\n");
        assert_eq!(minify("x) a \\  ;;\n"), "x) a \\ ;;\n");
    }

    #[test]
    fn continued_lines_are_joined() {
        assert_eq!(minify("a \\\n    b\\\n    c\\\nd\n"), "a b cd\n");
    }
}
