//! `review`: how long a whole review takes, from its request in the stream to its decision in the database, with a model
//! that takes a second for each answer. Peer-hub's own work on real Postgres and NATS is what is left of it.

mod ground;
mod small;
mod smoke;

pub(crate) use smoke::{Args as SmokeArgs, run as smoke};

use crate::host::Host;
use crate::latency::Times;
use crate::report::{Arm, Bar, End, Report};
use anyhow::Result;
use golden_model::{Options, Server};
use ground::{Asked, Ground};
use std::sync::Arc;
use std::time::Duration;

/// The columns of the table.
const COLUMNS: [&str; 4] = ["p50_ms", "p95_ms", "max_ms", "reviews"];

/// How long the model takes for each answer.
const MODEL: Duration = Duration::from_secs(1);

/// Who votes: the reviewers of a story that the model has a recording of.
const VOTERS: [&str; 4] = ["security", "reviewer", "architect", "tester"];
const GOAL: &str = "Which queue should the shop use for order events?";

/// Files that the judged change adds, of 200 lines each.
const FILES: usize = 5;

/// Reviews of an arm.
const REVIEWS: usize = 40;

/// Reviews at once: one, and as many as one replica takes.
const ARMS: [(&str, usize); 2] = [("one_at_a_time", 1), ("four_at_a_time", 4)];

pub(crate) async fn run(end: &End) -> Result<()> {
    golden_platform::init_crypto();
    let host = Host::this();
    let ground = Arc::new(ground().await?);
    let mut arms = vec![];
    for (name, at_once) in ARMS {
        let arm = play(&ground, name, at_once).await;
        arms.push(arm.unwrap_or_else(|error| Arm::failed(name, &error)));
    }
    let mut report = Report { bench: "review", host, arms, bars: vec![], notes: vec![] };
    report.bars = ARMS.map(|(name, _)| bar(&report, name)).into();
    report.notes = vec![format!(
        "Each review has {} voters, a change of {FILES} files and a model that takes {} ms for each answer; were the voters \
         asked one after the other, it would take {} ms. The recorded model stands in the gateway's place, what a call costs \
         there is measured by `gateway`. A decision is looked for every {} ms.",
        VOTERS.len(),
        MODEL.as_millis(),
        MODEL.as_millis() * VOTERS.len() as u128,
        ground::LOOK.as_millis(),
    )];
    report.tell(&COLUMNS, end)
}

/// The stores, with the slow model behind them for as long as the process lives.
async fn ground() -> Result<Ground> {
    let model = Server::new(Options { latency: MODEL, ..Options::default() })?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { golden_model::serve(listener, &model).await });
    let file = |n: usize| {
        let text: String =
            (0..200).fold(String::new(), |all, line| all + &format!("value_{n}_{line} = compute({line})\n"));
        (format!("shop/module_{n}.py"), text)
    };
    let patience = Duration::from_mins(1);
    let asked = Asked { voters: &VOTERS, goal: GOAL, window: 128_000, patience };
    Ground::new(&url, asked, (0..FILES).map(file).collect()).await
}

fn bar(report: &Report, arm: &str) -> Bar {
    let name = format!("p95 of a whole review with a model of {} ms, {arm}", MODEL.as_millis());
    Bar::at_most(&name, 1300.0, " ms", report.metric(arm, "p95_ms"))
}

async fn play(ground: &Arc<Ground>, name: &str, at_once: usize) -> Result<Arm> {
    let callers = (0..at_once).map(|_| {
        let ground = Arc::clone(ground);
        tokio::spawn(async move {
            let mut times = Times::default();
            for _ in 0..REVIEWS / at_once {
                times.add(ground.review().await?.0);
            }
            anyhow::Ok(times)
        })
    });
    let mut times = Times::default();
    for played in futures::future::join_all(callers).await {
        times.merge(played??);
    }
    let mut arm = Arm::new(name);
    for (metric, percent) in [("p50_ms", 50), ("p95_ms", 95), ("max_ms", 100)] {
        arm.set(metric, times.percentile_ms(percent));
    }
    arm.count("reviews", i64::try_from(times.count())?);
    Ok(arm)
}
