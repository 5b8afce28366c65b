//! The three passes over the values: `$(ENVIRONMENT)`, `@(file)`, `%(placeholder)`.
//!
//! The rules are uWSGI's manual, "Configuring uWSGI". Where uWSGI leaves a result unread (at the very beginning of a
//! value) or grows for ever, results are read again here, and a cycle is an error. Not for magic variables (`magic`).
//! Pure but for the files that `@( )` names.

/// Most bytes of one expanded value.
const VALUE_BYTES_MAX: usize = 1 << 20;

/// Most replacements within one value.
const REPLACEMENTS_MAX: usize = 10_000;

/// Most replacements of one run, all values together.
const REPLACEMENTS_OF_RUN_MAX: usize = 200_000;

/// Most bytes that all replacements of one run may write or move.
const BYTES_OF_RUN_MAX: usize = 256 << 20;

/// Deepest chain of placeholders within placeholders.
const DEPTH_MAX: usize = 64;

/// What is left of the limits of one run.
#[derive(Debug)]
pub(crate) struct Budget {
    replacements: usize,
    bytes: usize,
    exhausted: bool,
}

impl Budget {
    pub(crate) fn new() -> Self {
        Self { replacements: REPLACEMENTS_OF_RUN_MAX, bytes: BYTES_OF_RUN_MAX, exhausted: false }
    }

    /// Whether the limits of the run are reached, so that every further value would fail too.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// Charges one replacement that moves or writes so many bytes.
    fn charge(&mut self, bytes: usize) -> Result<(), String> {
        match (self.replacements.checked_sub(1), self.bytes.checked_sub(bytes)) {
            (Some(replacements), Some(bytes)) => {
                (self.replacements, self.bytes) = (replacements, bytes);
                Ok(())
            }
            _ => {
                self.exhausted = true;
                Err("the expansions of this configuration take too much in all".to_owned())
            }
        }
    }
}

fn check_size(length: usize) -> Result<(), String> {
    if length > VALUE_BYTES_MAX {
        Err(format!("its expansion is longer than {} KiB", VALUE_BYTES_MAX >> 10))
    } else {
        Ok(())
    }
}

/// A `SYM(name)` found in a text, in byte positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    /// Where its symbol stands.
    start: usize,
    /// Just behind its closing parenthesis.
    end: usize,
    /// Where the outermost opening stands whose name this one interrupted.
    outer: usize,
}

