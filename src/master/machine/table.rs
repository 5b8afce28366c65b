//! Keeps the machine's tables in docs/ARCHITECTURE.md equal to the code.

use super::event::{Order, Reload};
use super::{child, order, zygote};
use std::fmt::{Debug, Display};
use std::path::Path;

const BEGIN: &str = "<!-- tables: written by `make bless` from src/master/machine/table.rs -->";
const END: &str = "<!-- end of tables -->";

#[test]
fn the_manual_has_the_tables_of_the_code() {
    let manual = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/ARCHITECTURE.md");
    testkit::recorded::assert_part(&manual, BEGIN, END, &tables());
}

fn tables() -> String {
    let workers =
        table("child", &child::State::ALL, &child::Stimulus::ALL, |state, stimulus| child::step(*state, *stimulus));
    let zygotes =
        table("zygote", &zygote::State::ALL, &zygote::Stimulus::ALL, |state, stimulus| zygote::step(*state, *stimulus));
    let orders = table("order", &ORDERS, &order::Situation::ALL, |order, situation| order::dispose(*situation, *order));
    format!(
        "\nA child's seat:\n\n{workers}\nA zygote:\n\n{zygotes}\nAn order, by what the instance is busy with:\n\n{orders}\n"
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
