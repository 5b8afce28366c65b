//! The command line as GNU `getopt_long` reads it, driven by the vocabulary.
//!
//! Options and positional arguments may be mixed, a unique beginning stands for a long name, short options may be
//! glued together and to their value, `--` ends the options (uWSGI's manual, "Configuring uWSGI"). Only reads: what the
//! options do is `collect`'s business. Pure.

use std::ffi::OsString;

use lexopt::Arg;

use super::source;
use crate::config::directive::Origin;
use crate::config::error::ConfigError;
use crate::config::nearest::nearest;
use crate::config::vocabulary::{Argument, Meaning, Vocabulary, is_of_application};

/// Most candidates that a message about an ambiguous name lists.
const CANDIDATES_MAX: usize = 5;

/// A command line, read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CommandLine {
    /// Options under their long names with their values, in order.
    pub(crate) options: Vec<(String, Option<String>)>,
    /// Everything else, in order.
    pub(crate) positional: Vec<String>,
}

/// Reads the arguments behind the program's name. What is wrong goes to `errors`; the rest is read all the same.
pub(crate) fn parse(arguments: &[OsString], vocabulary: &dyn Vocabulary, errors: &mut Vec<ConfigError>) -> CommandLine {
    let mut line = CommandLine::default();
    let mut after_unknown = false;
    let mut parser = lexopt::Parser::from_args(arguments);
    parser.set_short_equals(false);
    loop {
        let named = match parser.next() {
            Ok(None) => return line,
            Ok(Some(Arg::Value(word))) => {
                let may_be_value = std::mem::take(&mut after_unknown); // of the option that was complained about
                match text(word) {
                    Ok(word) if may_be_value && source::by_ending(&word).is_none() => {}
                    Ok(word) => line.positional.push(word),
                    Err(error) => errors.push(error),
                }
                continue;
            }
            Ok(Some(Arg::Long(name))) if is_of_application(name) => {
                let name = name.to_owned();
                after_unknown = false;
                match of_application(&mut parser, name) {
                    Ok(option) => line.options.push(option),
                    Err(error) => errors.push(error),
                }
                continue;
            }
            Ok(Some(Arg::Long(name))) => {
                Named { shown: format!("--{name}"), long: true, found: long(name, vocabulary) }
            }
            Ok(Some(Arg::Short(letter))) => Named {
                shown: format!("-{letter}"),
                long: false,
                found: vocabulary.short(letter).ok_or_else(|| Unknown { problem: "no such option".into(), hint: None }),
            },
            Err(error) => {
                errors.push(complaint(error.to_string()));
                continue;
            }
        };
        after_unknown = named.found.is_err();
        match take_value(&mut parser, named) {
            Ok(option) => line.options.push(option),
            Err(error) => errors.push(error),
        }
    }
}

/// An option of the command line as it was spelled, and what it was found to be.
struct Named {
    shown: String,
    long: bool,
    found: Result<Meaning, Unknown>,
}

struct Unknown {
    problem: String,
    hint: Option<String>,
}

fn take_value(parser: &mut lexopt::Parser, named: Named) -> Result<(String, Option<String>), ConfigError> {
    let Named { shown, long, found } = named;
    let meaning = match found {
        Ok(meaning) => meaning,
        Err(Unknown { problem, hint }) => {
            if long {
                parser.optional_value(); // belongs to the unknown option
            }
            let error = complaint(format!("{shown}: {problem}"));
            return Err(match hint {
                Some(hint) => error.suggest(hint),
                None => error.suggest("--help lists them"),
            });
        }
    };
    let value = match meaning.argument {
        Argument::None if long => match parser.optional_value() {
            None => None,
            Some(value) => {
                let value = value.to_string_lossy().into_owned();
                let problem = "takes no value on the command line";
                return Err(ConfigError::of(meaning.name, Some(&value), &Origin::CommandLine, problem)
                    .suggest(format!("use --{} alone, or --set {}={value}", meaning.name, meaning.name)));
            }
        },
        Argument::None => None,
        Argument::Optional => parser.optional_value(),
        Argument::Required => {
            let missing = |_| complaint(format!("{shown}: expected a value behind it"));
            Some(parser.value().map_err(missing)?)
        }
    };
    Ok((meaning.name.to_owned(), value.map(text).transpose()?))
}

/// An option of the application's own, which has a value here: nothing says which of them are switches.
fn of_application(parser: &mut lexopt::Parser, name: String) -> Result<(String, Option<String>), ConfigError> {
    let missing = |_| complaint(format!("--{name}: expected a value behind it; a switch is --{name}=true"));
    let value = parser.value().map_err(missing)?;
    Ok((name, Some(text(value)?)))
}

