//! Over HTTP: for the gateway alone, and in the words of the contract.

use golden_ledger_service::{CALLER, router};
use golden_platform::CancellationToken;
use golden_platform::auth::{Authenticator, Caller, Fixed};
use golden_platform::http::{CallError, Health, ServiceClient, TokenFile, client, serve_on};
use golden_platform::telemetry::Metrics;
use golden_platform::wire::{OpAnswer, OpRequest, ReserveAnswer};
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
    let file = std::env::temp_dir().join(format!("golden-ledger-{}-{}", std::process::id(), Uuid::new_v4()));
    std::fs::write(&file, token).unwrap();
    ServiceClient::new(client().unwrap(), base, TokenFile::new(file))
}

#[tokio::test]
async fn a_call_goes_its_way_over_http() {
    let world = World::new().await;
    let task = world.task(&[], Some(100)).await;
    let (base, stop) = serve(&world).await;
    let gateway = as_caller(&base, "gateway");
    let call = request(world.team, task, "a", 100);
    assert_eq!(gateway.post::<_, ReserveAnswer>("/v1/reserve", &call).await.unwrap(), granted("Reserved"));
    let key = OpRequest { op_key: "a".into() };
    assert_eq!(gateway.post::<_, OpAnswer>("/v1/dispatch", &key).await.unwrap().state, "Dispatched");
    let refused = gateway.post::<_, OpAnswer>("/v1/release", &key).await.unwrap_err();
    assert!(
        matches!(&refused, CallError::Refused { status: 409, reason, .. } if reason == "IllegalTransition"),
        "{refused}"
    );
    let settled: OpAnswer = gateway.post("/v1/settle", &settlement("a", 7)).await.unwrap();
    assert_eq!(settled.state, "Settled");
    assert_eq!(world.money(task).await, (7, 0, 0));
    stop.cancel();
}

#[tokio::test]
async fn nobody_but_the_gateway_spends() {
    let world = World::new().await;
    let task = world.task(&[], None).await;
    let (base, _stop) = serve(&world).await;
    let call = request(world.team, task, "a", 1);
    for (who, status) in [("impostor", 403), ("operator", 403), ("nobody", 401)] {
        let refused = as_caller(&base, who).post::<_, ReserveAnswer>("/v1/reserve", &call).await.unwrap_err();
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
        let request = gateway.request(reqwest::Method::POST, "/v1/reserve").await.unwrap();
        let request = request.header("content-type", "application/json").body(body.to_owned());
        let refused = gateway.send(request).await.unwrap_err();
        assert!(
            matches!(&refused, CallError::Refused { status: 400, reason, .. } if reason == "BadRequest"),
            "{refused}"
        );
    }
}
