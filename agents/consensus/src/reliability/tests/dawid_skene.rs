//! Dawid and Skene's own algorithm (1979), by the book: what ours is held against. Counts alone, from the shares of the
//! votes until it settles.

const SWEEPS: usize = 100;
const SMALLEST: f64 = 1e-10;

/// The labels of the items, of so many items, voters and classes.
pub(super) fn labels(
    votes: &[(usize, usize, usize)],
    (items, people, classes): (usize, usize, usize),
) -> Vec<usize> {
    let mut belief = vec![vec![0.0; classes]; items];
    for (item, _, label) in votes {
        belief[*item][*label] += 1.0;
    }
    for row in &mut belief {
        normalise(row);
    }
    for _ in 0..SWEEPS {
        let mut prior = vec![0.0; classes];
        let mut confusion = vec![vec![vec![0.0; classes]; classes]; people];
        for row in &belief {
            prior.iter_mut().zip(row).for_each(|(sum, p)| *sum += p);
        }
        for (item, voter, label) in votes {
            for (class, p) in belief[*item].iter().enumerate() {
                confusion[*voter][class][*label] += p;
            }
        }
        normalise(&mut prior);
        confusion.iter_mut().flatten().for_each(|row| normalise(row));
        let log = |p: &f64| p.max(SMALLEST).ln();
        let mut next: Vec<Vec<f64>> = vec![prior.iter().map(log).collect(); items];
        for (item, voter, label) in votes {
            for (class, sum) in next[*item].iter_mut().enumerate() {
                *sum += log(&confusion[*voter][class][*label]);
            }
        }
        for row in &mut next {
            let most = row.iter().copied().fold(f64::MIN, f64::max);
            for sum in row.iter_mut() {
                *sum = (*sum - most).exp();
            }
            normalise(row);
        }
        let change: f64 =
            next.iter().flatten().zip(belief.iter().flatten()).map(|(a, b)| (a - b).abs()).sum();
        belief = next;
        if change < 1e-5 * items as f64 {
            break;
        }
    }
    belief.iter().map(|row| most(row)).collect()
}

/// By the shares of the votes alone.
pub(super) fn majority(votes: &[(usize, usize, usize)], items: usize, classes: usize) -> Vec<usize> {
    let mut counts = vec![vec![0.0; classes]; items];
    for (item, _, label) in votes {
        counts[*item][*label] += 1.0;
    }
    counts.iter().map(|row| most(row)).collect()
}

fn most(row: &[f64]) -> usize {
    row.iter().enumerate().rev().max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(class, _)| class)
}

fn normalise(row: &mut [f64]) {
    let sum: f64 = row.iter().sum();
    for p in row {
        *p = if sum > 0.0 { *p / sum } else { 0.0 };
    }
}
