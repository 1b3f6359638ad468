//! Installing Golden and what the demo needs beside it, as a user would: two charts, then manifests.

use crate::tools::{Tools, wait_for};
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The namespace of the demo's installation.
pub const NAMESPACE: &str = "golden-system";

/// Images the charts and the demo use; each `repository:tag`.
#[derive(Clone, Debug)]
pub struct Images {
    pub golden: String,
    pub golden_git: String,
}

/// The model behind the demo.
#[derive(Clone, Debug)]
pub enum Model {
    /// The recorded one, in the cluster.
    Recorded,
    /// A real one.
    Real { base_url: String, api_key: String, model: String },
}

impl Model {
    /// The real one where the usual variables name it, else the recorded one.
    pub fn from_env() -> Self {
        let set = |name| std::env::var(name).ok().filter(|v| !v.is_empty());
        match set("OPENAI_API_KEY") {
            Some(api_key) => Self::Real {
                api_key,
                base_url: set("OPENAI_BASE_URL").unwrap_or_else(|| "https://api.openai.com/v1".into()),
                model: set("OPENAI_MODEL").unwrap_or_else(|| "gpt-5-mini".into()),
            },
            None => Self::Recorded,
        }
    }

    /// What is said to the person who watches.
    pub fn describe(&self) -> String {
        match self {
            Self::Recorded => "the recorded model (set OPENAI_API_KEY, and OPENAI_BASE_URL and OPENAI_MODEL, to use a real one)".into(),
            Self::Real { base_url, model, .. } => format!("{model} at {base_url}"),
        }
    }
}

/// The root of this source tree.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Installs or upgrades both charts and waits until the parts are ready. `more` are further values, `name=value`.
pub fn charts(tools: &Tools, images: &Images, more: &[&str]) -> Result<()> {
    let charts = root().join("charts");
    let path = |name: &str| charts.join(name).display().to_string();
    tools.helm(&[
        "upgrade",
        "--install",
        "golden-crds",
        &path("golden-crds"),
        "-n",
        NAMESPACE,
        "--create-namespace",
        "--wait",
    ])?;
    let (repository, tag) = images.golden.rsplit_once(':').context("an image is named repository:tag")?;
    let (git_repository, git_tag) =
        images.golden_git.rsplit_once(':').context("an image is named repository:tag")?;
    let store = |name: &str| tools.with_images(&format!("{name}.image=golden.local/golden-{name}:dev"));
    let sets = [
        store("postgres"),
        store("redis"),
        store("nats"),
        format!("image.repository={repository}"),
        format!("image.tag={tag}"),
        format!("gitImage.repository={git_repository}"),
        format!("gitImage.tag={git_tag}"),
        "defaultModel.provider=shared".into(),
        "defaultModel.model=standard".into(),
    ];
    let golden = path("golden");
    let mut args =
        vec!["upgrade", "--install", "golden", &golden, "-n", NAMESPACE, "--wait", "--timeout", "5m"];
    for set in sets.iter().map(String::as_str).chain(more.iter().copied()) {
        args.extend(["--set-string", set]);
    }
    tools.helm(&args).map(drop).map_err(|error| match troubles(tools) {
        Ok(why) if !why.is_empty() => {
            error.context(format!("Golden does not start; the cluster says:\n{}", why.join("\n")))
        }
        _ => error,
    })
}

/// The cluster's last warning about each object in Golden's namespace: Helm only says what is not ready.
fn troubles(tools: &Tools) -> Result<Vec<String>> {
    let events = tools.get(&["-n", NAMESPACE, "events", "--field-selector", "type=Warning"])?;
    let mut last: BTreeMap<String, (&str, String)> = BTreeMap::new();
    for event in events["items"].as_array().into_iter().flatten() {
        let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let said = format!("{}: {}", text("/reason"), text("/message"));
        let entry = last.entry(text("/involvedObject/name").to_owned()).or_default();
        if text("/lastTimestamp") >= entry.0 {
            *entry = (text("/lastTimestamp"), said);
        }
    }
    Ok(last.into_iter().map(|(name, (_, said))| format!("  {name}: {said}")).collect())
}

