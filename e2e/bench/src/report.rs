//! What a benchmark found: the same for people and for programs.

use crate::host::Host;
use serde::Serialize;
use serde_json::{Map, Value};

/// One benchmark's figures. The JSON is a contract (`{bench, host, arms, bars}`).
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) bench: &'static str,
    pub(crate) host: Host,
    pub(crate) arms: Vec<Arm>,
    pub(crate) bars: Vec<Bar>,
    /// What the figures say together.
    pub(crate) notes: Vec<String>,
}

/// One thing measured. Metric names carry their unit.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Arm {
    pub(crate) name: String,
    pub(crate) metrics: Map<String, Value>,
    /// Why there are no figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// A promise about the figures. A value that could not be measured does not hold.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) goal: String,
    pub(crate) value: Option<f64>,
    pub(crate) holds: bool,
}

impl Arm {
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), metrics: Map::new(), error: None }
    }

    pub(crate) fn failed(name: impl Into<String>, error: &anyhow::Error) -> Self {
        Self { error: Some(format!("{error:#}")), ..Self::new(name) }
    }

    /// Three decimals: more would feign a precision nobody has.
    pub(crate) fn set(&mut self, metric: &str, value: f64) {
        self.metrics.insert(metric.to_owned(), Value::from((value * 1000.0).round() / 1000.0));
    }

    pub(crate) fn count(&mut self, metric: &str, value: impl Into<i64>) {
        self.metrics.insert(metric.to_owned(), Value::from(value.into()));
    }

    pub(crate) fn get(&self, metric: &str) -> Option<f64> {
        self.metrics.get(metric)?.as_f64()
    }
}

impl Bar {
    pub(crate) fn at_least(name: &str, goal: f64, unit: &str, value: Option<f64>) -> Self {
        let holds = value.is_some_and(|v| v >= goal);
        Self { name: name.into(), goal: format!("≥ {goal}{unit}"), value: value.map(rounded), holds }
    }

    pub(crate) fn at_most(name: &str, goal: f64, unit: &str, value: Option<f64>) -> Self {
        let holds = value.is_some_and(|v| v <= goal);
        Self { name: name.into(), goal: format!("≤ {goal}{unit}"), value: value.map(rounded), holds }
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// How a benchmark ends.
#[derive(Debug, clap::Args)]
pub(crate) struct End {
    /// End with one JSON object instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// Fail if a bar does not hold.
    #[arg(long)]
    strict: bool,
}

/// How long a benchmark measures, and how it ends.
#[derive(Debug, clap::Args)]
pub(crate) struct Timed {
    #[command(flatten)]
    pub(crate) end: End,
    /// How long each figure of an arm is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=600))]
    pub(crate) seconds: u16,
}

impl Report {
    /// Prints it; fails if it must hold and does not.
    pub(crate) fn tell(&self, columns: &[&str], end: &End) -> anyhow::Result<()> {
        if end.json {
            println!("{}", serde_json::to_string(self)?);
        } else {
            print!("\n{}", self.table(columns));
        }
        anyhow::ensure!(!end.strict || self.holds(), "a bar does not hold");
        Ok(())
    }

    fn holds(&self) -> bool {
        self.bars.iter().all(|bar| bar.holds)
    }

    pub(crate) fn arm(&self, name: &str) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.name == name)
    }

    pub(crate) fn metric(&self, arm: &str, metric: &str) -> Option<f64> {
        self.arm(arm)?.get(metric)
    }

    /// For people: the main metrics as columns, the others behind them.
    pub(crate) fn table(&self, columns: &[&str]) -> String {
        let Host { cpus, cpu, memory_mb, kernel, load } = &self.host;
        let mut text = format!(
            "bench {} on {cpus} × {cpu}, {memory_mb} MB, Linux {kernel}, load {load}\n\n",
            self.bench
        );
        let width = self.arms.iter().map(|a| a.name.chars().count()).max().unwrap_or(0);
        text += &format!("{:width$}", "");
        for column in columns {
            text += &format!(" {column:>0$}", column.len().max(20));
        }
        text.push('\n');
        for arm in &self.arms {
            text += &arm.line(width, columns);
        }
        text.push('\n');
        for bar in &self.bars {
            let value = bar.value.map_or("not measured".to_owned(), |v| v.to_string());
            let verdict = if bar.holds { "holds" } else { "DOES NOT HOLD" };
            text += &format!("{verdict:<14} {} {}: {value}\n", bar.name, bar.goal);
        }
        for note in &self.notes {
            text += &format!("\n{note}\n");
        }
        text
    }
}

impl Arm {
    fn line(&self, width: usize, columns: &[&str]) -> String {
        let mut line = format!("{:width$}", self.name);
        if let Some(error) = &self.error {
            return line + &format!(" not measured: {error}\n");
        }
        for column in columns {
            let shown = self.metrics.get(*column).map_or(String::new(), Value::to_string);
            line += &format!(" {shown:>0$}", column.len().max(20));
        }
        let others = self.metrics.iter().filter(|(name, _)| !columns.contains(&name.as_str()));
        let others: Vec<String> = others.map(|(name, value)| format!("{name} {value}")).collect();
        line.trim_end().to_owned() + "   " + &others.join(", ") + "\n"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_measured_does_not_hold() {
        assert!(!Bar::at_least("hot", 0.5, "", None).holds);
        assert!(!Bar::at_most("p99", 15.0, " ms", None).holds);
        assert!(Bar::at_most("p99", 15.0, " ms", Some(15.0)).holds);
        assert!(!Bar::at_least("hot", 0.5, "", Some(0.499)).holds);
    }

    #[test]
    fn the_table_shows_every_arm_and_names_what_failed() {
        let mut arm = Arm::new("raw");
        arm.set("spends_per_s", 1234.56789);
        arm.count("callers", 8);
        let failed = Arm::failed("peer", &anyhow::anyhow!("no network"));
        let bars = vec![Bar::at_least("hot", 8.0, " x", Some(1.0))];
        let report =
            Report { bench: "ledger", host: Host::this(), arms: vec![arm, failed], bars, notes: vec![] };
        let text = report.table(&["spends_per_s"]);
        assert!(text.contains("1234.568") && text.contains("callers 8"), "{text}");
        assert!(text.contains("not measured: no network") && text.contains("DOES NOT HOLD"), "{text}");
        assert!(!report.holds());
    }
}
