//! Reads `corpus.txt`, whose first lines say how it is written. The tests of whole servers read it, too.

/// One case.
#[derive(Debug, Default)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// The bytes of the client.
    pub(crate) sent: Vec<u8>,
    /// The requests that are seen.
    pub(crate) requests: Vec<Wanted>,
    pub(crate) end: Ending,
}

/// A request that is to be seen.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) method: String,
    pub(crate) path: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) with: Vec<With>,
}

/// What is to hold of a request.
#[derive(Debug)]
pub(crate) enum With {
    /// There is such a variable, of that value.
    Variable(String, Vec<u8>),
    /// There is none.
    NoVariable(String),
    /// The application does not see it.
    Hidden(String),
    Expects,
    Upgrade,
}

/// How it ends.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) enum Ending {
    #[default]
    Idle,
    Wait,
    Close,
    Refuse(u16, String),
}

/// All cases.
pub(crate) fn cases() -> Vec<Case> {
    let text = include_str!("corpus.txt");
    text.split("\n\n").filter(|paragraph| paragraph.starts_with("name: ")).map(case).collect()
}

fn case(paragraph: &str) -> Case {
    let mut case = Case::default();
    for line in paragraph.lines() {
        let (key, value) = line.split_once(':').unwrap_or_else(|| panic!("{line:?} in {}", case.name));
        // A blank after the colon is not part of the value, further ones are.
        let value = value.strip_prefix(' ').unwrap_or(value);
        match key {
            "name" => case.name = value.to_owned(),
            "send" => case.sent.extend(unescape(value)),
            "want" => want(&mut case, value),
            "with" => case.requests.last_mut().expect("a request before").with.push(with(value)),
            _ => panic!("{line:?} in {}", case.name),
        }
    }
    case
}

fn want(case: &mut Case, value: &str) {
    let words: Vec<&str> = value.splitn(3, ' ').collect();
    case.end = match words[..] {
        ["wait"] => Ending::Wait,
        ["close"] => Ending::Close,
        ["refuse", status] => Ending::Refuse(status.parse().expect("a status"), String::new()),
        ["refuse", status, words] => Ending::Refuse(status.parse().expect("a status"), words.to_owned()),
        [method, path] => return case.requests.push(wanted(method, path, "")),
        [method, path, body] => return case.requests.push(wanted(method, path, body)),
        _ => panic!("{value:?} in {}", case.name),
    };
}

fn wanted(method: &str, path: &str, body: &str) -> Wanted {
    Wanted { method: method.to_owned(), path: unescape(path), body: unescape(body), with: Vec::new() }
}

fn with(value: &str) -> With {
    match value.split_once('=') {
        Some((key, value)) => With::Variable(key.to_owned(), unescape(value)),
        None if value == "expects" => With::Expects,
        None if value == "upgrade" => With::Upgrade,
        None => match value.strip_prefix("visible ") {
            Some(key) => With::Hidden(key.to_owned()),
            None => With::NoVariable(value.to_owned()),
        },
    }
}

/// `\r \n \t \0 \\ \xHH`, and `{N*text}`, which may be nested.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = &rest[first.len_utf8()..];
        match first {
            '\\' => rest = escape(rest, &mut bytes),
            '{' => match repetition(rest) {
                Some((times, inner, after)) => {
                    bytes.extend(unescape(inner).repeat(times));
                    rest = after;
                }
                None => bytes.push(b'{'),
            },
            _ => bytes.extend(first.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    bytes
}

fn escape<'a>(text: &'a str, bytes: &mut Vec<u8>) -> &'a str {
    let (letter, rest) = text.split_at(1);
    bytes.push(match letter {
        "r" => b'\r',
        "n" => b'\n',
        "t" => b'\t',
        "0" => 0,
        "\\" => b'\\',
        "x" => {
            bytes.push(u8::from_str_radix(&rest[..2], 16).expect("two digits"));
            return &rest[2..];
        }
        _ => panic!("\\{letter}"),
    });
    rest
}

fn repetition(text: &str) -> Option<(usize, &str, &str)> {
    let (times, after) = text.split_once('*')?;
    let times = times.parse().ok()?;
    let mut depth = 1;
    let end = after.bytes().position(|byte| {
        depth += i32::from(byte == b'{') - i32::from(byte == b'}');
        depth == 0
    })?;
    Some((times, &after[..end], &after[end + 1..]))
}
