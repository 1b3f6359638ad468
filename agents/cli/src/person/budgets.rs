//! `golden budgets`: what the budgets of a namespace stand at, and who spends one.

use super::client::Connection;
use super::output::{Format, Table, dollars, json, text};
use serde_json::Value;
use std::collections::BTreeMap;

/// Which budget, and by what its spending is added up.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Name of a Budget: who spent it in its present period. All budgets of the namespace when absent.
    name: Option<String>,
    /// Adds spending up by this.
    #[arg(long, value_enum, default_value_t, requires = "name")]
    by: By,
    /// A table for people, or JSON for programs.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum By {
    #[default]
    Task,
    Role,
    Model,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<u8> {
    let cluster = args.connection.connect().await?;
    let path = args.name.as_ref().map_or_else(|| "budgets".into(), |name| format!("budgets/{name}/spend"));
    let found: Vec<Value> = cluster.get(&path).await?;
    if args.output == Format::Json {
        return json(&found);
    }
    print!("{}", if args.name.is_some() { spending(&found, args.by) } else { standings(&found) });
    Ok(0)
}

fn standings(budgets: &[Value]) -> String {
    if budgets.is_empty() {
        return "no budgets here\n".into();
    }
    let mut table = Table::new(&[
        "NAME",
        "PERIOD",
        "LIMIT",
        "SPENT",
        "RESERVED",
        "AVAILABLE",
        "TOKENS",
        "ENDS",
        "PARENT",
        "WHEN EXHAUSTED",
    ]);
    for one in budgets {
        let number = |key: &str| one[key].as_i64().unwrap_or(0);
        let used = number("spentMicroUSD") + number("reservedMicroUSD") + number("overageMicroUSD");
        let limit = one["limitMicroUSD"].as_i64();
        let tokens = number("spentTokens") + number("reservedTokens") + number("overageTokens");
        let of = one["limitTokens"].as_i64().map_or(String::new(), |limit| format!(" of {limit}"));
        table.row([
            text(one, "name"),
            text(one, "period"),
            limit.map(dollars).unwrap_or_default(),
            dollars(number("spentMicroUSD")),
            dollars(number("reservedMicroUSD")),
            limit.map(|limit| dollars((limit - used).max(0))).unwrap_or_default(),
            format!("{tokens}{of}"),
            text(one, "periodEndsAt"),
            text(one, "parent"),
            text(one, "onExhausted"),
        ]);
    }
    table.render()
}

fn spending(lines: &[Value], by: By) -> String {
    if lines.is_empty() {
        return "nothing was spent in this period\n".into();
    }
    let mut sums: BTreeMap<String, [i64; 4]> = BTreeMap::new();
    for line in lines {
        let who = match by {
            By::Task => format!("{}/{}", text(line, "namespace"), line["task"].as_str().unwrap_or("*")),
            By::Role => text(line, "role"),
            By::Model => text(line, "model"),
        };
        let sum = sums.entry(who).or_default();
        for (sum, key) in sum.iter_mut().zip(["costMicroUSD", "calls", "inputTokens", "outputTokens"]) {
            *sum += line[key].as_i64().unwrap_or(0);
        }
    }
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, [cost, ..])| std::cmp::Reverse(*cost));
    let title = match by {
        By::Task => "TASK",
        By::Role => "ROLE",
        By::Model => "MODEL",
    };
    let mut table = Table::new(&[title, "CALLS", "INPUT", "OUTPUT", "COST"]);
    let total = sums.iter().map(|(_, [cost, ..])| cost).sum();
    for (who, [cost, calls, input, output]) in sums {
        table.row([who, calls.to_string(), input.to_string(), output.to_string(), dollars(cost)]);
    }
    format!("{}total {}\n", table.render(), dollars(total))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_budget_shows_what_is_left_and_until_when() {
        let daily = json!({"name": "daily", "parent": "platform/all", "period": "Day", "timeZone": "UTC",
            "periodEndsAt": "2026-11-25T00:00:00Z", "limitMicroUSD": 1_000_000, "spentMicroUSD": 250_000,
            "reservedMicroUSD": 50_000, "overageMicroUSD": 0, "limitTokens": null, "spentTokens": 900,
            "reservedTokens": 100, "overageTokens": 0, "onExhausted": "Pause"});
        let text = standings(&[daily]);
        assert!(
            text.contains("$1.00   $0.25   $0.05      $0.70       1000     2026-11-25T00:00:00Z"),
            "{text}"
        );
    }

    #[test]
    fn spending_adds_up_by_task_role_or_model_with_the_dearest_first() {
        let line = |task: Value, role: &str, cost: i64| {
            json!({"namespace": "shop", "task": task, "role": role, "model": "m", "calls": 1, "inputTokens": 10,
                "outputTokens": 1, "costMicroUSD": cost})
        };
        let lines = [
            line(json!("fix"), "developer", 10_000),
            line(json!("fix"), "voter:security", 20_000),
            line(Value::Null, "developer", 40_000),
        ];
        let by_task = spending(&lines, By::Task);
        assert!(by_task.find("shop/*") < by_task.find("shop/fix"), "{by_task}");
        assert!(by_task.ends_with("total $0.07\n"), "{by_task}");
        assert!(spending(&lines, By::Role).contains("developer        2       20      2        $0.05"));
    }
}
