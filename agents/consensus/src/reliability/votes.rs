//! Votes as they come, and what they come to.
//!
//! One pass: a vote is a few words of state, and labels and reliabilities follow from the state whenever they are
//! asked for. They depend on which votes there were and not on their order, to the last bit, since names are sorted
//! before anything is summed.

use super::panel::Panel;
use super::settle::settle;
use std::collections::HashMap;

/// Most votes: 12 bytes each while they come, and as many again to be judged.
pub const MAX_VOTES: usize = 50_000_000;
/// Most items, and most voters.
pub const MAX_NAMES: usize = 20_000_000;
/// Most different labels.
pub const MAX_LABELS: usize = 1000;
/// Most numbers that are estimated: items × labels + voters × labels². Of 8 bytes each.
pub const MAX_ESTIMATES: usize = 1 << 27;
/// Longest name of an item, a voter or a label, in bytes.
pub const MAX_NAME_BYTES: usize = 1024;

/// Why a vote cannot be taken, or votes not be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VotesError {
    #[error("the {0} is empty; name it")]
    Empty(&'static str),
    #[error("the {what} has {bytes} bytes, at most {MAX_NAME_BYTES} are possible")]
    TooLong { what: &'static str, bytes: usize },
    #[error("more than {MAX_VOTES} votes; split them by item")]
    TooManyVotes,
    #[error("more than {max} different {what}s; split the votes")]
    TooManyNames { what: &'static str, max: usize },
    #[error(
        "{items} items, {voters} voters and {labels} labels: items × labels + voters × labels² is {estimates}, more than \
         {MAX_ESTIMATES}; split the votes by item, or merge labels"
    )]
    TooManyEstimates { items: usize, voters: usize, labels: usize, estimates: u128 },
    #[error("item {0} has two different outcomes")]
    TwoOutcomes(String),
}

/// Votes on items, without gold labels.
#[derive(Clone, Debug, Default)]
pub struct Votes {
    items: Names,
    voters: Names,
    labels: Names,
    /// Item, voter, label.
    cast: Vec<(u32, u32, u32)>,
    outcomes: HashMap<u32, u32>,
}

/// What votes come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    /// In the order in which items were first mentioned.
    pub items: Vec<ItemLabel>,
    /// In the order in which voters were first mentioned.
    pub voters: Vec<VoterReliability>,
}

/// The likeliest label of one item.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemLabel {
    pub item: String,
    pub label: String,
    /// Its estimated probability, 0 to 1.
    pub confidence: f64,
}

/// How reliable one voter is.
#[derive(Clone, Debug, PartialEq)]
pub struct VoterReliability {
    pub voter: String,
    /// The estimated share of right votes, 0.01 to 0.99, shrunk towards everyone's where votes are few.
    pub reliability: f64,
    /// How many items the estimate rests on.
    pub observations: u64,
}

impl Votes {
    /// Takes a vote. One voter's votes on one item share one vote.
    pub fn add(&mut self, item: &str, voter: &str, label: &str) -> Result<(), VotesError> {
        if self.cast.len() >= MAX_VOTES {
            return Err(VotesError::TooManyVotes);
        }
        checked("item", item)?;
        checked("voter", voter)?;
        checked("label", label)?;
        let item = self.items.number("item", item, MAX_NAMES)?;
        let voter = self.voters.number("voter", voter, MAX_NAMES)?;
        let label = self.labels.number("label", label, MAX_LABELS)?;
        self.cast.push((item, voter, label));
        Ok(())
    }

    /// Takes an outcome: what the item turned out to be. It is certain, and voters are judged by it.
    pub fn settle_item(&mut self, item: &str, label: &str) -> Result<(), VotesError> {
        checked("item", item)?;
        checked("label", label)?;
        let number = self.items.number("item", item, MAX_NAMES)?;
        let label = self.labels.number("label", label, MAX_LABELS)?;
        match self.outcomes.insert(number, label) {
            Some(other) if other != label => Err(VotesError::TwoOutcomes(item.to_owned())),
            _ => Ok(()),
        }
    }

    pub fn len(&self) -> usize {
        self.cast.len()
    }

