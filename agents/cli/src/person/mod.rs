//! The commands people use, as `golden …` and as `kubectl golden …`.
//!
//! They hold no rights of their own: every answer is got with the caller's kubeconfig.

mod approve;
mod budgets;
mod client;
mod cost;
mod diff;
mod dlq;
mod doctor;
mod escalations;
mod explain;
mod guard;
mod logs;
mod one_task;
mod output;
mod policy;
mod pure;
mod record;
mod reviewers;
mod sanitize;
mod submit;
mod unadmitted;
mod votes;
mod watch;

use clap::Subcommand;

/// What a person can ask for.
#[derive(Debug, Subcommand)]
pub(crate) enum PersonCommand {
    /// Submit an AgentTask from a manifest.
    Submit(submit::Args),
    /// Follow a task until it ends; exit code 1 if it fails.
    Watch(watch::Args),
    /// Tell what happened to a task and why.
    Explain(one_task::OneTask),
    /// Show who voted how on a task, with evidence, dissent and the impact of each vote.
    Votes(one_task::OneTask),
    /// Print the patch a task produced.
    Diff(diff::Args),
    /// Show what the agents of a task said and what its guards printed.
    Logs(logs::Args),
    /// Show what a task cost, by attempt, role and model.
    Cost(one_task::OneTask),
    /// Show what the budgets of a namespace stand at; of one, its question, its grants, and who spends it.
    Budgets(budgets::Args),
    /// Approve a task's result, answer its escalation, or grant a budget (budget/NAME) what it asks for.
    Approve(approve::ApproveArgs),
    /// Deny a task's result, answer its escalation with no, or refuse a budget (budget/NAME) more.
    Deny(approve::DenyArgs),
    /// List questions to people, open ones first.
    Escalations(escalations::Args),
    /// Show how often each reviewer was right, and what its weight is multiplied by where a policy has weights follow that.
    Reviewers(reviewers::Args),
    /// Look at messages that could not be processed; send them again or discard them.
    #[command(subcommand)]
    Dlq(dlq::DlqCommand),
    /// Check an installation and say what to mend; exit code 1 if something must be.
    Doctor(doctor::Args),
    /// Export and verify records.
    #[command(subcommand)]
    Record(record::RecordCommand),
    /// Explain which rules hold for a task; simulate what others would have decided.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Decide ballots under a policy, without a cluster.
    #[command(subcommand)]
    Consensus(pure::ConsensusCommand),
    /// Run a guard that comes with Golden on a folder, without a cluster; exit code 1 if it finds something.
    Guard(guard::Args),
    /// Find SQL, script and shell commands in standard input, and print it without what would make them act.
    Sanitize(sanitize::Args),
}

impl PersonCommand {
    /// Runs the command; the returned code is the process's exit code.
    pub(crate) async fn run(self) -> anyhow::Result<u8> {
        match self {
            Self::Submit(args) => submit::run(args).await,
            Self::Watch(args) => watch::run(args).await,
            Self::Explain(args) => explain::run(args).await,
            Self::Votes(args) => votes::run(args).await,
            Self::Diff(args) => diff::run(args).await,
            Self::Logs(args) => logs::run(args).await,
            Self::Cost(args) => cost::run(args).await,
            Self::Budgets(args) => budgets::run(args).await,
            Self::Approve(args) => approve::approve(args).await,
            Self::Deny(args) => approve::deny(args).await,
            Self::Escalations(args) => escalations::run(args).await,
            Self::Reviewers(args) => reviewers::run(args).await,
            Self::Dlq(command) => dlq::run(command).await,
            Self::Doctor(args) => doctor::run(args).await,
            Self::Record(command) => record::run(command).await,
            Self::Policy(command) => policy::run(command).await,
            Self::Consensus(command) => pure::consensus(command),
            Self::Guard(args) => guard::run(&args),
            Self::Sanitize(args) => sanitize::run(args),
        }
    }
}
