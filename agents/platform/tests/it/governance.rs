//! The SQL that operators of the system call, through psql, as a person types it.

use crate::support::{as_role, database, postgres, psql};

const TEAM: &str = "11111111-1111-4111-8111-111111111111";
const OTHER: &str = "22222222-2222-4222-8222-222222222222";

fn digest(n: u32) -> String {
    format!("sha256:{n:064x}")
}

/// Proposes as the service does; returns the id.
fn propose(url: &str, team: &str, role: &str, n: u32, by: &str) -> String {
    let insert = format!(
        "INSERT INTO prompt_updates (team_uid, role, digest, proposed_by)
         VALUES ('{team}', '{role}', '{}', '{by}') RETURNING id",
        digest(n)
    );
    psql(&as_role(url, "golden_service"), &insert).unwrap().lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn the_four_statements_work_exactly_as_documented() {
    let url = database().await;
    assert_eq!(psql(&url, "SELECT can_auto_update_prompt('developer')").unwrap(), "t");
    assert_eq!(psql(&url, "SELECT can_auto_update_prompt('security')").unwrap(), "f");
    assert_eq!(psql(&url, "SELECT can_auto_update_prompt('nobody')").unwrap(), "f");
    let status = psql(&url, "SELECT * FROM governance_status").unwrap();
    let rows: Vec<Vec<&str>> = status.lines().map(|l| l.split('|').collect()).collect();
    let roles: Vec<&str> = rows.iter().map(|r| r[0]).collect();
    assert_eq!(roles, ["architect", "developer", "reviewer", "security", "tester"]);
    // role, can_auto_update, requires_approval, daily_limit_reached, cooldown_active, updates_today, limit, cooldown
    assert_eq!(rows[1][1..8], ["t", "f", "f", "f", "0", "5", "7200"]);
    assert_eq!(rows[3][1..8], ["f", "t", "f", "f", "0", "1", "86400"]);
    assert_eq!(psql(&url, "SELECT * FROM get_pending_approvals_count()").unwrap(), "0");
    let id = propose(&url, TEAM, "security", 1, "supervisor");
    assert_eq!(id, "1");
    propose(&url, TEAM, "developer", 2, "supervisor");
    assert_eq!(
        psql(&url, "SELECT * FROM get_pending_approvals_count()").unwrap(),
        "1",
        "developer needs nobody"
    );
    assert_eq!(psql(&url, "SELECT approve_prompt_update(1,'admin','Approved')").unwrap(), "t");
    assert_eq!(psql(&url, "SELECT * FROM get_pending_approvals_count()").unwrap(), "0");
    let kept = psql(&url, "SELECT state, approved_by, note FROM prompt_updates WHERE id = 1").unwrap();
    assert_eq!(kept, "Approved|golden|admin: Approved", "the session's user approved; the name is a note");
}

#[tokio::test]
async fn an_approval_that_cannot_be_says_why() {
    let url = database().await;
    let unknown = psql(&url, "SELECT approve_prompt_update(99,'admin','Approved')").unwrap_err();
    assert!(unknown.contains("there is no prompt update 99"), "{unknown}");
    let own = propose(&url, TEAM, "security", 1, "golden");
    let refused =
        psql(&url, &format!("SELECT approve_prompt_update({own},'somebody','Approved')")).unwrap_err();
    assert!(refused.contains("proposed by golden, who cannot approve it"), "{refused}");
    let id = propose(&url, TEAM, "security", 2, "supervisor");
    let elsewhere = psql(&url, &format!("SELECT approve_prompt_update({id},'a','b','{OTHER}')")).unwrap_err();
    assert!(elsewhere.contains("there is no prompt update"), "{elsewhere}");
    psql(&url, &format!("SELECT approve_prompt_update({id},'a','b','{TEAM}')")).unwrap();
    let twice = psql(&url, &format!("SELECT approve_prompt_update({id},'a','b')")).unwrap_err();
    assert!(twice.contains("is Approved, only a Pending one can be approved"), "{twice}");
}

#[tokio::test]
async fn a_person_who_is_an_approver_may_approve_and_cannot_hide_behind_another_role() {
    let url = database().await;
    for person in ["governance_alice", "governance_bob"] {
        psql(&postgres().url(), &format!("CREATE ROLE {person} LOGIN IN ROLE golden_approver")).unwrap();
    }
    let id = propose(&url, TEAM, "security", 1, "governance_alice");
    let approve = format!("SELECT approve_prompt_update({id},'bob','fine')");
    let alice = psql(&as_role(&url, "governance_alice"), &format!("SET ROLE golden_approver; {approve}"));
    assert!(alice.unwrap_err().contains("proposed by governance_alice"));
    assert_eq!(psql(&as_role(&url, "governance_bob"), &approve).unwrap(), "t");
    let direct = psql(&as_role(&url, "governance_bob"), "UPDATE prompt_updates SET state = 'Pending'");
    assert!(direct.unwrap_err().contains("permission denied"));
}

#[tokio::test]
async fn limits_count_the_last_day_and_the_last_update() {
    let url = database().await;
    let service = as_role(&url, "golden_service");
    let can = || psql(&url, &format!("SELECT can_auto_update_prompt('developer', '{TEAM}')")).unwrap();
    let past = |hours: u32| {
        let back = format!("UPDATE prompt_updates SET applied_at = applied_at - interval '{hours} hours'");
        psql(&url, &back).unwrap();
    };
    for n in 0..5 {
        assert_eq!(can(), "t", "before update {n}");
        let id = propose(&url, TEAM, "developer", n, "supervisor");
        psql(&service, &format!("SELECT apply_prompt_update({id})")).unwrap();
        assert_eq!(can(), "f", "cooling down after update {n}");
        let early = propose(&url, TEAM, "developer", 100 + n, "supervisor");
        let refused = psql(&service, &format!("SELECT apply_prompt_update({early})")).unwrap_err();
        assert!(refused.contains("may be updated again at"), "{refused}");
        past(3);
    }
    let status = format!(
        "SELECT daily_limit_reached, cooldown_active, updates_today FROM governance_status('{TEAM}') WHERE role = 'developer'"
    );
    assert_eq!(psql(&url, &status).unwrap(), "t|f|5");
    assert_eq!(can(), "f");
    // The first update is 15 hours old: ten more hours and it no longer counts.
    let next = format!(
        "SELECT round(extract(epoch FROM next_allowed_at - now()) / 3600) FROM governance_status('{TEAM}') WHERE role = 'developer'"
    );
    assert_eq!(psql(&url, &next).unwrap(), "9");
    past(10);
    assert_eq!(can(), "t");
}

#[tokio::test]
async fn without_a_team_the_strictest_answer_counts() {
    let url = database().await;
    let override_ = format!("INSERT INTO learning_limits VALUES ('{OTHER}', 'tester', 0, 0, false)");
    psql(&url, &override_).unwrap();
    assert_eq!(psql(&url, "SELECT can_auto_update_prompt('tester')").unwrap(), "f");
    assert_eq!(psql(&url, &format!("SELECT can_auto_update_prompt('tester', '{TEAM}')")).unwrap(), "t");
    assert_eq!(psql(&url, &format!("SELECT can_auto_update_prompt('tester', '{OTHER}')")).unwrap(), "f");
    assert_eq!(psql(&url, &format!("SELECT can_auto_update_prompt('reviewer', '{OTHER}')")).unwrap(), "t");
    propose(&url, TEAM, "architect", 1, "s");
    propose(&url, OTHER, "architect", 2, "s");
    assert_eq!(psql(&url, "SELECT * FROM get_pending_approvals_count()").unwrap(), "2");
    assert_eq!(psql(&url, &format!("SELECT * FROM get_pending_approvals_count('{TEAM}')")).unwrap(), "1");
}

#[tokio::test]
async fn a_role_that_needs_approval_cannot_be_applied_without_it() {
    let url = database().await;
    let service = as_role(&url, "golden_service");
    let id = propose(&url, TEAM, "security", 1, "supervisor");
    let refused = psql(&service, &format!("SELECT apply_prompt_update({id})")).unwrap_err();
    assert!(refused.contains("needs an approval"), "{refused}");
    psql(&url, &format!("SELECT approve_prompt_update({id},'admin','ok')")).unwrap();
    assert_eq!(psql(&service, &format!("SELECT apply_prompt_update({id})")).unwrap(), "t");
    assert_eq!(
        psql(&service, &format!("SELECT apply_prompt_update({id})")).unwrap(),
        "t",
        "again changes nothing"
    );
}
