//! A chart as SVG: title, grid, axes, legend, and whatever is drawn into it. Knows nothing of what it shows. Text out, no
//! files.

use std::fmt::Write;

use crate::escape::markup;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 34.0;
const BOTTOM: f64 = 44.0;
/// Told apart by people with the common colour blindnesses (Okabe and Ito).
const COLOURS: [&str; 7] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#555555"];

/// A chart that is being drawn. Places in it are in the units of the SVG; [`across`] and [`up`] give them.
#[derive(Debug)]
pub struct Chart {
    svg: String,
    named: usize,
}

/// How far to the right `value` is on an axis that ends at `most`.
pub fn across(value: f64, most: f64) -> f64 {
    LEFT + (WIDTH - LEFT - RIGHT) * value / most
}

/// How far down `value` is on an axis that ends at `most` above.
pub fn up(value: f64, most: f64) -> f64 {
    HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / most
}

impl Chart {
    /// Empty, with a title.
    pub fn new(title: &str) -> Self {
        let title = markup(title);
        let svg = format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="11">
<title>{title}</title>
<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>
<text x="{LEFT}" y="14" font-size="13" font-weight="bold" fill="#222222">{title}</text>
"##
        );
        Chart { svg, named: 0 }
    }

    /// A line of the grid from left to right.
    pub fn level(&mut self, y: f64, label: &str) {
        let (right, text) = (WIDTH - RIGHT, y + 4.0);
        self.draw(&format!(
            r##"<path d="M{LEFT} {y:.1}H{right}" stroke="#dddddd"/><text x="{:.0}" y="{text:.1}" text-anchor="end" fill="#444444">{label}</text>"##,
            LEFT - 6.0
        ));
    }

    /// A line of the grid from top to bottom.
    pub fn upright(&mut self, x: f64, label: &str) {
        let bottom = HEIGHT - BOTTOM;
        self.draw(&format!(
            r##"<path d="M{x:.1} {TOP}V{bottom}" stroke="#eeeeee"/><text x="{x:.1}" y="{:.0}" text-anchor="middle" fill="#444444">{label}</text>"##,
            bottom + 15.0
        ));
    }

    /// What the axes show.
    pub fn axes(&mut self, below: &str, left: &str) {
        let (middle, low) = ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 10.0);
        self.draw(&format!(
            r##"<text x="{middle:.0}" y="{low:.0}" text-anchor="middle" fill="#222222">{below}</text>"##
        ));
        self.draw(&format!(r##"<text x="6" y="{:.0}" fill="#222222">{left}</text>"##, TOP - 8.0));
    }

    /// One element of the SVG.
    pub fn draw(&mut self, element: &str) {
        let _ = writeln!(self.svg, "{element}");
    }

    /// The colour of what is drawn next, until it is named. There are seven; what comes after those has none.
    pub fn colour(&self) -> Option<&'static str> {
        COLOURS.get(self.named).copied()
    }

    /// Names what was drawn in the last colour; the next one follows.
    pub fn name(&mut self, name: &str) {
        let Some(colour) = self.colour() else { return };
        let y = TOP + 12.0 + 14.0 * self.named as f64;
        let (x, name) = (WIDTH - RIGHT - 196.0, markup(name));
        // whatever is drawn below stays visible, the words stay legible
        self.draw(&format!(
            r##"<rect x="{:.0}" y="{:.0}" width="200" height="14" fill="#ffffff" fill-opacity="0.8"/>"##,
            x - 4.0,
            y - 10.0
        ));
        self.draw(&format!(
            r##"<rect x="{x:.0}" y="{:.0}" width="10" height="4" fill="{colour}"/><text x="{:.0}" y="{y:.0}" fill="#222222">{name}</text>"##,
            y - 6.0,
            x + 15.0
        ));
        self.named += 1;
    }

    /// The whole picture.
    pub fn finish(self) -> String {
        self.svg + "</svg>\n"
    }
}

#[cfg(test)]
mod tests {
    use super::{Chart, across, up};

    #[test]
    fn a_chart_is_closed_and_escapes_names() {
        let mut chart = Chart::new("a < b");
        chart.name("x & y");
        let svg = chart.finish();
        assert!(svg.contains("a &lt; b") && svg.contains("x &amp; y") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn colours_come_one_after_the_other_and_end() {
        let mut chart = Chart::new("many");
        let colours: Vec<_> = (0..9)
            .map(|number| {
                let colour = chart.colour();
                chart.name(&number.to_string());
                colour
            })
            .collect();
        assert!(colours[..7].is_sorted_by(|one, other| one.is_some() && one != other));
        assert_eq!(colours[7..], [None, None]);
    }

    #[test]
    fn what_is_more_is_further_right_and_further_up() {
        assert!(across(1.0, 2.0) < across(2.0, 2.0) && up(1.0, 2.0) > up(2.0, 2.0));
    }
}
