//! The files that are made from the option table are equal to it. `make bless` writes them anew.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::SystemTime;
use std::{env, io::Write};

use rhinod::cli::Shell;
use rhinod::cli::completions::script;
use rhinod::cli::manual::{exit_codes, manual_page, options_page, restart_list};
use rhinod::cli::sample::sample;
use rhinod::config::load::read;
use rhinod::config::model::Application;
use rhinod::config::report::check::{Verdict, check};
use rhinod::config::report::paint::Paint;
use rhinod::config::{Host, Invocation, Surroundings};

#[track_caller]
fn assert_is_up_to_date(name: &str, text: &str) {
    testkit::recorded::assert_file(&Path::new(env!("CARGO_MANIFEST_DIR")).join(name), text);
}

#[test]
fn the_options_page_is_up_to_date() {
    assert_is_up_to_date("docs/OPTIONS.md", &options_page());
}

#[test]
fn the_list_of_what_needs_a_restart_is_up_to_date() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/RELOADING.md");
    let begin = "<!-- restart: written by `make bless` from src/config/options/ -->";
    testkit::recorded::assert_part(&page, begin, "<!-- end of restart -->", &restart_list());
}

#[test]
fn the_list_of_exit_codes_is_up_to_date() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/COMMANDS.md");
    let begin = "<!-- exit codes: written by `make bless` from src/exit.rs -->";
    testkit::recorded::assert_part(&page, begin, "<!-- end of exit codes -->", &exit_codes());
}

#[test]
fn the_manual_page_is_up_to_date() {
    assert_is_up_to_date("docs/rhinod.1", &manual_page());
}

#[test]
fn the_completions_are_up_to_date() {
    for shell in Shell::ALL {
        assert_is_up_to_date(&format!("completions/{}", shell.file_name()), &script(*shell));
    }
}

#[test]
fn the_sample_is_up_to_date() {
    assert_is_up_to_date("uwsgi-compat.ini", &sample());
}

#[test]
fn the_sample_can_be_started_as_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let invocation = Invocation {
        program: "/usr/bin/rhinod".into(),
        arguments: vec![root.join("uwsgi-compat.ini").into()],
        environment: Vec::new(),
        directory: "/".into(),
        started: SystemTime::UNIX_EPOCH,
        reload: false,
    };
    let surroundings = Surroundings {
        somaxconn: None,
        migrates_connections: None,
        process_limit: None,
        euid: 1000,
        umask: None,
        inherited_sockets: Some(0),
        resolve: |_| None,
        executes: |_| true,
        search_path: None,
        own_interpreter: None,
    };
    let reading = read(&invocation, &Host::new(), &surroundings);
    let report = check(&reading);
    assert_eq!(report.verdict, Verdict::Fine, "{}", report.text(Paint::Bare));
    let Application::Python(python) = reading.config.application else { panic!("a Python application") };
    let directory = Path::new(python.path.first().expect("a directory of the application"));
    assert_eq!(directory, root.join("examples/wsgi"));
    let module = python.module.expect("a module");
    let dotted = module.split(':').next().expect("a name").replace('.', "/");
    let file = directory.join(dotted).with_extension("py");
    assert!(file.is_file(), "{}", file.display());
}

#[test]
fn the_manual_page_is_formatted_without_complaint() {
    match complaints("groff", &["-man", "-ww", "-Tutf8"], &manual_page()) {
        Some(complaints) => assert_eq!(complaints, ""),
        None => println!("groff is not installed"),
    }
}

/// Lets the shell itself read the script, when it is installed; `None` when it is not.
fn complaints(shell: &str, arguments: &[&str], script: &str) -> Option<String> {
    let spawned = Command::new(shell)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    spawned.stdin.as_ref()?.write_all(script.as_bytes()).ok()?;
    let output = spawned.wait_with_output().ok()?;
    Some(String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn shells_read_their_completions_without_complaint() {
    for shell in Shell::ALL {
        let arguments: &[&str] = if *shell == Shell::Fish { &["--no-execute"] } else { &["-n"] };
        match complaints(shell.name(), arguments, &script(*shell)) {
            Some(complaints) => assert_eq!(complaints, "", "{}", shell.name()),
            None => println!("{} is not installed", shell.name()),
        }
    }
}

#[test]
fn bash_completes_options_values_and_commands() {
    let ask = "COMP_WORDS=(rhinod --cheaper-al); COMP_CWORD=1; _rhinod; echo \"${COMPREPLY[@]}\"\n\
               COMP_WORDS=(rhinod --cheaper-algo bus); COMP_CWORD=2; _rhinod; echo \"${COMPREPLY[@]}\"\n\
               COMP_WORDS=(rhinod che); COMP_CWORD=1; _rhinod; echo \"${COMPREPLY[@]}\"\n";
    let asked = format!("{}{ask}", script(Shell::Bash));
    let Ok(output) = Command::new("bash").args(["-c", &asked]).current_dir(env::temp_dir()).output() else {
        return println!("bash is not installed");
    };
    let replies = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(replies, "--cheaper-algo --cheaper-algo-list\nbusyness\ncheck\n");
}
