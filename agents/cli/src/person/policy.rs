//! `golden policy`: which rules hold for a task and whose they are; and what recorded tasks would have come to under others.

use super::client::{Cluster, Connection};
use super::output::{Format, Table, dollars, json};
use super::unadmitted::unadmitted;
use anyhow::{Context as _, bail, ensure};
use golden_crds::GovernancePolicySpec;
use golden_crds::conditions::{ADMITTED, find};
use golden_governance::simulate::{Change, ChangedPolicy, Reach, Simulation, simulate};
use golden_governance::{Explained, MergedPolicy, explain};
use golden_record::{Export, verify_export};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Largest file with policies that is read, in bytes.
const MAX_POLICY_BYTES: u64 = 4 << 20;

/// What to do with policies.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum PolicyCommand {
    /// Show which rules hold for a task, whose each is, and why theirs counts.
    Explain(ExplainArgs),
    /// Decide recorded tasks again under changed policies, from the ballots and guards' facts there are.
    Simulate(SimulateArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    connection: Connection,
    /// Name of the AgentTask.
    name: String,
    /// A table for people, or JSON for programs.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SimulateArgs {
    #[command(flatten)]
    connection: Connection,
    /// GovernancePolicies as YAML or JSON, one or several: each takes the place of the one of its name, or is new.
    #[arg(long)]
    policy: PathBuf,
    /// A folder of exported records (`golden record export TASK > DIR/TASK.jsonl`); without it the namespace's newest
    /// tasks are read from the cluster.
    #[arg(long)]
    records: Option<PathBuf>,
    /// A table for people, or JSON for programs.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(crate) async fn run(command: PolicyCommand) -> anyhow::Result<u8> {
    match command {
        PolicyCommand::Explain(args) => explain_task(args).await,
        PolicyCommand::Simulate(args) => {
            let changed = policies(&args.policy)?;
            let records = match &args.records {
                Some(folder) => exported(folder)?,
                None => recorded(&args.connection.connect().await?).await?,
            };
            let told =
                records.iter().map(|(name, record)| simulate(record, &changed).with_context(|| name.clone()));
            let told: Vec<Simulation> = told.collect::<Result<_, _>>()?;
            if args.output == Format::Json {
                return json(&told);
            }
            print!("{}", render(&told));
            Ok(0)
        }
    }
}

async fn explain_task(args: ExplainArgs) -> anyhow::Result<u8> {
    let cluster = args.connection.connect().await?;
    let task: Value = match cluster.get(&format!("tasks/{}", args.name)).await {
        Ok(task) => task,
        Err(error) => return Err(not_admitted(&cluster, &args.name).await.unwrap_or(error)),
    };
    let policy: MergedPolicy =
        serde_json::from_value(task["policy"].clone()).context("the task's policy is of another version")?;
    let parts = explain(&policy);
    if args.output == Format::Json {
        return json(&serde_json::json!({"policies": policy.policies, "parts": parts}));
    }
    println!("policies, highest priority first: {}\n", policy.policies.join(", "));
    print!("{}", table(&parts));
    Ok(0)
}

/// A task that was not admitted has no rules yet; its condition says why.
async fn not_admitted(cluster: &Cluster, name: &str) -> Option<anyhow::Error> {
    let task = unadmitted(cluster, name).await?;
    let why = find(&task.status.as_ref()?.conditions, ADMITTED)?;
    Some(anyhow::anyhow!("{name} is not admitted, so no rules hold for it yet: {}", why.message))
}

fn table(parts: &[Explained]) -> String {
    let mut table = Table::new(&["PART", "VALUE", "FROM", "BECAUSE"]);
    for part in parts {
        table.row([part.part.clone(), part.value.clone(), part.from.join(", "), part.because.to_owned()]);
    }
    table.render()
}

fn policies(path: &Path) -> anyhow::Result<Vec<ChangedPolicy>> {
    let size = std::fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?.len();
    ensure!(
        size <= MAX_POLICY_BYTES,
        "{} has {size} bytes, at most {MAX_POLICY_BYTES} are read",
        path.display()
    );
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text)
        .with_context(|| format!("{} is neither YAML nor JSON", path.display()))?;
    let documents: Vec<&Value> = documents.iter().filter(|document| !document.is_null()).collect();
    ensure!(!documents.is_empty(), "{} holds no policy", path.display());
    documents.into_iter().map(|document| policy(document, path)).collect()
}

fn policy(document: &Value, path: &Path) -> anyhow::Result<ChangedPolicy> {
    let kind = document["kind"].as_str().unwrap_or_default();
    let name = document["metadata"]["name"].as_str().unwrap_or_default();
    if kind != "GovernancePolicy" || name.is_empty() {
        bail!(
            "{} holds a document that is no GovernancePolicy with a name: kind {kind:?}, name {name:?}",
            path.display()
        );
    }
    let mut unknown = vec![];
    let spec = serde_ignored::deserialize(&document["spec"], |field| unknown.push(field.to_string()));
    let spec: GovernancePolicySpec = spec.with_context(|| format!("GovernancePolicy {name}"))?;
    // A misspelt rule must not pass for an absent one.
    ensure!(
        unknown.is_empty(),
        "GovernancePolicy {name} has unknown fields: spec.{}",
        unknown.join(", spec.")
    );
    if let Some(review) = &spec.review {
        golden_consensus::policy_from_value(&serde_json::to_value(review)?)
            .with_context(|| format!("GovernancePolicy {name}: review"))?;
    }
    Ok(ChangedPolicy { name: name.to_owned(), spec })
}

