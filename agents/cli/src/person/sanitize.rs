//! `golden sanitize`: what a text holds that something could run, and the text without what makes it act.

use super::output::Table;
use anyhow::Context as _;
use golden_output::{Finding, MAX_INPUT, Sanitized, sanitize};
use std::io::{IsTerminal as _, Read, Write as _};

/// Longest excerpt of a finding in the table, in characters.
const SHOWN: usize = 60;

#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Args {
    /// Print findings and neutralised text as one JSON object: {"findings": [{kind, start, end}], "neutralised": …}.
    /// `start` and `end` are byte offsets in the input.
    #[arg(long)]
    json: bool,
}

/// Exit code 0, with findings or without.
pub(crate) fn run(args: Args) -> anyhow::Result<u8> {
    let mut stdin = std::io::stdin().lock();
    if stdin.is_terminal() {
        eprintln!("golden: reading standard input; end it with Ctrl-D");
    }
    let input = read(&mut stdin)?;
    let done = sanitize(&input)?;
    let mut out = std::io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut out, &done)?;
        writeln!(out)?;
    } else {
        eprint!("{}", told(&input, &done));
        out.write_all(done.neutralised.as_bytes())?;
    }
    Ok(0)
}

/// All of it, or an error: a part would hide what stands in the rest.
fn read(from: &mut impl Read) -> anyhow::Result<Vec<u8>> {
    let mut input = Vec::new();
    from.take(MAX_INPUT as u64 + 1).read_to_end(&mut input).context("standard input cannot be read")?;
    Ok(input)
}

/// The findings for a person.
fn told(input: &[u8], done: &Sanitized) -> String {
    if done.findings.is_empty() {
        return "no findings\n".to_owned();
    }
    let mut table = Table::new(&["KIND", "START", "END", "TEXT"]);
    for finding in &done.findings {
        let kind = format!("{:?}", finding.kind);
        table.row([kind, finding.start.to_string(), finding.end.to_string(), excerpt(input, *finding)]);
    }
    table.render()
}

/// The finding's beginning, without what a terminal would act on.
fn excerpt(input: &[u8], finding: Finding) -> String {
    let bytes = input.get(finding.start..finding.end).unwrap_or_default();
    let bytes = bytes.get(..4 * SHOWN).unwrap_or(bytes);
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let text: String = String::from_utf8_lossy(bytes).chars().map(plain).collect();
    if text.chars().count() <= SHOWN { text } else { text.chars().take(SHOWN).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_shown_with_their_place_and_nothing_a_terminal_acts_on() {
        let input = b"x\x1b[2J\n<script>\x1b[31malert(1)</script>";
        let text = told(input, &sanitize(input).unwrap());
        assert_eq!(
            text,
            "KIND     START   END   TEXT\nScript   6       36    <script> [31malert(1)</script>\n"
        );
        assert_eq!(told(b"", &sanitize(b"").unwrap()), "no findings\n");
    }

    #[test]
    fn more_than_the_most_is_read_as_too_much_and_refused() {
        let input = read(&mut std::io::repeat(b'a')).unwrap();
        let error = sanitize(&input).unwrap_err().to_string();
        assert!(error.contains("more than 8388608 bytes"), "{error}");
    }
}
