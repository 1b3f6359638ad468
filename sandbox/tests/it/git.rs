//! Fetching from and delivering to real git servers.

use crate::git_server::{Daemon, Http, free_port, git};
use golden_platform::tree::{self, Entry, Tree};
use golden_platform::wire::Credential;
use golden_sandbox::git::{Delivery, Fault, Workshop, deliver_to, fetch_from};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use tempfile::TempDir;

/// A repository on a server, with one commit by a person.
struct Remote {
    dir: TempDir,
    daemon: Daemon,
    /// The person's clone.
    clone: PathBuf,
}

impl Remote {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        git(dir.path(), &["init", "-q", "--bare", "shop.git"]);
        git(&dir.path().join("shop.git"), &["config", "http.receivepack", "true"]);
        let clone = dir.path().join("clone");
        git(dir.path(), &["clone", "-q", "shop.git", "clone"]);
        fs::write(clone.join("a.py"), "print('a')\n").unwrap();
        fs::create_dir(clone.join("bin")).unwrap();
        fs::write(clone.join("bin/run"), "#!/bin/sh\n").unwrap();
        fs::set_permissions(clone.join("bin/run"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("../a.py", clone.join("bin/link")).unwrap();
        let daemon = Daemon::start(dir.path());
        let remote = Self { dir, daemon, clone };
        remote.publish("first");
        remote
    }

    /// Commits everything in the clone and pushes it to main.
    fn publish(&self, message: &str) -> String {
        git(&self.clone, &["add", "-A"]);
        git(&self.clone, &["commit", "-q", "-m", message]);
        git(&self.clone, &["push", "-q", "origin", "HEAD:main"]);
        git(&self.clone, &["rev-parse", "HEAD"])
    }

    fn bare(&self) -> PathBuf {
        self.dir.path().join("shop.git")
    }

    fn url(&self) -> String {
        self.daemon.url("shop.git")
    }

    fn tip(&self, branch: &str) -> String {
        git(&self.bare(), &["rev-parse", &format!("refs/heads/{branch}")])
    }
}

fn shop() -> (TempDir, Workshop) {
    let dir = tempfile::tempdir().unwrap();
    let shop = Workshop::new(dir.path()).unwrap();
    (dir, shop)
}

/// `base` with one file changed.
fn changed(base: &[u8], path: &str, content: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().join("t");
    tree::unpack(base, &place).unwrap();
    fs::write(place.join(path), content).unwrap();
    tree::pack(&place).unwrap()
}

fn delivery(remote: &Remote, tar: &[u8]) -> Delivery {
    let (_dir, shop) = shop();
    let base = fetch_from(&shop, &remote.url(), "main", None).unwrap();
    Delivery {
        url: remote.url(),
        branch: "golden/fix".into(),
        base_commit: base.commit,
        base_tree: tree::digest(&base.tar),
        tree: tree::digest(tar),
        message: "Fix a\n\nGolden-Task: 3f2a9c1d\nGolden-Record: sha256:00\n".into(),
        author: "Golden <golden@goldenarch.dev>".into(),
        author_date: "2026-01-02T03:04:05Z".into(),
        credential: None,
    }
}

fn base(remote: &Remote) -> Vec<u8> {
    let (_dir, shop) = shop();
    fetch_from(&shop, &remote.url(), "main", None).unwrap().tar
}

fn deliver(delivery: &Delivery, tar: &[u8]) -> Result<String, Fault> {
    let (_dir, shop) = shop();
    deliver_to(&shop, delivery, tar)
}

#[test]
fn a_branch_a_tag_and_a_commit_become_the_same_tree() {
    let remote = Remote::new();
    git(&remote.clone, &["tag", "-a", "v1", "-m", "one"]);
    git(&remote.clone, &["push", "-q", "origin", "v1"]);
    let commit = remote.tip("main");
    for name in ["main", "v1", &commit] {
        let (_dir, shop) = shop();
        let fetched = fetch_from(&shop, &remote.url(), name, None).unwrap();
        assert_eq!(fetched.commit, commit, "{name}");
        assert_eq!(fetched.tar, tree::pack(&remote.clone).unwrap(), "{name}");
    }
    let (_dir, shop) = shop();
    assert_eq!(fetch_from(&shop, &remote.url(), "nope", None).unwrap_err().reason, "GitRefNotFound");
}

#[test]
fn attributes_filters_and_submodules_change_no_byte() {
    let remote = Remote::new();
    let attributes = "*.py text eol=crlf ident export-subst filter=evil\nsecret export-ignore\n";
    fs::write(remote.clone.join(".gitattributes"), attributes).unwrap();
    fs::write(remote.clone.join("raw.py"), "$Id$ $Format:%H$\nline\n").unwrap();
    fs::write(remote.clone.join("secret"), "kept").unwrap();
    let object = git(&remote.clone, &["rev-parse", "HEAD"]);
    git(&remote.clone, &["update-index", "--add", "--cacheinfo", &format!("160000,{object},sub")]);
    git(&remote.clone, &["add", ".gitattributes", "raw.py", "secret"]);
    git(&remote.clone, &["commit", "-q", "-m", "hostile"]);
    git(&remote.clone, &["push", "-q", "origin", "HEAD:main"]);
    let fetched = Tree::parse(&base(&remote)).unwrap();
    let raw = Entry::File { executable: false, bytes: b"$Id$ $Format:%H$\nline\n".to_vec().into() };
    assert_eq!(fetched.get("raw.py"), Some(&raw));
    assert!(fetched.get("secret").is_some() && fetched.get("sub").is_none());

    let tar = changed(&base(&remote), "raw.py", "new\n");
    let commit = deliver(&delivery(&remote, &tar), &tar).unwrap();
    assert_eq!(git(&remote.bare(), &["show", &format!("{commit}:raw.py")]), "new");
    let kept = git(&remote.bare(), &["ls-tree", &commit, "sub"]);
    assert!(kept.starts_with("160000"), "a submodule survives a delivery: {kept}");
}

#[test]
fn a_link_that_leaves_the_tree_is_refused() {
    let remote = Remote::new();
    symlink("/etc/passwd", remote.clone.join("out")).unwrap();
    remote.publish("hostile");
    let (_dir, shop) = shop();
    let fault = fetch_from(&shop, &remote.url(), "main", None).unwrap_err();
    assert_eq!((fault.reason, fault.retryable), ("ResultRefused", false));
}

#[test]
fn a_delivery_is_one_commit_with_exactly_the_approved_tree() {
    let remote = Remote::new();
    let main = remote.tip("main");
    let tar = changed(&base(&remote), "a.py", "print('ü')\n");
    let wanted = delivery(&remote, &tar);
    let commit = deliver(&wanted, &tar).unwrap();
    assert_eq!(remote.tip("golden/fix"), commit);
    assert_eq!(git(&remote.bare(), &["show", "-s", "--format=%P", &commit]), main);
    let shown = git(&remote.bare(), &["show", "-s", "--format=%an %ae %cn %aI%n%B", &commit]);
    assert!(shown.starts_with("Golden golden@goldenarch.dev Golden 2026-01-02T03:04:05+00:00"), "{shown}");
    assert!(shown.contains("Golden-Task: 3f2a9c1d"));
    assert_eq!(git(&remote.bare(), &["diff", "--name-status", &main, &commit]), "M\ta.py");
    assert_eq!(remote.tip("main"), main);
}

#[test]
fn a_repeated_delivery_makes_and_moves_nothing() {
    let remote = Remote::new();
    let tar = changed(&base(&remote), "a.py", "x\n");
    let wanted = delivery(&remote, &tar);
    let first = deliver(&wanted, &tar).unwrap();
    // A push that would move anything now is refused by the server.
    fs::write(remote.bare().join("hooks/pre-receive"), "#!/bin/sh\nexit 1\n").unwrap();
    fs::set_permissions(remote.bare().join("hooks/pre-receive"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(deliver(&wanted, &tar).unwrap(), first);

    let other = changed(&base(&remote), "a.py", "y\n");
    let fault = deliver(&Delivery { tree: tree::digest(&other), ..wanted }, &other).unwrap_err();
    assert_eq!((fault.reason, fault.retryable), ("DeliveryRefused", false), "{fault}");
}

#[test]
fn goldens_own_branch_is_moved_and_a_persons_never() {
    let remote = Remote::new();
    let first = changed(&base(&remote), "a.py", "1\n");
    deliver(&delivery(&remote, &first), &first).unwrap();
    let second = changed(&base(&remote), "a.py", "2\n");
    let commit = deliver(&delivery(&remote, &second), &second).unwrap();
    assert_eq!(remote.tip("golden/fix"), commit);

    git(&remote.clone, &["fetch", "-q", "origin", "golden/fix"]);
    git(&remote.clone, &["checkout", "-q", "FETCH_HEAD"]);
    fs::write(remote.clone.join("a.py"), "a person's\n").unwrap();
    git(&remote.clone, &["commit", "-q", "-am", "by hand"]);
    git(&remote.clone, &["push", "-q", "origin", "HEAD:golden/fix"]);
    let theirs = remote.tip("golden/fix");
    let third = changed(&base(&remote), "a.py", "3\n");
    let fault = deliver(&delivery(&remote, &third), &third).unwrap_err();
    assert_eq!((fault.reason, fault.retryable), ("DeliveryConflict", false), "{fault}");
    assert_eq!(remote.tip("golden/fix"), theirs);
}

#[test]
fn only_the_approved_tree_on_the_known_base_is_delivered() {
    let remote = Remote::new();
    let tar = changed(&base(&remote), "a.py", "x\n");
    let other = changed(&base(&remote), "a.py", "y\n");
    let wanted = delivery(&remote, &tar);
    assert_eq!(deliver(&wanted, &other).unwrap_err().reason, "DeliveryDigestMismatch");
    let moved = Delivery { base_tree: tree::digest(&other), ..wanted.clone() };
    assert_eq!(deliver(&moved, &tar).unwrap_err().reason, "DeliveryDigestMismatch");
    let gone = Delivery { base_commit: "1".repeat(40), ..wanted };
    assert_eq!(deliver(&gone, &tar).unwrap_err().reason, "GitRefNotFound");
    assert!(git(&remote.bare(), &["branch", "--list", "golden/*"]).is_empty());
}

#[test]
fn a_credential_opens_its_host_and_is_shown_to_no_other() {
    let remote = Remote::new();
    let elsewhere = Http::start(remote.dir.path(), "http://127.0.0.1:9");
    let http = Http::start(remote.dir.path(), &format!("http://127.0.0.1:{}", elsewhere.port));
    let host = format!("127.0.0.1:{}", http.port);
    let credential = |password: &str| {
        Some(Credential { username: "u".into(), password: password.into(), hosts: vec![host.clone()] })
    };
    let url = format!("http://{host}/shop.git");
    let (_dir, shop) = shop();
    let fetched = fetch_from(&shop, &url, "main", credential("p")).unwrap();
    assert_eq!(fetched.commit, remote.tip("main"));
    for wrong in [None, credential("wrong")] {
        let fault = fetch_from(&shop, &url, "main", wrong).unwrap_err();
        assert_eq!((fault.reason, fault.retryable), ("GitDenied", false), "{fault}");
    }
    let tar = changed(&fetched.tar, "a.py", "x\n");
    let pushed = Delivery { url: url.clone(), credential: credential("p"), ..delivery(&remote, &tar) };
    assert_eq!(deliver(&pushed, &tar).unwrap(), remote.tip("golden/fix"));

    let moved = format!("http://{host}/moved/shop.git");
    assert!(fetch_from(&shop, &moved, "main", credential("p")).is_err());
    assert!(elsewhere.shown().is_empty(), "{:?}", elsewhere.shown());
    let other = format!("http://127.0.0.1:{}/shop.git", elsewhere.port);
    assert_eq!(
        fetch_from(&shop, &other, "main", credential("p")).unwrap_err().reason,
        "SecretHostNotAllowed"
    );
    assert!(elsewhere.shown().is_empty());
}

#[test]
fn a_server_that_is_away_is_an_outage() {
    let (_dir, shop) = shop();
    for scheme in ["git", "http"] {
        let url = format!("{scheme}://127.0.0.1:{}/r", free_port());
        let fault = fetch_from(&shop, &url, "main", None).unwrap_err();
        assert_eq!((fault.reason, fault.retryable), ("GitUnreachable", true), "{fault}");
    }
}
