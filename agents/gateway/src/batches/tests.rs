use super::*;
use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use golden_platform::http::{TokenFile, client};
use golden_platform::wire::{OpAnswer, OpRequest};
use golden_platform::{Class, Classify as _};
use tokio::sync::{Semaphore, mpsc};

/// A ledger that answers when it is let, and tells how many operations each request had.
#[derive(Clone)]
struct Slow {
    answers: Arc<Semaphore>,
    seen: mpsc::UnboundedSender<usize>,
    /// Answers that it leaves out.
    short: usize,
}

async fn operate(State(slow): State<Slow>, Json(asked): Json<LedgerOperations>) -> Json<LedgerAnswers> {
    slow.seen.send(asked.operations.len()).unwrap();
    slow.answers.acquire().await.unwrap().forget();
    let key = |operation: LedgerOperation| match operation {
        LedgerOperation::Dispatch(call) => LedgerAnswer::Moved(OpAnswer { state: call.op_key }),
        other => panic!("{other:?}"),
    };
    let mut answers: Vec<_> = asked.operations.into_iter().map(key).collect();
    answers.truncate(answers.len() - slow.short);
    Json(LedgerAnswers { answers })
}

struct World {
    batches: Batches,
    answers: Arc<Semaphore>,
    seen: mpsc::UnboundedReceiver<usize>,
    _token: tempfile::NamedTempFile,
}

async fn world(short: usize) -> World {
    let (seen, heard) = mpsc::unbounded_channel();
    let answers = Arc::new(Semaphore::new(0));
    let router = Router::new().route(PATH, post(operate));
    let router = router.with_state(Slow { answers: Arc::clone(&answers), seen, short });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let token = tempfile::NamedTempFile::new().unwrap();
    let service = ServiceClient::new(client().unwrap(), &url, TokenFile::new(token.path()));
    World { batches: Batches::new(service), answers, seen: heard, _token: token }
}

impl World {
    fn ask(&self, key: usize) -> tokio::task::JoinHandle<Result<LedgerAnswer, CallError>> {
        let batches = self.batches.clone();
        let operation = Arc::new(LedgerOperation::Dispatch(OpRequest { op_key: key.to_string() }));
        tokio::spawn(async move { batches.ask(&operation).await })
    }
}

#[tokio::test]
async fn what_is_asked_meanwhile_goes_together_and_everybody_gets_the_own_answer() {
    let mut world = world(0).await;
    let mut asked = Vec::new();
    for number in 0..AT_ONCE {
        asked.push(world.ask(number));
        assert_eq!(world.seen.recv().await, Some(1), "a lone call waits for nobody");
    }
    asked.extend((AT_ONCE..300).map(|number| world.ask(number)));
    while world.batches.queue().waiting.len() < 300 - AT_ONCE {
        tokio::task::yield_now().await;
    }
    world.answers.add_permits(300);
    for (number, asked) in asked.into_iter().enumerate() {
        let want = LedgerAnswer::Moved(OpAnswer { state: number.to_string() });
        assert_eq!(asked.await.unwrap().unwrap(), want);
    }
    let mut sizes = [
        world.seen.recv().await.unwrap(),
        world.seen.recv().await.unwrap(),
        world.seen.recv().await.unwrap(),
    ];
    sizes.sort_unstable();
    assert_eq!(sizes, [300 - AT_ONCE - 2 * MOST_OPERATIONS, MOST_OPERATIONS, MOST_OPERATIONS]);
    assert_eq!(world.batches.queue().requests, 0);
}

#[tokio::test]
async fn an_answer_that_fits_no_question_is_believed_by_nobody() {
    let world = world(1).await;
    world.answers.add_permits(8);
    for key in 0..3 {
        let answer = world.ask(key).await.unwrap();
        assert!(matches!(answer, Err(CallError::Malformed { .. })), "{answer:?}");
    }
}

#[tokio::test]
async fn an_operation_goes_on_without_its_caller_and_a_ledger_that_is_away_is_an_error() {
    let mut world = world(0).await;
    let impatient = world.ask(0);
    assert_eq!(world.seen.recv().await, Some(1));
    impatient.abort();
    let next = world.ask(1);
    world.answers.add_permits(2);
    assert!(next.await.unwrap().is_ok());
    let token = tempfile::NamedTempFile::new().unwrap();
    let nobody = ServiceClient::new(client().unwrap(), "http://127.0.0.1:9", TokenFile::new(token.path()));
    let operation = Arc::new(LedgerOperation::Dispatch(OpRequest { op_key: "a".into() }));
    let asked = Batches::new(nobody).ask(&operation).await;
    assert!(matches!(asked, Err(CallError::Unreachable { .. })), "{asked:?}");
}

#[tokio::test]
async fn a_ledger_of_an_earlier_version_is_an_outage_that_says_what_to_do() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let earlier = Router::new().route("/v1/reserve", post(|| async { "{}" }));
    tokio::spawn(async move { axum::serve(listener, earlier).await });
    let token = tempfile::NamedTempFile::new().unwrap();
    let batches = Batches::new(ServiceClient::new(client().unwrap(), &url, TokenFile::new(token.path())));
    let asked = batches.ask(&Arc::new(LedgerOperation::Dispatch(OpRequest { op_key: "a".into() }))).await;
    for error in [asked.unwrap_err(), batches.ping().await.unwrap_err()] {
        assert_eq!((is_outdated(&error), error.class()), (true, Class::Dependency), "it is asked again");
        assert!(error.to_string().contains("upgrade the ledger first"), "{error}");
        let told = crate::hold::unavailable(&error);
        let trouble = crate::stuck::of_refusal(&told).unwrap();
        assert!(format!("{trouble:?}").contains("upgrade the ledger first"), "{trouble:?}");
    }
}

#[tokio::test]
async fn a_ledger_of_this_version_is_ready() {
    let world = world(0).await;
    world.answers.add_permits(1);
    world.batches.ping().await.unwrap();
}
