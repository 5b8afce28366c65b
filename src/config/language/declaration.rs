//! Options that a configuration makes itself: `declare-option = name=opt1=val1;opt2=$1`.
//!
//! The rule is uWSGI's manual, "Configuration logic". Pure.

/// Most parts of a template.
const PARTS_MAX: usize = 1_000;

/// Words of an argument that a template can name: `$1` to `$9`.
const WORDS_MAX: usize = 9;

/// A declared option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declaration {
    parts: Vec<(String, String)>,
}

impl Declaration {
    /// Reads `name=template`. A part of the template without `=` ends it.
    pub(crate) fn parse(text: &str) -> Result<(String, Self), String> {
        let (name, template) = text.split_once('=').ok_or("expected NAME=OPTION=VALUE;OPTION=VALUE…")?;
        if name.is_empty() {
            return Err("expected a name in front of the first '='".to_owned());
        }
        let parts: Vec<_> = template.split(';').map_while(|part| part.split_once('=')).collect();
        match parts.len() {
            0 => Err("expected at least one OPTION=VALUE behind the name".to_owned()),
            count if count > PARTS_MAX => Err(format!("expected at most {PARTS_MAX} options")),
            _ => {
                let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
                Ok((name.to_owned(), Self { parts: parts.into_iter().map(owned).collect() }))
            }
        }
    }

    /// The options that a use of it stands for; `$1`, `$2`, … are the words of the argument.
    pub(crate) fn instantiate(&self, argument: &str) -> Vec<(String, String)> {
        let words: Vec<&str> = argument.split(' ').filter(|word| !word.is_empty()).take(WORDS_MAX).collect();
        self.parts.iter().map(|(key, value)| (fill(key, &words), fill(value, &words))).collect()
    }
}

fn fill(template: &str, words: &[&str]) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some(dollar) = rest.find('$') {
        let (before, behind) = rest.split_at(dollar);
        filled.push_str(before);
        let word = behind[1..].chars().next().and_then(|digit| digit.to_digit(10)).filter(|digit| *digit > 0);
        match word.and_then(|digit| words.get(digit as usize - 1)) {
            Some(word) => {
                filled.push_str(word);
                rest = &behind[2..];
            }
            None => {
                filled.push('$');
                rest = &behind[1..];
            }
        }
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_fill_keys_and_values() {
        let (name, declaration) = Declaration::parse("app=socket=/run/$1.sock;$2=1;end;never=1").unwrap();
        assert_eq!(name, "app");
        let filled = declaration.instantiate("shop  master");
        assert_eq!(filled, [("socket", "/run/shop.sock"), ("master", "1")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn what_is_not_there_stays() {
        let (_, declaration) = Declaration::parse("x=a=$1-$2-$-$0-é$").unwrap();
        assert_eq!(declaration.instantiate("q"), [("a".to_owned(), "q-$2-$-$0-é$".to_owned())]);
    }

    #[test]
    fn a_template_needs_a_name_and_a_part() {
        for text in ["", "x", "=a=b", "x=", "x=y"] {
            assert!(Declaration::parse(text).is_err(), "{text}");
        }
    }
}
