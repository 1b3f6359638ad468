//! Over HTTP: for the gateway alone, and in the words of the contract.

use golden_ledger_service::{CALLER, router};
use golden_platform::CancellationToken;
use golden_platform::auth::{Authenticator, Caller, Fixed};
use golden_platform::http::{CallError, Health, ServiceClient, TokenFile, client, serve_on};
use golden_platform::telemetry::Metrics;
use golden_platform::wire::{
    LedgerAnswer, LedgerAnswers, LedgerOperation, LedgerOperations, MOST_OPERATIONS, OpAnswer, OpRequest,
    ReserveAnswer,
};
use std::path::Path;
use uuid::Uuid;

use crate::support::{World, granted, request, settlement};

async fn serve(world: &World) -> (String, CancellationToken) {
    let callers = [
        ("gateway".to_owned(), Caller::service("golden-system", CALLER)),
        ("impostor".to_owned(), Caller::service("shop", CALLER)),
        ("operator".to_owned(), Caller::service("golden-system", "golden-operator")),
    ];
    let routes = router(world.ledger.clone(), "golden-system", Authenticator::new(Fixed(callers.into())));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let health = Health::new(Metrics::new("ledger").unwrap()).postgres(world.pool.clone());
    tokio::spawn(serve_on(listener, routes, health, stop.clone()));
    (base, stop)
}

fn as_caller(base: &str, token: &str) -> ServiceClient {
    // Its own: another test's could be read while it is written.
    let name = format!("caller-{token}-{}", Uuid::new_v4());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, token).unwrap();
    ServiceClient::new(client().unwrap(), base, TokenFile::new(file))
}

async fn ask(
    ledger: &ServiceClient,
    operations: Vec<LedgerOperation>,
) -> Result<Vec<LedgerAnswer>, CallError> {
    ledger
        .post("/v1/operations", &LedgerOperations { operations })
        .await
        .map(|LedgerAnswers { answers }| answers)
}

fn moved(state: &str) -> LedgerAnswer {
    LedgerAnswer::Moved(OpAnswer { state: state.into() })
}

#[tokio::test]
async fn a_call_goes_its_way_over_http() {
    let world = World::new().await;
    let task = world.task(&[], Some(100)).await;
    let (base, stop) = serve(&world).await;
    let gateway = as_caller(&base, "gateway");
    let reserve = |key| LedgerOperation::Reserve(Box::new(request(world.team, task, key, 60)));
    let (a, b) = (OpRequest { op_key: "a".into() }, OpRequest { op_key: "b".into() });
    let answers = ask(&gateway, vec![reserve("a"), reserve("b")]).await.unwrap();
    let granted = LedgerAnswer::Reserved(granted("Reserved"));
    assert!(answers[0] == granted && answers[1] != granted, "each by itself, the first first: {answers:?}");
    let answers = ask(&gateway, vec![LedgerOperation::Dispatch(a.clone()), LedgerOperation::Dispatch(b)])
        .await
        .unwrap();
    assert_eq!(answers[0], moved("Dispatched"));
    assert!(matches!(&answers[1], LedgerAnswer::Refused(refusal) if refusal.status == 404), "{answers:?}");
    let refused = ask(&gateway, vec![LedgerOperation::Release(a)]).await.unwrap().remove(0);
    assert!(
        matches!(&refused, LedgerAnswer::Refused(r) if r.status == 409 && r.reason == "IllegalTransition"),
        "{refused:?}"
    );
    let settled = ask(&gateway, vec![LedgerOperation::Settle(settlement("a", 7))]).await.unwrap();
    assert_eq!(settled, [moved("Settled")]);
    assert_eq!(world.money(task).await, (7, 0, 0));
    stop.cancel();
}

