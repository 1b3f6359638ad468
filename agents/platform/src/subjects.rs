//! Names of streams, subjects and durable consumers. A team's names carry its uid, so that a recreated team
//! never meets the messages of its namesake.

use uuid::Uuid;

/// Durable consumers and who owns them.
pub const PEER_HUB: &str = "peer-hub";
pub const SANDBOX: &str = "sandbox";
pub const SUPERVISOR: &str = "supervisor";
pub const DLQ: &str = "dlq";

/// Channels of Postgres' NOTIFY. The payload is a hint; the tables are the truth. To held calls a nil uid on
/// [`NOTIFY_ACCOUNTS`] stands for any.
pub const NOTIFY_FACTS: &str = "golden_facts";
pub const NOTIFY_TASKS: &str = "golden_tasks";
pub const NOTIFY_ACCOUNTS: &str = "golden_accounts";
pub const NOTIFY_PROVIDERS: &str = "golden_providers";

/// The team's part of every name: its uid without dashes.
pub fn team(uid: Uuid) -> String {
    uid.simple().to_string()
}

/// Stream: peer review and guard work.
pub fn prc_stream(team_uid: Uuid) -> String {
    format!("PRC_{}", team(team_uid))
}

/// Stream: questions to people.
pub fn escalations_stream(team_uid: Uuid) -> String {
    format!("ESCALATIONS_{}", team(team_uid))
}

/// Stream: what could not be processed.
pub fn dlq_stream(team_uid: Uuid) -> String {
    format!("DLQ_{}", team(team_uid))
}

/// Subject: `ReviewRequested`.
pub fn review(team_uid: Uuid) -> String {
    format!("golden.{}.prc.review", team(team_uid))
}

/// Subject: `GuardRequested`.
pub fn sandbox(team_uid: Uuid) -> String {
    format!("golden.{}.prc.sandbox", team(team_uid))
}

/// Subject: `EscalationRaised`.
pub fn escalation(team_uid: Uuid) -> String {
    format!("golden.{}.esc", team(team_uid))
}

/// Subject: a dead letter of the named consumer.
pub fn dead_letter(team_uid: Uuid, consumer: &str) -> String {
    format!("golden.{}.dlq.{consumer}", team(team_uid))
}

/// All dead letters of a team.
pub fn dead_letters(team_uid: Uuid) -> String {
    format!("golden.{}.dlq.>", team(team_uid))
}

/// The server's advisories that a message of `stream` reached its last delivery, for any consumer.
pub fn max_deliveries(stream: &str) -> String {
    format!("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{stream}.*")
}
