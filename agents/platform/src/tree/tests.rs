use super::*;
use proptest::prelude::*;
use tar::{Builder, Header};

fn files(list: &[(&str, &str)]) -> Tree {
    Tree::from_files(list.iter().map(|(p, b)| (*p, *b))).unwrap()
}

fn tar(list: &[(&str, &str)]) -> Vec<u8> {
    files(list).to_tar().unwrap()
}

/// A tar as a hostile writer makes it: no check of names.
fn raw(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, kind, content) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        let body: &[u8] = if *kind == EntryType::Regular { content.as_bytes() } else { &[] };
        if *kind != EntryType::Regular {
            header.as_mut_bytes()[157..157 + content.len()].copy_from_slice(content.as_bytes());
        }
        header.set_size(body.len() as u64);
        header.set_cksum();
        builder.append(&header, body).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn equal_trees_have_equal_bytes_whatever_order_and_metadata_they_came_with() {
    let one = raw(&[("./b", EntryType::Regular, "2"), ("a", EntryType::Regular, "1")]);
    let two = raw(&[
        ("a", EntryType::Regular, "1"),
        ("x/", EntryType::Directory, ""),
        ("b", EntryType::Regular, "2"),
    ]);
    assert_eq!(canonical(&one).unwrap(), canonical(&two).unwrap());
    assert_eq!(digest(&canonical(&one).unwrap()), digest(&tar(&[("a", "1"), ("b", "2")])));
}

#[test]
fn a_hostile_tar_is_refused() {
    let regular = EntryType::Regular;
    for path in
        ["/etc/passwd", "../up", "a/../../up", "a//b", ".git/config", "x/.GIT/hooks/post", "a\\b", "a/./b"]
    {
        assert!(Tree::parse(&raw(&[(path, regular, "x")])).is_err(), "{path}");
    }
    let link = EntryType::Symlink;
    for (path, target) in [
        ("l", "/etc"),
        ("l", ".."),
        ("a/l", "../.."),
        ("a/l", "b/../../.."),
        ("l", "a/.."),
        ("l", ".git/hooks"),
    ] {
        assert!(Tree::parse(&raw(&[(path, link, target)])).is_err(), "{path} -> {target}");
    }
    for kind in [EntryType::Link, EntryType::Char, EntryType::Block, EntryType::Fifo, EntryType::GNUSparse] {
        assert!(Tree::parse(&raw(&[("f", kind, "a")])).is_err(), "{kind:?}");
    }
    let through = raw(&[("l", link, "x"), ("l/f", regular, "x")]);
    assert!(matches!(Tree::parse(&through), Err(Error::Beneath { .. })));
    let twice = raw(&[("f", regular, "1"), ("f", regular, "2")]);
    assert!(matches!(Tree::parse(&twice), Err(Error::Twice(_))));
}

#[test]
fn links_that_stay_inside_are_kept() {
    let tree = Tree::parse(&raw(&[
        ("a/f", EntryType::Regular, "x"),
        ("a/b/l", EntryType::Symlink, "../f"),
        ("m", EntryType::Symlink, "a/f"),
    ]))
    .unwrap();
    assert_eq!(tree.len(), 3);
}

#[test]
fn a_tree_with_too_many_entries_is_refused() {
    let many = (0..=MAX_ENTRIES).map(|n| (format!("f{n}"), Vec::new()));
    assert!(matches!(Tree::from_files(many), Err(Error::TooMany)));
}

#[test]
fn a_folder_comes_back_as_it_was_but_for_git() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let from = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(from.path().join("a/b")).unwrap();
    std::fs::create_dir_all(from.path().join(".git")).unwrap();
    std::fs::write(from.path().join(".git/config"), "secret").unwrap();
    std::fs::write(from.path().join("a/run.sh"), "#!/bin/sh\n").unwrap();
    std::fs::set_permissions(from.path().join("a/run.sh"), std::fs::Permissions::from_mode(0o700)).unwrap();
    symlink("../run.sh", from.path().join("a/b/l")).unwrap();
    let bytes = pack(from.path()).unwrap();
    let to = tempfile::tempdir().unwrap();
    let place = to.path().join("new");
    unpack(&bytes, &place).unwrap();
    assert_eq!(std::fs::read_to_string(place.join("a/b/l")).unwrap(), "#!/bin/sh\n");
    assert_eq!(place.join("a/run.sh").metadata().unwrap().permissions().mode() & 0o777, 0o755);
    assert!(!place.join(".git").exists());
    assert_eq!(pack(&place).unwrap(), bytes);
    assert!(unpack(&bytes, &place).is_err(), "only into an empty folder");
}

