//! Pure functions for scripts and for checking, without a cluster.

use anyhow::{Context as _, bail, ensure};
use golden_consensus::{MAX_LINE_BYTES, MAX_VOTERS, Policy, Power, Reviews, policy_from_value};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// What can be asked of the decision procedure.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum ConsensusCommand {
    /// Decide ballots and guard facts (lines of JSON on standard input) under a policy (JSON or YAML).
    Decide {
        /// The policy: `{voters: [{role, weight, veto, required}], quorumPercent, approvePercent, …}`.
        #[arg(long)]
        policy: PathBuf,
    },
    /// Shapley–Shubik and Banzhaf power of voters, as exact fractions.
    Power(PowerArgs),
    /// Labels and reliabilities of voters from votes alone (CSV with the header `item,voter,label`).
    Reliability(ReliabilityArgs),
}

/// A weighted game, or a policy.
#[derive(Debug, clap::Args)]
pub(crate) struct PowerArgs {
    /// The weight that wins, 1 to the sum of the weights.
    #[arg(long, required_unless_present_any = ["file", "policy"])]
    quota: Option<u64>,
    /// One weight for each voter.
    #[arg(conflicts_with_all = ["file", "policy"])]
    weights: Vec<u64>,
    /// A file with the weights, apart by spaces, commas or lines; or JSON `{"quota": 5, "weights": [4, 3, 2]}`.
    #[arg(long, conflicts_with = "policy")]
    file: Option<PathBuf>,
    /// A policy (JSON or YAML) instead: the power of each of its seats.
    #[arg(long, conflicts_with = "quota")]
    policy: Option<PathBuf>,
}

/// Votes in, labels out.
#[derive(Debug, clap::Args)]
pub(crate) struct ReliabilityArgs {
    /// The votes: CSV `item,voter,label`; `-` is standard input.
    #[arg(long)]
    input: PathBuf,
    /// Write `voter,reliability` there.
    #[arg(long)]
    voters: Option<PathBuf>,
    /// What items turned out to be, where it is known: CSV `item,label`.
    #[arg(long)]
    outcomes: Option<PathBuf>,
}

pub(crate) fn consensus(command: ConsensusCommand) -> anyhow::Result<u8> {
    match command {
        ConsensusCommand::Decide { policy } => decide(&policy),
        ConsensusCommand::Power(args) => power(&args),
        ConsensusCommand::Reliability(args) => reliability(&args),
    }?;
    Ok(0)
}

fn decide(policy: &Path) -> anyhow::Result<()> {
    let mut reviews = Reviews::new(read_policy(policy)?);
    let mut input = std::io::stdin().lock();
    let mut line = vec![];
    // A line without end is not read into memory: one byte above the bound is enough to refuse it.
    while input.by_ref().take(MAX_LINE_BYTES as u64 + 2).read_until(b'\n', &mut line)? > 0 {
        reviews.take(line.strip_suffix(b"\n").unwrap_or(&line))?;
        line.clear();
    }
    let mut output = BufWriter::new(std::io::stdout().lock());
    for decision in reviews.decisions() {
        serde_json::to_writer(&mut output, &decision)?;
        output.write_all(b"\n")?;
    }
    Ok(output.flush()?)
}

fn read_policy(path: &Path) -> anyhow::Result<Policy> {
    let value: serde_json::Value =
        serde_saphyr::from_str(&text(path)?).context("the policy is neither YAML nor JSON")?;
    Ok(policy_from_value(&value)?)
}

fn text(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn power(args: &PowerArgs) -> anyhow::Result<()> {
    if let Some(policy) = &args.policy {
        let seats = golden_consensus::policy_power(&read_policy(policy)?)?;
        println!("{}", serde_json::to_string(&serde_json::json!({ "seats": seats }))?);
        return Ok(());
    }
    let (quota, weights) = match &args.file {
        Some(file) => game(&text(file)?, args.quota).with_context(|| file.display().to_string())?,
        None => (args.quota, args.weights.clone()),
    };
    let quota = quota.context("no quota; give --quota")?;
    let power: Power = golden_consensus::power(&weights, quota)?;
    println!("{}", serde_json::to_string(&power)?);
    Ok(())
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Game {
    quota: Option<u64>,
    weights: Vec<u64>,
}

/// The quota, from the file or given, and the weights.
fn game(text: &str, given: Option<u64>) -> anyhow::Result<(Option<u64>, Vec<u64>)> {
    if text.trim_start().starts_with('{') {
        let game: Game = serde_json::from_str(text)?;
        ensure!(game.quota.is_none() || given.is_none(), "the file has a quota; leave out --quota");
        return Ok((game.quota.or(given), game.weights));
    }
    let mut weights = vec![];
    for (number, line) in text.lines().enumerate() {
        let words = line.split(|c: char| c.is_whitespace() || ",[]".contains(c)).filter(|w| !w.is_empty());
        for word in words {
            let weight: u64 =
                word.parse().with_context(|| format!("line {}: {word:?} is not a weight", number + 1))?;
            weights.push(weight);
            ensure!(weights.len() <= MAX_VOTERS, "line {}: more than {MAX_VOTERS} weights", number + 1);
        }
    }
    Ok((given, weights))
}

fn reliability(args: &ReliabilityArgs) -> anyhow::Result<()> {
    let named = |path: &Path| path.display().to_string();
    let mut votes = if args.input == Path::new("-") {
        golden_consensus::read_votes(std::io::stdin().lock()).context("standard input")?
    } else {
        golden_consensus::read_votes(open(&args.input)?).with_context(|| named(&args.input))?
    };
    if let Some(outcomes) = &args.outcomes {
        golden_consensus::read_outcomes(&mut votes, open(outcomes)?).with_context(|| named(outcomes))?;
    }
    let estimate = votes.estimate()?;
    if let Some(path) = &args.voters {
        let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
        golden_consensus::write_voters(&estimate, file).with_context(|| named(path))?;
    }
    match golden_consensus::write_labels(&estimate, std::io::stdout().lock()) {
        Ok(()) => Ok(()),
        Err(fault) => bail!("standard output: {fault}"),
    }
}

fn open(path: &Path) -> anyhow::Result<BufReader<File>> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(BufReader::new(file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::CustomResourceExt as _;
    use serde_json::{Value, json};

    #[test]
    fn every_part_of_a_governance_policy_may_stand_beside_its_review() {
        let definition = serde_json::to_value(golden_crds::GovernancePolicy::crd()).unwrap();
        let schema = definition.pointer("/spec/versions/0/schema/openAPIV3Schema/properties").unwrap();
        for (described, place) in [
            ("/spec", "/spec"),
            ("/spec/properties/guards", "/spec/guards"),
            ("/spec/properties/review", "/spec/review"),
            ("/spec/properties/review/properties/rounds", "/spec/review/rounds"),
            ("/spec/properties/review/properties/voters/items", "/spec/review/voters/0"),
        ] {
            let fields =
                schema.pointer(&format!("{described}/properties")).and_then(Value::as_object).unwrap();
            for field in fields.keys() {
                let mut manifest = json!({"kind": "GovernancePolicy", "spec":
                    {"review": {"voters": [{"role": "a"}], "rounds": {"max": 1}}, "guards": {}}});
                let part = manifest.pointer_mut(place).and_then(Value::as_object_mut).unwrap();
                part.entry(field).or_insert(Value::Null);
                // Some parts may not be null, which is another fault.
                let said = policy_from_value(&manifest).err().map(|error| error.to_string());
                assert!(!said.iter().any(|error| error.contains("unknown field")), "{place}: {said:?}");
            }
        }
    }
}
