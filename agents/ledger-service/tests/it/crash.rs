//! Postgres is killed under load: what was acknowledged is there, and nothing is overspent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use golden_cluster::services::Postgres;
use golden_ledger_service::{Leases, Ledger};
use golden_platform::wire::ReserveAnswer;
use uuid::Uuid;

use crate::support::{World, request, settlement};

/// What one caller was told: keys reserved, and keys settled.
type Told = (Vec<String>, Vec<String>);

#[derive(Clone)]
struct Load {
    ledger: Ledger,
    team: Uuid,
    task: Uuid,
    over: Arc<AtomicBool>,
    granted: Arc<AtomicU32>,
}

impl Load {
    /// Reserves, dispatches and settles until told to stop; an error is followed by a new call.
    async fn call(self, caller: u32) -> Told {
        let (mut reserved, mut settled) = (Vec::new(), Vec::new());
        for n in 0.. {
            if self.over.load(Ordering::SeqCst) {
                break;
            }
            let key = format!("c{caller}-{n}");
            let answer = self.ledger.reserve(&request(self.team, self.task, &key, 100)).await;
            if !matches!(answer, Ok(ReserveAnswer::Granted { .. })) {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            reserved.push(key.clone());
            self.granted.fetch_add(1, Ordering::SeqCst);
            let sent = self.ledger.dispatch(&key).await.is_ok();
            if sent && n % 2 == 0 && self.ledger.settle(&settlement(&key, 60)).await.is_ok() {
                settled.push(key);
            }
        }
        (reserved, settled)
    }

    async fn reaches(&self, count: u32) {
        let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
        while self.granted.load(Ordering::SeqCst) < count {
            assert!(tokio::time::Instant::now() < deadline, "the ledger did not go on");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_database_loses_nothing_that_was_acknowledged() {
    const LIMIT: i64 = 1_000_000;
    let server = Postgres::start().unwrap();
    let world = World::on(&server, Leases::default()).await;
    let root = world.budget(Uuid::new_v4(), None, Some(LIMIT)).await;
    let task = world.task(&[root], None).await;
    let load = Load {
        ledger: world.ledger.clone(),
        team: world.team,
        task,
        over: Arc::default(),
        granted: Arc::default(),
    };
    let callers: Vec<_> = (0..8).map(|caller| tokio::spawn(load.clone().call(caller))).collect();
    load.reaches(60).await;
    server.kill().unwrap();
    server.restart().unwrap();
    load.reaches(load.granted.load(Ordering::SeqCst) + 60).await;
    load.over.store(true, Ordering::SeqCst);
    for caller in callers {
        let (reserved, settled) = caller.await.unwrap();
        for key in reserved {
            assert!(
                ["Reserved", "Dispatched", "Settled"].contains(&world.state(&key).await.as_str()),
                "{key}"
            );
        }
        for key in settled {
            assert_eq!(world.state(&key).await, "Settled", "{key}");
        }
    }
    let (spent, held, _) = world.money(root).await;
    assert!(spent + held <= LIMIT, "{spent} + {held}");
    assert_eq!(world.sums().await, (spent, held), "the accounts are the sum of the rows");
}
