//! The four budget races that LiteLLM's issues tell of, played in the same way against it and against Golden: a burst
//! of calls, and then what came of the money.

use super::calls::{Call, INPUT_PRICE, MAX_TOKENS, OUTPUT_PRICE, REFUSED, bearer, body};
use super::litellm::{self, Proxy};
use super::target::Target;
use super::town::Town;
use crate::report::Arm;
use anyhow::{Result, bail, ensure};
use hyper::header::HeaderValue;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use uuid::Uuid;

/// How long the upstream takes, so that calls overlap.
pub(crate) const LATENCY_MS: u64 = 30;
/// Callers at once.
const BURST: usize = 32;
/// Of the long load, so many calls, of which each fourth is refused by the provider and costs nothing.
const LONG: usize = 13 * BURST;
/// Numbers the calls of all races: no two are equal.
static MADE: AtomicU64 = AtomicU64::new(1 << 32);

/// A race, named by the issue of BerriAI/litellm that tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Race {
    Session,
    Increments,
    FirstRequest,
    Phantom,
}

pub(crate) const RACES: [Race; 4] = [Race::Session, Race::Increments, Race::FirstRequest, Race::Phantom];
/// Tasks that Golden needs for them all.
pub(crate) const TASKS: usize = 16;

impl Race {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Session => "race 34732: 32 calls of one session at once",
            Self::Increments => "race 35567: 512 calls on one budget, 32 at once",
            Self::FirstRequest => "race 40095: 32 first calls of an unknown user",
            Self::Phantom => "race 36926: load on a budget that suffices",
        }
    }

    /// Its arm of one side.
    pub(crate) fn arm(self, side: &str) -> String {
        format!("{side}, {}", self.name())
    }

    /// The budget raced for.
    pub(crate) fn limit(self, price: Price) -> i64 {
        match self {
            Self::Session => 2 * price.bound,
            Self::Increments => 60 * price.bound,
            // One call may cost more than that.
            Self::FirstRequest => price.cost / 2,
            // All that are answered, and the bounds of all that can be under way.
            Self::Phantom => i64::try_from(LONG).unwrap_or(i64::MAX) * price.cost + 64 * price.bound,
        }
    }

    fn calls(self) -> usize {
        match self {
            Self::Session | Self::FirstRequest => BURST,
            Self::Increments => 16 * BURST,
            Self::Phantom => LONG,
        }
    }
}

/// What one call costs, and what it may cost at most, in micro-USD.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Price {
    pub(crate) cost: i64,
    pub(crate) bound: i64,
}

impl Price {
    /// By the usage that the upstream states. The bound counts a token for each byte of the prompt.
    pub(crate) async fn of(upstream: &Target) -> Result<Self> {
        let (bearer, body) = (bearer("nobody")?, body(0, false, "", ""));
        let bytes = i64::try_from(body.len())?;
        let answer = upstream.ask(Call { bearer, session: None, body }).await?;
        answer.complete(false)?;
        let said: serde_json::Value = serde_json::from_slice(&answer.body)?;
        let tokens = |name: &str| said["usage"][name].as_i64().unwrap_or_default();
        let cost = INPUT_PRICE * tokens("prompt_tokens") + OUTPUT_PRICE * tokens("completion_tokens");
        ensure!(cost > 1, "the upstream states no usage");
        Ok(Self { cost, bound: INPUT_PRICE * bytes + OUTPUT_PRICE * MAX_TOKENS })
    }
}

/// Who calls in a race: tokens or keys on one budget, with a session or as an end user.
#[derive(Clone)]
pub(crate) struct Callers {
    target: Arc<Target>,
    bearers: Vec<HeaderValue>,
    session: Option<HeaderValue>,
    user: Option<String>,
}

/// How calls went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Tally {
    through: i64,
    refused: i64,
    /// What the first refusal said.
    said: Option<String>,
}

/// Golden: a session is a task, and so is a user; who is unknown is one whom the ledger has never seen.
pub(crate) async fn golden(town: &mut Town, race: Race, price: Price) -> Result<Arm> {
    let budget = town.budget(race.limit(price)).await?;
    let tasks = if race == Race::Increments { 4 } else { 1 };
    let mut bearers = vec![];
    for _ in 0..tasks {
        bearers.push(bearer(&town.task(budget).await?)?);
    }
    let callers = Callers { target: Arc::clone(&town.target), bearers, session: None, user: None };
    let (mut arm, paid) = play("golden", race, &callers, price).await?;
    town.settled().await?;
    arm.count("charged_micro_usd", town.spent(budget).await?);
    arm.count("paid_micro_usd", paid);
    Ok(arm)
}

