//! Votes by item, in an order that does not depend on that of their arrival.

/// One voter's word on one item.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) voter: u32,
    pub(crate) label: u32,
    /// 1, or its part if the voter said several things about the item: nobody has more than one vote on it.
    pub(crate) share: f32,
}

/// All votes, grouped by item.
#[derive(Clone, Debug)]
pub(crate) struct Panel {
    pub(crate) voters: usize,
    pub(crate) labels: usize,
    /// Where the votes of each item begin, and the end of the last.
    starts: Vec<usize>,
    said: Vec<Said>,
}

impl Panel {
    /// From `(item, voter, label)`, numbers below those given. Equal whatever the order of the votes.
    pub(crate) fn of(items: usize, voters: usize, labels: usize, cast: &[(u32, u32, u32)]) -> Self {
        let mut starts = vec![0usize; items + 1];
        for (item, ..) in cast {
            starts[*item as usize + 1] += 1;
        }
        for item in 0..items {
            starts[item + 1] += starts[item];
        }
        let mut next = starts.clone();
        let mut said = vec![Said { voter: 0, label: 0, share: 1.0 }; cast.len()];
        for (item, voter, label) in cast {
            let at = &mut next[*item as usize];
            said[*at] = Said { voter: *voter, label: *label, share: 1.0 };
            *at += 1;
        }
        let mut panel = Self { voters, labels, starts, said };
        for item in 0..items {
            let range = panel.starts[item]..panel.starts[item + 1];
            let of_item = &mut panel.said[range];
            of_item.sort_unstable_by_key(|said| (said.voter, said.label));
            share(of_item);
        }
        panel
    }

    pub(crate) fn items(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    pub(crate) fn of_item(&self, item: usize) -> &[Said] {
        &self.said[self.starts[item]..self.starts[item + 1]]
    }

    /// How many items each voter voted on.
    pub(crate) fn observations(&self) -> Vec<u64> {
        let mut numbers = vec![0; self.voters];
        for item in 0..self.items() {
            for said in self.of_item(item).chunk_by(|a, b| a.voter == b.voter).filter_map(<[Said]>::first) {
                numbers[said.voter as usize] += 1;
            }
        }
        numbers
    }
}

/// Divides one vote among all that a voter said; they are sorted by voter.
fn share(votes: &mut [Said]) {
    for same in votes.chunk_by_mut(|a, b| a.voter == b.voter) {
        let parts = u16::try_from(same.len()).unwrap_or(u16::MAX);
        for said in same {
            said.share = 1.0 / f32::from(parts);
        }
    }
}
