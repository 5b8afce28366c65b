//! What a scenario found: tables of numbers, targets met or missed, and what could not be measured.
//!
//! The same values are printed as text and written as JSON. Pure: rendering returns strings. Runs in
//! the measuring process.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::statistics::Spread;

/// One cell of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number and how many decimals of it mean something.
    Number(f64, usize),
    /// Not measured.
    Nothing,
}

impl Cell {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A count.
    pub fn count(count: u64) -> Self {
        Self::Number(count as f64, 0)
    }

    fn shown(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(value, decimals) => format!("{value:.decimals$}"),
            Self::Nothing => "-".to_owned(),
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Number(value, _) => json!(value),
            Self::Nothing => Value::Null,
        }
    }
}

/// Named columns; the first one names the row.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    title: String,
    columns: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table. Units belong into the names of the columns.
    pub fn new(title: impl Into<String>, columns: &[&'static str]) -> Self {
        Self { title: title.into(), columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty, surplus ones are not shown.
    pub fn row(&mut self, mut cells: Vec<Cell>) {
        cells.resize(self.columns.len(), Cell::Nothing);
        self.rows.push(cells);
    }

    fn render(&self) -> String {
        let mut lines = vec![self.columns.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()];
        lines.extend(self.rows.iter().map(|row| row.iter().map(Cell::shown).collect()));
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let mut text = format!("{}\n", self.title);
        for line in &lines {
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                if column == 0 {
                    text += &format!("  {cell:<width$}");
                } else {
                    text += &format!("  {cell:>width$}");
                }
            }
            text.truncate(text.trim_end().len());
            text.push('\n');
        }
        text
    }

    fn value(&self) -> Value {
        let object = |row: &Vec<Cell>| -> Map<String, Value> {
            self.columns.iter().zip(row).map(|(name, cell)| ((*name).to_owned(), cell.value())).collect()
        };
        json!({ "title": self.title, "rows": self.rows.iter().map(object).collect::<Vec<_>>() })
    }
}

/// What a number has to be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// Not more than that.
    AtMost(f64),
    /// Not less than that.
    AtLeast(f64),
}

/// One target of the project and what was measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    what: String,
    target: Target,
    measured: f64,
}

impl Check {
    /// `what` names the measured number with its unit.
    pub fn new(what: impl Into<String>, measured: f64, target: Target) -> Self {
        Self { what: what.into(), target, measured }
    }

    /// Whether the target is met. A number that is not one meets nothing.
    pub fn met(&self) -> bool {
        match self.target {
            Target::AtMost(limit) => self.measured <= limit,
            Target::AtLeast(limit) => self.measured >= limit,
        }
    }

    fn render(&self) -> String {
        let verdict = if self.met() { "met   " } else { "MISSED" };
        let (words, limit) = match self.target {
            Target::AtMost(limit) => ("at most", limit),
            Target::AtLeast(limit) => ("at least", limit),
        };
        format!("  {verdict}  {}: {:.3}, target {words} {limit}\n", self.what, self.measured)
    }
}

/// The result of one scenario.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    /// Numbers.
    pub tables: Vec<Table>,
    /// Targets.
    pub checks: Vec<Check>,
    left_out: Vec<Gap>,
    failed: Vec<Gap>,
}

/// Contenders without numbers, and what they have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Gap {
    contenders: Vec<String>,
    reason: String,
}

impl Findings {
    /// As text for the terminal.
    pub fn render(&self) -> String {
        let mut text: String = self.tables.iter().map(Table::render).collect();
        for check in &self.checks {
            text += &check.render();
        }
        for (words, gaps) in [("left out", &self.left_out), ("FAILED", &self.failed)] {
            for gap in gaps {
                // Writing to a string cannot fail.
                let _written = writeln!(text, "  {words}: {}: {}", gap.contenders.join(", "), gap.reason);
            }
        }
        text
    }

    /// Takes in what another part of the same scenario found.
    pub fn take_in(&mut self, other: Findings) {
        self.tables.extend(other.tables);
        self.checks.extend(other.checks);
        self.left_out.extend(other.left_out);
        self.failed.extend(other.failed);
    }

    /// Notes a contender that is not there.
    pub fn leave_out(&mut self, contender: &str, reason: &str) {
        note(&mut self.left_out, contender, reason);
    }

    /// Notes a contender that is there and does not run.
    pub fn fail(&mut self, contender: &str, reason: &str) {
        note(&mut self.failed, contender, reason);
    }

    /// Whether every contender that is there ran.
    pub fn complete(&self) -> bool {
        self.failed.is_empty()
    }

    /// As JSON, under the scenario's name.
    pub fn value(&self, scenario: &str) -> Value {
        let met = |check: &Check| json!({ "what": check.what, "measured": check.measured, "target": check.target, "met": check.met() });
        json!({
            "scenario": scenario,
            "tables": self.tables.iter().map(Table::value).collect::<Vec<_>>(),
            "checks": self.checks.iter().map(met).collect::<Vec<_>>(),
            "left_out": self.left_out,
            "failed": self.failed,
        })
    }

    /// Whether every target is met.
    pub fn met(&self) -> bool {
        self.checks.iter().all(Check::met)
    }
}

fn note(gaps: &mut Vec<Gap>, contender: &str, reason: &str) {
    match gaps.iter_mut().find(|gap| gap.reason == reason) {
        Some(gap) => gap.contenders.push(contender.to_owned()),
        None => gaps.push(Gap { contenders: vec![contender.to_owned()], reason: reason.to_owned() }),
    }
}

/// Median and extremes as three cells.
pub fn spread_cells(spread: Option<Spread>, decimals: usize) -> [Cell; 3] {
    spread.map_or([Cell::Nothing, Cell::Nothing, Cell::Nothing], |spread| {
        [spread.median, spread.min, spread.max].map(|value| Cell::Number(value, decimals))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings() -> Findings {
        let mut table = Table::new("CPU", &["contender", "us"]);
        table.row(vec![Cell::text("floor"), Cell::Number(14.26, 1)]);
        table.row(vec![Cell::text("x")]);
        let checks =
            vec![Check::new("ratio", 1.1, Target::AtMost(1.1)), Check::new("share", f64::NAN, Target::AtLeast(0.95))];
        let mut findings = Findings { tables: vec![table], checks, ..Findings::default() };
        findings.leave_out("a", "not there");
        findings.fail("c", "it ended");
        findings.leave_out("b", "not there");
        findings
    }

    #[test]
    fn text_is_aligned_and_names_targets_and_gaps() {
        let expected = "CPU\n  contender    us\n  floor      14.3\n  x             -\n  \
            met     ratio: 1.100, target at most 1.1\n  MISSED  share: NaN, target at least 0.95\n  \
            left out: a, b: not there\n  FAILED: c: it ended\n";
        assert_eq!(findings().render(), expected);
    }

    #[test]
    fn json_carries_the_same_numbers_unrounded() {
        let value = findings().value("cpu");
        assert_eq!(value["tables"][0]["rows"][0]["us"], json!(14.26));
        assert_eq!(value["tables"][0]["rows"][1]["us"], Value::Null);
        assert_eq!(value["checks"][0]["target"], json!({ "at_most": 1.1 }));
        assert_eq!((&value["checks"][0]["met"], &value["checks"][1]["met"]), (&json!(true), &json!(false)));
        assert!(!findings().met() && !findings().complete());
        assert_eq!(value["left_out"], json!([{ "contenders": ["a", "b"], "reason": "not there" }]));
    }
}
