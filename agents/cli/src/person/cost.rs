//! `golden cost`: what a task cost, by attempt, role and model.

use super::one_task::OneTask;
use super::output::{Format, Table, dollars, json};
use serde_json::Value;

pub(crate) async fn run(args: OneTask) -> anyhow::Result<u8> {
    let cluster = args.connection.connect().await?;
    let lines: Vec<Value> = cluster.get(&format!("tasks/{}/cost", args.name)).await?;
    if args.output == Format::Json {
        return json(&lines);
    }
    let mut table = Table::new(&["ATTEMPT", "ROLE", "MODEL", "STATE", "CALLS", "INPUT", "OUTPUT", "COST"]);
    let mut total = 0;
    for line in &lines {
        let cost = line["costMicroUSD"].as_i64().unwrap_or(0);
        total += cost;
        table.row([
            line["attempt"].to_string(),
            line["role"].as_str().unwrap_or_default().to_owned(),
            line["model"].as_str().unwrap_or_default().to_owned(),
            line["state"].as_str().unwrap_or_default().to_owned(),
            line["calls"].to_string(),
            line["inputTokens"].to_string(),
            line["outputTokens"].to_string(),
            dollars(cost),
        ]);
    }
    print!("{}", table.render());
    println!("total {}", dollars(total));
    Ok(0)
}
