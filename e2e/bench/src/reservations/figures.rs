//! What the tables say of one budget and its calls.

use super::sizes::{CLIENTS, Client, MOST_OUTPUT, OUTPUT_PRICE};
use crate::gateway::services::GOLDEN;
use crate::report::Arm;
use anyhow::{Context as _, Result};
use sqlx::PgPool;
use uuid::Uuid;

/// Tokens that input is priced by.
const PER: i64 = 1_000_000;

pub(crate) async fn spent(pool: &PgPool, budget: Uuid) -> Result<i64> {
    let spent = "SELECT spent_cost FROM accounts WHERE account_uid = $1";
    Ok(sqlx::query_scalar(spent).bind(budget).fetch_one(pool).await?)
}

/// Spent and reserved.
pub(crate) async fn committed(pool: &PgPool, budget: Uuid) -> Result<i64> {
    let committed = "SELECT spent_cost + reserved_cost FROM accounts WHERE account_uid = $1";
    Ok(sqlx::query_scalar(committed).bind(budget).fetch_one(pool).await?)
}

/// Calls whose cost is known and booked.
pub(crate) async fn settled(pool: &PgPool, budget: Uuid) -> Result<i64> {
    let settled = "SELECT count(*) FROM reservations WHERE path @> ARRAY[$1] AND state = 'Settled'";
    Ok(sqlx::query_scalar(settled).bind(budget).fetch_one(pool).await?)
}

/// What a call was reserved for, cost and tokens, and how long its prompt was by the provider's count.
#[derive(sqlx::FromRow)]
struct Reserved {
    provider: String,
    cost: i64,
    tokens: i64,
    input_tokens: Option<i64>,
}

/// The calls made with less output than their model gives, and what those made with all of it reserved, in mean calls,
/// of which so much for the prompt; and how many times as long as they were the prompts were taken for.
pub(crate) async fn tell(pool: &PgPool, budget: Uuid, mean: i64, arm: &mut Arm) -> Result<()> {
    let rows = "SELECT provider, cost, tokens, input_tokens FROM reservations WHERE path @> ARRAY[$1]";
    let rows: Vec<Reserved> = sqlx::query_as(rows).bind(budget).fetch_all(pool).await?;
    let (mut lowered, mut whole, mut cost, mut prompts) = (0, 0, 0, 0);
    let (mut bounds, mut counted) = (0, 0);
    for row in &rows {
        let client = CLIENTS.into_iter().find(|c| row.provider == format!("{GOLDEN}/{}", c.provider()));
        let client = client.with_context(|| format!("a call of {}", row.provider))?;
        let prompt = prompt_tokens(client, row.cost, row.tokens);
        if row.tokens - prompt < MOST_OUTPUT {
            lowered += 1;
            continue;
        }
        (whole, cost) = (whole + 1, cost + row.cost);
        prompts += prompt * client.reserved_input_price() / PER;
        if let Some(input) = row.input_tokens {
            (bounds, counted) = (bounds + prompt, counted + input);
        }
    }
    arm.count("lowered_calls", lowered);
    let in_calls = |cost: i64| super::cell::percent(cost, whole * mean) / 100.0;
    arm.set("reserved_mean_calls", in_calls(cost));
    arm.set("reserved_for_prompt_mean_calls", in_calls(prompts));
    arm.set("prompt_bound_ratio", super::cell::percent(bounds, counted) / 100.0);
    Ok(())
}

/// The prompt's part of a bound: cost and tokens are two equations for its tokens and those of the output.
fn prompt_tokens(client: Client, cost: i64, tokens: i64) -> i64 {
    let price = client.reserved_input_price();
    let output = (cost * PER - tokens * price) / (OUTPUT_PRICE * PER - price);
    tokens - output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_taken_apart_again() {
        for (client, prompt) in CLIENTS.into_iter().flat_map(|client| [86_000, 86_001].map(|n| (client, n))) {
            let price = client.reserved_input_price();
            let cost = (prompt * price + 4096 * OUTPUT_PRICE * PER + PER - 1) / PER;
            assert_eq!(prompt_tokens(client, cost, prompt + 4096), prompt);
        }
    }
}
