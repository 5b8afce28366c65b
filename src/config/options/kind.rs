//! What values of options look like, and how their text is read.
//!
//! The rules are those of uWSGI's manual, "uWSGI Options", with a few deviations: a number keeps its
//! numeric prefix, but a value without any digit is an error; a bare key is an error for a number; `0660` is a mode;
//! a switch with an unusual word is on, and a remark says so. Pure; runs wherever a configuration is read.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use crate::config::model::Address;

/// The longest path of a unix socket in bytes: `sun_path` has 108 with the final NUL (unix(7)).
const UNIX_PATH_MAX: usize = 107;

/// What the values of an option look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// On or off.
    Flag,
    /// On or off, and on means that something else is off (`disable-logging`).
    InvertedFlag,
    /// A whole number within bounds, both included.
    Int {
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
    },
    /// A size in bytes. There are no unit suffixes (config.md 4.2).
    Bytes,
    /// A size in kilobytes.
    Kilobytes,
    /// A size in megabytes.
    Megabytes,
    /// A time in seconds.
    Seconds,
    /// A time in milliseconds.
    Milliseconds,
    /// A path of the file system.
    Path,
    /// An address to listen on or to connect to (config.md 4.4).
    Address,
    /// Any text.
    Text,
    /// `KEY=VALUE`.
    Pair,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Three octal digits, permissions of a file.
    Mode,
    /// Octal digits, a mask.
    Octal,
    /// A user's name, or a number above zero.
    User,
    /// A group's name, or a number above zero.
    UserGroup,
    /// On, off, or a text that is on and says how (`log-date`).
    FlagOrText,
    /// A configuration file; read by the language.
    ConfigFile,
    /// Logic of the configuration language (`if-env`, `for`).
    Logic,
    /// What the command line does at once.
    Action,
}

/// A valid value.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed<'a> {
    /// The text as given; empty for a bare flag.
    pub text: &'a str,
    /// The number it stands for: 0 or 1 of a switch, bytes of a size, milliseconds of a time, bits of a mode.
    pub number: i64,
    /// The address it stands for, of [`Kind::Address`].
    pub address: Option<Address>,
    /// What the operator should know although the value is valid.
    pub remark: Option<String>,
}

/// Why a value does not fit its option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// What was expected, to follow "expected".
    pub expected: String,
    /// What may have been meant.
    pub hint: Option<String>,
}

impl<'a> Parsed<'a> {
    fn new(text: &'a str, number: i64) -> Parsed<'a> {
        Parsed { text, number, address: None, remark: None }
    }

    /// A switch that is on.
    pub fn on(&self) -> bool {
        self.number != 0
    }

    /// A number or size; zero for what has none.
    pub fn size(&self) -> usize {
        usize::try_from(self.number).unwrap_or(0)
    }

    /// A number or size; zero for what has none.
    pub fn amount(&self) -> u64 {
        u64::try_from(self.number).unwrap_or(0)
    }

    /// A number or size, `None` when it is zero and zero means off.
    pub fn unless_zero(&self) -> Option<u64> {
        Some(self.amount()).filter(|amount| *amount > 0)
    }

    /// A time.
    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.amount())
    }

    /// A time, `None` when it is zero and zero means off.
    pub fn duration_unless_zero(&self) -> Option<Duration> {
        Some(self.duration()).filter(|time| !time.is_zero())
    }

    /// A path as given.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(self.text)
    }

    /// The text, owned.
    pub fn string(&self) -> String {
        self.text.to_owned()
    }

    /// Both sides of the first `=`; the right one empty without any.
    pub fn pair(&self) -> (String, String) {
        let (key, value) = self.text.split_once('=').unwrap_or((self.text, ""));
        (key.to_owned(), value.to_owned())
    }
}

