//! What is put on a registry of crates: which of our packages, what is told of them, which files they bring, and that what
//! somebody reads there of their interface has examples. That they can be built from those files alone: `make package`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Where the interface of an application is told of, and what is defined there and not re-exported from the crate's root.
const ITS_OWN_MODULE: &str = "src/test.rs";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().expect("execute cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The packages of this workspace that may be published.
fn published() -> Vec<Value> {
    let told = cargo(&["metadata", "--format-version", "1", "--locked", "--offline", "--no-deps"]);
    let told: Value = serde_json::from_str(&told).expect("cargo's JSON");
    let packages = told["packages"].as_array().expect("packages").clone();
    // `publish = false` is a list of no registries.
    packages.into_iter().filter(|package| package["publish"].is_null()).collect()
}

#[test]
fn what_is_published_has_a_name_of_ours_and_says_what_it_is() {
    let packages = published();
    let mut names: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["rhinod", "rhinod-worker-protocol"]);
    for package in &packages {
        let name = &package["name"];
        for key in ["description", "license", "readme", "documentation", "rust_version"] {
            assert!(package[key].as_str().is_some_and(|value| !value.is_empty()), "{name}: {key}");
        }
        // A registry takes five at most.
        for key in ["keywords", "categories", "authors"] {
            assert!(package[key].as_array().is_some_and(|list| (1..=5).contains(&list.len())), "{name}: {key}");
        }
        assert!(package["metadata"]["docs"]["rs"].is_object(), "{name}: docs.rs");
    }
}

/// A registry has no paths, and nothing that is not published.
#[test]
fn what_is_published_needs_only_what_a_registry_has() {
    let packages = published();
    for package in &packages {
        for dependency in package["dependencies"].as_array().expect("a list") {
            // Those of tests stay at home, where they have no version.
            let is_asked_for = dependency["kind"] != "dev" || dependency["req"] != "*";
            if is_asked_for && dependency["path"].is_string() {
                let found = packages.iter().find(|other| other["name"] == dependency["name"]);
                let version =
                    found.unwrap_or_else(|| panic!("{} is not published", dependency["name"]))["version"].as_str();
                assert_eq!(dependency["req"].as_str().map(|req| req.trim_start_matches('^')), version);
            }
        }
    }
}

#[test]
fn a_package_brings_what_its_readers_need_and_no_tests() {
    let brings = |package: &str| -> Vec<String> {
        let list = cargo(&["package", "--list", "--offline", "--allow-dirty", "--package", package]);
        list.lines().map(str::to_owned).collect()
    };
    let usual = ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "src/lib.rs"];
    let rhinods =
        ["CHANGELOG.md", "docs/EMBEDDING.md", "docs/rhinod.1", "examples/service/main.rs", "src/stats/page.html"];
    for (package, own) in [("rhinod", rhinods.as_slice()), ("rhinod-worker-protocol", &[])] {
        let files = brings(package);
        for wanted in usual.iter().chain(own) {
            assert!(files.iter().any(|file| file == wanted), "{package}: {wanted}");
        }
        let unwanted = ["tests/", "fuzz/", "bench/", "python/", "testkit/", "packaging/", "docs/scaling/"];
        let is_unwanted =
            |file: &str| unwanted.iter().any(|folder| file.starts_with(folder)) || file.ends_with(".snap");
        let strays: Vec<_> = files.iter().filter(|file| is_unwanted(file)).collect();
        assert!(strays.is_empty(), "{package}: {strays:?}");
    }
}

/// The documentation before an item, with its attributes; `None` where the file does not define it.
fn told_of<'s>(source: &'s str, item: &str) -> Option<Vec<&'s str>> {
    let lines: Vec<&str> = source.lines().collect();
    let defines = |line: &str| {
        let Some(rest) = line.strip_prefix("pub ") else { return false };
        let Some((kind, rest)) = rest.split_once(' ') else { return false };
        let is_kind = ["struct", "enum", "trait", "type", "fn"].contains(&kind);
        is_kind
            && rest
                .strip_prefix(item)
                .is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
    };
    let at = lines.iter().position(|line| defines(line))?;
    let before = lines[..at].iter().rev();
    Some(before.take_while(|line| line.starts_with("///") || line.starts_with('#')).copied().collect())
}