/// Every record of a folder, by file name. One that cannot be relied on stops everything: a silent gap would look like
/// a task that does not change.
fn exported(folder: &Path) -> anyhow::Result<Vec<(String, Export)>> {
    let listing =
        std::fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut files: Vec<PathBuf> = vec![];
    for entry in listing {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    ensure!(!files.is_empty(), "{} holds no records: files that end in .jsonl", folder.display());
    let read = |path: PathBuf| {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(&path).with_context(|| format!("{name} cannot be read"))?;
        Ok((name.clone(), verify_export(&text).context(name)?))
    };
    files.into_iter().map(read).collect()
}

/// The records of the namespace's newest tasks.
async fn recorded(cluster: &Cluster) -> anyhow::Result<Vec<(String, Export)>> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Task {
        name: String,
        task_uid: String,
    }
    let listed: Vec<Task> = cluster.get("tasks").await?;
    ensure!(!listed.is_empty(), "namespace {} has no tasks with records", cluster.namespace);
    let mut records = vec![];
    for Task { name, task_uid } in &listed {
        let text = cluster.text(&format!("tasks/{name}/record?uid={task_uid}")).await?;
        records.push((name.clone(), verify_export(&text).context(name.clone())?));
    }
    Ok(records)
}

fn render(told: &[Simulation]) -> String {
    let mut table = Table::new(&["NAMESPACE", "TASK", "DECISION", "WAITS", "COST", "REACH", "BECAUSE"]);
    for task in told {
        table.row([
            task.namespace.clone(),
            task.name.clone(),
            arrow(&task.decision, Clone::clone),
            figure(&task.waits, task.reach, u32::to_string),
            figure(&task.cost, task.reach, |cost| dollars(*cost)),
            format!("{:?}", task.reach),
            task.because.clone(),
        ]);
    }
    let count = |reach| told.iter().filter(|task| task.reach == reach).count();
    let mut text = table.render();
    text.push_str(&format!(
        "\nof {}: {} as before, {} accepted earlier, {} on another way, {} not admitted, {} unknown\n",
        told.len(),
        count(Reach::Same),
        count(Reach::Accepted),
        count(Reach::Diverges),
        count(Reach::NotAdmitted),
        count(Reach::Unknown)
    ));
    text
}

fn arrow<T: PartialEq>(change: &Change<T>, words: impl Fn(&T) -> String) -> String {
    if change.before == change.after {
        words(&change.before)
    } else {
        format!("{} → {}", words(&change.before), words(&change.after))
    }
}

/// Beyond a turn nothing is known: what is counted up to there is a lower bound, also where it is the same number.
fn figure<T: PartialEq>(change: &Change<Option<T>>, reach: Reach, words: impl Fn(&T) -> String) -> String {
    let before = change.before.as_ref().map(&words).unwrap_or_default();
    match &change.after {
        None => format!("{before} → ?"),
        Some(after) if reach == Reach::Diverges => format!("{before} → ≥ {}", words(after)),
        Some(_) => arrow(change, |value| value.as_ref().map(&words).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    const POLICY: &str = "kind: GovernancePolicy\nmetadata: {name: code-changes}\nspec:\n  review:\n    voters: [{role: security}]\n";

    fn read(text: &str) -> Result<Vec<ChangedPolicy>, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        policies(file.path()).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn several_policies_are_read_and_whatever_is_none_is_refused_with_a_reason() {
        let two = format!("{POLICY}---\n{}", POLICY.replace("code-changes", "other"));
        let names: Vec<String> = read(&two).unwrap().into_iter().map(|p| p.name).collect();
        assert_eq!(names, ["code-changes", "other"]);
        for (text, wanted) in [
            ("", "holds no policy"),
            ("a: [", "neither YAML nor JSON"),
            ("kind: AgentTask\nmetadata: {name: x}\n", "no GovernancePolicy with a name: kind \"AgentTask\""),
            (&POLICY.replace("{name: code-changes}", "{}"), "name \"\""),
            (&POLICY.replace("review:", "revew:"), "unknown fields: spec.revew"),
            (&POLICY.replace("role:", "weight: 0, role:"), "weights 0 sum to 0"),
            (&POLICY.replace("[{role: security}]", "3"), "GovernancePolicy code-changes"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(wanted), "{text}\n{error}");
        }
    }

    #[test]
    fn a_folder_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let error = |folder: &Path| format!("{:#}", exported(folder).unwrap_err());
        assert!(error(folder.path()).contains("holds no records"));
        let record = include_str!("../../../governance/src/tests/records/fix-slugify.jsonl");
        std::fs::write(folder.path().join("a.jsonl"), record).unwrap();
        std::fs::write(folder.path().join("notes.txt"), "no record").unwrap();
        assert_eq!(exported(folder.path()).unwrap().len(), 1);
        std::fs::write(folder.path().join("b.jsonl"), record.replace("\"Approve\"", "\"Reject\"")).unwrap();
        assert!(error(folder.path()).contains("b.jsonl"));
    }

    #[test]
    fn the_table_shows_what_changes_and_where_figures_are_bounds() {
        let mut changed = read(POLICY).unwrap();
        let record =
            verify_export(include_str!("../../../governance/src/tests/records/adr-queue.jsonl")).unwrap();
        changed[0].name = "documents".into();
        changed[0].spec.review.as_mut().unwrap().voters[0].role = "reviewer".into();
        let text = render(&[simulate(&record, &changed).unwrap()]);
        assert!(text.contains("Tie → ChangesRequested   1 → ≥ 0   $0.00685 → ?"), "{text}");
        assert!(text.contains("of 1: 0 as before, 0 accepted earlier, 1 on another way"), "{text}");
    }
}
