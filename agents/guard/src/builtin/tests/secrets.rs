use super::support::{Files, file, found, guard, run};
use crate::builtin::{MAX_FINDINGS, Node, Trees, examine};
use proptest::prelude::*;
use serde_json::json;

/// Secret-like texts are put together here, so that no scanner finds one in this file.
fn aws() -> String {
    format!("AK{}", "IAQ3EGUWT7KZ5M2LPX")
}

fn github() -> String {
    format!("gh{}", "p_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX")
}

fn leaks(text: &str) -> Vec<String> {
    found(&run(&json!({"secrets": {}}), &[], &[("a", text)]))
}

#[test]
fn each_issuers_form_is_found_and_named() {
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKjMzEfYyjiWA4R";
    let cases = [
        ("private-key", format!("-----BEGIN {}PRIVATE KEY-----\\n{body}", "RSA ")),
        ("private-key", format!("-----BEGIN PRIVATE {}-----\nProc-Type: 4,ENCRYPTED\n\n{body}", "KEY")),
        ("aws-access-key-id", aws()),
        ("github-token", github()),
        (
            "github-token",
            format!(
                "github_{}_{}",
                "pat_11ABCDEFG0aB1cD2eF3gH4",
                "i".repeat(20) + &"aB3dE6gH9".repeat(5)[..39]
            ),
        ),
        ("gitlab-token", format!("glp{}", "at-aB1cD2eF3gH4iJ5kL6mN")),
        ("slack-token", format!("xo{}", "xb-123456789012-1234567890123-aB1cD2eF3gH4iJ5kL6mN7oP8")),
        (
            "slack-webhook",
            format!("https://hooks.slack.com/serv{}", "ices/T0AB1CD2E/B0AB1CD2E/aB1cD2eF3gH4iJ5kL6mN7oP8"),
        ),
        ("google-api-key", format!("AI{}", "zaSyA0bC1dE2fG3hI4jK5lM6nO7pQ8rS9tU0v")),
        ("stripe-key", format!("sk_{}", "live_aB1cD2eF3gH4iJ5kL6mN7oP8")),
        ("npm-token", format!("np{}", "m_aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2")),
        (
            "json-web-token",
            format!(
                "ey{}.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
                "JhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"
            ),
        ),
        ("password-in-url", format!("postgres://app:{}@db.internal/app", "v9Kq2LmX7tRw")),
        ("assigned-secret", format!("db_password = \"{}\"", "k3J9sLq0ZpX7vB2nM8wT")),
        ("assigned-secret", format!("\"apiKey\": \"{}\",", "k3J9sLq0ZpX7vB2nM8wT")),
        ("assigned-secret", format!("CLIENT_SECRET={}\n", "k3J9sLq0ZpX7vB2nM8wT")),
        ("assigned-secret", format!("aws_session_token = \"{}\"", "k3J9sLq0ZpX7vB2nM8wT".repeat(20))),
    ];
    for (rule, text) in cases {
        assert_eq!(leaks(&text), [format!("a:1 {rule}")], "{text}");
    }
}

#[test]
fn what_only_looks_like_a_secret_passes() {
    for text in [
        "AKIAIOSFODNN7EXAMPLE",
        "-----BEGIN PRIVATE KEY-----",
        "password = \"correct-horse-battery-staple\"",
        "password = os.environ['DATABASE_PASSWORD_1']",
        "token: ${{ secrets.GITHUB_TOKEN_V2 }}",
        "postgres://user:password@localhost/db",
        "api_key = \"your_api_key_goes_here_1\"",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "tokenizer = \"aaaaaaaaaaaaaaaaaaaaaaa1\"",
    ] {
        assert_eq!(leaks(text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn the_report_names_the_place_and_never_the_secret() {
    let text = format!("import os\n\nKEY = '{}'\n", github());
    let report = run(&json!({"secrets": {}}), &[], &[("src/a.py", &text)]);
    assert_eq!(found(&report), ["src/a.py:3 github-token"]);
    let said = format!("{report}{}", serde_json::to_string(&report).unwrap());
    for n in 0..github().len() - 6 {
        assert!(!said.contains(&github()[n..n + 6]), "{said}");
    }
}

#[test]
fn what_the_base_had_is_not_held_against_the_change_also_when_it_moved() {
    let (old, moved) = (format!("k = '{}'", aws()), format!("# new line\nk = '{}'", aws()));
    let settings = json!({"secrets": {}});
    assert!(found(&run(&settings, &[("a", &old)], &[("a", &moved)])).is_empty());
    assert!(found(&run(&settings, &[("a", &old)], &[("b/a", &moved)])).is_empty());
    let more = format!("{moved}\nt = '{}'", github());
    assert_eq!(found(&run(&settings, &[("a", &old)], &[("a", &more)])), ["a:3 github-token"]);
}

#[test]
fn only_the_policy_can_exempt_a_file() {
    let text = format!("k = '{}' # gitleaks:allow, pragma: allowlist secret, nosec", aws());
    let files: Files<'_> = &[("tests/keys/a.pem", &text), ("src/a", &text), (".gitleaksignore", "src/a")];
    let settings = json!({"secrets": {"allowedPaths": ["tests/keys/**"]}});
    assert_eq!(found(&run(&settings, &[], files)), ["src/a:1 aws-access-key-id"]);
}

#[test]
fn binary_and_broken_text_is_looked_at_and_links_are_not_followed() {
    let mut bytes = vec![0_u8, 0xff, 0xfe, b'\n'];
    bytes.extend(aws().bytes());
    let mut trees = Trees::default();
    trees.new.insert("blob", file(&bytes));
    trees.new.insert("link", Node::Link { target: "blob" });
    let report = examine(&guard(&json!({"secrets": {}})), &trees).unwrap();
    assert_eq!(found(&report), ["blob:2 aws-access-key-id"]);
}

#[test]
fn a_flood_is_counted_and_bounded() {
    let text = format!("{}\n", aws()).repeat(5_000);
    let report = run(&json!({"secrets": {}}), &[], &[("a", &text)]);
    assert_eq!((report.findings.len(), report.left_out), (MAX_FINDINGS, 5_000 - MAX_FINDINGS));
    assert!(report.to_string().ends_with("secrets: failed, 5000 findings in 1 changed file\n"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_are_examined_and_a_secret_among_lines_of_them_is_found(
        before in proptest::collection::vec(any::<u8>(), 0..400),
        after in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        let secret = aws();
        let bytes = [&before[..], b"\n\n", secret.as_bytes(), b"\n\n", &after[..]].concat();
        let mut trees = Trees::default();
        trees.new.insert("a", file(&bytes));
        let report = examine(&guard(&json!({"secrets": {}})), &trees).unwrap();
        let line = before.split(|b| *b == b'\n').count() + 2;
        let all = found(&report);
        prop_assert!(all.contains(&format!("a:{line} aws-access-key-id")), "{:?}", all);
    }
}