impl Kind {
    /// Reads a value. `None` is a bare flag of the command line, an empty text a bare key of a file.
    pub fn parse<'a>(&self, value: Option<&'a str>) -> Result<Parsed<'a>, Unfit> {
        let text = value.unwrap_or("");
        match self {
            Kind::Flag | Kind::InvertedFlag => Ok(parse_flag(text)),
            Kind::Int { min, max } => parse_int(value, *min, *max, "a whole number"),
            Kind::Bytes => parse_scaled(value, 1, "a number of bytes"),
            Kind::Kilobytes => parse_scaled(value, 1024, "a number of kilobytes"),
            Kind::Megabytes => parse_scaled(value, 1024 * 1024, "a number of megabytes"),
            Kind::Seconds => parse_time(value, 1000, "a number of seconds"),
            Kind::Milliseconds => parse_time(value, 1, "a number of milliseconds"),
            Kind::Path if text.is_empty() => Err(Unfit::new("a path")),
            Kind::Address => parse_address(text),
            Kind::Pair if !text.contains('=') => Err(Unfit::new("KEY=VALUE")),
            Kind::Choice(words) => parse_choice(text, words),
            Kind::Mode => parse_mode(value),
            Kind::Octal => parse_octal(text),
            Kind::User => parse_account(text, "user"),
            Kind::UserGroup => parse_account(text, "group"),
            Kind::Path | Kind::Pair | Kind::Text | Kind::ConfigFile | Kind::Logic | Kind::Action => {
                Ok(Parsed::new(text, 0))
            }
            Kind::FlagOrText => Ok(Parsed::new(text, parse_flag(text).number)),
        }
    }

    /// What a value looks like, for manuals: `N`, `SECONDS`, `PATH`, `A|B`; empty for switches.
    pub fn placeholder(&self) -> String {
        match self {
            Kind::Flag | Kind::InvertedFlag | Kind::Action => String::new(),
            Kind::Int { .. } => "N".to_owned(),
            Kind::Bytes => "BYTES".to_owned(),
            Kind::Kilobytes => "KB".to_owned(),
            Kind::Megabytes => "MB".to_owned(),
            Kind::Seconds => "SECONDS".to_owned(),
            Kind::Milliseconds => "MS".to_owned(),
            Kind::Path => "PATH".to_owned(),
            Kind::Address => "ADDRESS".to_owned(),
            Kind::Text | Kind::FlagOrText | Kind::Logic => "TEXT".to_owned(),
            Kind::Pair => "KEY=VALUE".to_owned(),
            Kind::Choice(words) => words.join("|"),
            Kind::Mode => "MODE".to_owned(),
            Kind::Octal => "OCTAL".to_owned(),
            Kind::User => "USER".to_owned(),
            Kind::UserGroup => "GROUP".to_owned(),
            Kind::ConfigFile => "FILE".to_owned(),
        }
    }
}

impl Unfit {
    fn new(expected: impl Into<String>) -> Unfit {
        Unfit { expected: expected.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Unfit {
        self.hint = Some(hint.into());
        self
    }
}

/// Off for `false`, `off`, `no` in any case and for `0`; on for all else (config.md section 4).
fn parse_flag(text: &str) -> Parsed<'_> {
    let word = text.to_ascii_lowercase();
    let number = i64::from(!matches!(word.as_str(), "false" | "off" | "no" | "0"));
    let usual = matches!(word.as_str(), "" | "true" | "on" | "yes" | "1" | "false" | "off" | "no" | "0");
    let remark = (!usual).then(|| format!("`{text}` counts as true; use true or false"));
    Parsed { remark, ..Parsed::new(text, number) }
}

/// The leading digits of a text after blanks and a sign, as C's `atoi` reads them; `None` without any digit.
fn leading_number(text: &str) -> Option<(i64, &str)> {
    let trimmed = text.trim_start();
    let (negative, digits) = match trimmed.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, trimmed.strip_prefix('+').unwrap_or(trimmed)),
    };
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if digits.is_empty() {
        return None;
    }
    let number = digits.parse::<i64>().unwrap_or(i64::MAX);
    Some((if negative { -number } else { number }, rest))
}

