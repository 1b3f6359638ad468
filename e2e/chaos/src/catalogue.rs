//! Every run there is, by name.

use crate::deletions::What;
use crate::drill::Order;
use crate::kills::{Extra, Kill};
use crate::probe::{API_BUSY, DELIVERING, PRODUCING, QUESTION, RESERVED, REVIEW, Sign};
use crate::victim::Victim;

/// One run of the matrix.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub about: &'static str,
    pub(crate) play: Play,
}

/// What is played.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Play {
    Kill(Kill),
    Delete(What),
}

const SLOW: Order = Order { words: "The developer thinks a while.", ..Order::PLAIN };
const SLOW_VOTE: Order = Order { words: "Security thinks a while.", ..Order::PLAIN };
const TIE: Order = Order { words: "Peers disagree.", ..Order::PLAIN };
const GUARDED: Order = Order { guard_seconds: Some(8), ..Order::PLAIN };
const GIT: Order = Order { git: true, ..Order::PLAIN };
const ATTEMPT: Sign = Sign::Running("attempt", "agent");

const fn kill(
    name: &'static str,
    about: &'static str,
    order: Order,
    holds: &'static [Sign],
    victim: Victim,
) -> Scenario {
    extra(name, about, order, holds, victim, Extra::Nothing)
}

const fn extra(
    name: &'static str,
    about: &'static str,
    order: Order,
    holds: &'static [Sign],
    victim: Victim,
    with: Extra,
) -> Scenario {
    Scenario { name, about, play: Play::Kill(Kill { order, holds, victim, with }) }
}

const fn delete(name: &'static str, about: &'static str, what: What) -> Scenario {
    Scenario { name, about, play: Play::Delete(what) }
}

/// What `cargo xtask test` plays: quick ones, and those that met most.
pub(crate) const SHORT: [&str; 4] = ["kill-orchestrator", "kill-sidecar", "kill-postgres", "delete-tasks"];

/// Kills first, since what they leave in doubt is settled while the rest runs.
pub const SCENARIOS: [Scenario; 23] = [
    kill(
        "kill-gateway",
        "while it relays a call the model works on",
        SLOW,
        &[Sign::Upstream, PRODUCING],
        Victim::Part("gateway"),
    ),
    kill(
        "kill-ledger",
        "while it holds a reservation in flight",
        SLOW,
        &[RESERVED, PRODUCING],
        Victim::Part("ledger"),
    ),
    kill(
        "kill-operator",
        "while it leads and watches an attempt",
        SLOW,
        &[Sign::Leader, ATTEMPT, PRODUCING],
        Victim::Part("operator"),
    ),
    kill(
        "kill-orchestrator",
        "while it drives an open task",
        SLOW,
        &[PRODUCING, ATTEMPT],
        Victim::Service("orchestrator"),
    ),
    kill(
        "kill-peer-hub",
        "while it collects votes",
        SLOW_VOTE,
        &[REVIEW, Sign::Unacked("peer-hub"), RESERVED],
        Victim::Service("peer-hub"),
    ),
    extra(
        "kill-supervisor",
        "while a question to a person is open",
        TIE,
        &[QUESTION],
        Victim::Service("supervisor"),
        Extra::Answer,
    ),
    kill(
        "kill-sandbox",
        "the broker, while a guard runs",
        GUARDED,
        &[Sign::Unacked("sandbox"), Sign::Running("sandbox", "run")],
        Victim::Service("sandbox"),
    ),
    extra("kill-api", "while it answers a reader", SLOW, &[API_BUSY], Victim::Part("api"), Extra::Reader),
    kill(
        "kill-agent",
        "the agent in its pod, while it waits for the model",
        SLOW,
        &[ATTEMPT, Sign::Upstream],
        Victim::Inside("attempt", "agent"),
    ),
    kill(
        "kill-sidecar",
        "the sidecar, while it relays the agent's call",
        SLOW,
        &[ATTEMPT, Sign::Upstream],
        Victim::Inside("attempt", "sidecar"),
    ),
    kill(
        "kill-attempt-pod",
        "the whole gVisor sandbox of an attempt",
        SLOW,
        &[ATTEMPT, Sign::Upstream],
        Victim::Pod("attempt", "agent"),
    ),
    kill(
        "kill-guard",
        "a guard's command inside its sandbox",
        GUARDED,
        &[Sign::Running("sandbox", "run")],
        Victim::Inside("sandbox", "run"),
    ),
    kill(
        "kill-guard-pod",
        "the whole gVisor sandbox of a guard",
        GUARDED,
        &[Sign::Running("sandbox", "run")],
        Victim::Pod("sandbox", "run"),
    ),
    extra(
        "kill-fetch",
        "the fetch pod, while it waits for the git server",
        GIT,
        &[Sign::Running("fetch", "job")],
        Victim::Pod("fetch", "job"),
        Extra::FrozenGit("Preparing"),
    ),
    extra(
        "kill-delivery",
        "the delivery pod, while it waits for the git server",
        GIT,
        &[DELIVERING, Sign::Running("delivery", "job")],
        Victim::Pod("delivery", "job"),
        Extra::FrozenGit("Producing"),
    ),
    kill(
        "kill-postgres",
        "while a call is under way",
        SLOW,
        &[Sign::Upstream, PRODUCING],
        Victim::Part("postgres"),
    ),
    kill(
        "kill-nats",
        "while it holds an unacknowledged review",
        SLOW_VOTE,
        &[REVIEW, Sign::Unacked("peer-hub")],
        Victim::Part("nats"),
    ),
    kill(
        "kill-redis",
        "while a call is under way",
        SLOW,
        &[Sign::Upstream, PRODUCING],
        Victim::Part("redis"),
    ),
    kill(
        "kill-model",
        "the model server, while it answers",
        SLOW,
        &[Sign::Upstream, PRODUCING],
        Victim::Model,
    ),
    kill("kill-kubelet", "while it runs an attempt", SLOW, &[ATTEMPT, PRODUCING], Victim::Node("kubelet")),
    delete("delete-tasks", "a task in every stage", What::Tasks),
    delete("delete-team", "a team with a task in every stage", What::Team),
    delete("delete-namespace", "a namespace with a task in every stage", What::Namespace),
];