/// The names behind `pub use` in the crate's root.
fn interface() -> Vec<String> {
    let text = fs::read_to_string(root().join("src/lib.rs")).expect("the crate's root");
    let uses =
        text.split("pub use ").skip(1).filter_map(|rest| rest.split_once(';')).map(|(names, _)| names.to_owned());
    let names = uses.filter(|names| names.contains("::")).flat_map(|names| {
        let listed = names
            .split_once('{')
            .map_or_else(|| names.rsplit("::").next().map(str::to_owned), |(_, list)| Some(list.to_owned()));
        listed
            .unwrap_or_default()
            .trim_end_matches('}')
            .split(',')
            .map(|name| name.trim().to_owned())
            .collect::<Vec<_>>()
    });
    names.filter(|name| !name.is_empty()).collect()
}

#[test]
fn everything_of_the_interface_has_an_example() {
    let mut files: Vec<PathBuf> = fs::read_dir(root().join("src/handler"))
        .expect("the interface")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    files.extend(["src/app.rs", "src/cli/about.rs"].map(|file| root().join(file)));
    let sources: Vec<String> = files.iter().map(|file| fs::read_to_string(file).expect("a source")).collect();
    let own = fs::read_to_string(root().join(ITS_OWN_MODULE)).expect("a source");
    let names = interface();
    assert!(names.len() >= 14, "{names:?}");
    let of_root = names.iter().map(|name| (name.as_str(), sources.as_slice()));
    let of_module = ["TestRequest", "Answer"].map(|name| (name, std::slice::from_ref(&own)));
    let without: Vec<&str> = of_root
        .chain(of_module)
        // What the crate's own page shows.
        .filter(|(name, _)| *name != "main")
        .filter(|(name, sources)| {
            let told =
                sources.iter().find_map(|source| told_of(source, name)).unwrap_or_else(|| panic!("{name} is nowhere"));
            !told.iter().any(|line| line.starts_with("/// ```"))
        })
        .map(|(name, _)| name)
        .collect();
    assert!(without.is_empty(), "without an example: {without:?}");
}

/// The sources of a package, but for what is hidden from its readers.
fn sources(directory: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&entry).expect("a source");
            found.push((entry, text));
        }
    }
}

/// The code of all examples in a source.
fn examples(source: &str) -> String {
    let documentation = source.lines().filter_map(|line| {
        let line = line.trim_start();
        line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))
    });
    let (mut is_code, mut code) = (false, String::new());
    for line in documentation.map(str::trim_start) {
        if line.starts_with("```") {
            is_code = !is_code;
        } else if is_code {
            code.push_str(line);
            code.push('\n');
        }
    }
    code
}

/// What a worker in Rust finds in the protocol's crate stands in an example of the module that it is in, so that one
/// need not guess how to come by it.
#[test]
fn every_type_of_the_protocol_stands_in_an_example_of_its_module() {
    let (root, mut found) = (root().join("worker-protocol/src"), Vec::new());
    sources(&root, &mut found);
    // The first part of a path below `src`: `http` for `http.rs` and for `http/scan.rs`.
    let module_of = |path: &Path| {
        let first = path.strip_prefix(&root).ok().and_then(|path| path.components().next());
        first.map(|part| part.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()).unwrap_or_default()
    };
    let is_hidden = |path: &Path| module_of(path) == "fuzz";
    found.retain(|(path, _)| !is_hidden(path));
    let (mut types, mut without) = (0, Vec::new());
    for (path, source) in &found {
        let module = module_of(path);
        let shown: String =
            found.iter().filter(|(other, _)| module_of(other) == module).map(|(_, source)| examples(source)).collect();
        let words: Vec<&str> = shown.split(|next: char| !next.is_alphanumeric() && next != '_').collect();
        for line in source.lines() {
            let kinds = ["struct", "enum", "trait", "type"];
            let defined = kinds.iter().find_map(|kind| line.strip_prefix(&format!("pub {kind} ")));
            let Some(defined) = defined else { continue };
            let name = defined.split(|next: char| !next.is_alphanumeric() && next != '_').next().unwrap_or_default();
            types += 1;
            if !words.contains(&name) {
                without.push(format!("{module}: {name}"));
            }
        }
    }
    assert!(types > 100, "{types} types were found");
    assert!(without.is_empty(), "in no example: {without:#?}");
}
