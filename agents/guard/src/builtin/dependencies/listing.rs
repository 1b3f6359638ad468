//! What a manifest or lock file lists, and how two of them differ.

use std::collections::BTreeMap;

/// Most bytes of a version that are kept.
const MAX_VERSION: usize = 120;

/// One dependency as it is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::builtin) struct Package {
    /// Versions, or what is accepted or fetched instead; several are sorted and joined.
    pub(in crate::builtin) version: String,
    /// As the lock file gives it.
    pub(in crate::builtin) licence: Option<String>,
    /// Exactly one version is accepted.
    pub(super) pinned: bool,
}

/// By name.
pub(super) type Listing = BTreeMap<String, Package>;

/// Adds one, beside others of that name.
pub(super) fn add(listing: &mut Listing, name: &str, version: &str, licence: Option<&str>, pinned: bool) {
    let version: String = version.chars().take(MAX_VERSION).collect();
    let licence = licence.map(str::to_owned);
    match listing.get_mut(name) {
        None => {
            listing.insert(name.to_owned(), Package { version, licence, pinned });
        }
        Some(there) => {
            let mut versions: Vec<&str> = there.version.split(" and ").chain([version.as_str()]).collect();
            versions.sort_unstable();
            versions.dedup();
            there.version = versions.join(" and ");
            // Two versions under two licences need both.
            there.licence = match (there.licence.take(), licence) {
                (Some(one), Some(other)) if one != other => Some(format!("({one}) AND ({other})")),
                (Some(one), Some(_)) => Some(one),
                _ => None,
            };
            there.pinned &= pinned;
        }
    }
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