#[test]
fn a_folder_is_packed_into_the_canonical_tar_of_its_tree_and_its_size_is_known_before() {
    let from = tempfile::tempdir().unwrap();
    let long = "d".repeat(120);
    // In the order of whole paths, not of folders.
    let list = [("a-b", "1"), ("a/b", "2"), ("a.b", "3"), (&format!("{long}/{long}"), "4"), ("empty", "")];
    for (path, text) in list {
        let at = from.path().join(path);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(at, text).unwrap();
    }
    let want = tar(&list);
    assert_eq!(pack(from.path()).unwrap(), want);
    let packing = Packing::of(from.path(), 4).unwrap();
    assert_eq!(packing.tar_bytes(), want.len() as u64);
    assert!(matches!(Packing::of(from.path(), 3), Err(Error::Larger { bytes: 4, most: 3 })));
}

#[test]
fn a_file_that_shrinks_while_it_is_packed_is_an_error_and_one_that_grows_is_cut() {
    let from = tempfile::tempdir().unwrap();
    let file = from.path().join("log");
    std::fs::write(&file, "one").unwrap();
    let packing = Packing::of(from.path(), 100).unwrap();
    std::fs::write(&file, "one and more").unwrap();
    assert_eq!(packing.write(Vec::new()).unwrap(), tar(&[("log", "one")]));
    std::fs::write(&file, "on").unwrap();
    let error = packing.write(Vec::new()).unwrap_err().to_string();
    assert!(error.contains("log") && error.contains("shorter"), "{error}");
    std::fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &file).unwrap();
    assert!(packing.write(Vec::new()).is_err(), "a link that took its place is not followed");
}

#[test]
fn what_is_canonical_already_is_kept_and_anything_else_is_made_so() {
    let canonical_tar = Bytes::from(tar(&[("a", "1"), ("b", "2")]));
    let kept = canonical_form(&canonical_tar).unwrap();
    assert_eq!((kept.as_ptr(), kept.len()), (canonical_tar.as_ptr(), canonical_tar.len()), "no copy");
    let other = Bytes::from(raw(&[("b", EntryType::Regular, "2"), ("./a", EntryType::Regular, "1")]));
    assert_eq!(canonical_form(&other).unwrap(), canonical_tar);
    let behind = Bytes::from([&canonical_tar[..], &[0; 512]].concat());
    assert_eq!(canonical_form(&behind).unwrap(), canonical_tar, "nothing hides behind its end");
    assert!(canonical_form(&Bytes::from(raw(&[("/a", EntryType::Regular, "1")]))).is_err());
}

#[test]
fn a_packed_folder_may_not_point_outside() {
    let from = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc/passwd", from.path().join("l")).unwrap();
    let error = pack(from.path()).unwrap_err().to_string();
    assert!(error.contains("/etc/passwd") && error.contains("remove the link"), "{error}");
}

#[test]
fn long_paths_survive() {
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(200));
    let bytes = tar(&[(&long, "x")]);
    assert_eq!(Tree::parse(&bytes).unwrap(), files(&[(&long, "x")]));
}

#[test]
fn a_patch_reads_like_gits() {
    let base = tar(&[("a.txt", "one\ntwo\nthree\n"), ("gone", "x\n"), ("same", "s")]);
    let mut new = files(&[("a.txt", "one\n2\nthree\n"), ("same", "s"), ("new", "n")]);
    new.insert("bin".into(), Entry::File { executable: true, bytes: vec![0, 1, 2].into() }).unwrap();
    let new = new.to_tar().unwrap();
    assert_eq!(changed_paths(&base, &new).unwrap(), ["a.txt", "bin", "gone", "new"]);
    assert_eq!(
        diff(&base, &new).unwrap(),
        "diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n\
         diff --git a/bin b/bin\nnew file mode 100755\n--- /dev/null\n+++ b/bin\n@@ -0,0 +1 @@\n+⟨00⟩\u{1}\u{2}\n\\ No newline at end of file\n\
         diff --git a/gone b/gone\ndeleted file mode 100644\n--- a/gone\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n\
         diff --git a/new b/new\nnew file mode 100644\n--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+n\n\\ No newline at end of file\n"
    );
}

