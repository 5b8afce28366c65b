//! The yaml form of a configuration, by the events of its parser. What its entries mean is the same as in json
//! (`structured`). Pure.

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput};

use super::object::{ENTRIES_MAX, Item, Malformed};

/// Reads the object called `section`; `None` if there is none.
pub(super) fn read(text: &str, section: &str) -> Result<Option<Vec<(usize, Item)>>, Malformed> {
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
