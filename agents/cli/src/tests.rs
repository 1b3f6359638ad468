use super::Arguments;
use clap::Parser as _;
use std::path::Path;

#[test]
fn every_command_the_pages_show_exists_with_its_flags() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut pages = vec![root.join("README.md")];
    pages.extend(std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()));
    let mut count = 0;
    for page in pages.iter().filter(|page| page.extension().is_some_and(|e| e == "md")) {
        for line in console(&std::fs::read_to_string(page).unwrap()) {
            count += 1;
            let words =
                shlex::split(&line).unwrap_or_else(|| panic!("{}: {line}: a quote is open", page.display()));
            if let Err(error) = Arguments::try_parse_from(words) {
                panic!("{}: {line}: {error}", page.display());
            }
        }
    }
    assert!(count > 8, "only {count} commands were found");
}

#[test]
fn the_gateway_takes_a_file_or_a_clusters_arguments_and_not_both() {
    let parse = |line: &str| Arguments::try_parse_from(line.split(' ')).map(drop).map_err(|e| e.to_string());
    assert_eq!(parse("golden gateway --config gateway.yaml"), Ok(()));
    assert_eq!(parse("golden gateway --database-url postgres://x --listen 127.0.0.1:1"), Ok(()));
    for (line, named) in [
        ("golden gateway", "--database-url"),
        ("golden gateway --config gateway.yaml --listen 127.0.0.1:1", "--listen"),
        ("golden gateway --config gateway.yaml --database-url postgres://x", "--database-url"),
    ] {
        let told = parse(line).unwrap_err();
        assert!(told.contains(named), "{line}: {told}");
    }
}

/// The commands of `golden` in the page's console blocks.
fn console(page: &str) -> Vec<String> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in page.lines() {
        if let Some(kind) = line.strip_prefix("```") {
            inside = kind == "console";
        } else if inside && line.starts_with("golden ") {
            let line = line.split(" #").next().unwrap_or_default();
            let line = line.split(" > ").next().unwrap_or_default();
            lines.push(line.split(" < ").next().unwrap_or_default().to_owned());
        }
    }
    lines
}
