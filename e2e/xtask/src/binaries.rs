//! All tests of the workspace, some binaries at a time: most tests wait for servers, not for a core, and cargo runs one
//! binary after the other.

use crate::cargo::cargo;
use crate::lane::{Outcome, closing_line};
use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use std::collections::VecDeque;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Binaries at once, and tests of each.
const AT_ONCE: usize = 2;
const THREADS: &str = "4";

/// One binary with tests.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Binary {
    name: String,
    program: PathBuf,
    /// Its package's: tests find their files from there.
    folder: PathBuf,
    /// Tests of a package from outside: the long ones.
    outer: bool,
}

/// Builds all, runs all, and counts.
pub(crate) fn lane(name: &str) -> Outcome {
    println!("\n==> {name}");
    let start = Instant::now();
    let (passed, failed) = match build() {
        Ok(binaries) => run(binaries),
        Err(error) => {
            println!("{name}: {error:#}");
            (0, 1)
        }
    };
    Outcome {
        name: name.into(),
        passed,
        failed: failed + u64::from(passed + failed == 0),
        took: start.elapsed(),
    }
}

fn build() -> Result<Vec<Binary>> {
    let mut command = cargo();
    command.args(["test", "--workspace", "--no-run", "--message-format", "json-render-diagnostics"]);
    let built = command.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    ensure!(built.status.success(), "the tests cannot be built");
    let mut binaries: Vec<Binary> =
        String::from_utf8_lossy(&built.stdout).lines().filter_map(binary).collect();
    // The long ones begin first, so that none is left at the end.
    binaries.sort_by_key(|binary| !binary.outer);
    Ok(binaries)
}

/// A binary of one of cargo's messages, if it holds tests.
fn binary(message: &str) -> Option<Binary> {
    let message: Value = serde_json::from_str(message).ok()?;
    if message.pointer("/profile/test")? != true {
        return None;
    }
    let program = PathBuf::from(message.get("executable")?.as_str()?);
    let folder = Path::new(message.get("manifest_path")?.as_str()?).parent()?.to_owned();
    let target = message.pointer("/target/name")?.as_str()?;
    let outer = message.pointer("/target/kind/0")? == "test";
    let package = folder.file_name()?.to_str()?;
    Some(Binary { name: format!("{package} {target}"), program, folder, outer })
}

fn run(binaries: Vec<Binary>) -> (u64, u64) {
    let all = binaries.len();
    let waiting = Mutex::new((VecDeque::from(binaries), 0));
    let counted = Mutex::new((0, 0));
    let next = || {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.1 += 1;
        waiting.0.pop_front().map(|binary| (binary, waiting.1))
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((binary, number)) = next() {
                    println!("     Running {number} of {all}: {}", binary.name);
                    let (passed, failed) = play(&binary);
                    let mut counted = counted.lock().unwrap_or_else(PoisonError::into_inner);
                    counted.0 += passed;
                    counted.1 += failed;
                }
            });
        }
    });
    counted.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Runs one, and shows what it said once it has ended: two at once would be read as one.
fn play(binary: &Binary) -> (u64, u64) {
    let start = Instant::now();
    let (said, ok) = said(binary).unwrap_or_else(|error| (format!("{error:#}\n"), false));
    let (passed, failed) = count(&said, ok);
    println!("\n     {} ended after {} s\n{said}", binary.name, start.elapsed().as_secs());
    (passed, failed)
}

fn said(binary: &Binary) -> Result<(String, bool)> {
    let (mut said, writer) = std::io::pipe()?;
    let mut command = Command::new(&binary.program);
    command.current_dir(&binary.folder).env("RUST_TEST_THREADS", THREADS);
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("cannot start {}", binary.program.display()))?;
    // Its ends of the pipe, or it would never be read to its end.
    drop(command);
    let mut bytes = Vec::new();
    said.read_to_end(&mut bytes)?;
    Ok((String::from_utf8_lossy(&bytes).into_owned(), child.wait()?.success()))
}

/// Passed and failed, from the closing line; one that ended otherwise than it says has failed.
fn count(said: &str, ok: bool) -> (u64, u64) {
    let (passed, failed) = said
        .lines()
        .filter_map(closing_line)
        .fold((0, 0), |(p, f), (passed, failed)| (p + passed, f + failed));
    (passed, if ok { failed } else { failed.max(1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_are_found_in_cargos_messages() {
        let artifact = r#"{"reason":"compiler-artifact","manifest_path":"/golden/agents/api/Cargo.toml",
            "target":{"kind":["test"],"name":"it"},"profile":{"test":true},"executable":"/target/it-1"}"#;
        let found = binary(&artifact.replace('\n', "")).unwrap();
        assert_eq!((found.name.as_str(), found.outer), ("api it", true));
        assert_eq!(found.folder, Path::new("/golden/agents/api"));
        for other in [
            artifact.replace(r#""test":true"#, r#""test":false"#),
            artifact.replace(r#""/target/it-1""#, "null"),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
            "not cargo's".to_owned(),
        ] {
            assert_eq!(binary(&other), None, "{other}");
        }
    }

    #[test]
    fn a_binary_that_dies_has_failed() {
        let line =
            "test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(count(line, true), (12, 0));
        assert_eq!(count(line, false), (12, 1));
        assert_eq!(count("killed\n", false), (0, 1));
        assert_eq!(count(&line.replace("0 failed", "2 failed"), false), (12, 2));
    }
}
