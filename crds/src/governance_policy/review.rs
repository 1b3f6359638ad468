//! Reviews: who votes on a result, and how votes become a decision.

use crate::agent_team::ModelRef;
use crate::rules;
use crate::schema::DNS_LABEL;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How peers decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = rules::invalid(
        "voters",
        "self.voters.exists(v, v.weight > 0)",
        "must hold a weight above 0: with a total of 0 no quorum can ever be reached"
    ),
    validation = rules::invalid(
        "rounds",
        "!has(self.rounds) || self.rounds.max == 1 || size(self.voters) > 1",
        "ask for another round, but with one voter there is nobody to hear: name another voter, or leave max at 1"
    ),
    validation = rules::invalid(
        "weights",
        "!has(self.weights) || self.weights == 'Policy' || self.voters.filter(v, v.weight > 0).size() > 1",
        "follow track records, but with one voter that weighs anything they would change nothing: name another, or leave \
         Policy"
    ),
    validation = rules::invalid(
        "additionalReviewer",
        "!has(self.additionalReviewer) || self.voters.all(v, v.role != self.additionalReviewer.role)",
        "has the role of a voter, who has been asked already: name another role"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ReviewRules {
    /// 1 to 16 voters, one of each role. Their weights together must be above 0.
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["role".into()]))]
    pub voters: Vec<Voter>,
    /// Share of the total weight that must be cast (abstentions count as cast), 1 to 100 percent.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 100))]
    pub quorum_percent: u32,
    /// Share of approving weight among approving and rejecting weight that approves, 1 to 100 percent; more than
    /// half of it in any case.
    #[serde(default = "fifty")]
    #[schemars(range(min = 1, max = 100))]
    pub approve_percent: u32,
    /// What follows when approving and rejecting weight are equal.
    #[serde(default)]
    pub on_tie: OnUndecided,
    /// How often a result is voted on; once when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rounds: Option<ReviewRounds>,
    /// Whether a voter's model may be the author's; it may when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub independence: Option<Independence>,
    /// What an opinion weighs; `Policy` when absent. Quorum, required voters, vetoes and an additional reviewer know the
    /// policy's weights alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<Weights>,
    /// Seconds from the request of a round after which missing ballots are counted as absent, 10 to 86400.
    #[serde(default = "default_review_timeout")]
    #[schemars(range(min = 10, max = 86_400))]
    pub timeout_seconds: i64,
    /// What follows when the timeout passes without a decision.
    #[serde(default)]
    pub on_timeout: OnUndecided,
    /// Asked once in a task, before a person would be: after a tie, a missing quorum or required voter, or a veto whose
    /// evidence could not be verified. It weighs the least above 0 that this policy gives a voter, whatever track records
    /// say. Nobody when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional_reviewer: Option<AdditionalReviewer>,
}

impl ReviewRules {
    /// Most rounds on one result, 1 where the policy says nothing.
    pub fn max_rounds(&self) -> u32 {
        self.rounds.unwrap_or_default().max
    }

    /// Role and model of everyone who may be asked: the voters, then the additional reviewer.
    pub fn reviewers(&self) -> impl Iterator<Item = (&str, Option<&ModelRef>)> {
        let voters = self.voters.iter().map(|v| (v.role.as_str(), v.model_ref.as_ref()));
        voters.chain(self.additional_reviewer.iter().map(|a| (a.role.as_str(), a.model_ref.as_ref())))
    }

    /// Whether this role is asked with this model.
    pub fn asks(&self, reviewer: (&str, Option<&ModelRef>)) -> bool {
        self.reviewers().any(|asked| asked == reviewer)
    }
}

/// How often a result is voted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReviewRounds {
    /// Most rounds, 1 to 3. The first is blind: no voter learns what others say. If it would end with an approval or a
    /// tie although a voter rejected with verified evidence, those who did not reject see the objections, neither whose
    /// they are nor how many, and vote again; a rejection stands.
    #[serde(default = "super::one")]
    #[schemars(range(min = 1, max = 3))]
    pub max: u32,
}

impl Default for ReviewRounds {
    fn default() -> Self {
        Self { max: super::one() }
    }
}

/// Whether a voter's model may be the author's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Independence {
    /// It may.
    #[default]
    None,
    /// It may not: a task is not admitted while a voter's model, or one that its provider falls back to, is the
    /// `developer` role's, whatever provider either is of.
    DifferentModel,
}

/// What an opinion weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Weights {
    /// What this policy gives the voter.
    #[default]
    Policy,
    /// That, times 0.5 to 1.5, by how often the voter was right so far in this namespace compared with others: by
    /// agreement, and by what people decided. 1 below 20 votes. Found when a result's first round opens, and recorded.
    TrackRecord,
}

fn fifty() -> u32 {
    50
}
fn default_review_timeout() -> i64 {
    180
}

/// One voter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[x_kube(
    validation = rules::invalid(
        "weight",
        "self.weight > 0 || self.veto || self.required",
        "is 0, so this ballot would mean nothing: raise it, or give the voter a veto or make it required"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct Voter {
    /// The role that votes, a DNS label.
    #[schemars(length(min = 1, max = 40), regex(pattern = DNS_LABEL))]
    pub role: String,
    /// How much the ballot counts, 0 to 1000.
    #[serde(default = "weight_one")]
    #[schemars(range(min = 0, max = 1000))]
    pub weight: i64,
    /// A rejection with verified evidence stops the change and is escalated.
    #[serde(default)]
    pub veto: bool,
    /// No decision without this voter's ballot.
    #[serde(default)]
    pub required: bool,
    /// The model this voter uses; the policy's, never the judged team's. Golden's default provider when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_ref: Option<ModelRef>,
}

fn weight_one() -> i64 {
    1
}

/// One more reviewer. It sees what the voters saw and not what they said, and votes with the least weight above 0 that this
/// policy gives any of them, whatever track records say; it adds to the quorum by approving only. If it approves, a veto
/// without verified evidence is a rejection like any other. A failed guard, a veto with verified evidence and a required
/// voter's silence stand whatever it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdditionalReviewer {
    /// Its role, a DNS label; none of the voters'.
    #[schemars(length(min = 1, max = 40), regex(pattern = DNS_LABEL))]
    pub role: String,
    /// The model it uses, in Golden's namespace. Golden's default provider when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_ref: Option<ModelRef>,
}

/// What an undecided review leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnUndecided {
    /// A person decides.
    #[default]
    Escalate,
    /// It counts as a rejection: the next attempt gets the reasons.
    Reject,
}
