//! Which files list dependencies, and how each is read.

use super::listing::Listing;
use super::{go, python, structured};
use serde_json::Value;
use std::fmt;

/// Whose dependencies they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ecosystem {
    Cargo,
    Npm,
    Pypi,
    Go,
}

impl Ecosystem {
    /// As settings name it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Cargo => "cargo",
            Self::Npm => "npm",
            Self::Pypi => "pypi",
            Self::Go => "go",
        }
    }

    /// Where a manifest names the licence of the work, as JSON pointers.
    pub(super) fn licence_fields(self) -> &'static [&'static str] {
        match self {
            Self::Cargo => &["/package/license", "/workspace/package/license"],
            Self::Npm => &["/license"],
            Self::Pypi => &["/project/license", "/tool/poetry/license"],
            Self::Go => &[],
        }
    }
}

impl fmt::Display for Ecosystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// What is wanted.
    Manifest,
    /// What is taken.
    Lock,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Toml,
    GoMod,
    GoSum,
    Requirements,
    /// Not read here.
    Unread,
}

/// A file that lists dependencies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) ecosystem: Ecosystem,
    pub(super) kind: Kind,
    format: Format,
    /// Of a manifest: names of the lock files it may have. None where it is its own.
    pub(super) locks: &'static [&'static str],
}

const NPM_LOCKS: &[&str] =
    &["package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"];

impl Source {
    /// By the file's name.
    pub(super) fn of(path: &str) -> Option<Self> {
        use Ecosystem::{Cargo, Go, Npm, Pypi};
        use Format::{GoMod, GoSum, Json, Requirements, Toml, Unread};
        use Kind::{Lock, Manifest};
        let name = path.rsplit('/').next().unwrap_or(path);
        let (ecosystem, kind, format, locks): (_, _, _, &'static [&'static str]) = match name {
            "Cargo.toml" => (Cargo, Manifest, Toml, &["Cargo.lock"]),
            "Cargo.lock" => (Cargo, Lock, Toml, &[]),
            "package.json" => (Npm, Manifest, Json, NPM_LOCKS),
            "package-lock.json" | "npm-shrinkwrap.json" => (Npm, Lock, Json, &[]),
            "yarn.lock" | "pnpm-lock.yaml" | "bun.lock" | "bun.lockb" => (Npm, Lock, Unread, &[]),
            "pyproject.toml" => (Pypi, Manifest, Toml, &["uv.lock", "poetry.lock", "pdm.lock"]),
            "uv.lock" | "poetry.lock" | "pdm.lock" => (Pypi, Lock, Toml, &[]),
            "go.mod" => (Go, Manifest, GoMod, &["go.sum"]),
            "go.sum" => (Go, Lock, GoSum, &[]),
            _ if is_requirements(name) => (Pypi, Manifest, Requirements, &[]),
            _ => return None,
        };
        Some(Self { ecosystem, kind, format, locks })
    }

    /// Whether what it lists can be known.
    pub(super) fn is_read(self) -> bool {
        self.format != Format::Unread
    }

    /// What it lists; nothing where that cannot be known.
    pub(super) fn read(self, bytes: &[u8]) -> Result<Listing, String> {
        match self.format {
            Format::Json | Format::Toml => Ok(structured::listing(self, &self.parse(bytes)?)),
            Format::GoMod => Ok(go::manifest(text(bytes)?)),
            Format::GoSum => Ok(go::sums(text(bytes)?)),
            Format::Requirements => Ok(python::requirements(text(bytes)?)),
            Format::Unread => Ok(Listing::new()),
        }
    }

    /// Its content as one kind of value, for the formats that have one.
    pub(super) fn parse(self, bytes: &[u8]) -> Result<Value, String> {
        let first_line = |fault: String| fault.lines().next().unwrap_or_default().to_owned();
        match self.format {
            Format::Json => serde_json::from_slice(bytes).map_err(|e| first_line(e.to_string())),
            Format::Toml => toml::from_str(text(bytes)?).map_err(|e| first_line(e.to_string())),
            _ => Err("it is neither JSON nor TOML".into()),
        }
    }
}

/// `requirements.txt`, `requirements-dev.txt` and their like.
fn is_requirements(name: &str) -> bool {
    name.strip_suffix(".txt").is_some_and(|stem| stem.starts_with("requirements"))
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|e| e.to_string())
}
