//! A flame graph: how often which stack was seen, one above the other, as text for other programs and as a picture (SVG). Pure; the
//! operator's process.
//!
//! Drawn here: the crate that is known for it, `inferno`, is under a licence (CDDL) that asks for more than a notice.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::escape::markup;

/// Most places in the tree: a stack that would take more is counted where it leaves the tree.
const PLACES_MAX: usize = 200_000;

const WIDTH: f64 = 1_200.0;
const ROW: f64 = 17.0;
/// Above the flames.
const HEAD: f64 = 44.0;
/// What is narrower is not drawn.
const WIDTH_MIN: f64 = 0.2;
/// About the width of a character.
const CHARACTER: f64 = 6.6;

/// Stacks, and how often each was seen.
#[derive(Debug, Default)]
pub struct Flames {
    root: Place,
    places: usize,
}

#[derive(Debug, Default)]
struct Place {
    /// How often, with everything above.
    seen: u64,
    above: BTreeMap<String, Place>,
}

impl Flames {
    /// Counts a stack, its outermost call first.
    pub fn add<'t>(&mut self, stack: impl Iterator<Item = &'t str>) {
        let mut place = &mut self.root;
        place.seen += 1;
        for call in stack {
            if !place.above.contains_key(call) {
                if self.places == PLACES_MAX {
                    return;
                }
                self.places += 1;
            }
            place = place.above.entry(call.to_owned()).or_default();
            place.seen += 1;
        }
    }

    /// How many stacks were counted.
    pub fn seen(&self) -> u64 {
        self.root.seen
    }

    /// One line for each stack: its calls with `;` between them, and how often it was seen.
    pub fn folded(&self) -> String {
        let mut text = String::new();
        fold(&self.root, "", &mut text);
        text
    }

    /// As a picture, the outermost call at the bottom.
    pub fn svg(&self, title: &str) -> String {
        let height = HEAD + ROW * (self.root.height() + 1) as f64 + 10.0;
        let mut svg = format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="11">
<title>{title}</title>
<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>
<text x="10" y="24" font-size="15" font-family="sans-serif" fill="#222222">{title}</text>
"##,
            title = markup(title),
        );
        let ground = height - 10.0 - ROW;
        self.draw("all", &self.root, (0.0, ground), &mut svg);
        svg.push_str("</svg>\n");
        svg
    }

    /// A place at its left bottom corner, and everything above it.
    fn draw(&self, name: &str, place: &Place, (left, top): (f64, f64), svg: &mut String) {
        let share = place.seen as f64 / self.root.seen.max(1) as f64;
        let width = WIDTH * share;
        if width < WIDTH_MIN {
            return;
        }
        let fits = ((width - 6.0) / CHARACTER).max(0.0) as usize;
        let shown: String =
            if name.chars().count() <= fits { name.to_owned() } else { name.chars().take(fits).collect() };
        let shown = if fits < 3 { String::new() } else { shown };
        let told = format!("{name}: {} of {} samples, {:.1} %", place.seen, self.root.seen, share * 100.0);
        // Writing to a string cannot fail.
        let _ = writeln!(
            svg,
            r#"<g><title>{}</title><rect x="{left:.1}" y="{top:.1}" width="{width:.1}" height="{}" fill="{}" rx="1"/><text x="{:.1}" y="{:.1}">{}</text></g>"#,
            markup(&told),
            ROW - 1.0,
            colour(name),
            left + 3.0,
            top + 12.0,
            markup(&shown),
        );
        let mut left = left;
        for (name, above) in &place.above {
            self.draw(name, above, (left, top - ROW), svg);
            left += WIDTH * above.seen as f64 / self.root.seen.max(1) as f64;
        }
    }
}

impl Place {
    fn height(&self) -> usize {
        self.above.values().map(|above| above.height() + 1).max().unwrap_or(0)
    }
}

fn fold(place: &Place, below: &str, text: &mut String) {
    let above: u64 = place.above.values().map(|above| above.seen).sum();
    if place.seen > above && !below.is_empty() {
        let _ = writeln!(text, "{below} {}", place.seen - above);
    }
    for (name, above) in &place.above {
        // `;` stands between calls.
        let name = name.replace(';', ",");
        let stack = if below.is_empty() { name } else { format!("{below};{name}") };
        fold(above, &stack, text);
    }
}

/// A warm colour that a name always has (FNV-1a).
fn colour(name: &str) -> String {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let [a, b, c, _] = hash.to_be_bytes();
    format!("#{:02x}{:02x}{:02x}", 205 + a % 50, 90 + b % 130, 30 + c % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flames() -> Flames {
        let mut flames = Flames::default();
        for stack in ["main;serve;a<b>", "main;serve;a<b>", "main;serve", "main;rest"] {
            flames.add(stack.split(';'));
        }
        flames
    }

    #[test]
    fn stacks_are_counted_with_what_they_share() {
        assert_eq!(flames().folded(), "main;rest 1\nmain;serve 1\nmain;serve;a<b> 2\n");
        assert_eq!(flames().seen(), 4);
    }

    #[test]
    fn each_call_is_as_wide_as_it_was_seen_often_and_stands_on_its_caller() {
        let svg = flames().svg("a & b");
        let line = |name: &str| svg.lines().find(|line| line.contains(&format!("<title>{name}: "))).unwrap().to_owned();
        assert!(
            line("main").contains(r#"width="1200.0""#) && line("main").contains("4 of 4 samples, 100.0 %"),
            "{svg}"
        );
        assert!(line("serve").contains(r#"x="300.0""#) && line("serve").contains(r#"width="900.0""#), "{svg}");
        assert!(line("a&lt;b&gt;").contains(r#"width="600.0""#) && svg.contains("<title>a &amp; b</title>"), "{svg}");
        let top =
            |name: &str| line(name).split_once(" y=\"").unwrap().1.split_once('"').unwrap().0.parse::<f64>().unwrap();
        assert!(top("serve") < top("main") && top("rest") == top("serve"));
    }

    #[test]
    fn a_tree_that_is_full_still_counts() {
        let mut flames = Flames { places: PLACES_MAX, ..Flames::default() };
        flames.add(["a", "b"].into_iter());
        assert_eq!((flames.seen(), flames.folded()), (1, String::new()));
    }
}
