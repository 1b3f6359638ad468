//! `golden budgets`: what the budgets of a namespace stand at; of one, what is asked and granted, and who spends it.

use super::client::Connection;
use super::output::{Format, Table, dollars, exact_dollars, json, text};
use golden_ledger::Amount;
use serde_json::Value;
use std::collections::BTreeMap;

/// Which budget, and by what its spending is added up.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// Name of a Budget: its question and grants, and who spent it in its present period. All budgets of the namespace
    /// when absent.
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
    let Some(name) = args.name else {
        print!("{}", standings(&found));
        return Ok(0);
    };
    let all: Vec<Value> = cluster.get("budgets").await?;
    if let Some(budget) = all.iter().find(|b| text(b, "name") == name) {
        print!("{}", asking(budget, &cluster.namespace));
    }
    print!("{}", spending(&found, args.by));
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
        let granted = number("grantedMicroUSD");
        let tokens = number("spentTokens") + number("reservedTokens") + number("overageTokens");
        let of = one["limitTokens"].as_i64().map_or(String::new(), |limit| {
            format!(" of {limit}{}", beside(number("grantedTokens"), |n| n.to_string()))
        });
        table.row([
            text(one, "name"),
            text(one, "period"),
            limit.map(|limit| format!("{}{}", dollars(limit), beside(granted, dollars))).unwrap_or_default(),
            dollars(number("spentMicroUSD")),
            dollars(number("reservedMicroUSD")),
            limit.map(|limit| dollars((limit + granted - used).max(0))).unwrap_or_default(),
            format!("{tokens}{of}"),
            text(one, "periodEndsAt"),
            text(one, "parent"),
            exhausted(one),
        ]);
    }
    table.render()
}

/// What was granted beside a limit.
fn beside(granted: i64, shown: impl Fn(i64) -> String) -> String {
    if granted == 0 { String::new() } else { format!(" + {}", shown(granted)) }
}

/// What its calls do that cannot be paid, and whether somebody is asked or has refused.
fn exhausted(budget: &Value) -> String {
    let says = text(budget, "onExhausted");
    let number = |key: &str| budget[key].as_i64().unwrap_or(0);
    let (cost, tokens) = (number("overageMicroUSD"), number("overageTokens"));
    // Whatever else it says: it grants nothing until somebody has changed its limits.
    if (cost > 0 && budget["limitMicroUSD"].is_i64()) || (tokens > 0 && budget["limitTokens"].is_i64()) {
        return format!("blocked by an overage of {}", amount(cost, tokens));
    }
    if budget["question"].is_object() {
        format!("{says} (question open)")
    } else if budget["denied"].is_string() {
        format!("{says} (denied)")
    } else {
        says
    }
}

/// The open question of a budget, and the answers of its period.
fn asking(budget: &Value, namespace: &str) -> String {
    let (name, question) = (text(budget, "name"), &budget["question"]);
    let mut told = String::new();
    if question.is_object() {
        let number = |key: &str| question[key].as_i64().unwrap_or(0);
        let (missing, adds) = (
            amount(number("missingMicroUSD"), number("missingTokens")),
            amount(number("grantMicroUSD"), number("grantTokens")),
        );
        let tasks = number("tasks");
        let deadline =
            question["deadline"].as_str().map_or_else(String::new, |at| format!(", deadline {at}"));
        told = format!(
            "question since {}{deadline}: {tasks} {} for {missing}; an approval adds {adds}\n  golden approve \
             budget/{name} -n {namespace}\n  golden deny budget/{name} -n {namespace}\n  digest {}\n\n",
            text(question, "since"),
            if tasks == 1 { "task waits" } else { "tasks wait" },
            text(question, "digest")
        );
    } else if let Some(denied) = budget["denied"].as_str() {
        told = format!("more was refused: {denied}\n\n");
    }
    let answers = budget["answers"].as_array().map(Vec::as_slice).unwrap_or_default();
    if answers.is_empty() {
        return told;
    }
    let mut table = Table::new(&["ANSWER", "BY", "AT", "GRANTED"]);
    for one in answers {
        let granted = amount(one["costMicroUSD"].as_i64().unwrap_or(0), one["tokens"].as_i64().unwrap_or(0));
        table.row([text(one, "outcome"), text(one, "by"), text(one, "at"), granted]);
    }
    format!("{told}{}\n", table.render())
}

/// Of nothing, `$0.00`.
fn amount(cost: i64, tokens: i64) -> String {
    Amount::new(cost, tokens).words().unwrap_or_else(|| exact_dollars(0))
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
    fn a_budget_that_asks_shows_its_question_its_grants_and_how_to_answer() {
        let asks = json!({"name": "daily", "limitMicroUSD": 1_000_000, "spentMicroUSD": 1_100_000,
            "grantedMicroUSD": 250_000, "onExhausted": "Ask", "denied": null,
            "question": {"digest": "sha256:aa", "missingMicroUSD": 30_000, "missingTokens": 0, "grantMicroUSD": 100_000,
                "grantTokens": 7, "tasks": 2, "since": "2026-11-24T12:00:00Z", "deadline": null},
            "answers": [{"outcome": "Granted", "by": "bob@example", "at": "2026-11-24T11:00:00Z",
                "costMicroUSD": 250_000, "tokens": 0}]});
        let listed = standings(std::slice::from_ref(&asks));
        assert!(listed.contains("$1.00 + $0.25   $1.10   $0.00      $0.15"), "{listed}");
        assert!(listed.contains("Ask (question open)"), "{listed}");
        let told = asking(&asks, "checkout");
        assert!(told.contains("2 tasks wait for $0.03; an approval adds $0.10 and 7 tokens"), "{told}");
        assert!(told.contains("golden approve budget/daily -n checkout\n"), "{told}");
        assert!(told.contains("Granted   bob@example   2026-11-24T11:00:00Z   $0.25\n"), "{told}");
        let refused = json!({"name": "daily", "onExhausted": "Ask", "denied": "bob@example (decision no)"});
        assert_eq!(exhausted(&refused), "Ask (denied)");
        assert_eq!(asking(&refused, "checkout"), "more was refused: bob@example (decision no)\n\n");
        assert_eq!(asking(&json!({"onExhausted": "Pause"}), "checkout"), "");
    }

    #[test]
    fn a_budget_that_an_overage_blocks_says_so() {
        let mut one = json!({"onExhausted": "Pause", "limitMicroUSD": 1_000_000, "limitTokens": null,
            "overageMicroUSD": 2_500, "overageTokens": 40});
        assert_eq!(exhausted(&one), "blocked by an overage of $0.0025 and 40 tokens");
        one["limitMicroUSD"] = Value::Null;
        assert_eq!(exhausted(&one), "Pause", "nothing was promised");
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
