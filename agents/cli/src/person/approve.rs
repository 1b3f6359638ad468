//! `golden approve` and `golden deny`: a Decision, bound to the digest that was shown and to who decides.

use super::client::{Cluster, Connection};
use anyhow::{Context as _, bail};
use golden_crds::decision::{DecisionTarget, TargetKind, Verdict};
use golden_crds::{AgentTask, AgentTaskStatus, Decision, DecisionSpec};
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
    /// Name of the AgentTask.
    name: String,
    /// Why; kept in the record.
    #[arg(long)]
    note: Option<String>,
    /// Decide only if the task still shows this digest.
    #[arg(long)]
    digest: Option<String>,
}

pub(crate) async fn approve(args: ApproveArgs) -> anyhow::Result<u8> {
    let verdict = if args.option.is_some() { Verdict::Option } else { Verdict::Approve };
    decide(args.common, verdict, args.option).await
}

pub(crate) async fn deny(args: DenyArgs) -> anyhow::Result<u8> {
    decide(args.common, Verdict::Deny, None).await
}

async fn decide(args: Common, verdict: Verdict, option: Option<String>) -> anyhow::Result<u8> {
    let cluster = args.connection.connect().await?;
    let task = cluster.api::<AgentTask>().get(&args.name).await?;
    let digest = open_question(task.status.as_ref())
        .with_context(|| format!("agenttask/{} asks nobody anything now", args.name))?;
    if let Some(expected) = &args.digest
        && *expected != digest
    {
        bail!("agenttask/{} now shows {digest}, not {expected}: look at it again", args.name);
    }
    let user = whoami(&cluster).await?;
    let name = decision_name(&args.name, &digest, &user);
    let spec = DecisionSpec {
        target: DecisionTarget {
            kind: TargetKind::AgentTask,
            name: args.name.clone(),
            uid: task.uid().unwrap_or_default(),
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
    fn nothing_is_decided_where_nothing_is_asked() {
        assert_eq!(open_question(None), None);
        assert_eq!(open_question(Some(&AgentTaskStatus::default())), None);
    }
}
