//! `rhinod check` and `rhinod show` on the example configurations of the reference (config.md section 7), the talk's
//! and one full of mistakes. Everything comes from `tests/data/configurations/`; nothing of this machine is asked.

use rhinod::cli::{self, Exit};
use rhinod::config::Invocation;
use rhinod::config::load::{load, read};
use rhinod::config::model::{Application, Policy};
use rhinod::config::report::check::{Verdict, check};
use rhinod::config::report::paint::Paint;
use rhinod::config::report::show::{as_ini, show};
use rhinod::config::vocabulary::Vocabulary;

use crate::configurations::{Case, Rules, surroundings};

fn case(name: &str) -> Case {
    Case::read(name)
}

#[test]
fn check_says_what_each_line_of_every_example_will_do() {
    for case in Case::all() {
        let report = check(&read(&case.invocation, &case, &surroundings()));
        insta::assert_snapshot!(format!("check-{}", case.name), report.text(Paint::Bare));
    }
}

#[test]
fn show_says_where_each_value_of_the_talk_came_from() {
    let case = case("00-talk");
    let report = show(&read(&case.invocation, &case, &surroundings()));
    insta::assert_snapshot!("show-00-talk", report.text(Paint::Bare));
    assert_eq!(report.errors, Vec::<String>::new());
}

#[test]
fn show_says_what_took_the_place_of_what() {
    let case = case("05-container-image-with-base-file-app-file");
    insta::assert_snapshot!(
        "show-05-container",
        show(&read(&case.invocation, &case, &surroundings())).text(Paint::Bare)
    );
}

#[test]
fn reports_for_programs() {
    let case = case("24-mistakes");
    let reading = read(&case.invocation, &case, &surroundings());
    insta::assert_snapshot!("check-24-mistakes-json", check(&reading).json());
    let shown: serde_json::Value = serde_json::from_str(&show(&reading).json()).expect("JSON");
    assert!(shown["errors"].as_array().is_some_and(|errors| errors.len() > 3));
}

#[test]
fn colours_come_only_when_asked_for() {
    let case = case("24-mistakes");
    let reading = read(&case.invocation, &case, &surroundings());
    assert!(check(&reading).text(Paint::Coloured).contains("\x1b[1;31m"));
    assert!(!check(&reading).text(Paint::Bare).contains('\x1b'));
    assert!(!show(&reading).text(Paint::Bare).contains('\x1b'));
}

#[test]
fn the_talks_configuration_scales_from_two_to_ten() {
    let case = case("00-talk");
    let loaded = load(&case.invocation, &case, &surroundings()).expect("a configuration that starts");
    let scaling = &loaded.config.scaling;
    assert_eq!((scaling.enabled, scaling.policy), (true, Policy::Spare));
    assert_eq!((scaling.minimum, scaling.initial, loaded.config.workers, scaling.step), (2, 2, 10, 2));
    assert!(matches!(loaded.config.application, Application::Python(_)));
    assert_eq!(loaded.config.notes.len(), 1, "{:?}", loaded.config.notes);
    assert_eq!(check(&read(&case.invocation, &case, &surroundings())).verdict, Verdict::Fine);
}

#[test]
fn show_config_prints_what_was_read() {
    let case = case("00-talk");
    let loaded = load(&case.invocation, &case, &surroundings()).expect("a configuration that starts");
    insta::assert_snapshot!("show-config-00-talk", as_ini(&loaded.collected));
}

#[test]
fn exit_codes_of_check_are_0_1_and_2() {
    let directory = tempfile::tempdir().expect("a directory");
    let socket = directory.path().join("app.sock").display().to_string();
    for (line, expected) in [("vacuum = true", 0), ("legion-node = app 127.0.0.1:1", 1), ("workers = many", 2)] {
        let ini = directory.path().join("app.ini");
        std::fs::write(&ini, format!("[uwsgi]\nsocket = {socket}\n{line}\n")).expect("a file");
        let case = case("00-talk");
        let command = cli::Command::Check { arguments: vec![ini.into()], format: cli::Format::Text };
        let ground = Rules { embeds: true, ..Rules::default() };
        let world = rhinod::config::Host::new();
        let printed = cli::print(&command, &case.invocation, &world, &surroundings(), &ground, Paint::Bare);
        let printed = printed.expect("a printing command");
        assert_eq!(printed.exit.code(), expected, "{line}: {}", printed.output);
    }
}

#[test]
fn check_and_show_execute_nothing_unless_told_to() {
    let directory = tempfile::tempdir().expect("a directory");
    let mark = directory.path().join("mark");
    let ini = directory.path().join("app.ini");
    let text = format!("[uwsgi]\nsocket = /run/a.sock\nenv = A=@(exec://touch {})\n", mark.display());
    std::fs::write(&ini, text).expect("a file");
    let world = rhinod::config::Host::new();
    let case = case("00-talk");
    let printed = |show: bool, run: &[&str]| {
        let arguments = run.iter().map(|word| word.into()).chain([ini.clone().into()]).collect();
        let format = cli::Format::Text;
        let command = if show {
            cli::Command::Show { arguments, format, changed: false }
        } else {
            cli::Command::Check { arguments, format }
        };
        let called = Invocation { directory: directory.path().to_owned(), ..case.invocation.clone() };
        cli::print(&command, &called, &world, &surroundings(), &Rules::default(), Paint::Bare)
            .expect("a printing command")
            .output
    };
    for show in [false, true] {
        let output = printed(show, &[]);
        assert!(!mark.exists() && output.contains("was not executed") && output.contains("--run"), "{output}");
    }
    let output = printed(false, &["--run"]);
    assert!(mark.exists() && !output.contains("was not executed"), "{output}");
}

#[test]
fn commands_that_do_more_than_print_are_left_alone() {
    let case = case("00-talk");
    let stop = cli::Command::Stop { instance: "x.pid".into(), wait: true };
    assert_eq!(cli::print(&stop, &case.invocation, &case, &surroundings(), &Rules::default(), Paint::Bare), None);
}

#[test]
fn commands_that_only_print() {
    let case = case("00-talk");
    let printed = |command: cli::Command| {
        let printed = cli::print(&command, &case.invocation, &case, &surroundings(), &Rules::default(), Paint::Bare)
            .expect("a printing command");
        (printed.output, printed.errors, printed.exit)
    };
    let version = format!("{}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(printed(cli::Command::Version), (version, String::new(), Exit::Success));
    let value = (String::from("/srv/project/venv\n"), String::new(), Exit::Success);
    assert_eq!(printed(cli::Command::Get { name: "home".into() }), value);
    assert_eq!(printed(cli::Command::Get { name: "away".into() }).2, Exit::Usage);
    assert_eq!(printed(cli::Command::Names).0.lines().count(), rhinod::config::options::Table.names().count());
    assert!(printed(cli::Command::Policies).0.starts_with("adaptive\nspare\n"));
    assert!(printed(cli::Command::Help { word: Some("cheaper".into()) }).0.contains("--cheaper-step N"));
    assert_eq!(printed(cli::Command::Help { word: Some("xyzzy".into()) }).2, Exit::Usage);
}
