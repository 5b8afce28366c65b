//! Conditions of `route-if` and `route-if-not`. Pure; files are asked of the [`World`].

use std::net::{Ipv4Addr, Ipv6Addr};

use super::action::{pairs, value};
use super::error::RuleError;
use super::pattern::{Groups, Pattern};
use super::state::Request;
use super::template::Template;
use super::values::leading_integer;
use super::world::{FileTest, World};

/// A condition and what it is about.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    File(FileTest, Template),
    Empty(Template),
    Compares(Comparison, Template, Template),
    /// A regular expression that is known.
    Matches(Template, Box<Pattern>),
    /// One that depends on the request.
    MatchesText(Template, Template),
    /// A cache, the first one if that is empty, has this key.
    InCache(String, Template),
    /// Two operands are needed and there is one: it never holds.
    Never,
}

/// How two texts are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    StartsWith,
    EndsWith,
    Contains,
    Higher,
    Lower,
    HigherOrEqual,
    LowerOrEqual,
    InIpv4,
    InIpv6,
}

/// Names of conditions, for who has mistyped one.
const NAMES: [&str; 27] = [
    "exists",
    "isfile",
    "isdir",
    "islink",
    "isexec",
    "empty",
    "equal",
    "isequal",
    "eq",
    "==",
    "startswith",
    "endswith",
    "contains",
    "contain",
    "ishigher",
    ">",
    "islower",
    "<",
    "ishigherequal",
    ">=",
    "islowerequal",
    "<=",
    "regexp",
    "re",
    "ipv4in",
    "ipv6in",
    "incache",
];

impl Condition {
    /// Reads `NAME:ARGUMENTS`.
    pub(super) fn read(text: &str) -> Result<Condition, RuleError> {
        let Some((name, arguments)) = text.split_once(':') else {
            let problem = "expected a condition: its name, a colon and what it is about";
            return Err(RuleError::new(problem).advise("for example equal:${HTTP_HOST};example.org"));
        };
        let file = |test| Ok(Condition::File(test, Template::read(arguments)?));
        let compares = |comparison| match arguments.split_once(';') {
            Some((left, right)) => Ok(Condition::Compares(comparison, Template::read(left)?, Template::read(right)?)),
            None => Ok(Condition::Never),
        };
        match name {
            "exists" => file(FileTest::Exists),
            "isfile" => file(FileTest::IsFile),
            "isdir" => file(FileTest::IsDirectory),
            "islink" => file(FileTest::IsLink),
            "isexec" => file(FileTest::IsExecutable),
            "empty" => Ok(Condition::Empty(Template::read(arguments)?)),
            "equal" | "isequal" | "eq" | "==" => compares(Comparison::Equal),
            "startswith" => compares(Comparison::StartsWith),
            "endswith" => compares(Comparison::EndsWith),
            "contains" | "contain" => compares(Comparison::Contains),
            "ishigher" | ">" => compares(Comparison::Higher),
            "islower" | "<" => compares(Comparison::Lower),
            "ishigherequal" | ">=" => compares(Comparison::HigherOrEqual),
            "islowerequal" | "<=" => compares(Comparison::LowerOrEqual),
            "ipv4in" => compares(Comparison::InIpv4),
            "ipv6in" => compares(Comparison::InIpv6),
            "regexp" | "re" => regexp(arguments),
            "lord" => Err(RuleError::new("there are no legions here").advise("ask the balancer before the instances")),
            "incache" => in_cache(arguments),
            _ => Err(RuleError::unknown("condition", name, NAMES.into_iter())),
        }
    }

    /// The cache that it asks, if it asks one.
    pub(super) fn cache(&self) -> Option<&str> {
        match self {
            Condition::InCache(cache, _) => Some(cache),
            _ => None,
        }
    }

    /// Whether it holds; groups of a regular expression that matched come with that.
    ///
    /// # Errors
    /// A regular expression that is none for this request.
    pub(super) fn holds(&self, request: &Request<'_>, world: &dyn World) -> Result<Option<Groups>, RuleError> {
        let fill = |template: &Template| template.fill(&Groups::default(), request, world);
        let holds = match self {
            Condition::File(test, path) => world.is(*test, &fill(path)),
            Condition::InCache(cache, key) => world.cached(cache, &fill(key)).is_some(),
            Condition::Empty(text) => fill(text).is_empty(),
            Condition::Compares(comparison, left, right) => comparison.holds(&fill(left), &fill(right)),
            Condition::Matches(text, pattern) => return Ok(pattern.groups(&fill(text))),
            Condition::MatchesText(text, pattern) => {
                let pattern = String::from_utf8_lossy(&fill(pattern)).into_owned();
                return Ok(Pattern::compile(&pattern)?.groups(&fill(text)));
            }
            Condition::Never => false,
        };
        Ok(holds.then(Groups::default))
    }
}

