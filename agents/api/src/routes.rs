//! The routes. Each checks that the caller speaks for the namespace it asks about, then reads.

use crate::queries::Scope;
use crate::{budgets, queries};
use async_nats::jetstream::Context;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use golden_consensus::SeatPower;
use golden_crds::labels::{AUDITOR_ACCOUNT as AUDITOR, READER_ACCOUNT as READER, STEWARD_ACCOUNT as STEWARD};
use golden_platform::artifacts::Store;
use golden_platform::auth::Caller;
use golden_platform::http::Error;
use golden_platform::showback::{self, Spender};
use golden_platform::{letters, provider_health, verdicts};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::PgPool;
use uuid::Uuid;

/// What the routes read from.
#[derive(Clone)]
pub struct Sources {
    pub db: PgPool,
    pub js: Context,
    pub artifacts: Store,
    /// Golden's own namespace: an auditor's account counts only there.
    pub golden_namespace: String,
}

/// All routes; the caller is put into the request by the authenticating layer around them.
pub(crate) fn router(sources: Sources) -> Router {
    Router::new()
        .route("/v1/namespaces/{namespace}/tasks", get(tasks))
        .route("/v1/namespaces/{namespace}/escalations", get(escalations))
        .route("/v1/namespaces/{namespace}/ballots", get(words))
        .route("/v1/namespaces/{namespace}/budgets", get(standings))
        .route("/v1/namespaces/{namespace}/budgets/{name}/spend", get(spenders))
        .route("/v1/namespaces/{namespace}/breakers", get(breakers))
        .route("/v1/namespaces/{namespace}/dead-letters", get(dead_letters))
        .route("/v1/namespaces/{namespace}/dead-letters/{id}", get(dead_letter))
        .route("/v1/namespaces/{namespace}/dead-letters/{id}/replay", post(replay))
        .route("/v1/namespaces/{namespace}/dead-letters/{id}/discard", post(discard))
        .route("/v1/namespaces/{namespace}/tasks/{name}", get(task))
        .route("/v1/namespaces/{namespace}/tasks/{name}/events", get(events))
        .route("/v1/namespaces/{namespace}/tasks/{name}/votes", get(votes))
        .route("/v1/namespaces/{namespace}/tasks/{name}/cost", get(cost))
        .route("/v1/namespaces/{namespace}/tasks/{name}/diff", get(diff))
        .route("/v1/namespaces/{namespace}/tasks/{name}/record", get(record))
        .route("/v1/namespaces/{namespace}/artifacts/{digest}", get(artifact))
        .with_state(sources)
}

/// Which run of a name is meant; the newest when absent.
#[derive(Deserialize)]
struct Which {
    uid: Option<Uuid>,
}

/// The same, and which of its attempts.
#[derive(Deserialize)]
struct WhichDiff {
    uid: Option<Uuid>,
    /// The best one of a failed task, and not its result, which is the newest.
    #[serde(default)]
    best: bool,
}

fn may_read<'a>(sources: &Sources, caller: &Caller, namespace: &'a str) -> Result<Scope<'a>, Error> {
    if opens(caller, namespace, &sources.golden_namespace) {
        return Ok(Scope { namespace, past: caller.service_account == AUDITOR });
    }
    Err(Error::forbidden(format!(
        "reading {namespace} needs a token of the service account {READER} in that namespace, not of {}/{}",
        caller.namespace, caller.service_account
    )))
}

fn opens(caller: &Caller, namespace: &str, golden: &str) -> bool {
    match caller.service_account.as_str() {
        READER => caller.namespace == namespace,
        AUDITOR => caller.namespace == golden,
        _ => false,
    }
}

/// Acting needs more than reading. A token that a pod holds will not do: who may run a pod as the account need not be
/// who may draw its token.
fn may_act(caller: &Caller, namespace: &str) -> Result<(), Error> {
    if caller.is(namespace, STEWARD) && caller.pod_uid.is_none() {
        return Ok(());
    }
    Err(Error::forbidden(format!(
        "replaying and discarding in {namespace} needs a token of the service account {STEWARD} there, not of {}/{}",
        caller.namespace, caller.service_account
    )))
}

async fn find(
    sources: &Sources,
    caller: &Caller,
    namespace: &str,
    name: &str,
    which: &Which,
) -> Result<queries::Task, Error> {
    let scope = may_read(sources, caller, namespace)?;
    queries::task(&sources.db, scope, name, which.uid).await?.ok_or_else(|| {
        Error::not_found(format!(
            "no admitted AgentTask {namespace}/{name}: see `kubectl describe agenttask`"
        ))
    })
}

