//! The two trees that a built-in guard compares.

use std::collections::BTreeMap;

/// A file or a symbolic link of a tree; folders follow from paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node<'a> {
    File { bytes: &'a [u8], executable: bool },
    Link { target: &'a str },
}

impl<'a> Node<'a> {
    /// The content of a file; a link has none of its own.
    pub fn bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::File { bytes, .. } => Some(bytes),
            Self::Link { .. } => None,
        }
    }

    /// The content of a file that is text: UTF-8 without a zero byte.
    pub fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok().filter(|text| !text.contains('\0'))
    }
}

/// Paths, relative to the root, and what is there.
pub type Tree<'a> = BTreeMap<&'a str, Node<'a>>;

/// What the work started from, and what it produced.
#[derive(Clone, Debug, Default)]
pub struct Trees<'a> {
    /// Empty when there is nothing to compare with: all of `new` is held to be brought in then.
    pub base: Tree<'a>,
    pub new: Tree<'a>,
}

/// One path that differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change<'a> {
    pub path: &'a str,
    /// Absent when it was added.
    pub old: Option<Node<'a>>,
    /// Absent when it was removed.
    pub new: Option<Node<'a>>,
}

impl<'a> Trees<'a> {
    /// What differs, in order of paths.
    pub fn changes(&self) -> Vec<Change<'a>> {
        let mut paths: Vec<&'a str> = self.base.keys().chain(self.new.keys()).copied().collect();
        paths.sort_unstable();
        paths.dedup();
        let change = |path: &'a str| {
            let (old, new) = (self.base.get(path).copied(), self.new.get(path).copied());
            (old != new).then_some(Change { path, old, new })
        };
        paths.into_iter().filter_map(change).collect()
    }
}