#[tokio::test]
async fn a_gateway_of_the_version_before_is_served() {
    let world = World::new().await;
    let task = world.task(&[], Some(100)).await;
    let (base, _stop) = serve(&world).await;
    let gateway = as_caller(&base, "gateway");
    let op = |key: &str| OpRequest { op_key: key.into() };
    let state = |answer: Result<OpAnswer, CallError>| answer.unwrap().state;
    for key in ["a", "b", "c"] {
        let reserve = request(world.team, task, key, 30);
        let answer: ReserveAnswer = gateway.post("/v1/reserve", &reserve).await.unwrap();
        assert_eq!(answer, granted("Reserved"));
    }
    assert_eq!(state(gateway.post("/v1/release", &op("c")).await), "Released");
    for key in ["a", "b"] {
        assert_eq!(state(gateway.post("/v1/dispatch", &op(key)).await), "Dispatched");
    }
    assert_eq!(state(gateway.post("/v1/settle", &settlement("a", 7)).await), "Settled");
    assert_eq!(state(gateway.post("/v1/abandon", &op("b")).await), "Unknown");
    assert_eq!(world.money(task).await, (37, 0, 0));
    let refused = gateway.post::<_, OpAnswer>("/v1/release", &op("a")).await.unwrap_err();
    assert!(
        matches!(&refused, CallError::Refused { status: 409, reason, .. } if reason == "IllegalTransition"),
        "{refused}"
    );
    let refused =
        as_caller(&base, "operator").post::<_, OpAnswer>("/v1/release", &op("b")).await.unwrap_err();
    assert!(matches!(refused, CallError::Refused { status: 403, .. }), "{refused}");
}

#[tokio::test]
async fn nobody_but_the_gateway_spends() {
    let world = World::new().await;
    let task = world.task(&[], None).await;
    let (base, _stop) = serve(&world).await;
    let reserve = LedgerOperation::Reserve(Box::new(request(world.team, task, "a", 1)));
    for (who, status) in [("impostor", 403), ("operator", 403), ("nobody", 401)] {
        let refused = ask(&as_caller(&base, who), vec![reserve.clone()]).await.unwrap_err();
        assert!(matches!(refused, CallError::Refused { status: s, .. } if s == status), "{who}: {refused}");
    }
    assert_eq!(world.money(task).await, (0, 0, 0));
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_in_json() {
    let world = World::new().await;
    let (base, _stop) = serve(&world).await;
    let gateway = as_caller(&base, "gateway");
    for body in ["{}", "nonsense", &format!("\"{}\"", "x".repeat(1 << 20))] {
        let request = gateway.request(reqwest::Method::POST, "/v1/operations").await.unwrap();
        let request = request.header("content-type", "application/json").body(body.to_owned());
        let refused = gateway.send(request).await.unwrap_err();
        assert!(
            matches!(&refused, CallError::Refused { status: 400, reason, .. } if reason == "BadRequest"),
            "{refused}"
        );
    }
    let many = vec![LedgerOperation::Dispatch(OpRequest { op_key: "a".into() }); MOST_OPERATIONS + 1];
    let refused = ask(&gateway, many).await.unwrap_err();
    assert!(matches!(&refused, CallError::Refused { status: 400, .. }), "{refused}");
}

#[tokio::test]
async fn an_account_that_somebody_holds_keeps_no_answers_from_others() {
    let world = World::new().await;
    let (held, free) = (world.task(&[], Some(10)).await, world.task(&[], Some(10)).await);
    let (base, _stop) = serve(&world).await;
    let gateway = as_caller(&base, "gateway");
    let reserve = |task, key| LedgerOperation::Reserve(Box::new(request(world.team, task, key, 1)));
    let mut busy = world.pool.begin().await.unwrap();
    let lock = sqlx::query("SELECT 1 FROM accounts WHERE account_uid = $1 FOR UPDATE").bind(held);
    lock.execute(&mut *busy).await.unwrap();
    let asked = ask(&gateway, vec![reserve(held, "late"), reserve(free, "free")]);
    let answers = tokio::time::timeout(std::time::Duration::from_secs(5), asked).await.unwrap().unwrap();
    assert!(matches!(&answers[0], LedgerAnswer::Refused(refusal) if refusal.status == 503), "{answers:?}");
    assert_eq!(answers[1], LedgerAnswer::Reserved(granted("Reserved")));
    busy.rollback().await.unwrap();
    let again = ask(&gateway, vec![reserve(held, "late")]).await.unwrap();
    assert_eq!(again, [LedgerAnswer::Reserved(granted("Reserved"))]);
    assert_eq!(world.money(held).await, (0, 1, 0), "once");
}
