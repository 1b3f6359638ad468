//! The API reference, `docs/api.md`: one page made from the definitions and the documented reasons, so that it says
//! what the apiserver enforces and nothing else. Pure.

mod fields;
#[cfg(test)]
mod tests;

use crate::conditions::{self as c, Reason};
use crate::crdgen::{CrdgenError, definitions};
use fields::{Field, text};
use serde_json::Value;

const HEADER: &str = "<!-- Generated from crds/src by `cargo xtask crdgen`. Do not edit. -->\n";

const INTRODUCTION: &str = "\
# API reference

Every kind of `goldenarch.dev/v1alpha1`, with every field, bound, rule, condition and reason. `kubectl explain` says the
same of the fields. A field that is not listed does not exist and is refused by `kubectl apply`.

In the tables, `[]` stands for each item of a list and `{}` for each value of a map. What is not marked *required* may be
left out. Money is in millionths of a US dollar (`MicroUSD`).
";

/// The conditions a kind carries and the reasons of its own.
struct Said {
    kind: &'static str,
    types: &'static [&'static str],
    reasons: &'static [Reason],
}

const LONG_LIVED: &[&str] = &[c::READY, c::RECONCILING, c::STALLED];
const BUDGET: &[&str] = &[c::READY, c::ANSWERED, c::RECONCILING, c::STALLED];
const MODEL_PROVIDER: &[&str] =
    &[c::READY, c::REACHABLE, c::FALLBACKS_USABLE, c::LIMITS_SHARED, c::RECONCILING, c::STALLED];
const TASK: &[&str] = &[
    c::ADMITTED,
    c::BUDGET_AVAILABLE,
    c::GUARDS_PASSED,
    c::CONSENSUS_REACHED,
    c::APPROVED,
    c::COMPLETE,
    c::FAILED,
    c::RECONCILING,
    c::STALLED,
];
const RUN: &[&str] = &[c::COMPLETE, c::FAILED, c::RECONCILING, c::STALLED];

const SAID: [Said; 8] = [
    Said { kind: "AgentTask", types: TASK, reasons: c::agent_task::ALL },
    Said { kind: "AgentTeam", types: LONG_LIVED, reasons: c::agent_team::ALL },
    Said { kind: "GovernancePolicy", types: LONG_LIVED, reasons: c::governance_policy::ALL },
    Said { kind: "Budget", types: BUDGET, reasons: c::budget::ALL },
    Said { kind: "SandboxRun", types: RUN, reasons: c::sandbox_run::ALL },
    Said { kind: "ModelProvider", types: MODEL_PROVIDER, reasons: c::model_provider::ALL },
    Said { kind: "PromptRevision", types: LONG_LIVED, reasons: c::prompt_revision::ALL },
    Said { kind: "Decision", types: &[c::ACCEPTED], reasons: c::decision::ALL },
];

/// The page, in Markdown.
pub fn page() -> Result<String, CrdgenError> {
    let crds = definitions()?;
    let kinds: Vec<(&Value, &Said)> = SAID
        .iter()
        .filter_map(|said| {
            crds.iter().find(|crd| crd["spec"]["names"]["kind"] == said.kind).map(|crd| (crd, said))
        })
        .collect();
    let mut page = format!("{HEADER}{INTRODUCTION}\n");
    page += &index(&kinds);
    for (crd, said) in &kinds {
        page += &kind(crd, said);
    }
    page += "## Reasons of several kinds\n\nFaults of Secrets, stores, images, pods and nodes, wherever they are met.\n\n";
    page += &reasons(c::shared::ALL);
    Ok(page.trim_end().to_owned() + "\n")
}

