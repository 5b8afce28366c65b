//! The `rhinod` command.

fn main() -> std::process::ExitCode {
    rhinod::app::command()
}
