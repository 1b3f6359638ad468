//! Secrets that a change brings in.
//!
//! Tokens that say what they are (a prefix that their issuer documents) are found by it. Anything else is a secret
//! only if it is assigned to a name that says so and is as random as one. What the base's versions of the changed files
//! hold already is not brought in, also when it moved.
//!
//! Not seen: what is compressed, encrypted, split, or encoded otherwise than as bytes of text.

use super::SettingsFault;
use super::any_matches;
use super::report::Report;
use super::trees::{Node, Trees};
use golden_crds::agent_task::SecretRules;
use regex::bytes::{Captures, Regex};
use std::cell::LazyCell;
use std::collections::HashSet;
use std::ops::Range;

/// What is found by a pattern.
struct Rule {
    name: &'static str,
    what: &'static str,
    pattern: Regex,
    /// Bits of entropy per byte that the secret must have, where its form alone says little.
    least_entropy: f64,
}

/// Name, what it is, form, least entropy. A group is the secret itself; without one it is the whole match. Specific
/// ones come first, since of two that overlap the first is told. Forms are those that the issuers document.
const RULES: [(&str, &str, &str, f64); 21] = [
    (
        "private-key",
        "a private key",
        r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-[^-]){64}",
        0.0,
    ),
    ("aws-access-key-id", "an AWS access key ID", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b", 3.0),
    ("github-token", "a GitHub token", r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b", 3.0),
    ("github-token", "a fine-grained GitHub token", r"\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b", 3.0),
    ("gitlab-token", "a GitLab token", r"\bglpat-[A-Za-z0-9_-]{20,}", 3.0),
    ("slack-token", "a Slack token", r"\bxox[abeoprs]-(?:[0-9]+-){1,3}[A-Za-z0-9]{10,}", 2.0),
    ("slack-token", "a Slack app token", r"\bxapp-[0-9]-[A-Z0-9]+-[0-9]+-[a-f0-9]{20,}", 2.0),
    (
        "slack-webhook",
        "a Slack webhook",
        r"\bhooks\.slack\.com/(?:services|workflows)/[A-Z][A-Za-z0-9]+/[A-Z][A-Za-z0-9]+/[A-Za-z0-9/]{20,}",
        0.0,
    ),
    ("google-api-key", "a Google API key", r"\bAIza[A-Za-z0-9_-]{35}", 3.0),
    ("stripe-key", "a live Stripe key", r"\b[rs]k_live_[A-Za-z0-9]{16,}", 3.0),
    ("anthropic-key", "an Anthropic key", r"\bsk-ant-[a-z]+[0-9]{2}-[A-Za-z0-9_-]{80,}", 3.0),
    ("openai-key", "an OpenAI key", r"\bsk-(?:[a-z]+-)?[A-Za-z0-9_-]{20,}T3BlbkFJ[A-Za-z0-9_-]{20,}", 3.0),
    ("npm-token", "an npm token", r"\bnpm_[A-Za-z0-9]{36}\b", 3.0),
    ("pypi-token", "a PyPI token", r"\bpypi-AgE[A-Za-z0-9_-]{60,}", 3.0),
    ("hugging-face-token", "a Hugging Face token", r"\bhf_[A-Za-z]{34}\b", 3.0),
    ("docker-token", "a Docker Hub token", r"\bdckr_[op]at_[A-Za-z0-9_-]{27,}", 3.0),
    ("digitalocean-token", "a DigitalOcean token", r"\bdo[opr]_v1_[a-f0-9]{64}\b", 3.0),
    ("sendgrid-key", "a SendGrid key", r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", 3.0),
    (
        "json-web-token",
        "a JSON web token",
        r"\beyJ[A-Za-z0-9_-]{14,}\.eyJ[A-Za-z0-9_-]{14,}\.[A-Za-z0-9_-]{20,}",
        3.0,
    ),
    (
        "password-in-url",
        "a password in a URL",
        r#"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@"'`]{1,64}:([^\s/:@"'`<>{}$%]{8,128})@"#,
        3.0,
    ),
    (
        GENERIC,
        "a secret",
        r#"(?i)(?:secret|passwd|password|token|api_?-?key|access_?-?key|auth_?-?key|credential)[A-Za-z0-9_.-]{0,24}["'`]?\s{0,4}(?::=|=>|[:=])\s{0,4}["'`]?([A-Za-z0-9_+/=.~-]{16,})(?:["'`,;\s]|$)"#,
        3.5,
    ),
];

/// The rule whose finding needs a digit and a letter, since words alone are names of things.
const GENERIC: &str = "assigned-secret";

/// What stands in place of a secret where none is meant.
const PLACEHOLDERS: [&[u8]; 8] =
    [b"example", b"changeme", b"change-me", b"placeholder", b"dummy", b"redacted", b"xxxxxx", b"your_"];

pub(super) fn examine(rules: &SecretRules, trees: &Trees<'_>) -> Result<Report, SettingsFault> {
    let patterns = patterns()?;
    let changes = trees.changes();
    let mut report = Report::new("secrets", changes.len());
    // Looked for only once there is one that it might excuse.
    let known = LazyCell::new(|| -> HashSet<&[u8]> {
        let old = changes.iter().filter_map(|c| c.old.as_ref().and_then(Node::bytes));
        old.flat_map(|bytes| secrets(&patterns, bytes).into_iter().filter_map(|s| bytes.get(s.at))).collect()
    });
    for change in &changes {
        let Some(bytes) = change.new.as_ref().and_then(Node::bytes) else { continue };
        if any_matches(&rules.allowed_paths, change.path) {
            continue;
        }
        for Secret { rule, at } in secrets(&patterns, bytes) {
            if bytes.get(at.clone()).is_some_and(|text| known.contains(text)) {
                continue;
            }
            let line = || Some(line_of(bytes, at.start));
            let message = format!(
                "{} ({} characters); remove it from the files and have it revoked, since it was shown to agents",
                rule.what,
                at.len()
            );
            report.find(Some(change.path), line, rule.name, &message);
        }
    }
    Ok(report)
}

fn patterns() -> Result<Vec<Rule>, regex::Error> {
    let compiled = RULES.map(|(name, what, form, least_entropy)| {
        Ok(Rule { name, what, pattern: Regex::new(form)?, least_entropy })
    });
    compiled.into_iter().collect()
}

struct Secret<'r> {
    rule: &'r Rule,
    at: Range<usize>,
}

/// The secrets of a file, in order; of overlapping ones the one of the first rule.
fn secrets<'r>(rules: &'r [Rule], bytes: &[u8]) -> Vec<Secret<'r>> {
    let mut found: Vec<Secret<'r>> = vec![];
    for rule in rules {
        let before = found.len();
        for captures in rule.pattern.captures_iter(bytes) {
            let Some(at) = secret_of(&captures) else { continue };
            // Those of one rule do not overlap.
            let earlier = found.get(..before).unwrap_or_default();
            if is_secret(rule, bytes.get(at.clone()).unwrap_or_default()) && !overlaps(earlier, &at) {
                found.push(Secret { rule, at });
            }
        }
        found.sort_by_key(|s| s.at.start);
    }
    found
}

