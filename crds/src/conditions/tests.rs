use super::*;
use jiff::Timestamp;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn all() -> Vec<(&'static str, &'static [Reason])> {
    vec![
        ("types", TYPES),
        ("shared", shared::ALL),
        ("agent_task", agent_task::ALL),
        ("agent_team", agent_team::ALL),
        ("budget", budget::ALL),
        ("decision", decision::ALL),
        ("governance_policy", governance_policy::ALL),
        ("model_provider", model_provider::ALL),
        ("prompt_revision", prompt_revision::ALL),
        ("sandbox_run", sandbox_run::ALL),
    ]
}

#[test]
fn every_reason_is_camel_case_documented_and_unique_in_its_kind() {
    for (module, reasons) in all() {
        let mut seen = std::collections::BTreeSet::new();
        for reason in reasons {
            assert!(reason.name.starts_with(|c: char| c.is_ascii_uppercase()), "{module}: {}", reason.name);
            assert!(reason.name.chars().all(|c| c.is_ascii_alphanumeric()), "{module}: {}", reason.name);
            assert!(reason.doc.trim().len() > 20, "{module}: {} has no documentation", reason.name);
            assert!(
                reason.doc.trim().ends_with('.') || reason.doc.trim().ends_with(')'),
                "{module}: {}",
                reason.name
            );
            assert!(seen.insert(reason.name), "{module}: {} twice", reason.name);
            let shared =
                !["shared", "types"].contains(&module) && shared::ALL.iter().any(|s| s.name == reason.name);
            assert!(!shared, "{module}: {} is also shared", reason.name);
        }
    }
}

/// A documented reason that nothing sets would be waited for in vain.
#[test]
fn every_reason_is_set_somewhere() {
    fn sources(folder: &std::path::Path, all: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !["target", "tests"].contains(&name.as_str()) {
                sources(&path, all);
            } else if path.extension().is_some_and(|e| e == "rs") && name != "tests.rs" {
                all.push_str(&std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut code = String::new();
    for folder in ["operator/src", "agents", "sandbox/src"] {
        sources(&root.join(folder), &mut code);
    }
    let constant = |name: &str| {
        let upper = name.char_indices().flat_map(|(i, c)| {
            let gap = (i > 0 && c.is_ascii_uppercase()).then_some('_');
            gap.into_iter().chain([c.to_ascii_uppercase()])
        });
        upper.collect::<String>()
    };
    let words: std::collections::HashSet<&str> =
        code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    for (module, reasons) in all().into_iter().filter(|(module, _)| *module != "types") {
        for reason in reasons {
            let set = words.contains(reason.name) || words.contains(constant(reason.name).as_str());
            assert!(set, "{module}: nothing sets {}", reason.name);
        }
    }
}

#[test]
fn transition_time_changes_only_with_the_status() {
    let mut c = Vec::new();
    assert!(set_condition(&mut c, READY, Status::False, "Progressing", "a", Some(1), at(1)));
    assert!(!set_condition(&mut c, READY, Status::False, "Progressing", "a", Some(2), at(2)));
    assert!(set_condition(&mut c, READY, Status::False, "Progressing", "b", Some(2), at(3)));
    assert_eq!(c[0].last_transition_time.0, at(1));
    assert_eq!(c[0].observed_generation, Some(2));
    assert!(set_condition(&mut c, READY, Status::True, "Available", "b", Some(2), at(4)));
    assert_eq!(c[0].last_transition_time.0, at(4));
    assert_eq!(c.len(), 1);
}

#[test]
fn long_messages_are_cut_at_a_character_and_stay_within_the_bound() {
    let mut c = Vec::new();
    let long = "é".repeat(MAX_MESSAGE_BYTES);
    set_condition(&mut c, READY, Status::False, "X", &long, None, at(1));
    assert!(c[0].message.len() <= MAX_MESSAGE_BYTES);
    assert!(c[0].message.len() > MAX_MESSAGE_BYTES - 20);
    assert!(c[0].message.ends_with("(cut)"));
    set_condition(&mut c, READY, Status::False, "X", &"a".repeat(MAX_MESSAGE_BYTES), None, at(1));
    assert!(c[0].message.chars().all(|x| x == 'a'));
}

#[test]
fn generic_tools_read_every_lifecycle_as_meant() {
    for (state, wanted) in [
        (Lifecycle::Ready, KStatus::Current),
        (Lifecycle::Progressing, KStatus::InProgress),
        (Lifecycle::Stalled, KStatus::Failed),
    ] {
        for before in [Lifecycle::Ready, Lifecycle::Progressing, Lifecycle::Stalled] {
            let mut c = Vec::new();
            set_lifecycle(&mut c, before, "A", "a", Some(1), at(1));
            set_lifecycle(&mut c, state, "B", "b", Some(1), at(2));
            assert_eq!(kstatus(&c, 1, Some(1), false), wanted, "{before:?} to {state:?}");
            assert_eq!(kstatus(&c, 2, Some(1), false), KStatus::InProgress);
            assert_eq!(kstatus(&c, 1, Some(1), true), KStatus::Terminating);
            assert!(!set_lifecycle(&mut c, state, "B", "b", Some(1), at(3)));
        }
    }
}

#[test]
fn generic_tools_read_every_run_state_as_meant() {
    let states = [RunState::InProgress, RunState::Stalled, RunState::Complete, RunState::Failed];
    for before in states {
        for state in states {
            let mut c = Vec::new();
            set_run_state(&mut c, before, "A", "a", Some(1), at(1));
            set_run_state(&mut c, state, "B", "b", Some(1), at(2));
            let wanted = match state {
                RunState::InProgress => KStatus::InProgress,
                RunState::Stalled | RunState::Failed => KStatus::Failed,
                RunState::Complete => KStatus::Current,
            };
            assert_eq!(kstatus(&c, 1, Some(1), false), wanted, "{before:?} to {state:?}");
            assert_eq!(is_true(&c, COMPLETE), state == RunState::Complete);
            assert_eq!(is_true(&c, FAILED), state == RunState::Failed);
            assert!(!set_run_state(&mut c, state, "B", "b", Some(1), at(3)));
        }
    }
}
