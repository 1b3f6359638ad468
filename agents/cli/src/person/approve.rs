//! `golden approve` and `golden deny`: a Decision on a task or a budget, bound to the digest that was shown and to who
//! decides.

use super::client::{Cluster, Connection};
use anyhow::{Context as _, bail};
use golden_crds::agent_task::EscalationStatus;
use golden_crds::conditions::{ACCEPTED, APPROVED, find};
use golden_crds::decision::{DecisionTarget, REFUSE, REJECT, TargetKind, Verdict};
use golden_crds::{AgentTask, AgentTaskStatus, Budget, Decision, DecisionSpec};
use golden_platform::wire::APPROVAL_QUESTION;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use kube::api::PostParams;
use kube::{Api, ResourceExt as _};
use sha2::{Digest as _, Sha256};

/// Refused answers of one person to one question, after which no more are taken.
const MAX_REFUSED: usize = 16;

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

    /// The target's uid, and what it asks.
    async fn asks(&self, cluster: &Cluster) -> anyhow::Result<(Option<String>, Option<Question>)> {
        if self.kind == TargetKind::Budget {
            let budget = cluster.api::<Budget>().get(&self.name).await?;
            let question = budget.status.as_ref().and_then(|status| status.question.as_ref());
            return Ok((
                budget.uid(),
                question.map(|question| Question::yes_or_no("more", &question.digest)),
            ));
        }
        let task = cluster.api::<AgentTask>().get(&self.name).await?;
        Ok((task.uid(), open_question(task.status.as_ref())))
    }
}

/// What a target asks now.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Question {
    /// Tells it from others about the same digest.
    id: String,
    digest: String,
    /// Of an escalation; nothing: yes or no.
    options: Option<Vec<String>>,
}

impl Question {
    fn yes_or_no(id: &str, digest: &str) -> Self {
        Self { id: id.to_owned(), digest: digest.to_owned(), options: None }
    }

    /// Whether it may be answered so. Golden checks it again: this spares a person a refused Decision.
    fn takes(&self, target: &str, verdict: Verdict, option: Option<&str>) -> anyhow::Result<()> {
        let chosen = verdict.chooses(option, self.options.as_deref().unwrap_or_default());
        match &self.options {
            None if verdict == Verdict::Option => bail!("{target} offers no options: approve or deny it"),
            Some(offered) if !offered.iter().any(|option| option == chosen) => {
                let others: Vec<_> = offered
                    .iter()
                    .filter(|o| ![REJECT, REFUSE].contains(&o.as_str()))
                    .map(|o| format!("--option {o}"))
                    .collect();
                let or = if others.is_empty() {
                    String::new()
                } else {
                    format!(", or `golden approve` it with {}", others.join(" or "))
                };
                bail!("{target} does not offer {chosen}, but: {}. `golden deny` it{or}", offered.join(", "))
            }
            _ => Ok(()),
        }
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
    let cluster = args.connection.connect().await?;
    let (uid, question) = target.asks(&cluster).await?;
    let question = question.with_context(|| format!("{} asks nobody anything now", target.shown()))?;
    let digest = &question.digest;
    if let Some(expected) = &args.digest
        && expected != digest
    {
        bail!("{} now shows {digest}, not {expected}: look at it again", target.shown());
    }
    question.takes(&target.shown(), verdict, option.as_deref())?;
    let user = whoami(&cluster).await?;
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
    let name = create(&cluster.api(), &question, spec).await?;
    println!("decision/{name} by {user} on {digest}");
    println!("see whether it counts with: kubectl get decision {name} -n {}", cluster.namespace);
    Ok(0)
}

/// Creates the Decision under the first name that no answer of this person to this question holds, and gives the name.
///
/// An answer that counts, or of which it is not known yet, is not answered over; one that was refused does not stand in
/// the way.
async fn create(
    decisions: &Api<Decision>,
    question: &Question,
    spec: DecisionSpec,
) -> anyhow::Result<String> {
    let mut refusal = String::new();
    for refused in 0..MAX_REFUSED {
        let name = decision_name(&spec.target.name, question, &spec.decided_by, refused);
        match decisions.create(&PostParams::default(), &Decision::new(&name, spec.clone())).await {
            Ok(_) => return Ok(name),
            Err(error) if matches!(&error, kube::Error::Api(s) if s.is_already_exists()) => {}
            Err(error) => return Err(error).context("the decision was refused"),
        }
        // Gone meanwhile: the name is free, and the next one is as good.
        let Some(earlier) = decisions.get_opt(&name).await? else { continue };
        refusal = why_refused(&earlier).map_err(|standing| {
            anyhow::anyhow!(
                "{} has answered this already: decision/{name}, which {standing}",
                spec.decided_by
            )
        })?;
    }
    bail!(
        "{MAX_REFUSED} answers of {} to this question were refused, the last one since {refusal}",
        spec.decided_by
    )
}

/// Why an earlier Decision was refused; or, as the error, how it stands.
fn why_refused(decision: &Decision) -> Result<String, &'static str> {
    let conditions = decision.status.as_ref().map(|status| status.conditions.as_slice());
    match conditions.and_then(|conditions| find(conditions, ACCEPTED)) {
        Some(accepted) if accepted.status == "False" => Ok(accepted.message.clone()),
        Some(accepted) if accepted.status == "True" => Err("counts"),
        _ => Err("is being looked at"),
    }
}

