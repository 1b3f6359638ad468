//! Labels and voters judged by each other: expectation–maximisation (Dawid and Skene 1979), made fit for few votes.
//!
//! Each voter `v` has a confusion `θ_v(s | t)`, the probability to say `s` of an item that is `t`; each class has a
//! share `π_t`. A sweep estimates both from what is believed of the items, then what is believed of each item from the
//! votes on it: `p(t) ∝ π_t Π_v θ_v(said | t)`. Belief begins as the shares of the votes.
//!
//! Plain Dawid–Skene estimates `classes²` numbers of each voter from counts alone, and with few votes ends with worse
//! labels than counting heads. Two things are different here:
//! * **Shrinkage.** A confusion is the mean of a Dirichlet posterior with [`ROW`] votes' weight on what is expected of
//!   the voter: everyone's pooled confusion, with the odds of being right moved by as much as the voter is better or
//!   worse than the pool over all classes together (one number per voter, itself shrunk by [`VOTER`] votes). So a voter
//!   of five votes is judged by one number, one of five hundred by all of them. The pooled confusion is in turn shrunk
//!   towards being right equally often in every class.
//! * **An early end.** At most [`MAX_SWEEPS`]: later sweeps sharpen what was believed more than they correct it, and
//!   where votes are very few they lead away from the truth.
//!
//! A voter's influence is bounded: the shrunk odds lie between 1 : 99 and 99 : 1, and no probability is below [`LEAST`].

use super::panel::Panel;

/// Votes' weight of what is expected, in each row of a confusion.
const ROW: f64 = 8.0;
/// Votes' weight of the pool, in one voter's share of right votes.
const VOTER: f64 = 8.0;
/// Part of a class's votes that the even share weighs, in its pooled confusion; and votes beside.
const EVEN: f64 = 0.1;
const EVEN_VOTES: f64 = 2.0;
pub(crate) const MAX_SWEEPS: usize = 20;
/// Mean change of belief per item below which no further sweep is needed.
const STILL: f64 = 1e-5;
/// Smallest probability of a vote.
const LEAST: f64 = 1e-6;

/// What is believed in the end.
pub(crate) struct Settled {
    /// Of each item, the probabilities of all classes.
    pub(crate) belief: Vec<f64>,
    /// Of each voter, the share of right votes, shrunk towards everyone's.
    pub(crate) right: Vec<f64>,
}

/// `known` are items whose class is certain, with the class: they are believed throughout.
pub(crate) fn settle(panel: &Panel, known: &[(usize, usize)]) -> Settled {
    let mut belief = shares(panel);
    pin(&mut belief, known, panel.labels);
    let mut model = Model::new(panel);
    for _ in 0..MAX_SWEEPS {
        model.learn(panel, &belief);
        let change = model.judge(panel, &mut belief);
        pin(&mut belief, known, panel.labels);
        if change < STILL {
            break;
        }
    }
    model.learn(panel, &belief);
    Settled { belief, right: model.right }
}

/// Of each item the shares of its votes.
fn shares(panel: &Panel) -> Vec<f64> {
    let mut belief = vec![0.0; panel.items() * panel.labels];
    for (item, row) in belief.chunks_exact_mut(panel.labels.max(1)).enumerate() {
        for said in panel.of_item(item) {
            row[said.label as usize] += f64::from(said.share);
        }
        normalise(row);
    }
    belief
}

fn pin(belief: &mut [f64], known: &[(usize, usize)], classes: usize) {
    for (item, class) in known {
        let row = &mut belief[item * classes..(item + 1) * classes];
        row.fill(0.0);
        row[*class] = 1.0;
    }
}