fn parse_int<'a>(value: Option<&'a str>, min: i64, max: i64, what: &str) -> Result<Parsed<'a>, Unfit> {
    let Some(text) = value else {
        // An option whose value may be left out on the command line: uWSGI reads 1.
        return Ok(Parsed::new("", 1.clamp(min, max)));
    };
    let expected = if max >= i64::from(i32::MAX) {
        format!("{what} from {min} on")
    } else {
        format!("{what} from {min} to {max}")
    };
    let Some((number, rest)) = leading_number(text) else {
        return Err(Unfit { expected, hint: number_hint(text) });
    };
    if number < min || number > max {
        return Err(Unfit::new(expected));
    }
    let remark = (!rest.trim().is_empty()).then(|| format!("read as {number}; `{}` is ignored", rest.trim()));
    Ok(Parsed { remark, ..Parsed::new(text, number) })
}

fn number_hint(text: &str) -> Option<String> {
    if text.is_empty() {
        Some("the value is missing".to_owned())
    } else if text.contains("$(") {
        Some("the environment variable is not set".to_owned())
    } else if text.contains("%(") {
        Some("no key of this name defines the placeholder".to_owned())
    } else {
        None
    }
}

/// Times end at 68 years, so that no clock can overflow by adding one.
fn parse_time<'a>(value: Option<&'a str>, unit: i64, what: &str) -> Result<Parsed<'a>, Unfit> {
    let mut parsed = parse_int(value, 0, i64::from(i32::MAX) * 1000 / unit, what)?;
    parsed.number *= unit;
    Ok(parsed)
}

fn parse_scaled<'a>(value: Option<&'a str>, unit: i64, what: &str) -> Result<Parsed<'a>, Unfit> {
    let mut parsed = parse_int(value, 0, i64::MAX / unit, what)?;
    if let (Some(remark), Some(text)) = (&mut parsed.remark, value)
        && text.trim().ends_with(['k', 'K', 'm', 'M', 'g', 'G'])
    {
        remark.push_str("; there are no unit suffixes");
    }
    parsed.number *= unit;
    Ok(parsed)
}

fn parse_choice<'a>(text: &'a str, words: &[&str]) -> Result<Parsed<'a>, Unfit> {
    match words.iter().position(|word| *word == text) {
        Some(index) => Ok(Parsed::new(text, i64::try_from(index).unwrap_or(0))),
        None => Err(Unfit::new(format!("one of {}", words.join(", ")))),
    }
}

/// Three octal digits, a leading zero allowed (config.md section 10); `1` and no value at all are 666.
fn parse_mode(value: Option<&str>) -> Result<Parsed<'_>, Unfit> {
    let text = value.unwrap_or("");
    if value.is_none() || text == "1" {
        return Ok(Parsed::new(text, 0o666));
    }
    let digits = if text.len() == 4 { text.strip_prefix('0').unwrap_or(text) } else { text };
    match i64::from_str_radix(digits, 8) {
        Ok(mode) if digits.len() == 3 && !digits.starts_with(['+', '-']) => Ok(Parsed::new(text, mode)),
        _ => Err(Unfit::new("three octal digits, for example 660")),
    }
}

fn parse_octal(text: &str) -> Result<Parsed<'_>, Unfit> {
    match i64::from_str_radix(text, 8) {
        Ok(mask) if (0..=0o777).contains(&mask) => Ok(Parsed::new(text, mask)),
        _ => Err(Unfit::new("octal digits up to 777, for example 022")),
    }
}

/// A name or a number above zero. uWSGI looks `0` up as a name and fails; `root` is the way to write it.
fn parse_account<'a>(text: &'a str, what: &str) -> Result<Parsed<'a>, Unfit> {
    let expected = format!("the name of a {what}, or a number above 0");
    match text {
        "" => Err(Unfit::new(expected)),
        "0" => Err(Unfit::new(expected).hint("`root` means no change")),
        _ => Ok(Parsed::new(text, 0)),
    }
}

