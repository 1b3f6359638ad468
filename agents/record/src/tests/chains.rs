use super::support::{chain, head, header};
use crate::{
    Entry, EntryError, Head, Header, MAX_BODY_BYTES, Misfit, Why, append, genesis, verify, verify_head,
};
use serde_json::json;

fn check(entries: &[Entry]) -> Result<Head, Misfit> {
    verify_head(&genesis(&header()), entries, &head(&chain()))
}

/// Where the first entry does not fit.
fn misfit(entries: &[Entry]) -> u64 {
    check(entries).unwrap_err().seq
}

#[test]
fn untouched_chain_verifies_to_its_head() {
    let entries = chain();
    assert_eq!(check(&entries).unwrap(), head(&entries));
    assert_eq!(verify(&genesis(&header()), &[]).unwrap(), Head { head: genesis(&header()), entries: 0 });
}

#[test]
fn hashes_do_not_change_between_versions() {
    // Computed by an independent program: guards the format.
    assert_eq!(genesis(&header()), GENESIS);
    let entry = append(GENESIS, 1, "2026-01-02T03:04:05Z", "Admitted", json!({"b": 1, "a": "é"})).unwrap();
    assert_eq!(entry.hash, FIRST);
}

const GENESIS: &str = "sha256:69500baf20c9932b7dea7b56d4ba6637cc39bb21893368a87a55f18f27da4642";
const FIRST: &str = "sha256:88999f490ec05a0b98e87fd8c24b243791ba571d8a8856b86b0c426b47a7bd42";

#[test]
fn member_order_of_a_body_changes_nothing() {
    let prev = genesis(&header());
    let entry = |body| append(&prev, 1, "2026-01-02T03:04:05Z", "Step", body).unwrap().hash;
    assert_eq!(entry(json!({"a": 1, "b": 2})), entry(json!({"b": 2, "a": 1})));
}

#[test]
fn every_changed_field_of_every_entry_is_found_at_that_entry() {
    type Change = fn(&mut Entry);
    let changes: [Change; 6] = [
        |e| e.seq += 1,
        |e| e.at = "2026-01-02T03:04:59Z".into(),
        |e| e.kind.push('x'),
        |e| e.body = json!({"forged": true}),
        |e| e.prev = e.prev.replace(|c: char| c.is_ascii_digit(), "a"),
        |e| e.hash = e.hash.replace(|c: char| c.is_ascii_digit(), "a"),
    ];
    for at in 0..chain().len() {
        for (number, change) in changes.iter().enumerate() {
            let mut entries = chain();
            change(&mut entries[at]);
            assert_eq!(misfit(&entries), at as u64 + 1, "change {number} of entry {}", at + 1);
        }
    }
}

#[test]
fn recomputed_hash_is_found_at_the_next_entry() {
    let mut entries = chain();
    let old = &entries[1];
    entries[1] = append(&old.prev, old.seq, &old.at, &old.kind, json!({"verdict": "Passed"})).unwrap();
    let fault = check(&entries).unwrap_err();
    assert!(fault.seq == 3 && matches!(fault.why, Why::Prev { .. }), "{fault}");
}

#[test]
fn dropped_repeated_and_reordered_entries_are_found() {
    let len = chain().len();
    for at in 0..len {
        let mut dropped = chain();
        dropped.remove(at);
        assert_eq!(misfit(&dropped), at as u64 + 1);
        let mut repeated = chain();
        repeated.insert(at, repeated[at].clone());
        assert_eq!(misfit(&repeated), at as u64 + 2);
        for other in at + 1..len {
            let mut swapped = chain();
            swapped.swap(at, other);
            assert_eq!(misfit(&swapped), at as u64 + 1);
        }
    }
}

#[test]
fn misnumbered_entry_is_found_even_if_its_hash_is_right() {
    let prev = genesis(&header());
    let entry = append(&prev, 7, "2026-01-02T03:04:05Z", "Step", json!(1)).unwrap();
    let fault = verify(&prev, [&entry]).unwrap_err();
    assert_eq!(fault, Misfit { seq: 1, why: Why::Seq(7) });
}

#[test]
fn cut_or_whole_rewritten_chain_does_not_reach_the_expected_head() {
    for kept in 0..chain().len() {
        let fault = check(&chain()[..kept]).unwrap_err();
        assert!(fault.seq == kept as u64 + 1 && matches!(fault.why, Why::Head { .. }), "{fault}");
    }
    let mut prev = genesis(&header());
    let mut rewritten = vec![];
    for old in chain() {
        rewritten.push(append(&prev, old.seq, &old.at, "Forged", old.body).unwrap());
        prev.clone_from(&rewritten[rewritten.len() - 1].hash);
    }
    // Sound in itself, which is why the head is kept elsewhere too.
    assert!(verify(&genesis(&header()), &rewritten).is_ok());
    assert!(matches!(check(&rewritten).unwrap_err().why, Why::Head { .. }));
}

#[test]
fn entries_of_another_task_team_or_install_do_not_fit() {
    type Change = fn(&mut Header);
    let changes: [Change; 4] =
        [|h| h.task.push('x'), |h| h.team.push('x'), |h| h.install.push('x'), |h| h.v += 1];
    for change in changes {
        let mut other = header();
        change(&mut other);
        let fault = verify(&genesis(&other), &chain()).unwrap_err();
        assert!(fault.seq == 1 && matches!(fault.why, Why::Prev { .. }), "{fault}");
    }
    // Names cannot be moved between the fields.
    let moved = Header { team: "team-1t".into(), task: "ask-1".into(), ..header() };
    assert_ne!(genesis(&moved), genesis(&header()));
}

#[test]
fn entries_that_cannot_be_recorded_are_refused() {
    let make = |seq, at: &str, kind: &str, body| append("p", seq, at, kind, body);
    let at = "2026-01-02T03:04:05Z";
    assert_eq!(make(0, at, "k", json!(1)), Err(EntryError::Seq));
    assert!(matches!(make(1, at, "", json!(1)), Err(EntryError::Kind(_))));
    assert!(matches!(make(1, at, &"k".repeat(129), json!(1)), Err(EntryError::Kind(_))));
    assert!(matches!(make(1, at, "k", json!({"share": 0.5})), Err(EntryError::Body { .. })));
    let large = json!("x".repeat(MAX_BODY_BYTES));
    assert!(matches!(make(1, at, "k", large), Err(EntryError::TooLarge { .. })));
    for bad in [
        "",
        "yesterday",
        "2026-01-02",
        "2026-01-02T03:04:05+01:00",
        "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05.1xZ",
        "2026-01-0éT03:04:05Z",
    ] {
        assert!(matches!(make(1, bad, "k", json!(1)), Err(EntryError::At(_))), "{bad}");
    }
    assert!(make(1, "2026-01-02T03:04:05.123456789Z", "k", json!(1)).is_ok());
}
