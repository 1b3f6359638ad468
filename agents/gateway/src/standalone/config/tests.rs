use super::*;
use crate::protocol::{ChatCompletions, ClientProtocol, Messages};
use std::path::Path;

/// A configuration that can be used, with both families.
fn good() -> Value {
    let model = json!({"name": "m", "contextWindow": 1000, "maxOutputTokens": 100,
        "inputMicroUSDPerMToken": 1, "outputMicroUSDPerMToken": 0});
    json!({
        "postgres": "postgres://me:hush@127.0.0.1/golden",
        "tokenEnv": "TOKEN",
        "providers": [
            {"name": "open", "protocol": "OpenAI", "baseURL": "https://api.example/v1", "keyEnv": "KEY",
             "models": [model]},
            {"name": "other", "protocol": "Anthropic", "baseURL": "http://127.0.0.1:1", "models": [model]},
        ],
        "model": "open/m",
        "models": {"claude-*": "other/m"},
        "budget": {"costMicroUSD": 5_000_000},
    })
}

fn environment(name: &str) -> Option<String> {
    let value = match name {
        "TOKEN" | "GOLDEN_TOKEN" => "what-clients-send",
        "URL" => "postgres://elsewhere/golden",
        "KEY" | "ANTHROPIC_PROVIDER_KEY" | "OPENAI_PROVIDER_KEY" => "sk-the-key\n",
        "EMPTY" => " ",
        "SPACED" => "two words",
        _ => return None,
    };
    Some(value.to_owned())
}

fn parse(value: &Value) -> Result<Config, Faults> {
    Config::parse(&value.to_string(), &environment)
}

/// The good one with a value at a JSON pointer; `null` takes the field away.
fn with(pointer: &str, value: Value) -> Value {
    let mut config = good();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    let parent = config.pointer_mut(parent).unwrap();
    match (parent.as_array_mut(), value) {
        (Some(items), value) => items[field.parse::<usize>().unwrap()] = value,
        (None, Value::Null) => drop(parent.as_object_mut().unwrap().remove(field)),
        (None, value) => parent[field] = value,
    }
    config
}

fn answers(config: &Config, protocol: &dyn ClientProtocol, asked: &str) -> String {
    let binding = config.models.binding(protocol, Some(asked)).unwrap();
    format!("{}/{}", binding.provider, binding.model)
}

#[test]
fn what_is_left_out_has_a_safe_default() {
    let config = parse(&good()).map_err(|e| e.to_string()).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!((config.token.value.as_str(), &config.redis), ("what-clients-send", &None));
    assert_eq!(
        (config.budget.period, config.budget.pauses, config.budget.name.as_str()),
        ("Total", true, "local")
    );
    assert_eq!(config.task, TaskConfig { name: "local".into(), limits: Limits { cost: None, tokens: None } });
    assert_eq!(config.providers[0].key.as_deref(), Some("sk-the-key"), "without the line's end of a file");
    assert!(config.providers[0].object.spec.secret_ref.is_some() && config.providers[1].key.is_none());
    assert_eq!(answers(&config, &ChatCompletions, "anything"), "open/m");
    assert_eq!(answers(&config, &Messages, "claude-opus"), "other/m");
    let cached = parse(&with("/redis", json!("rediss://:hush@cache.example:6380/")))
        .map_err(|e| e.to_string())
        .unwrap();
    assert_eq!(cached.redis.as_deref(), Some("rediss://:hush@cache.example:6380/"));
    let elsewhere = parse(&with("/postgres", json!("env:URL"))).map_err(|e| e.to_string()).unwrap();
    assert_eq!(elsewhere.postgres, "postgres://elsewhere/golden");
}

