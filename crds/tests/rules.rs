//! The rules and bounds of the kinds, through the crate: no apiserver needed.

// All of this is test code; the lints know only functions marked as tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::bounds::broken;
use common::cases::CaseFile;
use common::found::{FoundRule, rules};
use common::{definitions, kind, schema};
use kube::core::cel::{CompiledSchema, Validator, compile_schema};
use serde_json::Value;

struct Kind {
    crd: Value,
    file: CaseFile,
    rules: Vec<FoundRule>,
    cel: CompiledSchema,
    structure: jsonschema::Validator,
}

fn kinds() -> Vec<Kind> {
    let mut crds = definitions();
    let kinds: Vec<_> = CaseFile::all()
        .into_iter()
        .map(|file| {
            let at = crds.iter().position(|c| kind(c) == file.kind);
            let crd =
                crds.remove(at.unwrap_or_else(|| panic!("no kind {}, or cases of it twice", file.kind)));
            let structure = jsonschema::draft4::new(schema(&crd)).expect("a schema");
            Kind { rules: rules(&crd), cel: compile_schema(schema(&crd)), structure, crd, file }
        })
        .collect();
    assert!(crds.is_empty(), "kinds without cases: {:?}", crds.iter().map(kind).collect::<Vec<_>>());
    kinds
}

/// Path and message of each fault.
type Faults = Vec<(String, String)>;

impl Kind {
    /// What is wrong with the object: by rules, and by bounds.
    fn faults(&self, object: &Value, old: Option<&Value>) -> (Faults, Faults) {
        let rules = match Validator::new().validate_compiled(&self.cel, object, old) {
            Ok(()) => Vec::new(),
            Err(errors) => errors.into_iter().map(|e| (e.field_path, e.message)).collect(),
        };
        let bounds = self.structure.iter_errors(object);
        (rules, bounds.map(|e| (dotted(&e.instance_path().to_string()), e.to_string())).collect())
    }
}

/// `/spec/guards/0/name` as `spec.guards[0].name`.
fn dotted(pointer: &str) -> String {
    let mut out = String::new();
    for part in pointer.split('/').filter(|p| !p.is_empty()) {
        if part.chars().all(|c| c.is_ascii_digit()) {
            out.push_str(&format!("[{part}]"));
        } else if out.is_empty() {
            out.push_str(part);
        } else {
            out.push('.');
            out.push_str(part);
        }
    }
    out
}

#[test]
fn every_rule_has_a_case_it_accepts_and_one_it_refuses() {
    let mut lacking = Vec::new();
    for k in kinds() {
        for rule in &k.rules {
            let cases: Vec<_> = k.file.cases.iter().filter(|c| rule.is_of(&k.file, c)).collect();
            for valid in [true, false] {
                if !cases.iter().any(|c| c.valid == valid) {
                    lacking
                        .push(format!("{} {}: {} (valid: {valid})", k.file.kind, rule.field, rule.message));
                }
            }
            for case in cases {
                let object = k.file.object(&case.object);
                assert!(rule.looks_at(&object), "{}: the rule is not run for {case}", k.file.kind);
                assert!(
                    !rule.is_transition() || case.old.is_some(),
                    "{}: {case} has nothing to change",
                    k.file.kind
                );
            }
        }
        for case in &k.file.cases {
            let of = k.rules.iter().filter(|r| r.is_of(&k.file, case)).count();
            assert_eq!(of, 1, "{}: {case} is of {of} rules", k.file.kind);
        }
    }
    assert!(lacking.is_empty(), "rules without a case:\n{}", lacking.join("\n"));
}

#[test]
fn every_rule_names_its_field_and_a_reason() {
    for k in kinds() {
        for rule in &k.rules {
            let name = rule.field.rsplit('.').next().unwrap().trim_end_matches("[]");
            assert!(rule.message.contains(name), "{}: `{}` does not name {name}", k.file.kind, rule.message);
            assert!(!rule.reason.is_empty(), "{}: `{}` has no reason", k.file.kind, rule.message);
            assert!(rule.message.len() > 30, "{}: `{}` does not say what to do", k.file.kind, rule.message);
        }
    }
}

