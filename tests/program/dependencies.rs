//! What is built for rhinod has a licence, a version and a source that deny.toml allows; and `tests/dependencies.py`,
//! which judges that, does notice what is wrong.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// Where everything is judged. What another processor would add is judged by `cargo deny check`.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// What is wrong with these packages, a line each.
fn judged(metadata: &Value) -> Vec<String> {
    let mut command = Command::new("python3");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dependencies.py"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut judge = command.spawn().expect("execute python3");
    let mut input = judge.stdin.take().expect("a pipe");
    input.write_all(metadata.to_string().as_bytes()).expect("it reads all of them");
    drop(input);
    let output = judge.wait_with_output().expect("wait for it");
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert_eq!((err.as_str(), output.status.code()), ("", Some(i32::from(!out.is_empty()))), "{out}");
    out.lines().map(str::to_owned).collect()
}

#[test]
fn every_dependency_is_allowed() {
    let arguments = ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", PLATFORM];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let output = output.expect("execute cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo's JSON");
    assert!(metadata["packages"].as_array().is_some_and(|packages| packages.len() > 20));
    assert_eq!(judged(&metadata), [""; 0]);
}

/// A package that nothing is wrong with.
fn package(name: &str, version: &str) -> Value {
    json!({
        "id": format!("{name}@{version}"), "name": name, "version": version, "license": "MIT OR Apache-2.0",
        "source": REGISTRY, "dependencies": [],
    })
}

/// Needs every licence that is allowed, so that none is said to be needless.
fn ordinary() -> Value {
    let mut ordinary = package("ordinary", "1.0.0");
    ordinary["license"] =
        "MIT AND (Apache-2.0 WITH LLVM-exception AND Apache-2.0) AND Unicode-3.0 AND ISC AND BSD-3-Clause".into();
    ordinary
}

fn metadata(packages: &[Value]) -> Value {
    let nodes: Vec<Value> = packages.iter().map(|package| json!({ "id": package["id"] })).collect();
    json!({ "packages": packages, "resolve": { "nodes": nodes } })
}

/// What is wrong with a package of which one thing is different.
fn judged_with(key: &str, value: Value) -> Vec<String> {
    let mut odd = package("odd", "2.0.0");
    odd[key] = value;
    judged(&metadata(&[ordinary(), odd]))
}

#[test]
fn a_licence_that_is_not_allowed_is_named() {
    let allowed = ["MIT", "GPL-3.0 OR MIT", "MIT/GPL-3.0", "(GPL-3.0 AND Zlib) OR (MIT AND Apache-2.0)"];
    for text in allowed {
        assert_eq!(judged_with("license", text.into()), [""; 0], "{text}");
    }
    for text in ["GPL-3.0", "MIT AND GPL-3.0", "Apache-2.0 WITH Other-exception", "(MIT OR Zlib) AND Zlib"] {
        let said = format!("odd 2.0.0: its licence, '{text}', is not among those of deny.toml");
        assert_eq!(judged_with("license", text.into()), [said]);
    }
    assert!(judged_with("license", Value::Null)[0].contains("its licence, None, is not among"));
    for text in ["", "MIT OR", "(MIT", "MIT Apache-2.0", "AND"] {
        let said = judged_with("license", text.into());
        assert!(said.len() == 1 && said[0].contains("cannot be read"), "{text}: {said:?}");
    }
}

#[test]
fn a_licence_that_nothing_needs_is_named() {
    let said = judged(&metadata(&[package("plain", "1.0.0")]));
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(said.iter().all(|line| line.starts_with("deny.toml: nothing needs the licence ")), "{said:?}");
}

#[test]
fn two_versions_of_one_package_are_named() {
    let packages = [ordinary(), package("twice", "1.0.0"), package("twice", "2.0.0")];
    assert_eq!(judged(&metadata(&packages)), ["twice: there are 2 versions, 1.0.0, 2.0.0"]);
    let mut not_built = metadata(&packages);
    not_built["resolve"]["nodes"].as_array_mut().expect("a list").pop();
    assert_eq!(judged(&not_built), [""; 0]);
}

#[test]
fn a_package_from_elsewhere_is_named() {
    assert_eq!(judged_with("source", Value::Null), [""; 0]);
    let registry = judged_with("source", "registry+https://registry.example/index".into());
    assert_eq!(registry, ["odd 2.0.0: it comes from an unknown registry, https://registry.example/index"]);
    let repository = judged_with("source", "git+https://git.example/odd?branch=main#0123".into());
    assert_eq!(
        repository,
        ["odd 2.0.0: it comes from an unknown repository, https://git.example/odd?branch=main#0123"]
    );
}

#[test]
fn whoever_takes_any_version_is_named() {
    let named = |path: Option<&str>| json!([{ "name": "other", "req": "*", "path": path }]);
    assert_eq!(judged_with("dependencies", named(Some("/elsewhere"))), [""; 0]);
    assert_eq!(judged_with("dependencies", named(None)), ["odd 2.0.0: it takes any version of other"]);
}