/// What a person is asked about: an open escalation; or the result, while approvals are missing.
fn open_question(status: Option<&AgentTaskStatus>) -> Option<Question> {
    let status = status?;
    if let Some(escalation) = &status.escalation {
        let EscalationStatus { id, digest, options, .. } = escalation.clone();
        return Some(Question { id, digest, options: Some(options) });
    }
    let waits = find(&status.conditions, APPROVED).is_some_and(|approved| approved.status == "False");
    let result = status.result.as_ref().filter(|_| waits)?;
    Some(Question::yes_or_no(APPROVAL_QUESTION, &result.digest))
}

/// Deterministic, so that answering twice is refused by the apiserver itself. `refused` is how many answers of this
/// person to this question were.
fn decision_name(target: &str, question: &Question, user: &str, refused: usize) -> String {
    let hash =
        hex::encode(Sha256::digest(format!("{}\n{}\n{refused}\n{user}", question.digest, question.id)));
    let head: String = target.chars().take(40).collect();
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
    fn the_same_person_gets_the_same_name_for_the_same_question() {
        let asked = |id: &str, digest: &str| Question::yes_or_no(id, digest);
        let name = |question: &Question, user, refused| decision_name("adr-queue", question, user, refused);
        let a = name(&asked("first", "sha256:aa"), "bob@example", 0);
        assert_eq!(a, name(&asked("first", "sha256:aa"), "bob@example", 0));
        assert_ne!(a, name(&asked("second", "sha256:aa"), "bob@example", 0));
        assert_ne!(a, name(&asked("first", "sha256:ab"), "bob@example", 0));
        assert_ne!(a, name(&asked("first", "sha256:aa"), "eve@example", 0));
        assert_ne!(a, name(&asked("first", "sha256:aa"), "bob@example", 1));
    }

    #[test]
    fn what_is_not_offered_is_refused_at_once_with_what_may_be_answered() {
        let options = Some(vec!["Reject".to_owned(), "Retry".to_owned()]);
        let stuck = Question { options, ..Question::yes_or_no("id", "sha256:aa") };
        let refused =
            |verdict, option| stuck.takes("agenttask/t", verdict, option).map_err(|e| e.to_string());
        let says = "agenttask/t does not offer Accept, but: Reject, Retry. \
                    `golden deny` it, or `golden approve` it with --option Retry";
        assert_eq!(refused(Verdict::Approve, None), Err(says.into()));
        assert!(refused(Verdict::Option, Some("Retri")).is_err());
        assert_eq!(refused(Verdict::Option, Some("Retry")), Ok(()));
        assert_eq!(refused(Verdict::Deny, None), Ok(()));
        let approval = Question::yes_or_no("Approval", "sha256:aa");
        assert!(approval.takes("agenttask/t", Verdict::Option, Some("Accept")).is_err());
        assert!(approval.takes("agenttask/t", Verdict::Approve, None).is_ok());
        let options = Some(["Start", "Wait", "Refuse"].map(str::to_owned).into());
        let start = Question { options, ..Question::yes_or_no("Start", "sha256:aa") };
        for (verdict, option) in
            [(Verdict::Approve, None), (Verdict::Deny, None), (Verdict::Option, Some("Wait"))]
        {
            assert!(start.takes("agenttask/t", verdict, option).is_ok(), "{verdict:?}");
        }
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