/// The option of a long name, of its other spelling, or of its unique beginning.
fn long(name: &str, vocabulary: &dyn Vocabulary) -> Result<Meaning, Unknown> {
    if let Some(meaning) = vocabulary.lookup(name) {
        return Ok(meaning);
    }
    let beginning = name.replace('_', "-");
    let candidates: Vec<Meaning> = vocabulary
        .names()
        .filter(|known| !beginning.is_empty() && known.starts_with(&beginning))
        .filter_map(|known| vocabulary.lookup(known))
        .collect();
    match candidates.split_first() {
        None => Err(Unknown {
            problem: "no such option".to_owned(),
            hint: nearest(name, vocabulary.names()).map(|near| format!("did you mean --{}?", near.name)),
        }),
        Some((first, rest)) if rest.iter().all(|other| other.canonical == first.canonical) => Ok(*first),
        Some(_) => Err(Unknown {
            problem: "the beginning of several options".to_owned(),
            hint: Some(format!("it could be {}", listed(&candidates))),
        }),
    }
}

fn listed(candidates: &[Meaning]) -> String {
    let names: Vec<String> = candidates.iter().take(CANDIDATES_MAX).map(|one| format!("--{}", one.name)).collect();
    let more = candidates.len().saturating_sub(CANDIDATES_MAX);
    if more == 0 { names.join(", ") } else { format!("{} and {more} more", names.join(", ")) }
}

fn text(word: OsString) -> Result<String, ConfigError> {
    word.into_string().map_err(|word| complaint(format!("{}: expected text in UTF-8", word.to_string_lossy())))
}

fn complaint(problem: String) -> ConfigError {
    ConfigError::at(&Origin::CommandLine, problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::options::Table;

    fn read(words: &[&str]) -> (CommandLine, Vec<String>) {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        let mut errors = Vec::new();
        let line = parse(&words, &Table, &mut errors);
        (line, errors.iter().map(ToString::to_string).collect())
    }

    fn options_of(words: &[&str]) -> Vec<String> {
        let (line, errors) = read(words);
        assert_eq!(errors, Vec::<String>::new(), "{words:?}");
        let shown = |(key, value): &(String, Option<String>)| match value {
            Some(value) => format!("{key}={value}"),
            None => key.clone(),
        };
        line.options.iter().map(shown).chain(line.positional.iter().map(|word| format!("<{word}>"))).collect()
    }

    #[test]
    fn every_way_of_giving_a_value_is_read() {
        let expected = ["processes=1", "processes=2", "processes=3", "processes=4", "processes=="];
        assert_eq!(options_of(&["--processes", "1", "--processes=2", "-p", "3", "-p4", "-p="]), expected);
        assert_eq!(
            options_of(&["-MTp4", "-C", "664", "-C664"]),
            ["master", "enable-threads", "processes=4", "chmod-socket", "chmod-socket=664", "<664>",]
        );
    }

    #[test]
    fn options_come_first_wherever_they_stand() {
        assert_eq!(
            options_of(&["a.ini", "--master", "b.ini", "--", "--master", "-p"]),
            ["master", "<a.ini>", "<b.ini>", "<--master>", "<-p>",]
        );
        assert_eq!(options_of(&["--chdir", "--", "-"]), ["chdir=--", "<->"]);
    }

    #[test]
    fn a_unique_beginning_and_underscores_will_do() {
        assert_eq!(
            options_of(&["--vac", "--buffer_s=1", "--wsgi_file", "a.py"]),
            ["vacuum", "buffer-size=1", "wsgi-file=a.py",]
        );
    }

    #[test]
    fn options_of_the_application_have_values() {
        assert_eq!(
            options_of(&["--app-greeting", "hi", "--app-port=1", "app.ini"]),
            ["app-greeting=hi", "app-port=1", "<app.ini>"]
        );
        let (_, errors) = read(&["--app-greeting"]);
        assert!(errors[0].contains("--app-greeting: expected a value"), "{errors:?}");
    }

    #[test]
    fn the_word_behind_an_unknown_option_is_not_complained_about_as_well() {
        let (line, errors) = read(&["--no-such-option", "4", "--no-such-option", "a.ini", "5"]);
        assert_eq!(line.positional, ["a.ini", "5"]);
        assert_eq!(errors.len(), 2, "{errors:?}");
    }
}
