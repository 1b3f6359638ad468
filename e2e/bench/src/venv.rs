//! Peers from PyPI: each in a virtual environment of its own, outside the tree and kept for the next run.

use anyhow::{Context as _, Result, ensure};
use golden_cluster::paths;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of an environment's programs, with this requirement (`name==version`) and what it needs installed. Another
/// requirement is another environment.
pub(crate) fn installed(requirement: &str) -> Result<PathBuf> {
    environment(requirement, &[requirement])
}

/// As [`installed`], with these requirements as they are, without what they say they need.
pub(crate) fn installed_alone(requirements: &[&str]) -> Result<PathBuf> {
    environment(&requirements.join(" "), &[&["--no-deps"], requirements].concat())
}

fn environment(requirement: &str, arguments: &[&str]) -> Result<PathBuf> {
    let home = paths::benchmarks()?.join(folder(requirement));
    let (programs, ready) = (home.join("bin"), home.join("ready"));
    if ready.is_file() {
        return Ok(programs);
    }
    output(Command::new("/usr/bin/python3").args(["-m", "venv", "--clear"]).arg(&home))
        .context("python3 with venv")?;
    let python = programs.join("python");
    output(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(arguments))?;
    std::fs::write(&ready, requirement)?;
    Ok(programs)
}

fn folder(requirement: &str) -> String {
    let words = requirement.split(|c: char| !c.is_ascii_alphanumeric() && c != '.').filter(|w| !w.is_empty());
    words.collect::<Vec<_>>().join("-")
}

/// What a program says; if it fails, its last words.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let said = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let end = last_lines(&String::from_utf8_lossy(&said.stderr));
    let program = Path::new(command.get_program());
    ensure!(said.status.success(), "{} ended with {}: {end}", program.display(), said.status);
    Ok(String::from_utf8_lossy(&said.stdout).into_owned())
}

/// The end of what a program wrote, on one line.
pub(crate) fn last_lines(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
    lines.reverse();
    lines.join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_named_by_what_is_in_it() {
        assert_eq!(folder("dbos==3.4.0"), "dbos-3.4.0");
        assert_eq!(folder("litellm[proxy]==1.108.7"), "litellm-proxy-1.108.7");
    }

    #[test]
    fn the_last_words_are_in_their_order() {
        assert_eq!(last_lines("a\nb\n\nc\nd\n"), "b | c | d");
    }
}