/// The git server with its repository, and the recorded model.
pub fn demo_parts(tools: &Tools) -> Result<()> {
    let shop = root().join("e2e/demo/shop");
    let file =
        |path: &str| std::fs::read_to_string(shop.join(path)).with_context(|| format!("demo file {path}"));
    let seed = serde_json::json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "shop-seed", "namespace": "golden-demo"},
        "data": {
            "README.md": file("README.md")?,
            "conftest.py": file("conftest.py")?,
            "shop.init.py": file("shop/__init__.py")?,
            "shop.slug.py": file("shop/slug.py")?,
            "tests.test_slug.py": file("tests/test_slug.py")?,
        }
    });
    let manifests = std::fs::read_to_string(root().join("e2e/demo/manifests/demo.yaml"))?;
    tools.apply(&tools.with_images(&manifests), &[])?;
    tools.apply(&seed.to_string(), &[])?;
    for name in ["git", "golden-model"] {
        tools.kubectl(&[
            "-n",
            "golden-demo",
            "rollout",
            "status",
            &format!("deployment/{name}"),
            "--timeout=120s",
        ])?;
    }
    Ok(())
}

/// Policies, provider, namespace, team and budgets of `examples/`.
pub fn platform(tools: &Tools, model: &Model) -> Result<()> {
    apply_example(tools, "platform/namespace.yaml")?;
    provider(tools, model)?;
    for file in
        ["platform/policies.yaml", "platform/budget.yaml", "checkout/budgets.yaml", "checkout/team.yaml"]
    {
        apply_example(tools, file)?;
    }
    wait_for("the team core to be Ready", Duration::from_mins(2), || {
        let team = tools.get(&["-n", "checkout", "agentteam", "core"])?;
        Ok((condition(&team, "Ready") == Some("True")).then_some(()))
    })
}

/// The provider that everybody may use.
pub fn provider(tools: &Tools, model: &Model) -> Result<()> {
    match model {
        Model::Recorded => apply_example(tools, "platform/provider.yaml"),
        Model::Real { base_url, api_key, model } => {
            tools.apply(&real_provider(base_url, api_key, model)?, &[]).map(drop)
        }
    }
}

/// Applies one file of `examples/`.
pub fn apply_example(tools: &Tools, file: &str) -> Result<()> {
    let text = std::fs::read_to_string(root().join("examples").join(file))
        .with_context(|| format!("examples/{file}"))?;
    tools.apply(&tools.fit.manifests(&text)?, &[]).map(drop)
}

/// A condition of an object.
pub fn find_condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|c| c["type"] == kind)
}

/// The status of a condition of an object.
pub fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a str> {
    find_condition(object, kind)?["status"].as_str()
}

/// A provider named like the recorded one, so that nothing else in `examples/` changes.
fn real_provider(base_url: &str, api_key: &str, model: &str) -> Result<String> {
    let host = base_url
        .split("://")
        .nth(1)
        .and_then(|rest| rest.split('/').next())
        .context("OPENAI_BASE_URL is no URL")?;
    // Prices a person may correct: a model without a price is refused, so the demo names an upper guess.
    let priced = |name: &str, most: i64| {
        serde_json::json!({"name": name, "upstreamName": model, "contextWindow": 128_000, "maxOutputTokens": most,
            "inputMicroUSDPerMToken": 3_000_000, "outputMicroUSDPerMToken": 15_000_000})
    };
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Secret",
         "metadata": {"name": "model-key", "namespace": NAMESPACE, "annotations": {
            "goldenarch.dev/use": "model", "goldenarch.dev/hosts": host}},
         "stringData": {"apiKey": api_key}},
        {"apiVersion": "goldenarch.dev/v1alpha1", "kind": "ModelProvider",
         "metadata": {"name": "shared", "namespace": NAMESPACE},
         "spec": {"protocol": "OpenAI", "baseURL": base_url, "secretRef": {"name": "model-key"},
            "allowedNamespaces": ["*"],
            "models": [priced("standard", 4096), priced("small", 1024)]}}
    ]});
    Ok(list.to_string())
}
