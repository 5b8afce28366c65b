//! The yaml and json forms of a configuration: one object whose members are entries, sequences being repeated keys.
//!
//! The rules are uWSGI's manual, "Configuring uWSGI". Both parsers are driven at a level that keeps order, duplicate
//! keys and lines: `saphyr-parser` by its events, `serde_json` by borrowed raw values. XML is refused: practically
//! nobody uses it. Pure.

use std::fmt;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::keyword::Format;

/// Most entries of one text, and most members of one object.
const ENTRIES_MAX: usize = 100_000;

/// What a member of the object is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    /// An entry.
    Entry {
        /// Its name.
        key: String,
        /// Its value as text.
        value: String,
    },
    /// Something that cannot be an entry.
    Ignored {
        /// Its name.
        key: String,
        /// What it is instead, for a message.
        what: &'static str,
    },
}

/// Why a text could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// The line, from 1; 0 speaks of the whole text.
    pub(crate) line: usize,
    pub(crate) problem: String,
}

impl Malformed {
    fn at(line: usize, problem: impl Into<String>) -> Self {
        Self { line, problem: problem.into() }
    }

    fn too_many(line: usize) -> Self {
        Self::at(line, format!("more than {ENTRIES_MAX} entries"))
    }

    fn json(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let problem = text.split(" at line ").next().unwrap_or_default();
        Self::at(error.line(), format!("expected json: {problem}"))
    }
}

/// Reads the object called `section`. Items come with their line, from 1, in order.
pub(crate) fn read(format: Format, text: &str, section: &str) -> Result<Vec<(usize, Item)>, Malformed> {
    let found = match format {
        Format::Yaml => read_yaml(text, section)?,
        Format::Json => read_json(text, section)?,
        Format::Xml => {
            return Err(Malformed::at(0, "xml is not supported; write the same keys and values as an ini file"));
        }
        Format::Ini => return Err(Malformed::at(0, "an ini file has no objects")),
    };
    found.ok_or_else(|| Malformed::at(0, format!("expected an object named `{section}`")))
}

fn read_yaml(text: &str, section: &str) -> Result<Option<Vec<(usize, Item)>>, Malformed> {
    let mut events = Events { parser: Parser::new_from_str(text) };
    loop {
        match events.next()?.1 {
            Event::MappingStart(..) => break,
            Event::StreamStart | Event::DocumentStart(_) | Event::Nothing => {}
            _ => return Ok(None), // nothing, or no object at all
        }
    }
    let mut items = None;
    loop {
        let (line, event) = events.next()?;
        let key = match event {
            Event::MappingEnd | Event::StreamEnd => return Ok(items),
            Event::Scalar(text, ..) => text.into_owned(),
            start => {
                events.skip(&start)?;
                String::new()
            }
        };
        let (_, value) = events.next()?;
        match value {
            Event::MappingStart(..) if key == section => events.members(items.get_or_insert_default())?,
            _ if key == section => {
                return Err(Malformed::at(line, format!("expected `{section}` to hold keys and values")));
            }
            other => events.skip(&other)?,
        }
    }
}

struct Events<'t> {
    parser: Parser<'t, StrInput<'t>>,
}

impl<'t> Events<'t> {
    fn next(&mut self) -> Result<(usize, Event<'t>), Malformed> {
        match self.parser.next_event() {
            None => Ok((0, Event::StreamEnd)),
            Some(Ok((event, span))) => Ok((span.start.line(), event)),
            Some(Err(error)) => {
                let hint = if error.info().contains('%') { "; a value that begins with % needs quotes" } else { "" };
                Err(Malformed::at(error.marker().line(), format!("expected yaml: {}{hint}", error.info())))
            }
        }
    }

    /// Passes over the rest of what an event began.
    fn skip(&mut self, begun: &Event<'_>) -> Result<(), Malformed> {
        let mut depth = usize::from(matches!(begun, Event::MappingStart(..) | Event::SequenceStart(..)));
        while depth > 0 {
            match self.next()?.1 {
                Event::MappingStart(..) | Event::SequenceStart(..) => depth += 1,
                Event::MappingEnd | Event::SequenceEnd => depth -= 1,
                Event::StreamEnd => return Ok(()),
                _ => {}
            }
        }
        Ok(())
    }

    /// The members of the mapping that has just begun.
    fn members(&mut self, items: &mut Vec<(usize, Item)>) -> Result<(), Malformed> {
        loop {
            let (line, event) = self.next()?;
            if items.len() > ENTRIES_MAX {
                return Err(Malformed::too_many(line));
            }
            let key = match event {
                Event::MappingEnd | Event::StreamEnd => return Ok(()),
                Event::Scalar(text, ..) => text.into_owned(),
                start => {
                    self.skip(&start)?;
                    items.push((line, Item::Ignored { key: String::new(), what: "a key that is no text" }));
                    let (_, value) = self.next()?;
                    self.skip(&value)?;
                    continue;
                }
            };
            match self.next()? {
                (_, Event::SequenceStart(..)) => self.elements(&key, items)?,
                (_, value) => self.value(line, key, &value, items)?,
            }
        }
    }

