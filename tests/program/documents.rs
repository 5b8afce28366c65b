//! What documents say of files: docs/EMBEDDING.md shows what is in examples/service word for word, docs/ARCHITECTURE.md names
//! each file of tests of servers.

use std::fs;
use std::path::Path;

#[test]
fn each_block_of_rust_in_embedding_md_stands_in_the_service() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/EMBEDDING.md")).expect("the page");
    let folder = fs::read_dir(root.join("examples/service")).expect("the example");
    let sources: Vec<String> =
        folder.map(|file| fs::read_to_string(file.expect("a file").path()).expect("a source")).collect();
    let blocks: Vec<&str> =
        page.split("\n```rust\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0)).collect();
    assert!(blocks.len() >= 5, "the search finds nothing");
    for block in blocks {
        assert!(sources.iter().any(|source| source.contains(block)), "not in examples/service:\n{block}");
    }
}

#[test]
fn each_file_of_tests_of_servers_stands_in_the_architecture() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/ARCHITECTURE.md")).expect("the page");
    let names =
        fs::read_dir(root.join("tests/servers")).expect("the tests").map(|file| file.expect("a file").file_name());
    let names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    let missing: Vec<&String> =
        names.iter().filter(|name| name.ends_with(".rs") && *name != "main.rs" && !page.contains(*name)).collect();
    assert!(names.len() > 30 && missing.is_empty(), "{missing:?}");
}