/// The first complete `SYM(name)` at or after `from`. An opening inside a name starts the search for a name anew, so
/// the innermost one is found first; other parentheses inside a name must match.
fn find(text: &str, symbol: u8, from: usize) -> Option<Found> {
    let bytes = text.as_bytes();
    let mut open: Option<(usize, usize)> = None; // where it stands, where the chain of interrupted ones began
    let mut depth = 0;
    let mut at = from;
    while at < bytes.len() {
        if bytes[at] == symbol && bytes.get(at + 1) == Some(&b'(') {
            open = Some((at, open.map_or(at, |(_, outer)| outer)));
            depth = 0;
            at += 2;
            continue;
        }
        match (bytes[at], open) {
            (b'(', Some(_)) => depth += 1,
            (b')', Some((start, _))) if depth == 0 && at == start + 2 => open = None,
            (b')', Some((start, outer))) if depth == 0 => return Some(Found { start, end: at + 1, outer }),
            (b')', Some(_)) => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    None
}

/// The names that a text refers to with `%(name)`, those inside arithmetic included.
pub(crate) fn references(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut from = 0;
    while let Some(found) = find(text, b'%', from) {
        names.extend(text[found.start + 2..found.end - 1].split(' ').filter(|token| !token.is_empty()));
        from = found.end;
    }
    names
}

/// What replaces a name.
pub(crate) enum Replacement {
    /// Nothing is known by that name: the text stays.
    Unknown,
    /// This text, which is read again; the name may not occur in it.
    Reread(String),
    /// This text.
    Literal(String),
}

/// What gives names their text. `chain` holds the names whose texts are being read, outermost first.
pub(crate) trait Resolver {
    /// The replacement of `name`, or why there is none and the start must fail.
    fn resolve(&mut self, name: &str, chain: &mut Vec<String>, budget: &mut Budget) -> Result<Replacement, String>;
}

/// Replaces every `SYM(name)` of a text. `chain` names what this text itself is reached by.
pub(crate) fn substitute(
    mut text: String,
    symbol: u8,
    resolver: &mut dyn Resolver,
    chain: &mut Vec<String>,
    budget: &mut Budget,
) -> Result<String, String> {
    let base = chain.len();
    let mut regions: Vec<(usize, usize)> = Vec::new(); // the texts of chain[base..], as byte ranges
    let mut position = 0;
    let mut count = 0;
    while let Some(found) = find(&text, symbol, position) {
        while regions.last().is_some_and(|(start, end)| found.start < *start || found.start >= *end) {
            regions.pop();
            chain.pop();
        }
        let name = text[found.start + 2..found.end - 1].to_owned();
        let (new, reread) = match resolver.resolve(&name, chain, budget)? {
            Replacement::Unknown => {
                position = found.end;
                continue;
            }
            Replacement::Reread(new) => (new, true),
            Replacement::Literal(new) => (new, false),
        };
        if reread && chain.contains(&name) {
            return Err(cycle(chain, &name));
        }
        if chain.len() >= DEPTH_MAX {
            return Err(format!("placeholders refer to each other more than {DEPTH_MAX} deep"));
        }
        count += 1;
        if count > REPLACEMENTS_MAX {
            return Err(format!("its expansion takes more than {REPLACEMENTS_MAX} replacements"));
        }
        check_size(text.len() - (found.end - found.start) + new.len())?;
        budget.charge(new.len() + text.len() - found.end)?;
        text.replace_range(found.start..found.end, &new);
        let new_end = found.start + new.len();
        for (_, end) in &mut regions {
            *end = if *end >= found.end { *end - found.end + new_end } else { new_end };
        }
        if reread {
            regions.push((found.start, new_end));
            chain.push(name);
        }
        position = step_back(&text, found.outer);
    }
    chain.truncate(base);
    Ok(text)
}

/// One character back, where a symbol may stand whose parenthesis has just appeared.
fn step_back(text: &str, position: usize) -> usize {
    text[..position].char_indices().next_back().map_or(0, |(index, _)| index)
}

/// What is said of a name that is reached from itself.
pub(crate) fn cycle(chain: &[String], name: &str) -> String {
    let start = chain.iter().position(|link| link == name).unwrap_or_default();
    format!("it refers to itself: {} → {name}", chain[start..].join(" → "))
}

/// Computes `%(n1 + 2 ++)`: tokens between spaces from left to right, without precedence. Numbers are 64-bit and wrap;
/// a division by zero gives 0; without an operator a token is appended as text. `None`: there is no token at all.
pub(crate) fn compute(
    expression: &str,
    mut value_of: impl FnMut(&str) -> Result<String, String>,
) -> Result<Option<String>, String> {
    let mut result = String::new();
    let mut operator: Option<fn(i64, i64) -> i64> = None;
    let mut any = false;
    for token in expression.split(' ').filter(|token| !token.is_empty()) {
        any = true;
        match token {
            "+" => operator = Some(i64::wrapping_add),
            "-" => operator = Some(i64::wrapping_sub),
            "*" => operator = Some(i64::wrapping_mul),
            "/" => operator = Some(divide),
            "++" => result = number(&result).wrapping_add(1).to_string(),
            "--" => result = number(&result).wrapping_sub(1).to_string(),
            _ => {
                let operand = if is_number(token) { token.to_owned() } else { value_of(token)? };
                match operator.take() {
                    Some(apply) => result = apply(number(&result), number(&operand)).to_string(),
                    None => result.push_str(&operand),
                }
                check_size(result.len())?;
            }
        }
    }
    Ok(any.then_some(result))
}

fn divide(left: i64, right: i64) -> i64 {
    if right == 0 { 0 } else { left.wrapping_div(right) }
}

fn is_number(token: &str) -> bool {
    token.bytes().all(|byte| byte.is_ascii_digit())
}

/// What C's `strtol` makes of a text: blanks, a sign, leading digits, no more than 64 bits.
pub(crate) fn number(text: &str) -> i64 {
    let text = text.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    digits.bytes().take_while(u8::is_ascii_digit).fold(0_i64, |value, digit| {
        let digit = i64::from(digit - b'0');
        let value = value.saturating_mul(10);
        if negative { value.saturating_sub(digit) } else { value.saturating_add(digit) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names with fixed values.
    struct Fixed(&'static [(&'static str, &'static str)]);

    impl Resolver for Fixed {
        fn resolve(&mut self, name: &str, _: &mut Vec<String>, _: &mut Budget) -> Result<Replacement, String> {
            let found = self.0.iter().find(|(known, _)| *known == name);
            Ok(found.map_or(Replacement::Unknown, |(_, text)| Replacement::Reread((*text).to_owned())))
        }
    }

    fn expanded(text: &str, names: &'static [(&'static str, &'static str)]) -> Result<String, String> {
        substitute(text.to_owned(), b'%', &mut Fixed(names), &mut Vec::new(), &mut Budget::new())
    }

    #[test]
    fn the_innermost_name_is_found_first() {
        let found = find("a%(x%(n))", b'%', 0).map(|found| (found.start, found.end, found.outer));
        assert_eq!(found, Some((4, 8, 1)));
        assert_eq!(find("%(a(b)c)", b'%', 0).map(|found| found.end), Some(8));
        for text in ["", "%", "%(", "%()", "%(a", "%(a(b)", "$(a)", ")%(", "%( (a)"] {
            assert_eq!(find(text, b'%', 0), None, "{text}");
        }
    }

    #[test]
    fn what_replaces_a_name_is_read_again() {
        let names = &[("n", "b"), ("xb", "1"), ("p", "%"), ("late", "%(n)/%(xb)"), ("empty", "")];
        for (text, result) in [
            ("%(n)", "b"),
            ("%(x%(n))", "1"),
            ("%(late)", "b/1"),
            ("ä%(late)ö%(n)ü", "äb/1öbü"),
            ("x%(p)(n)", "xb"),
            ("%(nope)%(n)", "%(nope)b"),
            ("[%(empty)%(empty)]", "[]"),
            ("%(y%(nope)%(n))", "%(y%(nope)b)"),
        ] {
            assert_eq!(expanded(text, names).as_deref(), Ok(result), "{text}");
        }
    }

    #[test]
    fn the_same_name_twice_is_no_cycle_and_a_name_within_itself_is() {
        assert_eq!(expanded("%(a)%(a)%(b)", &[("a", "%(b)"), ("b", "1")]).as_deref(), Ok("111"));
        assert_eq!(expanded("%(a)", &[("a", "x%(b)y"), ("b", "%(a)")]), Err("it refers to itself: a → b → a".into()));
        assert_eq!(expanded("-%(a)", &[("a", "%(a)")]), Err("it refers to itself: a → a".into()));
    }

    #[test]
    fn arithmetic_goes_from_left_to_right() {
        let value = |name: &str| {
            Ok([("n1", "17"), ("n2", "30"), ("base", "/srv")]
                .iter()
                .find(|(known, _)| *known == name)
                .map_or(String::new(), |(_, value)| (*value).to_owned()))
        };
        for (expression, result) in [
            ("n1 + n2 + 3", Some("50")),
            ("n1 + n2 + 3 * 2", Some("100")),
            ("n1 ++", Some("18")),
            ("n2 / 7", Some("4")),
            ("n1 - n2", Some("-13")),
            ("nope + 3", Some("3")),
            (" n1 ", Some("17")),
            ("n1 x 5", Some("175")),
            ("n1 n2", Some("1730")),
            ("n1 n2 ++", Some("1731")),
            ("n2 --", Some("29")),
            ("n2 / 0", Some("0")),
            ("3 * 4", Some("12")),
            ("base + 3", Some("3")),
            ("n1 + -3", Some("17")),
            ("  ", None),
        ] {
            assert_eq!(compute(expression, value).unwrap().as_deref(), result, "{expression}");
        }
    }

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, value) in [("", 0), (" \t12x", 12), ("-3", -3), ("+4", 4), ("- 5", 0), ("1.9", 1), ("٣", 0)] {
            assert_eq!(number(text), value, "{text}");
        }
        assert_eq!(number("99999999999999999999"), i64::MAX);
        assert_eq!(number("-99999999999999999999"), i64::MIN);
        assert_eq!(divide(i64::MIN, -1), i64::MIN);
    }

    #[test]
    fn references_are_all_names_and_all_tokens() {
        assert_eq!(references("a%(b)c%(d + 1)%()%(e"), ["b", "d", "+", "1"]);
    }
}