/// An item without votes is as likely anything.
fn normalise(row: &mut [f64]) {
    let sum: f64 = row.iter().sum();
    let even = 1.0 / real(row.len());
    for probability in row {
        *probability = if sum > 0.0 { *probability / sum } else { even };
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of votes, voters and classes are far below 2^52")]
fn real(number: usize) -> f64 {
    number as f64
}

struct Model {
    classes: usize,
    /// Logarithms of the classes' shares.
    prior: Vec<f64>,
    /// Of each voter and said label, over the true classes: first expected counts, then logarithms of `θ`.
    confusions: Vec<f64>,
    right: Vec<f64>,
}

impl Model {
    fn new(panel: &Panel) -> Self {
        let classes = panel.labels;
        Self {
            classes,
            prior: vec![0.0; classes],
            confusions: vec![0.0; panel.voters * classes * classes],
            right: vec![0.0; panel.voters],
        }
    }

    /// Estimates everything from what is believed.
    fn learn(&mut self, panel: &Panel, belief: &[f64]) {
        let classes = self.classes;
        if classes == 0 {
            return;
        }
        // One item's weight is spread evenly, so that no class is impossible.
        self.prior.fill(1.0 / real(classes));
        self.confusions.fill(0.0);
        for (item, row) in belief.chunks_exact(classes).enumerate() {
            add(&mut self.prior, row, 1.0);
            for said in panel.of_item(item) {
                let at = (said.voter as usize * classes + said.label as usize) * classes;
                add(&mut self.confusions[at..at + classes], row, f64::from(said.share));
            }
        }
        normalise(&mut self.prior);
        for share in &mut self.prior {
            *share = share.ln();
        }
        let pool = Pool::of(&self.confusions, classes);
        let voters = self.confusions.chunks_exact_mut(classes * classes);
        for (confusion, right) in voters.zip(&mut self.right) {
            *right = pool.shrink(confusion);
        }
    }

    /// Judges all items; the mean change of belief, from 0 to 2.
    fn judge(&self, panel: &Panel, belief: &mut [f64]) -> f64 {
        let classes = self.classes;
        let mut row = vec![0.0; classes];
        let mut change = 0.0;
        for (item, believed) in belief.chunks_exact_mut(classes.max(1)).enumerate() {
            row.copy_from_slice(&self.prior);
            for said in panel.of_item(item) {
                let at = (said.voter as usize * classes + said.label as usize) * classes;
                add(&mut row, &self.confusions[at..at + classes], f64::from(said.share));
            }
            let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            for log in &mut row {
                *log = (*log - most).exp();
            }
            normalise(&mut row);
            for (now, before) in row.iter().zip(believed) {
                change += (now - *before).abs();
                *before = *now;
            }
        }
        change / real(panel.items().max(1))
    }
}

fn add(to: &mut [f64], amounts: &[f64], times: f64) {
    for (to, amount) in to.iter_mut().zip(amounts) {
        *to += amount * times;
    }
}

/// Everyone's votes together.
struct Pool {
    classes: usize,
    /// Of each said label over the true classes, the pooled probability.
    confusion: Vec<f64>,
}

impl Pool {
    /// From all voters' expected counts.
    fn of(counts: &[f64], classes: usize) -> Self {
        let mut pooled = vec![0.0; classes * classes];
        for voter in counts.chunks_exact(classes * classes) {
            add(&mut pooled, voter, 1.0);
        }
        let votes: f64 = pooled.iter().sum();
        let right: f64 = (0..classes).map(|class| pooled[class * classes + class]).sum();
        let even = odds_kept(if votes > 0.0 { right / votes } else { 0.5 });
        let wrong = (1.0 - even) / real(classes.saturating_sub(1).max(1));
        let mut confusion = vec![0.0; classes * classes];
        for class in 0..classes {
            let of_class: f64 = (0..classes).map(|said| pooled[said * classes + class]).sum();
            let weight = EVEN_VOTES + EVEN * of_class;
            for said in 0..classes {
                let expected = if said == class { even } else { wrong };
                confusion[said * classes + class] =
                    (pooled[said * classes + class] + weight * expected) / (of_class + weight);
            }
        }
        Self { classes, confusion }
    }

    /// Turns a voter's expected counts into logarithms of shrunk probabilities; the voter's share of right votes.
    fn shrink(&self, counts: &mut [f64]) -> f64 {
        let classes = self.classes;
        let (mut votes, mut right, mut pool_right) = (0.0, 0.0, 0.0);
        let mut by_class = vec![0.0; classes];
        for (class, of_class) in by_class.iter_mut().enumerate() {
            *of_class = (0..classes).map(|said| counts[said * classes + class]).sum();
            votes += *of_class;
            right += counts[class * classes + class];
            pool_right += *of_class * self.confusion[class * classes + class];
        }
        // What the pool would have got right of the voter's items.
        let pool = odds_kept(if votes > 0.0 { pool_right / votes } else { 0.5 });
        let own = odds_kept((right + VOTER * pool) / (votes + VOTER));
        let better = odds(own) / odds(pool);
        for (class, of_class) in by_class.iter().enumerate() {
            let pooled = odds_kept(self.confusion[class * classes + class]);
            let moved = odds(pooled) * better;
            let expected_right = odds_kept(moved / (1.0 + moved));
            for said in 0..classes {
                let cell = said * classes + class;
                let expected = if said == class {
                    expected_right
                } else {
                    (1.0 - expected_right) * self.confusion[cell] / (1.0 - pooled)
                };
                let probability = (counts[cell] + ROW * expected) / (of_class + ROW);
                counts[cell] = probability.max(LEAST).ln();
            }
        }
        own
    }
}

/// Within 1 : 99 and 99 : 1.
fn odds_kept(probability: f64) -> f64 {
    probability.clamp(0.01, 0.99)
}

fn odds(probability: f64) -> f64 {
    probability / (1.0 - probability)
}
