//! Money and tokens, which are limited side by side: what is checked of one is checked of the other.

/// One of the two things that are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Cost,
    Tokens,
}

impl Part {
    pub const ALL: [Self; 2] = [Self::Cost, Self::Tokens];

    pub fn unit(self) -> &'static str {
        match self {
            Self::Cost => "micro-dollars",
            Self::Tokens => "tokens",
        }
    }
}

/// A value for each of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Both<T> {
    /// Micro-dollars.
    pub cost: T,
    /// Input and output together.
    pub tokens: T,
}

/// How much of each.
pub type Amount = Both<i64>;
/// The most of each; none is no limit.
pub type Limit = Both<Option<i64>>;

impl<T: Copy> Both<T> {
    pub fn same(value: T) -> Self {
        Self { cost: value, tokens: value }
    }

    pub fn of(self, part: Part) -> T {
        match part {
            Part::Cost => self.cost,
            Part::Tokens => self.tokens,
        }
    }

    /// The cost first.
    pub fn each<U>(self, mut change: impl FnMut(T) -> U) -> Both<U> {
        Both { cost: change(self.cost), tokens: change(self.tokens) }
    }
}

impl Amount {
    /// Whether neither part is larger.
    pub fn within(self, other: Self) -> bool {
        Part::ALL.into_iter().all(|part| self.of(part) <= other.of(part))
    }
}
