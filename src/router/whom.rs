//! Whom the router asks for a request: a node of its host, where instances announce themselves, else one of those that the
//! configuration names. Pure; used in the router.

use super::announced::{Choice, Held, Table};
use super::nodes::Nodes;
use crate::config::model::Address;

/// All of them.
#[derive(Debug)]
pub(super) struct Whom {
    pub(super) fixed: Nodes,
    /// Where instances announce themselves.
    pub(super) announced: Option<Table>,
}

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// By its place in the configuration.
    Fixed(usize),
    /// By its number among those that were announced.
    Announced(u64),
}

/// Whom to ask.
#[derive(Debug)]
pub(super) enum Chosen {
    /// This one.
    One(Asked),
    /// Nobody at the moment.
    Nobody,
    /// Nobody serves that host.
    Unknown,
}

/// One that is asked.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) who: Who,
    pub(super) address: Address,
    /// What it is to get in the header of its packet, where that is its own.
    pub(super) modifiers: Option<(u8, u8)>,
    /// To be kept for as long as it has the request.
    pub(super) _held: Option<Held>,
}

impl Whom {
    /// The one whose turn it is. `avoid`: one that has just failed.
    pub(super) fn choose(&mut self, host: Option<&str>, now_us: u64, avoid: Option<Who>) -> Chosen {
        let avoid = match avoid {
            Some(Who::Announced(id)) => Some(id),
            Some(Who::Fixed(_)) | None => None,
        };
        let choice = self.announced.as_mut().map(|table| table.choose(host, now_us, avoid));
        let is_unknown = matches!(choice, Some(Choice::Unknown));
        match choice {
            Some(Choice::Node { id, address, modifiers, held }) => {
                let who = Who::Announced(id);
                Chosen::One(Asked { who, address, modifiers: Some(modifiers), _held: Some(held) })
            }
            Some(Choice::Nobody) => Chosen::Nobody,
            Some(Choice::Unknown) | None => match self.fixed.choose(now_us) {
                Some((number, address)) => {
                    let (who, address) = (Who::Fixed(number), address.clone());
                    Chosen::One(Asked { who, address, modifiers: None, _held: None })
                }
                None if is_unknown => Chosen::Unknown,
                None => Chosen::Nobody,
            },
        }
    }

    /// It could not be connected to.
    pub(super) fn shun(&mut self, who: Who, now_us: u64) {
        match (who, &mut self.announced) {
            (Who::Fixed(number), _) => self.fixed.shun(number, now_us),
            (Who::Announced(id), Some(table)) => table.shun(id, now_us),
            (Who::Announced(_), None) => {}
        }
    }

    /// It is asked.
    pub(super) fn note_hit(&mut self, who: Who) {
        if let Who::Fixed(number) = who {
            self.fixed.note_hit(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::model::Hearing;

    #[test]
    fn who_is_named_by_the_configuration_is_asked_where_nobody_has_announced_the_host() {
        let other = Address::Unix("/other".into());
        let whom = |fixed: Vec<Address>, hears: bool| Whom {
            fixed: Nodes::new(fixed, Duration::ZERO),
            announced: hears.then(|| Table::new(&Hearing::default(), Duration::ZERO)),
        };
        let choose = |whom: &mut Whom| whom.choose(Some("a.example"), 0, None);
        for hears in [true, false] {
            let Chosen::One(asked) = choose(&mut whom(vec![other.clone()], hears)) else { panic!("nobody: {hears}") };
            assert_eq!((asked.who, asked.address, asked.modifiers), (Who::Fixed(0), other.clone(), None));
        }
        assert!(matches!(choose(&mut whom(Vec::new(), true)), Chosen::Unknown));
        assert!(matches!(choose(&mut whom(Vec::new(), false)), Chosen::Nobody));
    }
}