fn secret_of(captures: &Captures<'_>) -> Option<Range<usize>> {
    captures.get(1).or_else(|| captures.get(0)).map(|m| m.range())
}

/// `sorted` holds ranges that do not overlap each other, in order.
fn overlaps(sorted: &[Secret<'_>], at: &Range<usize>) -> bool {
    let next = sorted.partition_point(|s| s.at.end <= at.start);
    sorted.get(next).is_some_and(|s| s.at.start < at.end)
}

fn is_secret(rule: &Rule, text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    let placeholder = PLACEHOLDERS.iter().any(|p| lower.windows(p.len()).any(|w| w == *p));
    let mixed = text.iter().any(u8::is_ascii_digit) && text.iter().any(u8::is_ascii_alphabetic);
    (rule.name != GENERIC || mixed) && !placeholder && entropy(text) >= rule.least_entropy
}

/// Shannon's entropy of the bytes, in bits per byte: the sum of -p·log2(p) over the shares p of each value.
fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let total = f64::from(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
    counts.iter().filter(|n| **n > 0).map(|n| f64::from(*n) / total).map(|p| -p * p.log2()).sum()
}

fn line_of(bytes: &[u8], at: usize) -> usize {
    1 + bytes.iter().take(at).filter(|b| **b == b'\n').count()
}