pub(crate) async fn litellm(proxy: &Proxy, race: Race, price: Price) -> Result<Arm> {
    // Of a session and an end user it is their own budget that is raced for, not their key's.
    let plenty = 1_000_000_000;
    let key = match race {
        Race::Session => litellm::key(true, plenty),
        Race::FirstRequest => litellm::key(false, plenty),
        Race::Increments | Race::Phantom => litellm::key(false, race.limit(price)),
    };
    let some = |wanted: bool| wanted.then(|| Uuid::new_v4().simple().to_string());
    let session = some(race == Race::Session).map(HeaderValue::try_from).transpose()?;
    let user = some(race == Race::FirstRequest);
    let callers = Callers { target: Arc::clone(&proxy.target), bearers: vec![bearer(&key)?], session, user };
    let (mut arm, paid) = play("litellm", race, &callers, price).await?;
    arm.count("paid_micro_usd", paid);
    Ok(arm)
}

/// The race, and what the provider was paid in it.
async fn play(side: &str, race: Race, callers: &Callers, price: Price) -> Result<(Arm, i64)> {
    let burst = calls(callers, race.calls(), race == Race::Phantom).await?;
    // One after the other, until the budget is found to be at its end: now nothing is under way that could be waited
    // for, so that a refusal is right only if the money is not there.
    let mut after = Tally::default();
    let (limit, mut wrongly) = (race.limit(price), 0);
    while after.refused == 0 && after.through < 3 {
        let one = calls(callers, 1, false).await?;
        let paid = price.cost * (burst.through + after.through);
        wrongly += one.refused * i64::from(paid + price.bound <= limit);
        after = after.and(one);
    }
    let said = burst.said.or(after.said);
    if race == Race::Phantom {
        // At no time can this load have come near its limit.
        wrongly += burst.refused;
    }
    let through = burst.through + after.through;
    let paid = price.cost * through;
    let mut arm = Arm::new(race.arm(side));
    arm.count("limit_micro_usd", limit);
    arm.count("overspend_micro_usd", (paid - limit).max(0));
    arm.count("let_through_calls", through);
    arm.count("refused_calls", burst.refused + after.refused);
    arm.count("refused_wrongly_calls", wrongly);
    if let Some(said) = said {
        arm.metrics.insert("first_refusal".into(), said.into());
    }
    Ok((arm, paid))
}

/// So many calls, at most [`BURST`] at once.
async fn calls(callers: &Callers, count: usize, some_refused: bool) -> Result<Tally> {
    let each = count.div_ceil(BURST);
    let calling = (0..BURST.min(count)).map(|caller| {
        let callers = callers.clone();
        tokio::spawn(async move {
            let mut tally = Tally::default();
            for n in 0..each {
                let refused = some_refused && (caller + n) % 4 == 0;
                tally = tally.and(one(&callers, caller, refused).await?);
            }
            anyhow::Ok(tally)
        })
    });
    let mut tally = Tally::default();
    for one in futures::future::try_join_all(calling).await? {
        tally = tally.and(one?);
    }
    Ok(tally)
}

async fn one(callers: &Callers, caller: usize, refused: bool) -> Result<Tally> {
    let Callers { target, bearers, session, user } = callers;
    let n = MADE.fetch_add(1, Ordering::Relaxed);
    let fields = user.as_ref().map(|user| format!(r#""user":"{user}","#)).unwrap_or_default();
    let words = if refused { format!(", {REFUSED}") } else { String::new() };
    let bearer = bearers.get(caller % bearers.len().max(1)).cloned();
    let bearer = bearer.unwrap_or_else(|| HeaderValue::from_static("none"));
    let answer =
        target.ask(Call { bearer, session: session.clone(), body: body(n, false, &fields, &words) }).await?;
    let said: String = String::from_utf8_lossy(&answer.body).chars().take(300).collect();
    match answer.status {
        200 => Ok(Tally { through: 1, ..Tally::default() }),
        _ if said.to_lowercase().contains("budget") => {
            Ok(Tally { refused: 1, said: Some(format!("{} {said}", answer.status)), ..Tally::default() })
        }
        // The provider's own refusal: of no budget, and it costs nothing.
        400 if refused => Ok(Tally::default()),
        status => bail!("neither let through nor refused: {status} {said}"),
    }
}

impl Tally {
    fn and(self, other: Self) -> Self {
        Self {
            through: self.through + other.through,
            refused: self.refused + other.refused,
            said: self.said.or(other.said),
        }
    }
}
