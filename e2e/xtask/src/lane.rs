//! Running one lane of the tests: a command whose outcome is counted, with its output shown as it comes.

use anyhow::{Context as _, Result};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a lane came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) took: Duration,
}

/// A check without tests of its own: it counts as one.
pub(crate) fn check(name: &str, work: impl FnOnce() -> Result<()>) -> Outcome {
    println!("\n==> {name}");
    let start = Instant::now();
    let result = work();
    if let Err(error) = &result {
        println!("{name} failed: {error:#}");
    }
    let ok = u64::from(result.is_ok());
    Outcome { name: name.into(), passed: ok, failed: 1 - ok, took: start.elapsed() }
}

/// A command that fails when it exits with another code than 0.
pub(crate) fn command(name: &str, command: &mut Command) -> Outcome {
    check(name, || {
        let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
        anyhow::ensure!(status.success(), "{command:?} ended with {status}");
        Ok(())
    })
}

/// A `cargo test`: its tests are counted from its own closing lines.
pub(crate) fn tests(name: &str, command: &mut Command) -> Outcome {
    println!("\n==> {name}");
    let start = Instant::now();
    let (mut passed, mut failed) = (0, 0);
    let result = stream(command, |line| {
        if let Some((p, f)) = closing_line(line) {
            passed += p;
            failed += f;
        }
    });
    match result {
        // A build that fails, or a test binary that is killed, closes with no line that counts it.
        Ok(false) if failed == 0 => failed = 1,
        // Tests that were to run and did not are no success.
        Ok(true) if passed == 0 => failed = 1,
        Err(error) => {
            println!("{name}: {error:#}");
            failed += 1;
        }
        Ok(_) => {}
    }
    Outcome { name: name.into(), passed, failed, took: start.elapsed() }
}

fn stream(command: &mut Command, mut line: impl FnMut(&str)) -> Result<bool> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {command:?}"))?;
    let stdout = child.stdout.take().context("the output was not piped")?;
    for text in BufReader::new(stdout).lines() {
        let text = text.unwrap_or_else(|_| "(a line that is not UTF-8)".into());
        println!("{text}");
        line(&text);
    }
    Ok(child.wait()?.success())
}

/// `test result: ok. 12 passed; 0 failed; …`
pub(crate) fn closing_line(line: &str) -> Option<(u64, u64)> {
    let rest = line.trim().strip_prefix("test result: ")?;
    let number = |word: &str| -> Option<u64> {
        let before = rest.split(&format!(" {word}")).next()?;
        before.rsplit([' ', '.', ';']).find(|part| !part.is_empty())?.parse().ok()
    };
    Some((number("passed")?, number("failed")?))
}

#[cfg(test)]
mod tests {
    use super::closing_line;

    #[test]
    fn the_closing_line_of_the_test_runner_is_counted() {
        let line = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        assert_eq!(closing_line(line), Some((12, 3)));
        assert_eq!(closing_line("test result: ok. 1 passed; 0 failed; 0 ignored"), Some((1, 0)));
        assert_eq!(closing_line("running 3 tests"), None);
    }
}
