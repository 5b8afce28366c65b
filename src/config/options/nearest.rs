//! The nearest known name to a misspelled one. Pure; runs wherever a configuration is read.

use super::options;

/// The known name that a misspelled one was most likely meant to be.
///
/// Closeness is the Damerau-Levenshtein distance (optimal string alignment), at most a third of the length and at
/// most 3; of equals the first in the table wins. Hyphens and underscores are alike, and a key such as
/// `env DJANGO_SETTINGS_MODULE` is nearest to its first word when that is an option.
pub fn nearest(name: &str) -> Option<&'static str> {
    let wanted = name.trim().to_ascii_lowercase().replace('_', "-");
    if let Some(first) = wanted.split([' ', ':']).next().filter(|first| first.len() < wanted.len())
        && let Some(option) = super::find(first)
    {
        return Some(option.name);
    }
    let limit = (wanted.chars().count() / 3).clamp(1, 3);
    options()
        .flat_map(|option| option.names())
        .filter(|known| known.len().abs_diff(wanted.len()) <= limit)
        .map(|known| (distance(&wanted, known), known))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| known)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other.
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut before_last = vec![0; right.len() + 1];
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (row, a) in left.iter().enumerate() {
        let mut current = vec![row + 1; right.len() + 1];
        for (column, b) in right.iter().enumerate() {
            let replaced = last[column] + usize::from(a != b);
            let mut best = replaced.min(last[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && *a == right[column - 1] && left[row - 1] == *b {
                best = best.min(before_last[column - 1] + 1);
            }
            current[column + 1] = best;
        }
        before_last = std::mem::replace(&mut last, current);
    }
    last[right.len()]
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn distance_counts_each_kind_of_slip_once() {
        assert_eq!(distance("vacuum", "vacuum"), 0);
        assert_eq!(distance("vaccum", "vacuum"), 1);
        assert_eq!(distance("vcauum", "vacuum"), 1);
        assert_eq!(distance("", "abc"), 3);
    }

    #[test]
    fn mistakes_of_public_files_find_what_was_meant() {
        // reference/config.md 1.10 lists these keys as really seen.
        for (wrong, right) in [
            ("process", "processes"),
            ("thread", "threads"),
            ("vaccum", "vacuum"),
            ("buffer_size", "buffer-size"),
            ("py-callos-afterfork", "py-call-osafterfork"),
            ("env DJANGO_SETTINGS_MODULE", "env"),
            ("socket: /tmp/s", "socket"),
            ("Processes", "processes"),
        ] {
            assert_eq!(nearest(wrong), Some(right), "{wrong}");
        }
    }

    #[test]
    fn far_words_have_no_neighbour() {
        for word in ["redirect_stderr", "base_dir", "my_project_name", "q"] {
            assert_eq!(nearest(word), None, "{word}");
        }
    }
}