/// `incache:key=K,name=C`.
fn in_cache(arguments: &str) -> Result<Condition, RuleError> {
    let pairs = pairs(arguments, &["key", "name"])?;
    let Some(key) = value(&pairs, "key").filter(|key| !key.is_empty()) else {
        return Err(
            RuleError::new("expected incache:key=KEY").advise("for example incache:key=${PATH_INFO},name=pages")
        );
    };
    Ok(Condition::InCache(value(&pairs, "name").unwrap_or_default().to_owned(), Template::read(key)?))
}

fn regexp(arguments: &str) -> Result<Condition, RuleError> {
    let Some((text, pattern)) = arguments.split_once(';') else { return Ok(Condition::Never) };
    let text = Template::read(text)?;
    // A `$` of its own is the end of the subject, and no group: only variables are filled in.
    if pattern.contains("${") {
        return Ok(Condition::MatchesText(text, Template::read(pattern)?));
    }
    Ok(Condition::Matches(text, Box::new(Pattern::compile(pattern)?)))
}

impl Comparison {
    fn holds(self, left: &[u8], right: &[u8]) -> bool {
        let numbers = || (leading_integer(left), leading_integer(right));
        match self {
            Comparison::Equal => left == right,
            Comparison::StartsWith => left.starts_with(right),
            Comparison::EndsWith => left.ends_with(right),
            Comparison::Contains => !right.is_empty() && left.windows(right.len()).any(|part| part == right),
            Comparison::Higher => numbers().0 > numbers().1,
            Comparison::Lower => numbers().0 < numbers().1,
            Comparison::HigherOrEqual => numbers().0 >= numbers().1,
            Comparison::LowerOrEqual => numbers().0 <= numbers().1,
            Comparison::InIpv4 => {
                is_in(left, right, 32, |text| text.parse().ok().map(Ipv4Addr::to_bits).map(u128::from))
            }
            Comparison::InIpv6 => is_in(left, right, 128, |text| text.parse().ok().map(Ipv6Addr::to_bits)),
        }
    }
}

/// Whether an address is in a network, of which no length means all bits.
fn is_in(address: &[u8], network: &[u8], bits: u32, read: impl Fn(&str) -> Option<u128>) -> bool {
    let inside = || {
        let (address, network) = (std::str::from_utf8(address).ok()?, std::str::from_utf8(network).ok()?);
        let (network, length) = network.split_once('/').unwrap_or((network, ""));
        let length = if length.is_empty() { bits } else { length.parse().ok().filter(|length| *length <= bits)? };
        let outside = bits - length;
        let kept = |number: u128| number.checked_shr(outside).unwrap_or(0);
        Some(kept(read(address)?) == kept(read(network)?))
    };
    inside().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_texts_are_compared_as_the_name_says() {
        use Comparison::*;
        for (comparison, left, right, expected) in [
            (Equal, "a", "a", true),
            (Equal, "a", "", false),
            (StartsWith, "abc", "", true),
            (EndsWith, "abc", "bc", true),
            (Contains, "abc", "b", true),
            (Contains, "abc", "", false),
            (Higher, "10x", "9", true),
            (Lower, "x", "1", true),
            (HigherOrEqual, "2", "2", true),
            (LowerOrEqual, "3", "2", false),
            (InIpv4, "192.168.100.7", "192.168.100.0/24", true),
            (InIpv4, "192.168.100.100", "192.168.100.100/32", true),
            (InIpv4, "192.168.101.7", "192.168.100.0/24", false),
            (InIpv4, "10.0.0.1", "0.0.0.0/0", true),
            (InIpv4, "10.0.0.1", "10.0.0.1", true),
            (InIpv4, "2001:db8::1:2:3:4", "0.0.0.0/0", false),
            (InIpv6, "2001:db8::1", "2001:db8::/32", true),
            (InIpv6, "::1", "::/0", true),
            (InIpv6, "127.0.0.1", "::/0", false),
        ] {
            assert_eq!(comparison.holds(left.as_bytes(), right.as_bytes()), expected, "{comparison:?} {left} {right}");
        }
    }

    #[test]
    fn names_that_are_known_can_be_read() {
        for name in NAMES {
            let about = if name == "incache" { "key=a" } else { "a;b" };
            assert!(Condition::read(&format!("{name}:{about}")).is_ok(), "{name}");
        }
        assert!(Condition::read("equals:a;b").is_err_and(|error| error.unknown.is_some()));
    }
}
