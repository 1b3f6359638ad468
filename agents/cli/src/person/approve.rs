//! `golden approve` and `golden deny`: a Decision on a task or a budget, bound to the digest that was shown and to who
//! decides.

use super::client::{Cluster, Connection};
use anyhow::{Context as _, bail};
use golden_crds::decision::{DecisionTarget, TargetKind, Verdict};
use golden_crds::{AgentTask, AgentTaskStatus, Budget, Decision, DecisionSpec};
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::PostParams;
use kube::{Api, ResourceExt as _};
use sha2::{Digest as _, Sha256};

/// What to approve.
#[derive(Debug, clap::Args)]
pub(crate) struct ApproveArgs {
    #[command(flatten)]
    common: Common,
    /// Choose this option of the escalation instead of a plain yes.
    #[arg(long)]
    option: Option<String>,
}

/// What to deny.
#[derive(Debug, clap::Args)]
pub(crate) struct DenyArgs {
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, clap::Args)]
struct Common {
    #[command(flatten)]
    connection: Connection,
    /// Name of the AgentTask, or budget/NAME for the question of a Budget.
    #[arg(value_parser = target)]
    name: Target,
    /// Why; kept in the record.
    #[arg(long)]
    note: Option<String>,
    /// Decide only if the task or budget still shows this digest.
    #[arg(long)]
    digest: Option<String>,
}

/// What a decision is about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    kind: TargetKind,
    name: String,
}

/// `NAME`, or with its kind before it as kubectl takes it: `agenttask/NAME`, `budget/NAME`.
fn target(text: &str) -> Result<Target, String> {
    let (kind, name) = text.split_once('/').unwrap_or(("agenttask", text));
    let kind = match kind.trim_end_matches(".goldenarch.dev") {
        "agenttask" | "agenttasks" | "at" => TargetKind::AgentTask,
        "budget" | "budgets" | "bud" => TargetKind::Budget,
        other => return Err(format!("nobody decides on a {other}; name an AgentTask, or budget/NAME")),
    };
    if name.is_empty() || name.contains('/') {
        return Err("a name is missing: NAME of an AgentTask, or budget/NAME".to_owned());
    }
    Ok(Target { kind, name: name.to_owned() })
}

impl Target {
    fn shown(&self) -> String {
        let kind = if self.kind == TargetKind::Budget { "budget" } else { "agenttask" };
        format!("{kind}/{}", self.name)
    }

    /// The target's uid, and the digest of what it asks.
    async fn asks(&self, cluster: &Cluster) -> anyhow::Result<(Option<String>, Option<String>)> {
        if self.kind == TargetKind::Budget {
            let budget = cluster.api::<Budget>().get(&self.name).await?;
            let question = budget.status.as_ref().and_then(|status| status.question.as_ref());
            return Ok((budget.uid(), question.map(|question| question.digest.clone())));
        }
        let task = cluster.api::<AgentTask>().get(&self.name).await?;
        Ok((task.uid(), open_question(task.status.as_ref())))
    }
}

pub(crate) async fn approve(args: ApproveArgs) -> anyhow::Result<u8> {
    let verdict = if args.option.is_some() { Verdict::Option } else { Verdict::Approve };
    decide(args.common, verdict, args.option).await
}

pub(crate) async fn deny(args: DenyArgs) -> anyhow::Result<u8> {
    decide(args.common, Verdict::Deny, None).await
}

async fn decide(args: Common, verdict: Verdict, option: Option<String>) -> anyhow::Result<u8> {
    let target = args.name;
    if target.kind == TargetKind::Budget && option.is_some() {
        bail!("{} offers no options: approve or deny it", target.shown());
    }
    let cluster = args.connection.connect().await?;
    let (uid, digest) = target.asks(&cluster).await?;
    let digest = digest.with_context(|| format!("{} asks nobody anything now", target.shown()))?;
    if let Some(expected) = &args.digest
        && *expected != digest
    {
        bail!("{} now shows {digest}, not {expected}: look at it again", target.shown());
    }
    let user = whoami(&cluster).await?;
    let name = decision_name(&target.name, &digest, &user);
    let spec = DecisionSpec {
        target: DecisionTarget {
            kind: target.kind,
            name: target.name,
            uid: uid.unwrap_or_default(),
            digest: digest.clone(),
        },
        verdict,
        option,
        note: args.note,
        decided_by: user.clone(),
    };
    match cluster.api::<Decision>().create(&PostParams::default(), &Decision::new(&name, spec)).await {
        Ok(_) => println!("decision/{name} by {user} on {digest}"),
        Err(error) if matches!(&error, kube::Error::Api(s) if s.is_already_exists()) => {
            bail!(
                "{user} has decided on this already: see `kubectl get decision {name} -n {}`",
                cluster.namespace
            )
        }
        Err(error) => return Err(error).context("the decision was refused"),
    }
    println!("see whether it counts with: kubectl get decision {name} -n {}", cluster.namespace);
    Ok(0)
}

/// The digest a person is asked about: an open escalation's, else the result's while approvals are missing.
fn open_question(status: Option<&AgentTaskStatus>) -> Option<String> {
    let status = status?;
    if let Some(escalation) = &status.escalation {
        return Some(escalation.digest.clone());
    }
    let waits =
        status.conditions.iter().any(|c| c.type_ == golden_crds::conditions::APPROVED && c.status == "False");
    status.result.as_ref().filter(|_| waits).map(|r| r.digest.clone())
}

/// Deterministic, so that deciding twice is refused by the apiserver itself.
fn decision_name(task: &str, digest: &str, user: &str) -> String {
    let hash = hex::encode(Sha256::digest(format!("{digest}\n{user}")));
    let head: String = task.chars().take(40).collect();
    format!("{}-{}", head.trim_end_matches(['-', '.']), &hash[..12])
}

async fn whoami(cluster: &Cluster) -> anyhow::Result<String> {
    let reviews: Api<SelfSubjectReview> = Api::all(cluster.client.clone());
    let review = reviews.create(&PostParams::default(), &SelfSubjectReview::default()).await?;
    review
        .status
        .and_then(|s| s.user_info)
        .and_then(|u| u.username)
        .context("the apiserver does not say who you are")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_person_gets_the_same_name_for_the_same_digest() {
        let a = decision_name("adr-queue", "sha256:aa", "bob@example");
        assert_eq!(a, decision_name("adr-queue", "sha256:aa", "bob@example"));
        assert_ne!(a, decision_name("adr-queue", "sha256:ab", "bob@example"));
        assert_ne!(a, decision_name("adr-queue", "sha256:aa", "eve@example"));
    }

    #[test]
    fn a_target_is_a_task_unless_a_budget_is_named() {
        let of = |text| target(text).map(|t| t.shown());
        assert_eq!(of("adr-queue").as_deref(), Ok("agenttask/adr-queue"));
        for text in ["budget/daily", "budgets/daily", "bud/daily", "budget.goldenarch.dev/daily"] {
            assert_eq!(of(text).as_deref(), Ok("budget/daily"));
        }
        for text in ["pod/x", "budget/", "budget/a/b", ""] {
            assert!(of(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nothing_is_decided_where_nothing_is_asked() {
        assert_eq!(open_question(None), None);
        assert_eq!(open_question(Some(&AgentTaskStatus::default())), None);
    }
}
