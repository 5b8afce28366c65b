//! What is made of a line before it is written: `log-encoder`, `log-req-encoder`, one after the other.
//! Pure; wherever lines are written.
//!
//! Differs from uWSGI where that is at fault: what `json` takes is escaped whatever it is, and `suffix` stands before the end of
//! the line.

use crate::config::model::{Encoder, LineForm};
use crate::escape;
use crate::logging::format_local;

/// The encoders of one place.
#[derive(Debug, Default)]
pub(super) struct Chain(Vec<LineForm>);

impl Chain {
    /// Of all encoders those that are for every place, or for the one with this name.
    pub(super) fn of(encoders: &[Encoder], id: Option<&str>) -> Self {
        let own = encoders.iter().filter(|encoder| encoder.id.is_none() || encoder.id.as_deref() == id);
        Self(own.map(|encoder| encoder.form.clone()).collect())
    }

    /// A message in its form: as one where it becomes JSON, else line by line.
    pub(super) fn encode_each(&self, message: &str, now_us: u64, mut each: impl FnMut(&str)) {
        if self.0.iter().any(|form| matches!(form, LineForm::Json(_))) {
            each(&self.encode(message, now_us));
        } else {
            message.split('\n').for_each(|line| each(&self.encode(line, now_us)));
        }
    }

    /// A line in its form. Whether it has an end is the place's business; `nl` is a word for that, too.
    fn encode(&self, line: &str, now_us: u64) -> String {
        self.0.iter().fold(line.to_owned(), |line, form| match form {
            LineForm::Prefix(text) => format!("{text}{line}"),
            LineForm::Suffix(text) => format!("{line}{text}"),
            LineForm::Newline => line,
            LineForm::Format(template) => fill(template, &line, now_us),
            LineForm::Json(template) => {
                let mut inside = String::with_capacity(line.len() + line.len() / 8);
                escape::push_json(&mut inside, line.as_bytes());
                fill(template, &inside, now_us)
            }
        })
    }
}

/// Puts the values of `${…}` into a template; what is none of them stays as it is.
fn fill(template: &str, message: &str, now_us: u64) -> String {
    let mut filled = String::with_capacity(template.len() + message.len());
    let mut rest = template;
    while let Some((before, name, after)) = next_name(rest) {
        filled.push_str(before);
        match name {
            "msg" | "msgnl" => filled.push_str(message),
            "unix" => filled.push_str(&(now_us / 1_000_000).to_string()),
            "millis" => filled.push_str(&(now_us / 1_000).to_string()),
            "micros" => filled.push_str(&now_us.to_string()),
            other => match other.strip_prefix("strftime:") {
                Some(pattern) => filled.push_str(&format_local(pattern, now_us)),
                None => filled.extend(["${", other, "}"]),
            },
        }
        rest = after;
    }
    filled + rest
}

fn next_name(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("${")?;
    let (name, after) = rest.split_once('}')?;
    Some((before, name, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::mutation::{mutate_with, try_mutants};
    use testkit::seeds::Seeds;

    /// A template and a line from the same bytes: nothing panics, what is between the values stays, JSON stays JSON.
    fn exercise(bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        let form = LineForm::Format(text.to_string());
        let with = encoded(std::slice::from_ref(&form), "");
        let (first, last) = (text.split("${").next().unwrap_or_default(), text.rsplit('}').next().unwrap_or_default());
        assert!(with.starts_with(first) && with.ends_with(last), "{text:?} became {with:?}");
        let json = encoded(&[form, LineForm::Json("{\"m\":\"${msg}\"}".into())], &text);
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json:?}");
    }

    #[test]
    fn mutants_of_templates_are_filled_in() {
        const PIECES: [&str; 14] =
            ["${", "}", "$", "{", "msg", "${msg}", "${strftime:", "%Y", "%", "%9999Y", "%_^E", "${unix}", "\0", "ä"];
        let original = b"[${strftime:%Y-%m-%d %H:%M:%S}] ${millis} ${msgnl} ${else}".to_vec();
        let mutate = |random: &mut fastrand::Rng, template: &mut Vec<u8>| mutate_with(random, template, &PIECES);
        Seeds::of_this_run(2)
            .try_all(|(): &mut (), seed| try_mutants(seed, std::slice::from_ref(&original), mutate, exercise, |_| {}));
    }

    fn encoded(forms: &[LineForm], line: &str) -> String {
        let encoders: Vec<Encoder> = forms.iter().map(|form| Encoder { id: None, form: form.clone() }).collect();
        Chain::of(&encoders, None).encode(line, 1_500_000_000_123_456)
    }

    #[test]
    fn encoders_work_one_after_the_other() {
        let forms = [LineForm::Prefix("<".into()), LineForm::Newline, LineForm::Suffix(">".into())];
        assert_eq!(encoded(&forms, "GET /"), "<GET />");
        let template = LineForm::Format("${unix} ${millis} ${micros} [${msg}] ${else} ${open".into());
        assert_eq!(encoded(&[template], "m"), "1500000000 1500000000123 1500000000123456 [m] ${else} ${open");
    }

    #[test]
    fn whatever_a_line_holds_json_of_it_is_json() {
        let odd = "\0\u{1}\t\r\n\"\\/\u{7f}\u{85}\u{2028}😀${msg}";
        let long = odd.repeat(1_000);
        for line in [odd, &long] {
            let json = encoded(&[LineForm::Json("{\"m\":\"${msg}\",\"unix\":${unix}}".into())], line);
            let read: serde_json::Value = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
            assert_eq!((&read["m"], &read["unix"]), (&line.into(), &1_500_000_000.into()));
        }
    }

    #[test]
    fn an_encoder_with_a_name_is_for_that_place_only() {
        let named = Encoder { id: Some("a".into()), form: LineForm::Prefix("a".into()) };
        let all = Encoder { id: None, form: LineForm::Prefix("b".into()) };
        assert_eq!(Chain::of(&[named.clone(), all.clone()], Some("a")).encode("", 0), "ba");
        assert_eq!(Chain::of(&[named, all], Some("c")).encode("", 0), "b");
    }
}
