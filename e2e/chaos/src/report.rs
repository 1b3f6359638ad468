//! What the matrix ends with: a table for people, one object for programs.

use serde::Serialize;

/// One run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    pub name: String,
    pub seed: u64,
    pub passed: bool,
    pub seconds: u64,
    /// What was seen and done, in order.
    pub steps: Vec<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The command that plays it again.
    pub replay: String,
}

/// All runs.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    pub runs: Vec<Run>,
    pub seconds: u64,
}

impl Report {
    pub fn failed(&self) -> usize {
        self.runs.iter().filter(|run| !run.passed).count()
    }

    /// The table, the commands that replay what failed, and the closing line.
    pub fn table(&self) -> String {
        let mut text = format!("{:<20} {:>6} {:>5}   {}\n", "RUN", "SEED", "TIME", "OUTCOME");
        for run in &self.runs {
            let outcome = run.error.as_deref().map_or("passed", |e| e.lines().next().unwrap_or("failed"));
            text.push_str(&format!("{:<20} {:>6} {:>3} s   {outcome}\n", run.name, run.seed, run.seconds));
        }
        for run in self.runs.iter().filter(|run| !run.passed) {
            text.push_str(&format!("replay: {}\n", run.replay));
        }
        let failed = self.failed();
        text.push_str(&format!(
            "\n{} passed, {failed} failed, {} s\n",
            self.runs.len() - failed,
            self.seconds
        ));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_how_to_play_it_again() {
        let run = |name: &str, error: Option<&str>| Run {
            name: name.into(),
            seed: 7,
            passed: error.is_none(),
            seconds: 3,
            steps: Vec::new(),
            error: error.map(str::to_owned),
            replay: format!("cargo xtask chaos {name} --seed 7"),
        };
        let report = Report { runs: vec![run("a", None), run("b", Some("why\nmore"))], seconds: 6 };
        let table = report.table();
        assert!(table.contains("why\nreplay: cargo xtask chaos b --seed 7\n"), "{table}");
        assert!(!table.contains("chaos a"), "{table}");
        assert!(table.ends_with("1 passed, 1 failed, 6 s\n"), "{table}");
    }
}
