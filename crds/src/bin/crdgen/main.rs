//! Writes the files made from the types, or compares them with what is committed. Called by `cargo xtask crdgen`;
//! a program of this crate, so that the developer's other commands do not wait for a Kubernetes client to compile.

mod files;

use files::{Folder, Outcome};
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let check = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--check"] => true,
        _ => {
            eprintln!("usage: crdgen [--check]");
            return ExitCode::from(2);
        }
    };
    match run(check) {
        Ok(outcome) => {
            print!("{outcome}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(check: bool) -> Result<Outcome, files::Error> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let (kinds, api) = (golden_crds::generate()?, golden_crds::reference::page()?);
    let folders = [
        Folder { path: root.join("charts/golden-crds/files"), files: kinds, alone: true },
        Folder { path: root.join("docs"), files: vec![("api.md".into(), api)], alone: false },
    ];
    if check { files::check(&folders) } else { files::write(&folders) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_is_committed_is_what_is_generated() {
        let outcome = super::run(true).map(|outcome| outcome.to_string());
        assert!(outcome.is_ok(), "{}", outcome.unwrap_err());
    }
}
