//! Which source file uses which: read from `use` declarations and from paths in the code, with re-exports followed to
//! the file that has the thing. Comments and tests in the sources do not count.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::Source;

/// A module's path below its crate: `["master", "machine"]`; the crate itself is empty.
pub(super) type Module = Vec<String>;

/// The files of one crate and what each uses.
pub(super) struct Graph {
    modules: BTreeMap<Module, Names>,
}

/// What the code of a module names.
#[derive(Default)]
struct Names {
    /// Imported paths, each with the name that it has here.
    imports: Vec<(Vec<String>, String)>,
    /// Paths in the code itself.
    paths: Vec<Vec<String>>,
}

impl Graph {
    /// Of the sources below `root`, such as `src/`.
    pub(super) fn of(sources: &[Source], root: &str) -> Graph {
        let read = |source: &Source| Some((module(&source.path, root)?, Names::of(&source.code)));
        Graph { modules: sources.iter().filter_map(read).collect() }
    }

    /// The files that a file uses.
    pub(super) fn used_by(&self, module: &Module) -> BTreeSet<Module> {
        let Some(names) = self.modules.get(module) else { return BTreeSet::new() };
        let imports = names.imports.iter().map(|(path, _)| path);
        let absolute = imports.chain(&names.paths).filter_map(|path| self.absolute(module, path));
        let mut used: BTreeSet<Module> = absolute.map(|path| self.resolve(&path, &mut BTreeSet::new())).collect();
        used.remove(module);
        used
    }

    /// All files.
    pub(super) fn modules(&self) -> impl Iterator<Item = &Module> {
        self.modules.keys()
    }

    /// A path that uses itself again: the files of one circle, if there is any.
    pub(super) fn circle(&self) -> Option<Vec<Module>> {
        let mut done = BTreeSet::new();
        self.modules().find_map(|module| self.circle_from(module, &mut Vec::new(), &mut done))
    }

    fn circle_from(&self, module: &Module, way: &mut Vec<Module>, done: &mut BTreeSet<Module>) -> Option<Vec<Module>> {
        if let Some(start) = way.iter().position(|earlier| earlier == module) {
            return Some(way[start..].to_vec());
        }
        if done.contains(module) {
            return None;
        }
        way.push(module.clone());
        let found = self.used_by(module).iter().find_map(|next| self.circle_from(next, way, done));
        way.pop();
        done.insert(module.clone());
        found
    }

    /// A path from the crate on; `None` for one that leads out of it.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => Some(rest.to_vec()),
            "self" => Some([module.as_slice(), rest].concat()),
            "super" => {
                let up = path.iter().take_while(|part| *part == "super").count();
                let base = &module[..module.len().checked_sub(up)?];
                Some([base, &path[up..]].concat())
            }
            _ => {
                let child = [module.as_slice(), std::slice::from_ref(first)].concat();
                self.modules.contains_key(&child).then(|| [child.as_slice(), rest].concat())
            }
        }
    }

    /// The file that has what a path names: the deepest module on it, or where that has its next name from.
    fn resolve(&self, path: &[String], seen: &mut BTreeSet<Vec<String>>) -> Module {
        let deepest = (0..=path.len()).rev().find(|length| self.modules.contains_key(&path[..*length]));
        let (module, rest) = path.split_at(deepest.unwrap_or(0));
        let module = module.to_vec();
        let (Some(name), true) = (rest.first(), seen.insert(path.to_vec())) else { return module };
        let names = &self.modules[&module];
        let passed_on = names.imports.iter().filter(|(_, here)| here == name);
        let from = passed_on.filter_map(|(import, _)| self.absolute(&module, import)).next();
        match from {
            Some(from) => self.resolve(&[from.as_slice(), &rest[1..]].concat(), seen),
            None => module,
        }
    }
}

/// The module that a file is: `src/master/mod.rs` and `src/master.rs` are both `master`.
fn module(path: &str, root: &str) -> Option<Module> {
    let name = path.strip_prefix(root)?.strip_suffix(".rs")?;
    if name == "main" {
        return None;
    }
    let mut parts: Module = name.split('/').map(str::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib")) {
        parts.pop();
    }
    Some(parts)
}

