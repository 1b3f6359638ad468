//! What people copy: the manifests of `examples/`, and the YAML blocks of the pages in `docs/`.

use serde_json::Value;
use std::path::{Path, PathBuf};

/// Every object of a Golden kind, with the file it stands in.
pub fn objects() -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for path in files(&root.join("examples"), "yaml") {
        add(&path, &std::fs::read_to_string(&path).unwrap(), &mut found);
    }
    for path in files(&root.join("docs"), "md") {
        for block in blocks(&std::fs::read_to_string(&path).unwrap()) {
            add(&path, &block, &mut found);
        }
    }
    for folder in ["examples", "docs"] {
        let count = found.iter().filter(|(file, _)| file.contains(&format!("/{folder}/"))).count();
        assert!(count > 3, "only {count} objects were found in {folder}");
    }
    found
}

fn add(path: &Path, text: &str, found: &mut Vec<(String, Value)>) {
    let documents: Vec<Value> =
        serde_saphyr::from_multiple(text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let ours = format!("{}/", golden_crds::GROUP);
    for object in documents {
        if object["apiVersion"].as_str().is_some_and(|version| version.starts_with(&ours)) {
            found.push((path.display().to_string(), object));
        }
    }
}

/// What stands between a line with three backticks and `yaml`, and the next with three backticks.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in page.lines() {
        match &mut open {
            Some(_) if line.trim() == "```" => blocks.extend(open.take()),
            Some(block) => *block += &format!("{line}\n"),
            None if line.trim() == "```yaml" => open = Some(String::new()),
            None => {}
        }
    }
    assert!(open.is_none(), "a block has no end");
    blocks
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|e| e == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}