#[test]
fn rules_accept_and_refuse_as_their_cases_say() {
    let mut wrong = Vec::new();
    for k in kinds() {
        for case in &k.file.cases {
            let object = k.file.object(&case.object);
            let old = case.old.as_ref().map(|patch| k.file.object(patch));
            if let Some(old) = &old {
                let (rules, bounds) = k.faults(old, None);
                assert!(
                    rules.is_empty() && bounds.is_empty(),
                    "{}: old of {case}: {rules:?} {bounds:?}",
                    k.file.kind
                );
            }
            let (rules, bounds) = k.faults(&object, old.as_ref());
            let as_said = if case.valid {
                rules.is_empty()
            } else {
                !rules.is_empty() && rules.iter().all(|(_, message)| message.starts_with(&case.rule))
            };
            if !as_said || !bounds.is_empty() {
                wrong.push(format!("{}: {case}: {rules:?} {bounds:?}", k.file.kind));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn full_objects_are_valid_and_set_every_field() {
    for k in kinds() {
        for full in k.file.full() {
            let (rules, bounds) = k.faults(&full, None);
            assert!(rules.is_empty() && bounds.is_empty(), "{}: {rules:?} {bounds:?}", k.file.kind);
        }
        let (_, missing) = broken(&k.crd, &k.file);
        assert!(missing.is_empty(), "{}: `full` leaves out {}", k.file.kind, missing.join(", "));
    }
}

#[test]
fn every_bound_is_enforced_and_names_its_field() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for k in kinds() {
        assert!(!k.crd.to_string().contains("nullable"), "{}: a null passes for a value", k.file.kind);
        for b in broken(&k.crd, &k.file).0.into_iter().filter(|b| !b.apiserver_only) {
            count += 1;
            let (_, bounds) = k.faults(&b.object, None);
            let parent = b.field.rsplit_once('.').map_or("", |(parent, _)| parent);
            let named = bounds.iter().any(|(path, message)| {
                path.starts_with(&b.field)
                    || (b.what == "missing" && path == parent && message.contains("required"))
            });
            if !named {
                wrong.push(format!("{} {}: {}: {bounds:?}", k.file.kind, b.field, b.what));
            }
        }
    }
    assert!(wrong.is_empty(), "bounds that do not hold:\n{}", wrong.join("\n"));
    assert!(count > 300, "only {count} bounds were found");
}

#[test]
fn every_field_of_a_spec_is_documented_and_bounded() {
    let mut bare = Vec::new();
    for k in kinds() {
        undocumented(&k.file.kind, "", schema(&k.crd), &mut bare);
    }
    assert!(bare.is_empty(), "{}", bare.join("\n"));
}

fn undocumented(kind: &str, path: &str, schema: &Value, bare: &mut Vec<String>) {
    // Kubernetes' own shapes, kept as they are.
    let foreign = ["resources", "tolerations", "nodeSelector"];
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        if foreign.contains(&name.as_str()) || path == ".metadata" || path == ".apiVersion" || path == ".kind"
        {
            continue;
        }
        let doc = property["description"].as_str().unwrap_or_default();
        if doc.len() < 4 {
            bare.push(format!("{kind}{path} has no documentation"));
        }
        unbounded(kind, &path, property, bare);
        undocumented(kind, &path, property, bare);
        let items = &property["items"];
        if items.is_object() {
            unbounded(kind, &format!("{path}[]"), items, bare);
            undocumented(kind, &format!("{path}[]"), items, bare);
        }
    }
}

fn unbounded(kind: &str, path: &str, schema: &Value, bare: &mut Vec<String>) {
    let has = |key: &str| !schema[key].is_null();
    let spec = path.starts_with(".spec");
    let bounded = match schema["type"].as_str() {
        Some("string") => {
            has("maxLength")
                || has("enum")
                || has("format")
                || schema["pattern"].as_str().is_some_and(|p| p.contains("{64}"))
        }
        Some("integer") => !spec || (has("minimum") && has("maximum")),
        Some("number") => false,
        Some("array") => has("maxItems"),
        Some("object") => has("properties") || has("maxProperties"),
        _ => true,
    };
    if !bounded {
        bare.push(format!("{kind}{path} is not bounded: {schema}"));
    }
}

#[test]
fn every_kind_has_the_status_subresource_columns_category_and_a_short_name() {
    for crd in definitions() {
        let (names, version) = (&crd["spec"]["names"], &crd["spec"]["versions"][0]);
        let kind = kind(&crd).to_owned();
        assert!(version["subresources"]["status"].is_object(), "{kind}");
        assert_eq!(names["categories"], serde_json::json!(["golden"]), "{kind}");
        assert_eq!(names["shortNames"].as_array().map(Vec::len), Some(1), "{kind}");
        let columns = version["additionalPrinterColumns"].as_array().unwrap();
        let first: Vec<_> = columns.iter().filter(|c| c["priority"].as_i64().unwrap_or(0) == 0).collect();
        assert_eq!(first.last().unwrap()["name"], "Age", "{kind}");
        assert!(first.len() >= 4, "{kind}");
    }
}

#[test]
fn conditions_are_maps_by_type_with_bounds_on_every_kind() {
    for crd in definitions() {
        let conditions = &schema(&crd)["properties"]["status"]["properties"]["conditions"];
        assert_eq!(conditions["x-kubernetes-list-map-keys"], serde_json::json!(["type"]), "{}", kind(&crd));
        let item = &conditions["items"]["properties"];
        assert_eq!(
            item["message"]["maxLength"],
            golden_crds::conditions::MAX_MESSAGE_BYTES,
            "{}",
            kind(&crd)
        );
        assert_eq!(item["status"]["enum"], serde_json::json!(["True", "False", "Unknown"]), "{}", kind(&crd));
    }
}

#[test]
fn examples_and_what_the_pages_show_break_no_rule_and_no_bound() {
    let kinds = kinds();
    for (file, object) in common::pages::objects() {
        let k = kinds.iter().find(|k| object["kind"] == k.file.kind.as_str());
        let k = k.unwrap_or_else(|| panic!("{file}: there is no kind {}", object["kind"]));
        let (rules, bounds) = k.faults(&object, None);
        assert!(rules.is_empty() && bounds.is_empty(), "{file}: {rules:?} {bounds:?}");
    }
}
