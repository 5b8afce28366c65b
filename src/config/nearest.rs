//! Which known name a misspelled one was likely meant to be.
//!
//! Closeness is the optimal-string-alignment distance: insertions, deletions, replacements and swaps of neighbours.
//! Pure; runs in the master before anything is started.

use strsim::osa_distance;

/// Longest name that is searched for. The longest of uWSGI's has 40 characters.
const NAME_CHARACTERS_MAX: usize = 60;

/// The likely meaning of a misspelled name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nearest<'a> {
    /// The known name.
    pub name: &'a str,
    /// Whether it is so close that the other can hardly be anything but a slip.
    pub close: bool,
}

/// Known names, prepared for many searches.
#[derive(Debug, Clone)]
pub struct Names<'a> {
    list: Vec<(Letters, &'a str)>,
}

impl<'a> Names<'a> {
    /// Takes the names to search; of equally near ones the first is found.
    pub fn new(names: impl Iterator<Item = &'a str>) -> Self {
        Self { list: names.map(|name| (Letters::of(name), name)).collect() }
    }

    /// The name nearest to `name`, hyphens and underscores being alike; `None` when all are far away.
    ///
    /// A suggestion is made up to a distance of a third of the length, at most 3. *Close* is stricter, because a key
    /// that is close and unused stops the start: a distance of 1 from five characters on, of 2 from eight on, a missing
    /// or additional ending of up to two letters, another case, or a first word that is an option (`env DEBUG`).
    pub fn nearest(&self, name: &str) -> Option<Nearest<'a>> {
        let wanted = name.trim().to_lowercase().replace('_', "-");
        let first_word = wanted.split([' ', ':']).next().filter(|word| word.len() < wanted.len());
        if let Some((_, known)) = self.list.iter().find(|(_, known)| Some(*known) == first_word) {
            return Some(Nearest { name: known, close: true });
        }
        let length = wanted.chars().count();
        if length > NAME_CHARACTERS_MAX {
            return None;
        }
        let distance_max = (length / 3).clamp(1, 3);
        let letters = Letters::of(&wanted);
        let mut best: Option<(usize, &str)> = None;
        for (known_letters, known) in &self.list {
            if !letters.may_be_within(known_letters, distance_max) {
                continue;
            }
            let distance = osa_distance(&wanted, known);
            if distance <= distance_max && best.is_none_or(|(least, _)| distance < least) {
                best = Some((distance, known));
            }
        }
        best.map(|(distance, name)| Nearest { name, close: is_close(&wanted, name, distance) })
    }
}

/// One search; see [`Names::nearest`].
pub fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<Nearest<'a>> {
    Names::new(candidates).nearest(name)
}

/// Which letters a name has and how often: a lower bound of the distance that costs next to nothing.
#[derive(Debug, Clone, Copy)]
struct Letters {
    set: u64,
    count: usize,
    often: [u8; BUCKETS],
}

/// Letters are counted in so many heaps.
const BUCKETS: usize = 32;

impl Letters {
    fn of(name: &str) -> Self {
        let mut letters = Self { set: 0, count: 0, often: [0; BUCKETS] };
        for letter in name.chars() {
            letters.set |= 1 << (u32::from(letter) % 64);
            letters.count += 1;
            let heap = &mut letters.often[u32::from(letter) as usize % BUCKETS];
            *heap = heap.saturating_add(1);
        }
        letters
    }

    /// One edit adds or takes a letter at most, or does both.
    fn may_be_within(&self, other: &Self, distance: usize) -> bool {
        self.count.abs_diff(other.count) <= distance
            && (self.set & !other.set).count_ones() as usize <= distance
            && (other.set & !self.set).count_ones() as usize <= distance
            && surplus(&self.often, &other.often) <= distance
            && surplus(&other.often, &self.often) <= distance
    }
}

fn surplus(more: &[u8; BUCKETS], less: &[u8; BUCKETS]) -> usize {
    more.iter().zip(less).map(|(more, less)| usize::from(more.saturating_sub(*less))).sum()
}

fn is_close(wanted: &str, candidate: &str, distance: usize) -> bool {
    let slips_max = match wanted.chars().count() {
        0..5 => 0,
        5..8 => 1,
        _ => 2,
    };
    let ending = wanted.len() >= 5 && distance <= 2 && (candidate.starts_with(wanted) || wanted.starts_with(candidate));
    distance <= slips_max || ending
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 9] =
        ["processes", "threads", "vacuum", "buffer-size", "env", "py-call-osafterfork", "uid", "vhost", "log-big"];

    fn of(name: &str) -> Option<(&'static str, bool)> {
        nearest(name, KNOWN.into_iter()).map(|found| (found.name, found.close))
    }

    #[test]
    fn mistakes_of_public_files_are_close() {
        // uWSGI's manual, "Configuring uWSGI"
        assert_eq!(of("process"), Some(("processes", true)));
        assert_eq!(of("thread"), Some(("threads", true)));
        assert_eq!(of("vaccum"), Some(("vacuum", true)));
        assert_eq!(of("py-callos-afterfork"), Some(("py-call-osafterfork", true)));
        assert_eq!(of("env DJANGO_SETTINGS_MODULE"), Some(("env", true)));
        assert_eq!(of("Processes"), Some(("processes", true)));
    }

    #[test]
    fn short_names_are_suggested_but_never_close() {
        assert_eq!(of("host"), Some(("vhost", false)));
        assert_eq!(of("gid"), Some(("uid", false)));
        assert_eq!(of("log-dir"), Some(("log-big", false)));
    }

    #[test]
    fn far_names_have_no_neighbour() {
        for name in ["redirect_stderr", "base_dir", "project", "", "q"] {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
