//! Labels, annotations, field managers and child names: one place for each name.

/// Label: the AgentTask's uid on everything made for it.
pub const TASK_UID: &str = "goldenarch.dev/task-uid";
/// Label: the AgentTeam's uid on everything made for it.
pub const TEAM_UID: &str = "goldenarch.dev/team-uid";
/// Label: what a pod is: `attempt`, `sandbox`, `fetch`, `delivery` or `service`.
pub const COMPONENT: &str = "goldenarch.dev/component";
/// Label of the namespace's run pods, which the admission policies close: value `true`.
pub const RUN_POD: &str = "goldenarch.dev/run";
/// Annotation on a Secret: what it may be used for, `model`, `git-read` or `git-write`, comma separated.
pub const SECRET_USE: &str = "goldenarch.dev/use";
/// Annotation on a Secret: the hosts (host or host:port, comma separated) it may be sent to.
pub const SECRET_HOSTS: &str = "goldenarch.dev/hosts";
/// Standard label: the part of Golden that manages the object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";

/// Service account of a team's namespace whose token opens the namespace to its readers (docs/decisions/0004).
pub const READER_ACCOUNT: &str = "golden-reader";
/// The one whose token lets its bearer act there: replay and discard dead letters.
pub const STEWARD_ACCOUNT: &str = "golden-steward";
/// Service account of Golden's own namespace whose token opens every namespace, also those that are gone.
pub const AUDITOR_ACCOUNT: &str = "golden-auditor";

/// The name of a child: `‹name, ≤ 30›-‹uid, 8›‹suffix›`, so that a recreated parent never meets its past.
pub fn child_name(name: &str, uid: &str, suffix: &str) -> String {
    let head: String = name.chars().take(30).collect();
    let uid: String = uid.chars().filter(|c| *c != '-').take(8).collect();
    format!("{}-{uid}{suffix}", head.trim_end_matches(['-', '.']))
}

/// The name of the pod of one try of one attempt.
pub fn try_name(name: &str, uid: &str, attempt: u32, r#try: u32) -> String {
    child_name(name, uid, &format!("-a{attempt}-t{try}", r#try = r#try))
}

/// The name of one of a team's services in Golden's namespace: `‹service›-‹team, ≤ 30›-‹uid, 8›`.
pub fn service_name(service: &str, team: &str, team_uid: &str) -> String {
    format!("{service}-{}", child_name(team, team_uid, ""))
}
