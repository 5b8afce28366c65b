//! The yaml and json forms of a configuration: one object whose members are entries, sequences being repeated keys.
//!
//! The rules are uWSGI's manual, "Configuring uWSGI". Both parsers are driven at a level that keeps order, duplicate
//! keys and lines: `saphyr-parser` by its events (`yaml`), `serde_json` by borrowed raw values. XML is refused: practically
//! nobody uses it. Pure.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::keyword::Format;
use super::object::ENTRIES_MAX;
pub(super) use super::object::{Item, Malformed};
#[cfg(feature = "yaml")]
use super::yaml::read as read_yaml;

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

#[cfg(not(feature = "yaml"))]
fn read_yaml(_text: &str, _section: &str) -> Result<Option<Vec<(usize, Item)>>, Malformed> {
    let missing = "yaml is not built into this program (rhinod's feature `yaml`)";
    Err(Malformed::at(0, format!("{missing}; write the same keys and values as an ini file")))
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
    let Members(root) = serde_json::from_str(text).map_err(|error| malformed(&error))?;
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
            let Elements(elements) = serde_json::from_str(value.get()).map_err(|error| malformed(&error))?;
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

/// What the parser says of a text.
fn malformed(error: &serde_json::Error) -> Malformed {
    let text = error.to_string();
    let problem = text.split(" at line ").next().unwrap_or_default();
    Malformed::at(error.line(), format!("expected json: {problem}"))
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