/// Reads an address as config.md 4.4 describes. A host's name leaves the address open: looking it up is not pure.
fn parse_address(text: &str) -> Result<Parsed<'_>, Unfit> {
    let expected = "HOST:PORT, :PORT, [IPv6]:PORT, a path, @NAME or fd://N";
    let (address, remark) = if text.is_empty() {
        return Err(Unfit::new(expected));
    } else if let Some(number) = text.strip_prefix("fd://") {
        let descriptor = number.parse().map_err(|_| Unfit::new("fd:// and the number of a descriptor"))?;
        (Some(Address::Inherited(descriptor)), None)
    } else if let Some(name) = text.strip_prefix('@').or_else(|| text.strip_prefix("\\0")) {
        (Some(Address::Abstract(checked_length(name)?.into())), None)
    } else if text.starts_with('=') {
        return Err(Unfit::new(expected).hint("shared sockets (=N) are not there yet"));
    } else if text.contains(':') && !text.contains('/') {
        tcp_address(text)?
    } else {
        (Some(Address::Unix(PathBuf::from(checked_length(text)?))), file_remark(text))
    };
    Ok(Parsed { address, remark, ..Parsed::new(text, 0) })
}

fn checked_length(name: &str) -> Result<&str, Unfit> {
    match name.len() {
        0 => Err(Unfit::new("a name")),
        1..=UNIX_PATH_MAX => Ok(name),
        _ => Err(Unfit::new(format!("at most {UNIX_PATH_MAX} bytes, the limit of unix sockets"))),
    }
}

fn file_remark(text: &str) -> Option<String> {
    let number = text.bytes().all(|byte| byte.is_ascii_digit());
    number.then(|| format!("listens on a file named {text}; the port is written :{text}"))
}

fn tcp_address(text: &str) -> Result<(Option<Address>, Option<String>), Unfit> {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let (port, rest) = match leading_number(port) {
        Some((number, rest)) => (u16::try_from(number).ok(), rest.trim()),
        None => (None, ""),
    };
    let port = port.ok_or_else(|| Unfit::new("a port from 0 to 65535 after the colon"))?;
    let ip = host_address(host)?;
    let remark = (!rest.is_empty()).then(|| format!("read as port {port}; `{rest}` is ignored"));
    Ok((ip.map(|ip| Address::Tcp(SocketAddr::new(ip, port))), remark))
}

/// The address of a host written as one; `None` for a name.
fn host_address(host: &str) -> Result<Option<IpAddr>, Unfit> {
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    match (host, bracketed) {
        ("", _) => Ok(Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED))),
        ("localhost", _) => Ok(Some(IpAddr::V4(Ipv4Addr::LOCALHOST))),
        (_, Some(inner)) => {
            inner.parse().map(|ip| Some(IpAddr::V6(ip))).map_err(|_| Unfit::new("an IPv6 address between the brackets"))
        }
        _ if host.contains(':') => Err(Unfit::new("brackets around an IPv6 address, as in [::1]:8000")),
        _ if host.ends_with('*') => Err(Unfit::new("a whole address").hint("for every interface write :PORT")),
        _ => match host.parse() {
            Ok(ip) => Ok(Some(ip)),
            Err(_) if is_host_name(host) => Ok(None),
            Err(_) => Err(Unfit::new("an IP address or a host's name before the colon")),
        },
    }
}

