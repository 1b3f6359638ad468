//! Crowds with known reviewers, drawn by a seed.

use crate::Votes;

/// `SplitMix64` (Steele, Lea and Flood 2014).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to below 1.
    pub(super) fn unit(&mut self) -> f64 {
        f64::from(u32::try_from(self.word() >> 32).unwrap()) / 4_294_967_296.0
    }

    /// About normal, by twelve uniform ones.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    fn pick(&mut self, weights: &[f64]) -> usize {
        let mut at = self.unit() * weights.iter().sum::<f64>();
        let found = weights.iter().position(|weight| {
            at -= weight;
            at < 0.0
        });
        found.unwrap_or(weights.len() - 1)
    }
}

/// What a crowd is like.
#[derive(Clone, Copy)]
pub(super) struct Crowd {
    pub(super) name: &'static str,
    pub(super) items: usize,
    pub(super) voters: usize,
    /// Fewest and most votes on an item.
    pub(super) votes: (usize, usize),
    /// The classes' shares.
    pub(super) classes: &'static [f64],
    /// Mean and deviation over voters of the share of right votes.
    pub(super) right: (f64, f64),
    /// Deviation of that share over classes.
    pub(super) uneven: f64,
    /// How much a few voters vote more than others: the exponent of Zipf's law.
    pub(super) busy: f64,
    /// Shares of voters who say the wrong on purpose, and who say always the same or anything.
    pub(super) hostile: f64,
    pub(super) idle: f64,
    /// How much all confuse the same classes.
    pub(super) shared: f64,
}

/// Votes as `(item, voter, label)`, and items' true classes.
pub(super) struct Drawn {
    pub(super) votes: Vec<(usize, usize, usize)>,
    pub(super) truth: Vec<usize>,
}

impl Crowd {
    pub(super) fn draw(&self, seed: u64) -> Drawn {
        let random = &mut Random(seed);
        let classes = self.classes.len();
        let pattern: Vec<f64> =
            (0..classes * classes).map(|_| (-3.0 * self.shared * random.unit()).exp()).collect();
        let easier: Vec<f64> = (0..classes).map(|_| self.uneven * random.normal()).collect();
        let confusions: Vec<Vec<f64>> =
            (0..self.voters).map(|_| self.confusion(random, &pattern, &easier)).collect();
        let busy: Vec<f64> = (1..=self.voters).map(|place| (place as f64).powf(-self.busy)).collect();
        let mut drawn = Drawn { votes: vec![], truth: vec![] };
        for item in 0..self.items {
            let class = random.pick(self.classes);
            drawn.truth.push(class);
            let more = (random.unit() * (self.votes.1 - self.votes.0 + 1) as f64) as usize;
            for voter in self.choose(random, &busy, self.votes.0 + more) {
                let row = &confusions[voter][class * classes..(class + 1) * classes];
                drawn.votes.push((item, voter, random.pick(row)));
            }
        }
        drawn
    }

    /// Rows by true class.
    fn confusion(&self, random: &mut Random, pattern: &[f64], easier: &[f64]) -> Vec<f64> {
        let classes = easier.len();
        let kind = random.unit();
        let favourite = random.pick(&vec![1.0; classes]);
        let anything = random.unit() < 0.5;
        let own = self.right.0 + self.right.1 * random.normal();
        let mut rows = vec![0.0; classes * classes];
        for class in 0..classes {
            let right = (own + easier[class] + 0.7 * self.uneven * random.normal()).clamp(0.05, 0.97);
            let right = if kind < self.hostile { 1.0 - right.max(0.6) } else { right };
            let others: f64 =
                (0..classes).filter(|c| *c != class).map(|c| pattern[class * classes + c]).sum();
            for said in 0..classes {
                rows[class * classes + said] = if kind > 1.0 - self.idle {
                    if anything || said == favourite { 1.0 } else { 0.1 }
                } else if said == class {
                    right
                } else {
                    (1.0 - right) * pattern[class * classes + said] / others
                };
            }
        }
        rows
    }

    fn choose(&self, random: &mut Random, busy: &[f64], number: usize) -> Vec<usize> {
        if number >= self.voters {
            return (0..self.voters).collect();
        }
        let mut chosen = vec![];
        while chosen.len() < number {
            let voter = random.pick(busy);
            if !chosen.contains(&voter) {
                chosen.push(voter);
            }
        }
        chosen
    }
}

impl Drawn {
    /// The votes in an order drawn by a seed, so that those of an item lie apart.
    pub(super) fn shuffled(&self, seed: u64) -> Vec<(usize, usize, usize)> {
        let random = &mut Random(seed);
        let mut votes = self.votes.clone();
        for at in (1..votes.len()).rev() {
            let other = (random.unit() * (at + 1) as f64) as usize;
            votes.swap(at, other);
        }
        votes
    }

    /// Percent of items whose label, given by item, is the truth.
    pub(super) fn accuracy(&self, label: impl Fn(usize) -> Option<usize>) -> f64 {
        let right = (0..self.truth.len()).filter(|item| label(*item) == Some(self.truth[*item])).count();
        100.0 * right as f64 / self.truth.len() as f64
    }
}

/// Votes as they would be read.
pub(super) fn named(votes: &[(usize, usize, usize)]) -> Votes {
    let mut named = Votes::default();
    for (item, voter, label) in votes {
        named.add(&format!("i{item}"), &format!("v{voter}"), &format!("l{label}")).unwrap();
    }
    named
}
