//! What a manifest or lock file lists, and how two of them differ.

use std::collections::{BTreeMap, BTreeSet};

/// Most bytes of a version that are kept.
const MAX_VERSION: usize = 120;

/// Most versions of one dependency that are told.
const TOLD_VERSIONS: usize = 8;

/// One dependency as it is listed, under one version or several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::builtin) struct Package {
    /// Versions, or what is accepted or fetched instead.
    versions: BTreeSet<String>,
    /// As the lock file gives them; absent where it gives none for a version.
    licences: Option<BTreeSet<String>>,
    /// Exactly one version is accepted.
    pub(super) pinned: bool,
}

impl Package {
    /// The versions in words.
    pub(in crate::builtin) fn version(&self) -> String {
        let told: Vec<&str> = self.versions.iter().take(TOLD_VERSIONS).map(String::as_str).collect();
        let more = self.versions.len().saturating_sub(TOLD_VERSIONS);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{}{rest}", told.join(" and "))
    }

    /// The licence as one expression: versions under different licences need all of them.
    pub(in crate::builtin) fn licence(&self) -> Option<String> {
        let all: Vec<&String> = self.licences.as_ref()?.iter().collect();
        match all.as_slice() {
            [] => None,
            [one] => Some((*one).clone()),
            several => Some(several.iter().map(|l| format!("({l})")).collect::<Vec<_>>().join(" AND ")),
        }
    }
}

/// By name.
pub(super) type Listing = BTreeMap<String, Package>;

/// Adds one, beside others of that name.
pub(super) fn add(listing: &mut Listing, name: &str, version: &str, licence: Option<&str>, pinned: bool) {
    let new = || Package { versions: BTreeSet::new(), licences: Some(BTreeSet::new()), pinned: true };
    let package = listing.entry(name.to_owned()).or_insert_with(new);
    package.versions.insert(version.chars().take(MAX_VERSION).collect());
    package.licences = package.licences.take().zip(licence).map(|(mut licences, licence)| {
        licences.insert(licence.to_owned());
        licences
    });
    package.pinned &= pinned;
}

/// How two listings differ, in order of names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) added: Vec<(String, Package)>,
    /// As they are now.
    pub(super) changed: Vec<(String, Package)>,
    pub(super) removed: Vec<String>,
}

impl Difference {
    pub(super) fn between(old: &Listing, new: &Listing) -> Self {
        let mut all = Self::default();
        for (name, package) in new {
            match old.get(name) {
                None => all.added.push((name.clone(), package.clone())),
                Some(before) if before != package => all.changed.push((name.clone(), package.clone())),
                Some(_) => {}
            }
        }
        all.removed = old.keys().filter(|name| !new.contains_key(*name)).cloned().collect();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(given: &[(&str, Option<&str>, bool)]) -> Package {
        let mut all = Listing::new();
        for (version, licence, pinned) in given {
            add(&mut all, "x", version, *licence, *pinned);
        }
        all.remove("x").unwrap()
    }

    #[test]
    fn one_name_may_have_several_versions_in_any_order() {
        let (one, other) = (("1.0", Some("MIT"), true), ("2.0 and up", Some("Apache-2.0 OR MIT"), true));
        let both = listed(&[one, other, one]);
        assert_eq!(both, listed(&[other, one]));
        assert_eq!(both.version(), "1.0 and 2.0 and up");
        assert_eq!(both.licence().unwrap(), "(Apache-2.0 OR MIT) AND (MIT)");
        assert_eq!(listed(&[one, one]).licence().unwrap(), "MIT");
        assert!(both.pinned && !listed(&[one, ("3.0", None, false)]).pinned);
    }

    #[test]
    fn a_version_without_a_licence_leaves_it_unknown_whatever_comes_after() {
        let (known, not) = (("1", Some("MIT"), true), ("2", None, true));
        assert_eq!(listed(&[known, not, ("3", Some("MIT"), true)]).licence(), None);
        assert_eq!(listed(&[not]).licence(), None);
    }

    #[test]
    fn of_many_versions_the_first_are_told_and_how_many_there_are() {
        let versions: Vec<String> = (0..50_000).map(|n| format!("{n:05}")).collect();
        let given: Vec<_> = versions.iter().map(|v| (v.as_str(), None, true)).collect();
        let told = listed(&given).version();
        assert!(
            told.starts_with("00000 and 00001 and ") && told.ends_with(" and 00007 and 49992 more"),
            "{told}"
        );
    }
}
