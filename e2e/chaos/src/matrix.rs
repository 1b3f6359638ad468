//! Choosing runs, playing them in the seed's order, and gathering what came of them.

use crate::catalogue::{Play, SCENARIOS, SHORT, Scenario};
use crate::deletions;
use crate::home::{self, Home};
use crate::kills;
use crate::report::{Report, Run};
use crate::seed::Seed;
use crate::world::World;
use anyhow::{Result, ensure};
use std::time::Instant;

/// What is run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub seed: u64,
    /// The whole choice so many times, each with the next seed.
    pub runs: u64,
    /// Names; all where empty.
    pub names: Vec<String>,
    /// Only the short ones.
    pub short: bool,
}

impl Options {
    /// The scenarios that are meant.
    pub fn choice(&self) -> Result<Vec<&'static Scenario>> {
        for name in &self.names {
            let known = SCENARIOS.iter().any(|s| s.name == name);
            ensure!(known, "there is no run {name}: `cargo xtask chaos --list` shows them");
        }
        let wanted = |s: &&Scenario| {
            (self.names.is_empty() || self.names.iter().any(|n| n == s.name))
                && (!self.short || SHORT.contains(&s.name))
        };
        Ok(SCENARIOS.iter().filter(wanted).collect())
    }
}

/// Plays what the options choose; `say` hears each step.
pub fn run(world: &World, options: &Options, say: &mut dyn FnMut(&str)) -> Result<Report> {
    let start = Instant::now();
    let choice = options.choice()?;
    let mut report = Report::default();
    let kills = choice.iter().any(|s| matches!(s.play, Play::Kill(_)));
    let home = if kills { Some(Home::build(world, "kills")?) } else { None };
    for seed in options.seed..options.seed + options.runs.max(1) {
        for scenario in order(&choice, seed) {
            report.runs.push(one(world, home.as_ref(), scenario, seed, say));
        }
    }
    if report.failed() == 0 {
        // What failed is left for whoever looks at it.
        if let Some(home) = &home {
            Home::raze(world, &home.namespace)?;
        }
        home::remove_policies(world)?;
    }
    report.seconds = start.elapsed().as_secs();
    Ok(report)
}

/// Kills in the seed's order, then deletions: what kills leave in doubt is settled meanwhile.
fn order(choice: &[&'static Scenario], seed: u64) -> Vec<&'static Scenario> {
    let (mut kills, deletions): (Vec<&'static Scenario>, Vec<_>) =
        choice.iter().partition(|s| matches!(s.play, Play::Kill(_)));
    Seed::new(seed).shuffle(&mut kills);
    kills.into_iter().chain(deletions).collect()
}

fn one(
    world: &World,
    home: Option<&Home>,
    scenario: &'static Scenario,
    seed: u64,
    say: &mut dyn FnMut(&str),
) -> Run {
    let start = Instant::now();
    say(&format!("{}: {}", scenario.name, scenario.about));
    let mut steps = Vec::new();
    let mut step = |line: &str| {
        say(&format!("  {line}"));
        steps.push(line.to_owned());
    };
    let result = match (&scenario.play, home) {
        (Play::Kill(kill), Some(home)) => kills::run(world, home, scenario.name, kill, seed, &mut step),
        (Play::Kill(_), None) => Err(anyhow::anyhow!("there is no home for kills")),
        (Play::Delete(what), _) => deletions::run(world, scenario.name, *what, &mut step),
    };
    let error = result.err().map(|e| format!("{e:#}"));
    let seconds = start.elapsed().as_secs();
    say(&match &error {
        None => format!("{}: passed in {seconds} s", scenario.name),
        Some(error) => format!("{}: FAILED after {seconds} s: {error}", scenario.name),
    });
    Run {
        name: scenario.name.to_owned(),
        seed,
        passed: error.is_none(),
        seconds,
        steps,
        error,
        replay: format!("cargo xtask chaos {} --seed {seed}", scenario.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_an_unknown_one_is_refused() {
        let mut names: Vec<&str> = SCENARIOS.iter().map(|s| s.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SCENARIOS.len());
        let short = Options { short: true, ..Options::default() };
        assert_eq!(short.choice().map_or(0, |runs| runs.len()), SHORT.len());
        let options = Options { names: vec!["kill-nobody".into()], ..Options::default() };
        assert!(options.choice().is_err_and(|e| e.to_string().contains("--list")));
    }

    #[test]
    fn the_seed_decides_the_order_and_deletions_come_last() {
        let all = Options::default().choice().unwrap_or_default();
        let names = |seed| order(&all, seed).iter().map(|s| s.name).collect::<Vec<_>>();
        assert_eq!(names(3), names(3));
        assert_ne!(names(3), names(4));
        assert!(names(3).last().is_some_and(|name| name.starts_with("delete-")));
    }
}