#[test]
fn a_mistake_names_its_field_and_never_shows_a_value() {
    let model = |field: &str, value: Value| with(&format!("/providers/0/models/0/{field}"), value);
    for (field, config) in [
        ("listen", with("/listen", json!("everywhere"))),
        ("postgres", with("/postgres", json!("mysql://me:hush@127.0.0.1/"))),
        ("postgres", with("/postgres", json!("postgres://me:hush@[/x"))),
        ("postgres", with("/postgres", json!("env:UNSET"))),
        ("redis", with("/redis", json!("127.0.0.1:6379"))),
        ("redis", with("/redis", json!("redis://:hush@127.0.0.1:port/"))),
        ("tokenEnv", with("/tokenEnv", Value::Null)),
        ("tokenEnv", with("/tokenEnv", json!("EMPTY"))),
        ("tokenEnv", with("/tokenEnv", json!("SPACED"))),
        ("token", with("/token", json!("hush"))),
        ("budgt", with("/budgt", json!({}))),
        ("budget", with("/budget", json!({}))),
        ("budget.costMicroUSD", with("/budget/costMicroUSD", json!(-1))),
        ("budget.costMicroUSD", with("/budget/costMicroUSD", json!(1.5))),
        ("budget.tokens", with("/budget/tokens", json!(i64::MAX))),
        ("budget.period", with("/budget/period", json!("Year"))),
        ("budget.timeZone", with("/budget/timeZone", json!("Mars/Base"))),
        ("budget.onExhausted", with("/budget/onExhausted", json!("Ask"))),
        ("budget.name", with("/budget/name", json!("Not A Label"))),
        ("task.limits.tokens", with("/task", json!({"limits": {"tokens": -1}}))),
        ("task.name", with("/task", json!({"name": "x".repeat(64)}))),
        ("providers", with("/providers", json!([]))),
        ("providers[0].name", with("/providers/0/name", Value::Null)),
        ("providers[1].name", with("/providers/1/name", json!("open"))),
        ("providers[0].keyEnv", with("/providers/0/keyEnv", json!("sk-hush"))),
        ("providers[0].keyEnv", with("/providers/0/keyEnv", json!("UNSET"))),
        ("providers[0].secretRef", with("/providers/0/secretRef", json!({"name": "x"}))),
        ("providers[0].protocol", with("/providers/0/protocol", json!("Telepathy"))),
        ("providers[0].baseURL", with("/providers/0/baseURL", json!("https://me:hush@api.example"))),
        ("providers[0].baseURL", with("/providers/0/baseURL", json!("api.example"))),
        ("providers[0].outputCapField", with("/providers/0/outputCapField", json!("max_tokens"))),
        ("providers[1].outputCapField", with("/providers/1/outputCapField", json!("MaxTokens"))),
        ("providers[0].models", with("/providers/0/models", json!([]))),
        ("providers[0].retry", with("/providers/0/retry", json!("three times"))),
        ("providers[0].models[0].contextWindow", model("contextWindow", json!(0))),
        ("providers[0].models[0].maxOutputTokens", model("maxOutputTokens", json!(2000))),
        ("providers[0].models[0].outputMicroUSDPerMToken", model("outputMicroUSDPerMToken", Value::Null)),
        ("providers[0].models[0].cachedInputPrice", model("cachedInputPrice", json!(1))),
        ("model", with("/model", json!("open/other"))),
        ("model", with("/models/*", json!("open/m"))),
        ("models.claude-*", with("/models/claude-*", json!("m"))),
        ("models.a*b", with("/models/a*b", json!("open/m"))),
    ] {
        let faults = parse(&config).err().unwrap_or_else(|| panic!("{field}: {config}"));
        let told = faults.to_string();
        // A field that is missing, or not known, is named by its parent's fault.
        let named = |fault: &Fault| fault.field == field || fault.why.contains(&format!("`{field}`"));
        assert!(faults.0.iter().any(named), "{field}: {told}");
        assert_eq!(faults.0.len(), 1, "{field}: one mistake, one fault: {told}");
        assert!(!told.contains("hush"), "{told}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let mut config = with("/budget/timeZone", json!("Mars/Base"));
    config["providers"][0]["keyEnv"] = json!("UNSET");
    config["tokenEnv"] = Value::Null;
    let faults = parse(&config).err().unwrap();
    let fields: Vec<&str> = faults.0.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(fields, ["tokenEnv", "providers[0].keyEnv", "budget.timeZone"]);
}

#[test]
fn a_token_that_can_be_guessed_is_for_this_machine_alone() {
    let mut config = with("/tokenEnv", Value::Null);
    config["token"] = json!("short");
    assert!(parse(&config).is_ok());
    config["listen"] = json!("0.0.0.0:8080");
    assert_eq!(parse(&config).err().unwrap().0[0].field, "token");
    config["token"] = json!("long-enough-to-be-one");
    assert!(parse(&config).is_ok());
}

#[test]
fn neither_yaml_nor_too_much_of_it_is_read() {
    for text in ["{", "a: 1\na: 2", "token: hush\n  - x", &"#".repeat(MAX_FILE + 1), "", "[]"] {
        let faults = Config::parse(text, &environment).err().unwrap();
        assert!(!faults.to_string().contains("hush"), "{faults}");
    }
}

#[test]
fn the_example_and_what_the_page_shows_can_be_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let example = std::fs::read_to_string(root.join("examples/gateway.yaml")).unwrap();
    let config = Config::parse(&example, &environment).map_err(|e| e.to_string()).unwrap();
    assert_eq!(answers(&config, &Messages, "claude-sonnet-4-5-20250929"), "anthropic/sonnet");
    assert_eq!(answers(&config, &ChatCompletions, "gpt-5-codex"), "openai/gpt");

    let page = std::fs::read_to_string(root.join("docs/gateway.md")).unwrap();
    let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let shown: Vec<&str> = blocks.filter(|block| block.contains("postgres:")).collect();
    assert!(!shown.is_empty(), "the page shows no configuration");
    for block in shown {
        assert!(Config::parse(block, &environment).is_ok(), "{block}");
    }
}
