//! Prints the machine's tables into docs/ARCHITECTURE.md, and fails when that had other ones.

use super::event::{Order, Reload};
use super::{order, worker, zygote};
use std::fmt::{Debug, Display};
use std::path::Path;

const BEGIN: &str = "<!-- tables: written by a test, see src/master/machine/table.rs -->\n";
const END: &str = "<!-- end of tables -->\n";

#[test]
fn the_manual_has_the_tables_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md");
    let manual = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = manual.split_once(BEGIN).expect("the manual has the marker of the tables' beginning");
    let (_, after) = rest.split_once(END).expect("the manual has the marker of the tables' end");
    let printed = format!("{before}{BEGIN}{}{END}{after}", tables());
    if printed != manual {
        std::fs::write(&path, printed).unwrap();
        panic!("the tables in {} were out of date and are written anew: look at the difference", path.display());
    }
}

fn tables() -> String {
    let workers =
        table("worker", &worker::State::ALL, &worker::Stimulus::ALL, |state, stimulus| worker::step(*state, *stimulus));
    let zygotes =
        table("zygote", &zygote::State::ALL, &zygote::Stimulus::ALL, |state, stimulus| zygote::step(*state, *stimulus));
    let orders = table("order", &ORDERS, &order::Situation::ALL, |order, situation| order::dispose(*situation, *order));
    format!(
        "\nA worker's seat:\n\n{workers}\nA zygote:\n\n{zygotes}\nAn order, by what the instance is busy with:\n\n{orders}\n"
    )
}

/// Every order there is.
const ORDERS: [Order; 12] = [
    Order::Stop,
    Order::StopNow,
    Order::Reload(Reload::Graceful),
    Order::Reload(Reload::Brutal),
    Order::Reload(Reload::Workers),
    Order::Reload(Reload::WorkersBrutal),
    Order::Reload(Reload::Chain),
    Order::Pause,
    Order::Resume,
    Order::TogglePause,
    Order::Cheap,
    Order::Upgrade,
];

fn table<R: Debug, C: Debug, S: Display>(title: &str, rows: &[R], columns: &[C], step: impl Fn(&R, &C) -> S) -> String {
    let head: String = columns.iter().map(|column| format!(" {column:?} |")).collect();
    let rule = " --- |".repeat(columns.len());
    let mut text = format!("| {title} |{head}\n| --- |{rule}\n");
    for row in rows {
        let cells: String = columns.iter().map(|column| format!(" {} |", step(row, column))).collect();
        text.push_str(&format!("| {row:?} |{cells}\n"));
    }
    text
}