async fn tasks(
    State(sources): State<Sources>,
    caller: Caller,
    Path(namespace): Path<String>,
) -> Result<Json<Vec<queries::Task>>, Error> {
    let scope = may_read(&sources, &caller, &namespace)?;
    Ok(Json(queries::tasks(&sources.db, scope).await?))
}

async fn escalations(
    State(sources): State<Sources>,
    caller: Caller,
    Path(namespace): Path<String>,
) -> Result<Json<Vec<queries::Escalation>>, Error> {
    let scope = may_read(&sources, &caller, &namespace)?;
    Ok(Json(queries::escalations(&sources.db, scope, None).await?))
}

async fn words(
    State(sources): State<Sources>,
    caller: Caller,
    Path(namespace): Path<String>,
) -> Result<Json<Vec<verdicts::Word>>, Error> {
    let scope = may_read(&sources, &caller, &namespace)?;
    Ok(Json(verdicts::words(&sources.db, scope.namespace, scope.past).await?))
}

async fn dead_letters(
    State(sources): State<Sources>,
    caller: Caller,
    Path(namespace): Path<String>,
) -> Result<Json<Vec<queries::Letter>>, Error> {
    let scope = may_read(&sources, &caller, &namespace)?;
    Ok(Json(queries::letters(&sources.db, scope, None).await?))
}

async fn dead_letter(
    State(sources): State<Sources>,
    caller: Caller,
    Path((namespace, id)): Path<(String, i64)>,
) -> Result<Json<queries::Letter>, Error> {
    let scope = may_read(&sources, &caller, &namespace)?;
    let mut found = queries::letters(&sources.db, scope, Some(id)).await?;
    found.pop().map(Json).ok_or_else(|| unknown(&namespace, id))
}

async fn replay(
    State(sources): State<Sources>,
    caller: Caller,
    Path((namespace, id)): Path<(String, i64)>,
) -> Result<Json<Value>, Error> {
    let team = team_of(&sources, &caller, &namespace, id).await?;
    letters::replay(&sources.db, &sources.js, team, id).await?;
    tracing::info!(namespace, id, by = caller.username, "a dead letter is replayed");
    Ok(Json(json!({"id": id, "state": "Replayed"})))
}

async fn discard(
    State(sources): State<Sources>,
    caller: Caller,
    Path((namespace, id)): Path<(String, i64)>,
) -> Result<Json<Value>, Error> {
    let team = team_of(&sources, &caller, &namespace, id).await?;
    letters::discard(&sources.db, team, id).await?;
    tracing::info!(namespace, id, by = caller.username, "a dead letter is discarded");
    Ok(Json(json!({"id": id, "state": "Discarded"})))
}

/// The team of a letter on which the caller may act.
async fn team_of(sources: &Sources, caller: &Caller, namespace: &str, id: i64) -> Result<Uuid, Error> {
    may_act(caller, namespace)?;
    let scope = Scope { namespace, past: false };
    let mut found = queries::letters(&sources.db, scope, Some(id)).await?;
    found.pop().map(|letter| letter.team_uid).ok_or_else(|| unknown(namespace, id))
}

fn unknown(namespace: &str, id: i64) -> Error {
    Error::not_found(format!("no dead letter {id} of a team in {namespace}: see `golden dlq list`"))
}

async fn task(
    State(sources): State<Sources>,
    caller: Caller,
    Path((namespace, name)): Path<(String, String)>,
    Query(which): Query<Which>,
) -> Result<Json<queries::Task>, Error> {
    Ok(Json(find(&sources, &caller, &namespace, &name, &which).await?))
}

async fn events(
    State(sources): State<Sources>,
    caller: Caller,
    Path((namespace, name)): Path<(String, String)>,
    Query(which): Query<Which>,
) -> Result<Json<Vec<queries::Event>>, Error> {
    let task = find(&sources, &caller, &namespace, &name, &which).await?;
    Ok(Json(queries::events(&sources.db, task.task_uid).await?))
}

async fn votes(
    State(sources): State<Sources>,
    caller: Caller,
    Path((namespace, name)): Path<(String, String)>,
    Query(which): Query<Which>,
) -> Result<Json<Value>, Error> {
    let task = find(&sources, &caller, &namespace, &name, &which).await?;
    let reviews = queries::reviews(&sources.db, task.task_uid).await?;
    let ballots = queries::ballots(&sources.db, task.task_uid).await?;
    let scope = may_read(&sources, &caller, &namespace)?;
    let escalations = queries::escalations(&sources.db, scope, Some(task.task_uid)).await?;
    let power = power(&task.policy);
    Ok(Json(json!({"reviews": reviews, "ballots": ballots, "escalations": escalations, "power": power})))
}

