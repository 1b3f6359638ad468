//! Labels from votes: ours from text to text, crowd-kit's Dawid–Skene without reading and writing.

use super::crowd::Crowd;
use super::{arm, timed};
use crate::report::Arm;
use crate::venv::{installed, output};
use anyhow::{Context as _, Result};
use golden_consensus::{read_votes, write_labels};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;

const REQUIREMENT: &str = "crowd-kit==1.4.2";
pub(super) const OURS: &str = "reliability";
pub(super) const PEER: &str = "crowd-kit Dawid–Skene";

pub(super) fn arms() -> Vec<Arm> {
    let crowd = Crowd::draw();
    vec![arm(OURS, |arm| ours(&crowd, arm)), arm(PEER, |arm| peer(&crowd, arm))]
}

fn ours(crowd: &Crowd, arm: &mut Arm) -> Result<()> {
    let (labels, seconds) = timed(|| -> Result<Vec<u8>> {
        let estimate = read_votes(crowd.csv.as_bytes())?.estimate()?;
        let mut labels = vec![];
        write_labels(&estimate, &mut labels)?;
        Ok(labels)
    });
    tell(crowd, arm, &String::from_utf8(labels?)?, seconds);
    Ok(())
}

fn peer(crowd: &Crowd, arm: &mut Arm) -> Result<()> {
    let python = installed(REQUIREMENT)?.join("python");
    let home = tempfile::tempdir()?;
    let [votes, labels] = ["votes.csv", "labels.csv"].map(|name| home.path().join(name));
    fs::write(&votes, &crowd.csv)?;
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("peer/crowdkit_dawid_skene.py");
    let said = output(Command::new(python).arg(program).args([&votes, &labels]))?;
    let line = said.lines().last().context("crowd-kit said nothing")?;
    let figures: Value = serde_json::from_str(line).with_context(|| format!("crowd-kit said {line}"))?;
    let seconds = figures["seconds"].as_f64().context("crowd-kit said no seconds")?;
    tell(crowd, arm, &fs::read_to_string(labels)?, seconds);
    Ok(())
}

fn tell(crowd: &Crowd, arm: &mut Arm, labels: &str, seconds: f64) {
    arm.set("votes_per_s", f64::from(crowd.votes) / seconds);
    arm.set("accuracy_percent", crowd.accuracy(labels));
    arm.set("seconds", seconds);
    arm.count("votes", crowd.votes);
}