    fn elements(&mut self, key: &str, items: &mut Vec<(usize, Item)>) -> Result<(), Malformed> {
        loop {
            match self.next()? {
                (_, Event::SequenceEnd | Event::StreamEnd) => return Ok(()),
                (line, _) if items.len() > ENTRIES_MAX => return Err(Malformed::too_many(line)),
                (line, value) => self.value(line, key.to_owned(), &value, items)?,
            }
        }
    }

    fn value(
        &mut self,
        line: usize,
        key: String,
        value: &Event<'_>,
        items: &mut Vec<(usize, Item)>,
    ) -> Result<(), Malformed> {
        let item = match value {
            Event::Scalar(text, ScalarStyle::Plain, ..) if matches!(&**text, "" | "~" | "null") => return Ok(()),
            Event::Scalar(text, ..) => Item::Entry { key, value: text.clone().into_owned() },
            Event::Alias(_) => Item::Ignored { key, what: "an alias" },
            Event::SequenceStart(..) => Item::Ignored { key, what: "a sequence in a sequence" },
            _ => Item::Ignored { key, what: "an object" },
        };
        items.push((line, item));
        self.skip(value)
    }
}

/// The members of a JSON object in order, duplicates included.
struct Members<'t>(Vec<(String, &'t RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Members<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                    bounded(&members)?;
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// The elements of a JSON array.
struct Elements<'t>(Vec<&'t RawValue>);

impl<'de> Deserialize<'de> for Elements<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Elements<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = array.next_element()? {
                    elements.push(element);
                    bounded(&elements)?;
                }
                Ok(Elements(elements))
            }
        }
        deserializer.deserialize_seq(Collect)
    }
}

fn bounded<T, E: de::Error>(members: &[T]) -> Result<(), E> {
    if members.len() > ENTRIES_MAX { Err(E::custom(format_args!("more than {ENTRIES_MAX} members"))) } else { Ok(()) }
}

fn read_json(text: &str, section: &str) -> Result<Option<Vec<(usize, Item)>>, Malformed> {
    let mut place = Place::at_the_beginning_of(text);
    let Members(root) = serde_json::from_str(text).map_err(|error| Malformed::json(&error))?;
    let mut items = None;
    for (_, object) in root.iter().filter(|(name, _)| name == section) {
        let line = place.line_of(object.get());
        let problem = |_| Malformed::at(line, format!("expected `{section}` to be an object"));
        let Members(members) = serde_json::from_str(object.get()).map_err(problem)?;
        let items = items.get_or_insert_with(Vec::new);
        for (key, value) in members {
            let line = place.line_of(value.get());
            if !value.get().starts_with('[') {
                items.push((line, json_value(key, value, "an object")));
                continue;
            }
            let Elements(elements) = serde_json::from_str(value.get()).map_err(|error| Malformed::json(&error))?;
            for element in elements {
                let line = place.line_of(element.get());
                items.push((line, json_value(key.clone(), element, "an object or array in an array")));
            }
            if items.len() > ENTRIES_MAX {
                return Err(Malformed::too_many(line));
            }
        }
    }
    Ok(items)
}

fn json_value(key: String, raw: &RawValue, nested: &'static str) -> Item {
    let value = match raw.get() {
        "true" => "1".to_owned(),
        "false" | "null" => "0".to_owned(),
        text => match text.as_bytes().first() {
            Some(b'{' | b'[') => return Item::Ignored { key, what: nested },
            Some(b'"') => match serde_json::from_str(text) {
                Ok(text) => text,
                Err(_) => return Item::Ignored { key, what: "text that is not Unicode" },
            },
            _ => text.to_owned(),
        },
    };
    Item::Entry { key, value }
}

/// A place in a text that only moves on, to tell the lines of its parts in their order.
struct Place<'t> {
    text: &'t str,
    offset: usize,
    line: usize,
}

impl<'t> Place<'t> {
    fn at_the_beginning_of(text: &'t str) -> Self {
        Self { text, offset: 0, line: 1 }
    }

    /// The line, from 1, at which a part borrowed from the text begins.
    fn line_of(&mut self, part: &str) -> usize {
        let offset = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let passed = self.text.as_bytes().get(self.offset..offset).unwrap_or_default();
        self.line += passed.iter().filter(|byte| **byte == b'\n').count();
        self.offset = self.offset.max(offset);
        self.line
    }
}