/// How often each seat decides under the task's rules; none where they are of another version.
fn power(policy: &Value) -> Option<Vec<SeatPower>> {
    let review = policy.pointer("/review/value")?;
    golden_consensus::policy_power(&golden_consensus::policy_from_value(review).ok()?).ok()
}

async fn cost(
    State(sources): State<Sources>,
    caller: Caller,
    Path((namespace, name)): Path<(String, String)>,
    Query(which): Query<Which>,
) -> Result<Json<Vec<queries::CostLine>>, Error> {
    let task = find(&sources, &caller, &namespace, &name, &which).await?;
    Ok(Json(queries::cost(&sources.db, task.task_uid).await?))
}

async fn standings(
    State(sources): State<Sources>,
    caller: Caller,
    Path(namespace): Path<String>,
) -> Result<Json<Vec<budgets::Standing>>, Error> {
    may_read(&sources, &caller, &namespace)?;
    Ok(Json(budgets::standings(&sources.db, &namespace).await?))
}

async fn spenders(
    State(sources): State<Sources>,
    caller: Caller,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Json<Vec<Spender>>, Error> {
    may_read(&sources, &caller, &namespace)?;
    if !budgets::standings(&sources.db, &namespace).await?.iter().any(|budget| budget.name == name) {
        return Err(Error::not_found(format!("no Budget {name} in {namespace}: see `golden budgets`")));
    }
    Ok(Json(showback::spenders(&sources.db, &namespace, &name).await?))
}

/// How each replica of the gateway fares with the namespace's ModelProviders.
async fn breakers(
    State(sources): State<Sources>,
    caller: Caller,
    Path(namespace): Path<String>,
) -> Result<Json<Vec<provider_health::Row>>, Error> {
    may_read(&sources, &caller, &namespace)?;
    Ok(Json(provider_health::of_namespace(&sources.db, &namespace).await?))
}

async fn diff(
    State(sources): State<Sources>,
    caller: Caller,
    Path((namespace, name)): Path<(String, String)>,
    Query(WhichDiff { uid, best }): Query<WhichDiff>,
) -> Result<Response, Error> {
    let task = find(&sources, &caller, &namespace, &name, &Which { uid }).await?;
    let at = if best { "/bestAttempt/patch" } else { "/result/patch" };
    let digest = task.view.pointer(at).and_then(Value::as_str).ok_or_else(|| {
        let what = if best { "is no failed task with a judged attempt" } else { "has produced nothing yet" };
        Error::not_found(format!("{namespace}/{name} {what} (stage {})", task.stage))
    })?;
    Ok(sources.artifacts.get(&namespace, digest).await?.into_response())
}

async fn artifact(
    State(sources): State<Sources>,
    caller: Caller,
    Path((namespace, digest)): Path<(String, String)>,
) -> Result<Response, Error> {
    may_read(&sources, &caller, &namespace)?;
    Ok(sources.artifacts.get(&namespace, &digest).await?.into_response())
}

/// The record as lines of JSON, header first: what `golden record verify` reads.
async fn record(
    State(sources): State<Sources>,
    caller: Caller,
    Path((namespace, name)): Path<(String, String)>,
    Query(which): Query<Which>,
) -> Result<String, Error> {
    let task = find(&sources, &caller, &namespace, &name, &which).await?;
    let install = queries::install_id(&sources.db).await?;
    let header = golden_record::Header {
        v: golden_record::VERSION,
        team: task.team_uid.to_string(),
        task: task.task_uid.to_string(),
        install: install.to_string(),
    };
    let events = queries::events(&sources.db, task.task_uid).await?;
    let entries: Vec<golden_record::Entry> = events.into_iter().map(queries::Event::into_entry).collect();
    golden_record::export(&header, &entries).map_err(|e| Error::internal(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_opens_its_namespace_and_only_goldens_own_auditor_opens_all() {
        let may = |namespace: &str, account: &str| {
            opens(&Caller::service(namespace, account), "team-a", "golden-system")
        };
        assert!(may("team-a", READER));
        assert!(!may("team-b", READER));
        assert!(may("golden-system", AUDITOR));
        // Whoever may make accounts in a team's namespace gains nothing by the name.
        assert!(!may("team-a", AUDITOR) && !may("team-b", AUDITOR));
        assert!(!may("team-a", "golden-run"));
    }

    #[test]
    fn power_is_that_of_the_tasks_own_rules() {
        let rules = json!({"voters": [{"role": "a", "weight": 2}, {"role": "b"}, {"role": "c"}]});
        let told = json!(power(&json!({"review": {"origin": "house", "value": rules}})));
        assert_eq!((&told[0]["role"], &told[0]["shapleyShubik"]), (&json!("a"), &json!("2/3")), "{told}");
        assert_eq!(power(&json!({})), None, "a task of an earlier version");
    }
}
