//! Running other programs: every failure names the command, how it ended and
//! the end of what it said, so that nobody has to repeat it by hand to learn why.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

/// Lines of output or log shown with a failure.
const TAIL: usize = 15;

/// Runs to the end and returns standard output.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let said = finish(command.stdin(Stdio::null()))?;
    Ok(String::from_utf8_lossy(&said.stdout).into_owned())
}

/// Runs to the end, for the effect alone.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

/// Feeds `input` to the program and returns its standard output.
pub(crate) fn output_with_input(command: &mut Command, input: &[u8]) -> Result<String> {
    use std::io::Write as _;
    let shown = show(command);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends early closes the pipe; its exit code says more.
        let _ = stdin.write_all(input);
    }
    let said = child.wait_with_output().with_context(|| format!("cannot wait for `{shown}`"))?;
    checked(&shown, said).map(|said| String::from_utf8_lossy(&said.stdout).into_owned())
}

fn finish(command: &mut Command) -> Result<Output> {
    let shown = show(command);
    let said = command.output().with_context(|| format!("cannot start `{shown}`"))?;
    checked(&shown, said)
}

fn checked(shown: &str, said: Output) -> Result<Output> {
    if said.status.success() {
        return Ok(said);
    }
    let heard = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    bail!("`{shown}` failed ({}):\n{}", said.status, last_lines(&heard))
}

/// The end of a log file, indented, for an error message.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    // Only the end matters and a log may be large.
    let start = text.len().saturating_sub(16 * 1024);
    let end = String::from_utf8_lossy(&text[start..]).into_owned();
    format!("last lines of {}:\n{}", log.display(), last_lines(&end))
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(TAIL);
    lines[from..].iter().map(|line| format!("    {}", shortened(line))).collect::<Vec<_>>().join("\n")
}

fn show(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy().into_owned()));
    let line = words.join(" ");
    shortened(&line)
}

fn shortened(line: &str) -> String {
    if line.chars().count() <= 300 {
        return line.to_owned();
    }
    format!("{}…", line.chars().take(300).collect::<String>())
}

/// True when a program of this name is on PATH or in the system directories.
pub(crate) fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(Into::into))
        .any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command_its_exit_and_its_words() {
        let error = run(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err().to_string();
        assert!(error.contains("sh -c"), "{error}");
        assert!(error.contains("exit status: 3"), "{error}");
        assert!(error.contains("    why"), "{error}");
    }

    #[test]
    fn only_the_end_of_long_output_is_shown() {
        let text = (0..100).map(|n| format!("line {n}")).collect::<Vec<_>>().join("\n");
        let shown = last_lines(&text);
        assert!(!shown.contains("line 84"), "{shown}");
        assert!(shown.ends_with("line 99"), "{shown}");
    }
}
