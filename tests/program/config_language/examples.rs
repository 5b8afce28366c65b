//! The 23 example configurations of uWSGI's manual, "Example configurations", each as an operator would start it.
//!
//! They are case files like those of `cases`, read in memory on a machine with 4 CPUs whose working directory is
//! `/srv/app`; `rhinod` lists every entry with its origin, then the warnings. `make bless` writes it anew.

use super::cases::Case;
use super::support::{Memory, run};

/// The example whose mistakes rhinod stops for: a misspelled option that nothing refers to.
const WITH_MISTAKES: &str = "23-legacy-graphite-vhost-with-mistakes";

fn listing(case: &Case, extra: &[&str]) -> String {
    let (environment, mut arguments) = case.call();
    arguments.extend(extra);
    let world = case.files().fold(Memory::new(), |world, (name, content)| world.file(name, content));
    match run(&world, &arguments, &environment) {
        Err(errors) => format!("{errors}\n"),
        Ok(collected) => {
            let directives = collected.listed().map(|directive| {
                let value = directive.value.as_ref().map_or(String::new(), |value| format!(" = {value}"));
                format!("{}{value}   [{}]\n", directive.key, directive.origin)
            });
            let warnings = collected.warnings.iter().map(|warning| format!("warning: {warning}\n"));
            directives.chain(warnings).collect()
        }
    }
}

#[test]
fn every_example_gives_the_expected_entries() {
    let mut differences = Vec::new();
    let cases = Case::all("examples");
    assert_eq!(cases.len(), 23);
    for case in cases {
        let found = listing(&case, &[]);
        if testkit::recorded::is_blessing() {
            case.bless(None, Some(&found));
        } else if case.part("rhinod") != Some(&found) {
            differences.push(format!("--- {}\n{found}", case.name));
        }
    }
    assert!(differences.is_empty(), "{}\nrun `make bless` if this is meant", differences.join("\n"));
}

#[test]
fn the_one_with_mistakes_starts_when_it_is_not_strict() {
    let cases = Case::all("examples");
    let case = cases.iter().find(|case| case.name == WITH_MISTAKES).unwrap();
    insta::assert_snapshot!("the_example_with_mistakes_when_not_strict", listing(case, &["--set", "strict=false"]));
}