    pub fn is_empty(&self) -> bool {
        self.cast.is_empty()
    }

    /// Labels and reliabilities from all there is. Equally likely labels: the first by name.
    pub fn estimate(&self) -> Result<Estimate, VotesError> {
        let (items, voters, labels) = (self.items.sorted(), self.voters.sorted(), self.labels.sorted());
        check_size(items.order.len(), voters.order.len(), labels.order.len())?;
        let ranked: Vec<(u32, u32, u32)> = self
            .cast
            .iter()
            .map(|(item, voter, label)| (items.rank(*item), voters.rank(*voter), labels.rank(*label)))
            .collect();
        let panel = Panel::of(items.order.len(), voters.order.len(), labels.order.len(), &ranked);
        let mut known: Vec<(usize, usize)> = self
            .outcomes
            .iter()
            .map(|(item, label)| (items.rank(*item) as usize, labels.rank(*label) as usize))
            .collect();
        known.sort_unstable();
        let settled = settle(&panel, &known);
        let observations = panel.observations();
        let label_of = |rank: usize| {
            let row = &settled.belief[rank * labels.order.len()..(rank + 1) * labels.order.len()];
            let first = row.iter().enumerate().rev().max_by(|a, b| a.1.total_cmp(b.1));
            first.map(|(label, confidence)| (self.labels.name(labels.order[label]), *confidence))
        };
        let item_labels = self.items.all().enumerate().filter_map(|(number, item)| {
            let (label, confidence) = label_of(items.ranks[number] as usize)?;
            Some(ItemLabel { item: item.to_owned(), label: label.to_owned(), confidence })
        });
        let reliabilities = self.voters.all().enumerate().map(|(number, voter)| {
            let rank = voters.ranks[number] as usize;
            let (reliability, observations) = (settled.right[rank], observations[rank]);
            VoterReliability { voter: voter.to_owned(), reliability, observations }
        });
        Ok(Estimate { items: item_labels.collect(), voters: reliabilities.collect() })
    }
}

fn checked(what: &'static str, name: &str) -> Result<(), VotesError> {
    match name.len() {
        0 => Err(VotesError::Empty(what)),
        bytes if bytes > MAX_NAME_BYTES => Err(VotesError::TooLong { what, bytes }),
        _ => Ok(()),
    }
}

fn check_size(items: usize, voters: usize, labels: usize) -> Result<(), VotesError> {
    let (i, v, l) = (items as u128, voters as u128, labels as u128);
    let estimates = i * l + v * l * l;
    if estimates > MAX_ESTIMATES as u128 {
        return Err(VotesError::TooManyEstimates { items, voters, labels, estimates });
    }
    Ok(())
}

/// Names by the order of their first mention.
#[derive(Clone, Debug, Default)]
struct Names {
    numbers: HashMap<Box<str>, u32>,
    names: Vec<Box<str>>,
}

impl Names {
    fn number(&mut self, what: &'static str, name: &str, max: usize) -> Result<u32, VotesError> {
        if let Some(number) = self.numbers.get(name) {
            return Ok(*number);
        }
        let number = u32::try_from(self.names.len()).ok().filter(|_| self.names.len() < max);
        let number = number.ok_or(VotesError::TooManyNames { what, max })?;
        self.numbers.insert(name.into(), number);
        self.names.push(name.into());
        Ok(number)
    }

    fn all(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(AsRef::as_ref)
    }

    fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", AsRef::as_ref)
    }

    fn sorted(&self) -> Sorted {
        let mut order: Vec<u32> = (0..).take(self.names.len()).collect();
        order.sort_unstable_by(|a, b| self.name(*a).cmp(self.name(*b)));
        let mut ranks = vec![0; order.len()];
        for (rank, number) in (0u32..).zip(&order) {
            ranks[*number as usize] = rank;
        }
        Sorted { order, ranks }
    }
}

/// Names by themselves.
struct Sorted {
    /// Numbers in the order of names.
    order: Vec<u32>,
    /// Places of numbers in that order.
    ranks: Vec<u32>,
}

impl Sorted {
    fn rank(&self, number: u32) -> u32 {
        self.ranks.get(number as usize).copied().unwrap_or(0)
    }
}