fn index(kinds: &[(&Value, &Said)]) -> String {
    let mut out = "| kind | scope | short | what it is |\n|---|---|---|---|\n".to_owned();
    for (crd, said) in kinds {
        out += &format!(
            "| [{}](#{}) | {} | `{}` | {} |\n",
            said.kind,
            said.kind.to_lowercase(),
            text(&crd["spec"]["scope"]),
            text(&crd["spec"]["names"]["shortNames"][0]),
            fields::cell(&text(&schema(crd)["description"])),
        );
    }
    out + "\nReasons that several kinds use are [at the end](#reasons-of-several-kinds).\n\n"
}

fn schema(crd: &Value) -> &Value {
    &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

fn kind(crd: &Value, said: &Said) -> String {
    let (names, version) = (&crd["spec"]["names"], &crd["spec"]["versions"][0]);
    let schema = schema(crd);
    let mut out = format!(
        "## {}\n\n{}\n\nResource `{}.{}`, short name `{}`, scope {}.\n\n",
        said.kind,
        text(&schema["description"]),
        text(&names["plural"]),
        text(&crd["spec"]["group"]),
        text(&names["shortNames"][0]),
        text(&crd["spec"]["scope"]),
    );
    for part in ["spec", "status"] {
        let of = &schema["properties"][part];
        let required = schema["required"].as_array().is_some_and(|all| all.iter().any(|name| name == part));
        out += &format!(
            "### {} {part}\n\n{}{}\n\n",
            said.kind,
            text(&of["description"]),
            if required { " Required." } else { "" }
        );
        out += &table(&fields::of(of));
    }
    out += &rules(said.kind, schema);
    out += &columns(said.kind, version);
    out += &conditions(said);
    out
}

fn table(fields: &[Field]) -> String {
    let mut out = "| field | type | meaning |\n|---|---|---|\n".to_owned();
    for field in fields {
        out += &format!("| `{}` | {} | {} |\n", field.path, field.kind, fields::cell(&field.meaning));
    }
    out + "\n"
}

fn rules(kind: &str, schema: &Value) -> String {
    let rules = fields::rules(schema);
    if rules.is_empty() {
        return String::new();
    }
    let mut out = format!(
        "### {kind} rules\n\nChecked by the apiserver beside the bounds above. Each is refused with its message.\n\n"
    );
    for rule in rules {
        out += &format!("- `{}`: {}\n  ```cel\n  {}\n  ```\n", rule.path, rule.message, rule.expression);
    }
    out + "\n"
}

fn columns(kind: &str, version: &Value) -> String {
    let mut out = format!(
        "### {kind} columns\n\nOf `kubectl get`; those marked *wide* with `-o wide`.\n\n| column | from |\n|---|---|\n"
    );
    for column in version["additionalPrinterColumns"].as_array().into_iter().flatten() {
        let wide = if column["priority"].as_i64().unwrap_or(0) > 0 { " *(wide)*" } else { "" };
        out += &format!("| {}{wide} | `{}` |\n", text(&column["name"]), text(&column["jsonPath"]));
    }
    let selectable: Vec<_> = version["selectableFields"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|field| format!("`{}`", text(&field["jsonPath"]).trim_start_matches('.')))
        .collect();
    if !selectable.is_empty() {
        out += &format!("\n`--field-selector` takes {}.\n", selectable.join(", "));
    }
    out + "\n"
}

fn conditions(said: &Said) -> String {
    let types = c::TYPES.iter().filter(|t| said.types.contains(&t.name));
    let mut out = format!("### {} conditions\n\n| type | meaning |\n|---|---|\n", said.kind);
    for of in types {
        out += &format!("| `{}` | {} |\n", of.name, fields::cell(&words(of.doc)));
    }
    out + &format!("\n### {} reasons\n\n", said.kind) + &reasons(said.reasons)
}

fn reasons(all: &[Reason]) -> String {
    let mut out = "| reason | meaning |\n|---|---|\n".to_owned();
    for reason in all {
        out += &format!("| `{}` | {} |\n", reason.name, fields::cell(&words(reason.doc)));
    }
    out + "\n"
}

/// A text on one line.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
