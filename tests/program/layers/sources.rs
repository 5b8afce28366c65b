//! The project's own source files, as the rules of `layers` read them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One file of code.
pub(super) struct Source {
    /// Relative to the package, with `/`.
    pub(super) path: String,
    /// Without comments and without tests.
    pub(super) code: String,
}

/// Every source file below a directory of the package that is not only there for tests.
pub(super) fn sources(directory: &str) -> Vec<Source> {
    let root = package().join(directory);
    let all = files(&root);
    let tests: BTreeSet<PathBuf> = all.iter().flat_map(|path| test_modules(path)).collect();
    let mut sources = Vec::new();
    let is_test = |path: &PathBuf| path.ancestors().any(|above| tests.contains(&above.with_extension("rs")));
    for path in all.into_iter().filter(|path| !is_test(path)) {
        let text = fs::read_to_string(&path).expect("a source file");
        let relative = path.strip_prefix(package()).expect("below the package").display().to_string();
        sources.push(Source { path: relative, code: code_of(&text) });
    }
    assert!(sources.len() > 3, "hardly any source below {directory}");
    sources
}

/// Files that are modules only for tests: `#[cfg(test)]` right before `mod name;`.
fn test_modules(path: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(path).expect("a source file");
    let directory = match path.file_name().and_then(|name| name.to_str()) {
        Some("mod.rs" | "lib.rs" | "main.rs") => path.parent().expect("a directory").to_owned(),
        _ => path.with_extension(""),
    };
    let mut modules = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let next = lines.peek().and_then(|next| next.strip_prefix("mod ")?.strip_suffix(';'));
        if let (true, Some(name)) = (line.starts_with("#[cfg(test)]"), next) {
            modules.push(directory.join(format!("{name}.rs")));
        }
    }
    modules
}

/// The text without comments, and without the tests at its end.
fn code_of(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.map(|line| line.split(" // ").next().unwrap_or_default().to_owned() + "\n").collect()
}

pub(super) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a source directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

pub(super) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
