//! Which failures of an application have its worker replaced (`reload-on-exception` and its relatives). Worker only.

use crate::config::model::MonitoredExceptions;

/// A failure of the application as the configuration may name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raised {
    /// Names of its type: `ValueError`, and with the module if that is another text.
    pub types: Vec<String>,
    /// Its message.
    pub value: String,
    /// Further texts for the whole, besides `TYPE:MESSAGE`: in Python its `repr()`.
    pub reprs: Vec<String>,
}

impl MonitoredExceptions {
    /// Whether a failure is one of these. `describe` is asked only when the answer depends on it.
    ///
    /// uWSGI 2.0 compares types and reprs with the message (a fault of uWSGI's);
    /// here each is compared with what it is called after.
    pub(super) fn include(&self, describe: impl FnOnce() -> Raised) -> bool {
        if self.any || (self.types.is_empty() && self.values.is_empty() && self.reprs.is_empty()) {
            return self.any;
        }
        let raised = describe();
        let joined = |name: &String| format!("{name}:{}", raised.value);
        self.values.contains(&raised.value)
            || raised.types.iter().any(|name| self.types.contains(name) || self.reprs.contains(&joined(name)))
            || raised.reprs.iter().any(|repr| self.reprs.contains(repr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raised() -> Raised {
        Raised {
            types: vec!["Gone".to_owned(), "shop.errors.Gone".to_owned()],
            value: "no database".to_owned(),
            reprs: vec!["Gone('no database')".to_owned()],
        }
    }

    fn monitored(kind: &str, text: &str) -> bool {
        let (mut monitored, texts) = (MonitoredExceptions::default(), vec![text.to_owned()]);
        match kind {
            "type" => monitored.types = texts,
            "value" => monitored.values = texts,
            _ => monitored.reprs = texts,
        }
        monitored.include(raised)
    }

    #[test]
    fn each_text_is_compared_as_a_whole_with_what_it_is_called_after() {
        let matching = [
            ("type", "Gone"),
            ("type", "shop.errors.Gone"),
            ("value", "no database"),
            ("repr", "Gone:no database"),
            ("repr", "shop.errors.Gone:no database"),
            ("repr", "Gone('no database')"),
        ];
        for (kind, text) in matching {
            assert!(monitored(kind, text), "{kind} {text}");
        }
        for (kind, text) in [("type", "no database"), ("type", "Gon"), ("value", "Gone"), ("repr", "no database")] {
            assert!(!monitored(kind, text), "{kind} {text}");
        }
    }

    #[test]
    fn nothing_is_described_for_nothing() {
        let undescribed = || -> Raised { unreachable!("nobody asks") };
        assert!(!MonitoredExceptions::default().include(undescribed));
        assert!(MonitoredExceptions { any: true, ..MonitoredExceptions::default() }.include(undescribed));
    }
}