impl Names {
    fn of(code: &str) -> Names {
        let mut names = Names::default();
        let mut rest = String::new();
        let mut lines = code.lines();
        while let Some(line) = lines.next() {
            let Some(tree) = import(line) else {
                rest += line;
                rest.push('\n');
                continue;
            };
            let mut tree = tree.to_owned();
            while !tree.contains(';') {
                let Some(more) = lines.next() else { break };
                tree += more;
            }
            expand(tree.split(';').next().unwrap_or_default(), &[], &mut names.imports);
        }
        names.paths = paths(&rest);
        names
    }
}

/// What follows `use` in a line that begins an import.
fn import(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let line = match line.strip_prefix("pub") {
        Some(rest) if rest.starts_with('(') => rest.split_once(')').map_or(rest, |(_, rest)| rest).trim_start(),
        Some(rest) => rest.trim_start(),
        None => line,
    };
    line.strip_prefix("use ")
}

/// Takes `a::{b, c::{d as e}}` apart into single paths, each with the name that it gets.
fn expand(tree: &str, prefix: &[String], into: &mut Vec<(Vec<String>, String)>) {
    for part in split_list(tree) {
        let part = part.trim();
        if let Some((head, list)) = part.strip_suffix('}').and_then(|part| part.split_once('{')) {
            expand(list, &[prefix, &segments(head)].concat(), into);
            continue;
        }
        let (path, alias) = part.split_once(" as ").map_or((part, None), |(path, alias)| (path, Some(alias.trim())));
        let mut path = [prefix, &segments(path)].concat();
        if path.last().is_some_and(|last| last == "self" || last == "*") && path.len() > 1 {
            path.pop();
        }
        if let Some(last) = path.last().cloned() {
            into.push((path, alias.map_or(last, str::to_owned)));
        }
    }
}

/// The parts of a list, split at the commas that are not within braces.
fn split_list(list: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts.into_iter().filter(|part| !part.trim().is_empty()).collect()
}

fn segments(path: &str) -> Vec<String> {
    path.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Every path with `::` in code, as far as it consists of names. Who may see a thing is none that it uses.
fn paths(code: &str) -> Vec<Vec<String>> {
    let part_of_path = |character: char| character.is_alphanumeric() || character == '_' || character == ':';
    let mut parts = code.split("pub(in ");
    let first = parts.next().unwrap_or_default();
    let others = parts.map(|part| part.split_once(')').map_or(part, |(_, rest)| rest));
    let code: String = std::iter::once(first).chain(others).collect();
    let words = code.split(|character| !part_of_path(character)).filter(|word| word.contains("::"));
    words.map(segments).filter(|path| path.len() > 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(files: &[(&str, &str)]) -> Graph {
        let source = |(path, code): &(&str, &str)| Source { path: format!("src/{path}"), code: (*code).to_owned() };
        Graph::of(&files.iter().map(source).collect::<Vec<_>>(), "src/")
    }

    fn named(path: &str) -> Module {
        segments(path)
    }

    #[test]
    fn a_re_export_is_followed_to_the_file_that_has_the_thing() {
        let files = [
            ("a/mod.rs", "mod b;\npub use b::{Thing, Other as Another};\n"),
            ("a/b.rs", ""),
            ("c.rs", "use crate::a::Thing;\n"),
        ];
        assert_eq!(graph(&files).used_by(&named("c")), BTreeSet::from([named("a::b")]));
    }

    #[test]
    fn who_may_see_a_thing_is_not_used_by_it() {
        let files = [("a/mod.rs", "mod b;\nfn f() { b::g() }\n"), ("a/b.rs", "pub(in crate::a) fn g() {}\n")];
        assert_eq!(graph(&files).used_by(&named("a::b")), BTreeSet::new());
    }

    #[test]
    fn siblings_that_use_each_other_are_a_circle() {
        let mutual = [("a.rs", "use super::b::{\n    One,\n    Two,\n};\n"), ("b.rs", "fn f() { crate::a::g() }\n")];
        assert_eq!(graph(&mutual).circle(), Some(vec![named("a"), named("b")]));
        let one_way = [("a.rs", "use super::b::One;\n"), ("b.rs", "")];
        assert_eq!(graph(&one_way).circle(), None);
    }

    #[test]
    fn a_parent_that_calls_a_child_that_uses_the_parent_is_a_circle() {
        let files = [("a/mod.rs", "mod b;\nfn f() { b::g() }\n"), ("a/b.rs", "use super::Thing;\n")];
        assert_eq!(graph(&files).circle(), Some(vec![named("a"), named("a::b")]));
    }
}
