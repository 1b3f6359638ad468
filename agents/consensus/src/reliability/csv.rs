//! Votes from comma-separated values (RFC 4180, UTF-8), and estimates as such: what `golden consensus reliability`
//! reads and writes. Lines are read one after the other, so that input may be as long as votes may be many.

use super::votes::{Estimate, Votes, VotesError};
use std::io::{Read, Write};

/// Why input is refused, at the line where it goes wrong. Nothing is estimated then.
#[derive(Debug, thiserror::Error)]
pub enum VotesCsvError {
    #[error("the header names no column {missing}; the first line must be: {wanted}")]
    Header { missing: &'static str, wanted: &'static str },
    #[error("line {line}: {why}; correct it and run again")]
    Line { line: u64, why: String },
    #[error("there are no votes below the header")]
    Empty,
    #[error("the votes cannot be read")]
    Read(#[source] csv::Error),
}

/// Reads `item,voter,label`. Columns may be in any order, and others beside them are passed over.
pub fn read_votes(input: impl Read) -> Result<Votes, VotesCsvError> {
    let mut votes = Votes::default();
    rows(input, ["item", "voter", "label"], "item,voter,label", |[item, voter, label]| {
        votes.add(item, voter, label)
    })?;
    if votes.is_empty() { Err(VotesCsvError::Empty) } else { Ok(votes) }
}

/// Adds outcomes, read from `item,label`, to votes.
pub fn read_outcomes(votes: &mut Votes, input: impl Read) -> Result<(), VotesCsvError> {
    rows(input, ["item", "label"], "item,label", |[item, label]| votes.settle_item(item, label))
}

fn rows<const N: usize>(
    input: impl Read,
    columns: [&'static str; N],
    wanted: &'static str,
    mut take: impl FnMut([&str; N]) -> Result<(), VotesError>,
) -> Result<(), VotesCsvError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(input);
    let header = reader.headers().map_err(refused)?;
    let mut places = [0; N];
    for (place, missing) in places.iter_mut().zip(columns) {
        let found = header.iter().position(|name| name.trim_start_matches('\u{feff}') == missing);
        *place = found.ok_or(VotesCsvError::Header { missing, wanted })?;
    }
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(refused)? {
        let fields = places.map(|place| record.get(place).unwrap_or_default());
        // The line where it ends: its own position is before the empty lines that were passed over.
        let begun = record.position().map_or(0, csv::Position::line);
        let line = begun.max(reader.position().line().saturating_sub(1));
        take(fields).map_err(|fault| VotesCsvError::Line { line, why: fault.to_string() })?;
    }
    Ok(())
}

fn refused(error: csv::Error) -> VotesCsvError {
    let line = error.position().map(csv::Position::line);
    let why = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("{len} fields, but the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "not UTF-8".to_owned(),
        _ => return VotesCsvError::Read(error),
    };
    VotesCsvError::Line { line: line.unwrap_or(0), why }
}

/// Writes `item,label,confidence`; the confidence has six decimals.
pub fn write_labels(estimate: &Estimate, output: impl Write) -> Result<(), csv::Error> {
    let mut writer = csv::Writer::from_writer(output);
    writer.write_record(["item", "label", "confidence"])?;
    for item in &estimate.items {
        writer.write_record([&item.item, &item.label, &format!("{:.6}", item.confidence)])?;
    }
    Ok(writer.flush()?)
}

/// Writes `voter,reliability`; the reliability has six decimals.
pub fn write_voters(estimate: &Estimate, output: impl Write) -> Result<(), csv::Error> {
    let mut writer = csv::Writer::from_writer(output);
    writer.write_record(["voter", "reliability"])?;
    for voter in &estimate.voters {
        writer.write_record([&voter.voter, &format!("{:.6}", voter.reliability)])?;
    }
    Ok(writer.flush()?)
}