#[test]
fn what_comes_is_shown_also_where_it_is_no_text_or_was_none() {
    let tree = |bytes: &'static [u8]| {
        let mut tree = files(&[]);
        tree.insert("a.png".into(), Entry::File { executable: false, bytes: bytes.into() }).unwrap();
        tree.to_tar().unwrap()
    };
    let (none, png) = (tar(&[]), tree(b"\x89PNG\r\n\x1a\n\0"));
    let (script, other) = (tree(b"run \xe9\n"), tree(b"\x89PNG\r\n\x1a\n\x01\0"));
    let shown = |old, new| diff(old, new).unwrap().lines().skip(1).collect::<Vec<_>>().join("\n");
    let all = "--- a/a.png\n+++ b/a.png\n@@ -0,0 +1 @@\n+run ⟨e9⟩";
    assert_eq!(shown(&png, &script), all, "it was a picture");
    assert_eq!(shown(&png, &other), "Binary files a/a.png and b/a.png differ");
    assert_eq!(shown(&script, &png), "Binary files a/a.png and b/a.png differ");
    let gone = "deleted file mode 100644\nBinary files a/a.png and /dev/null differ";
    assert_eq!((shown(&script, &none), shown(&png, &none)), (gone.to_owned(), gone.to_owned()));
}

#[test]
fn a_huge_rewrite_is_shown_whole_and_quickly() {
    let lines = |factor: usize| {
        let numbers: Vec<String> = (0..20_000).map(|n| (n * factor + 1).to_string()).collect();
        numbers.join("\n")
    };
    let (old, new) = (lines(1), lines(7));
    let start = std::time::Instant::now();
    let patch = diff(&tar(&[("f", &old)]), &tar(&[("f", &new)])).unwrap();
    assert!(patch.lines().count() > 30_000);
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn restored_paths_are_the_bases_again_also_when_the_author_moved_them_away() {
    let base = tar(&[("tests/t.py", "assert False"), ("src/a.py", "1"), ("x/conftest.py", "c")]);
    let new =
        tar(&[("tests/t.py", "pass"), ("tests/more.py", "pass"), ("src/a.py", "2"), ("x", "a file now")]);
    let guarded = restore(&base, &new, &["tests/**", "**/conftest.py"]).unwrap();
    assert_eq!(guarded, tar(&[("tests/t.py", "assert False"), ("src/a.py", "2"), ("x/conftest.py", "c")]));
    let link = raw(&[("tests", EntryType::Symlink, "src"), ("src/t.py", EntryType::Regular, "pass")]);
    let guarded = Tree::parse(&restore(&base, &link, &["tests/**"]).unwrap()).unwrap();
    assert!(
        matches!(guarded.get("tests/t.py"), Some(Entry::File { bytes, .. }) if bytes.as_ref() == b"assert False")
    );
    assert!(guarded.get("tests").is_none());
}

#[test]
fn restoring_nothing_changes_nothing() {
    let (base, new) = (tar(&[("a", "1")]), tar(&[("a", "2"), ("b", "3")]));
    assert_eq!(restore::<&str>(&base, &new, &[]).unwrap(), new);
}

fn some_tree() -> impl Strategy<Value = Tree> {
    let path = "[ab]{1,2}(/[ab]{1,2}){0,2}";
    let entry = prop_oneof![
        (any::<bool>(), "[xy\n]{0,12}")
            .prop_map(|(executable, text)| Entry::File { executable, bytes: text.into_bytes().into() }),
        "(\\.\\./){0,2}[ab]{1,2}".prop_map(|target| Entry::Link { target }),
    ];
    prop::collection::vec((path, entry), 0..8).prop_map(|list| {
        let mut tree = Tree::default();
        for (path, entry) in list {
            let mut next = tree.clone();
            if next.insert(path, entry).is_ok() && next.check().is_ok() {
                tree = next;
            }
        }
        tree
    })
}

/// Applies a patch of ours to lines, as `patch` would.
fn applied(patch: &str, old: &str) -> String {
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let (mut out, mut at) = (String::new(), 0);
    for line in patch.split_inclusive('\n') {
        if let Some(header) = line.strip_prefix("@@ -") {
            let range = header.split(' ').next().unwrap();
            let (start, len) = range.split_once(',').unwrap_or((range, "1"));
            let start: usize = start.parse().unwrap();
            let start = if len == "0" { start } else { start - 1 };
            old[at..start].iter().for_each(|l| out.push_str(l));
            at = start;
        } else if line.starts_with("diff ") || line.starts_with("---") || line.starts_with("+++") {
        } else if line.starts_with("\\ No newline") {
            // Belongs to the line before: it has no line end on whichever side that was.
            if out.ends_with('\n')
                && !old.get(at.wrapping_sub(1)).is_some_and(|l| l.ends_with('\n') && out.ends_with(l))
            {
                out.pop();
            }
        } else if let Some(text) = line.strip_prefix('+') {
            out.push_str(text);
        } else if line.starts_with('-') {
            at += 1;
        } else if line.starts_with(' ') {
            out.push_str(old[at]);
            at += 1;
        }
    }
    old[at..].iter().for_each(|l| out.push_str(l));
    out
}

proptest! {
    #[test]
    fn a_tree_survives_its_tar_and_its_folder(tree in some_tree()) {
        let bytes = tree.to_tar().unwrap();
        prop_assert_eq!(&Tree::parse(&bytes).unwrap(), &tree);
        let dir = tempfile::tempdir().unwrap();
        unpack(&bytes, dir.path()).unwrap();
        prop_assert_eq!(pack(dir.path()).unwrap(), bytes);
    }

    #[test]
    fn nothing_unpacked_leads_outside(tree in some_tree()) {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        unpack(&tree.to_tar().unwrap(), &root).unwrap();
        for (path, _) in tree.entries() {
            // Dangling and circular links do not resolve; what resolves must be inside.
            if let Ok(real) = root.join(path).canonicalize() {
                prop_assert!(real.starts_with(&root), "{path} leads to {real:?}");
            }
        }
    }

    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2048)) {
        let _ = Tree::parse(&bytes);
    }

    #[test]
    fn a_patch_turns_the_old_text_into_the_new(old in "([abc]{0,2}\n){0,40}", new in "([abc]{0,2}\n){0,40}") {
        let patch = diff(&tar(&[("f", &old)]), &tar(&[("f", &new)])).unwrap();
        prop_assert_eq!(applied(&patch, &old), new);
    }

    #[test]
    fn changed_paths_are_exactly_those_that_differ(a in some_tree(), b in some_tree()) {
        let changed = changed_paths(&a.to_tar().unwrap(), &b.to_tar().unwrap()).unwrap();
        for (path, _) in a.entries().chain(b.entries()) {
            prop_assert_eq!(changed.contains(&path.to_owned()), a.get(path) != b.get(path));
        }
    }

    #[test]
    fn restoring_everything_gives_the_base(a in some_tree(), b in some_tree()) {
        let (a, b) = (a.to_tar().unwrap(), b.to_tar().unwrap());
        prop_assert_eq!(restore(&a, &b, &["**"]).unwrap(), a);
    }
}

