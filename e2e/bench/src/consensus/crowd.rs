//! A crowd with known reviewers, drawn by a seed.

/// Items, voters and classes of the set.
const ITEMS: usize = 40_000;
const VOTERS: usize = 400;
const CLASSES: usize = 4;
const VOTES_PER_ITEM: usize = 5;

/// Votes and the truth.
pub(super) struct Crowd {
    /// CSV `item,voter,label`, in no order of items.
    pub(super) csv: String,
    pub(super) votes: u32,
    /// The true class of each item.
    truth: Vec<usize>,
}

/// `SplitMix64` (Steele, Lea and Flood 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % bound as u64).unwrap_or(0)
    }
}

impl Crowd {
    /// A tenth of the voters says always the same. The others are right in 45 to 85 percent of cases, less 15 where the
    /// class is the last, and two of three of their errors name the class after the true one.
    pub(super) fn draw() -> Self {
        let random = &mut Random(1);
        let skill: Vec<usize> = (0..VOTERS).map(|_| 45 + random.below(41)).collect();
        let mut cast = vec![];
        let mut truth = vec![];
        for item in 0..ITEMS {
            // Of ten items four, three, two and one are of each class.
            let class = [0, 0, 0, 0, 1, 1, 1, 2, 2, 3][random.below(10)];
            truth.push(class);
            let first = random.below(VOTERS);
            for vote in 0..VOTES_PER_ITEM {
                // Steps that share no divisor with the number of voters, so that none votes twice.
                let voter = (first + vote * 37) % VOTERS;
                cast.push((item, voter, said(random, voter, skill[voter], class)));
            }
        }
        for at in (1..cast.len()).rev() {
            cast.swap(at, random.below(at + 1));
        }
        let mut csv = String::from("item,voter,label\n");
        for (item, voter, label) in &cast {
            csv += &format!("item-{item},voter-{voter},label-{label}\n");
        }
        Self { csv, votes: u32::try_from(cast.len()).unwrap_or(u32::MAX), truth }
    }

    /// Percent of items whose label is the truth, from CSV with a header whose first columns are `item,label`.
    pub(super) fn accuracy(&self, labels: &str) -> f64 {
        let right = labels.lines().skip(1).filter(|line| self.is_right(line).unwrap_or(false)).count();
        100.0 * share(right) / share(self.truth.len())
    }

    fn is_right(&self, line: &str) -> Option<bool> {
        let mut fields = line.split(',');
        let item: usize = fields.next()?.strip_prefix("item-")?.parse().ok()?;
        let label: usize = fields.next()?.strip_prefix("label-")?.parse().ok()?;
        Some(self.truth.get(item) == Some(&label))
    }
}

fn said(random: &mut Random, voter: usize, skill: usize, class: usize) -> usize {
    if voter.is_multiple_of(10) {
        return voter / 10 % CLASSES;
    }
    let skill = if class + 1 == CLASSES { skill - 15 } else { skill };
    if random.below(100) < skill {
        class
    } else if random.below(3) < 2 {
        (class + 1) % CLASSES
    } else {
        (class + 2 + random.below(CLASSES - 2)) % CLASSES
    }
}

fn share(number: usize) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}