/// Letters, digits, dots and hyphens (RFC 1123), and not digits and dots alone; underscores, as containers have them.
fn is_host_name(host: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    host.len() <= 253 && host.bytes().all(allowed) && host.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(kind: Kind, text: &str) -> Result<Parsed<'_>, Unfit> {
        kind.parse(Some(text))
    }

    fn number(kind: Kind, text: &str) -> Option<i64> {
        parse(kind, text).ok().map(|parsed| parsed.number)
    }

    #[test]
    fn numbers_keep_their_prefix_and_need_a_digit() {
        // The inputs of uWSGI's manual, "uWSGI Options".
        let int = Kind::Int { min: 0, max: 10_000 };
        for (text, expected) in [
            ("4 ; four", Some(4)),
            ("4.9", Some(4)),
            ("1k", Some(1)),
            ("1,000", Some(1)),
            ("0x10", Some(0)),
            ("08", Some(8)),
            (" 7", Some(7)),
            ("auto", None),
            ("", None),
            ("-1", None),
            ("10001", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(number(int, text), expected, "{text:?}");
        }
        assert!(parse(int, "4 ; four").is_ok_and(|parsed| parsed.remark.is_some()));
        assert_eq!(int.parse(None).map(|parsed| parsed.number), Ok(1));
        assert_eq!(number(Kind::Int { min: -20, max: 19 }, "-5"), Some(-5));
    }

    #[test]
    fn sizes_and_times_come_in_one_unit() {
        assert_eq!(number(Kind::Megabytes, "2"), Some(2 << 20));
        assert_eq!(number(Kind::Kilobytes, "2"), Some(2 << 10));
        assert_eq!(number(Kind::Bytes, "32k"), Some(32));
        assert!(parse(Kind::Bytes, "32k").is_ok_and(|v| v.remark.is_some_and(|text| text.contains("unit suffixes"))));
        assert_eq!(parse(Kind::Seconds, "3").map(|v| v.duration()), Ok(Duration::from_secs(3)));
        assert_eq!(parse(Kind::Milliseconds, "3").map(|v| v.duration()), Ok(Duration::from_millis(3)));
        assert_eq!(number(Kind::Megabytes, "9223372036854775807"), None, "too large to be bytes");
    }

    #[test]
    fn switches_are_off_for_four_words_only() {
        for off in ["false", "FALSE", "off", "no", "0"] {
            assert_eq!(number(Kind::Flag, off), Some(0), "{off}");
        }
        for (on, unusual) in [("", false), ("true", false), ("1", false), ("false ; note", true), ("none", true)] {
            let parsed = parse(Kind::Flag, on);
            assert_eq!(parsed.as_ref().map(Parsed::on), Ok(true), "{on}");
            assert_eq!(parsed.is_ok_and(|parsed| parsed.remark.is_some()), unusual, "{on}");
        }
    }

    #[test]
    fn modes_are_three_octal_digits() {
        for (text, expected) in [
            ("660", Some(0o660)),
            ("0660", Some(0o660)),
            ("1", Some(0o666)),
            ("", None),
            ("true", None),
            ("1777", None),
            ("66", None),
            ("+66", None),
            ("680", None),
            ("660 # x", None),
        ] {
            assert_eq!(number(Kind::Mode, text), expected, "{text:?}");
        }
        assert_eq!(Kind::Mode.parse(None).map(|parsed| parsed.number), Ok(0o666));
        assert_eq!(number(Kind::Octal, "022"), Some(0o022));
        assert_eq!(number(Kind::Octal, "9"), None);
    }

    #[test]
    fn accounts_are_names_or_numbers_above_zero() {
        assert!(parse(Kind::User, "www-data").is_ok());
        assert!(parse(Kind::UserGroup, "33").is_ok());
        assert!(parse(Kind::User, "0").is_err());
        assert!(parse(Kind::User, "").is_err());
    }

    #[test]
    fn addresses_of_every_form() {
        let tcp = |text: &str| Some(Address::Tcp(text.parse().expect("an address of the test")));
        for (text, expected) in [
            (":3031", tcp("0.0.0.0:3031")),
            ("127.0.0.1:3031", tcp("127.0.0.1:3031")),
            ("127.0.0.1:3031 # tcp", tcp("127.0.0.1:3031")),
            ("localhost:0", tcp("127.0.0.1:0")),
            ("[::1]:80", tcp("[::1]:80")),
            ("/run/app.sock", Some(Address::Unix("/run/app.sock".into()))),
            ("/tmp/a:b.sock", Some(Address::Unix("/tmp/a:b.sock".into()))),
            ("8000", Some(Address::Unix("8000".into()))),
            ("@app", Some(Address::Abstract(b"app".to_vec()))),
            ("\\0app", Some(Address::Abstract(b"app".to_vec()))),
            ("fd://3", Some(Address::Inherited(3))),
            ("app-1.example:80", None),
        ] {
            assert_eq!(parse(Kind::Address, text).map(|parsed| parsed.address), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn addresses_that_are_none() {
        for text in ["", ":", ":x", "1.2.3.4:70000", "::1:80", "[::x]:80", "192.168.*:80", "=0", "@", "fd://x", "a b:1"]
        {
            assert!(parse(Kind::Address, text).is_err(), "{text:?}");
        }
        assert!(parse(Kind::Address, &format!("/{}", "x".repeat(UNIX_PATH_MAX))).is_err());
    }
}