#[test]
fn a_tar_is_read_without_copying_its_files() {
    let tar = bytes::Bytes::from(tar(&[("a", "one"), ("b/c", "two")]));
    let tree = Tree::from_tar(&tar).unwrap();
    assert_eq!(tree, files(&[("a", "one"), ("b/c", "two")]));
    for (path, entry) in tree.entries() {
        let Entry::File { bytes, .. } = entry else { panic!("{path} is no file") };
        assert!(tar.as_ptr_range().contains(&bytes.as_ptr()), "{path} was copied");
    }
    let restored = tree.restored(&Tree::from_tar(&tar).unwrap(), &["b/**"]).unwrap();
    let Some(Entry::File { bytes, .. }) = restored.get("b/c") else { panic!("no b/c") };
    assert!(tar.as_ptr_range().contains(&bytes.as_ptr()), "restoring copies nothing");
    // A cut is an error, never a shorter file: here in the first one's content.
    for end in 512..515 {
        assert!(Tree::from_tar(&tar.slice(..end)).is_err(), "{end}");
    }
}

#[test]
fn a_change_that_no_patch_can_show_is_refused_and_not_hidden() {
    let base = files(&[("a", "one")]);
    let lines = Tree::from_files([("a", "\n".repeat(2_000_001))]).unwrap();
    assert!(matches!(base.diff(&lines), Err(Error::TooManyLines { .. })));
    // Two files that fit each and not together.
    let half = format!("{}\n", "x".repeat(1023)).repeat(33 << 10);
    let large = Tree::from_files([("b", half.clone()), ("c", half)]).unwrap();
    assert!(matches!(base.diff(&large), Err(Error::PatchTooLarge)));
}
