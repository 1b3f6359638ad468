use super::*;
use crate::chat::{CallKind, Function};

fn ask(workspace: &Workspace, name: &str, arguments: &str) -> String {
    let function = Function { name: name.into(), arguments: arguments.into() };
    match call(workspace, &ToolCall { id: "1".into(), kind: CallKind::Function, function }) {
        Outcome::Result(text) => text,
        Outcome::Finished(summary) => format!("finished: {summary}"),
    }
}

fn workspace() -> (tempfile::TempDir, Workspace) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("shop")).unwrap();
    std::fs::create_dir_all(folder.path().join(".git")).unwrap();
    std::fs::write(folder.path().join("shop/slug.py"), "def slugify(text):\n    return text\n").unwrap();
    std::fs::write(folder.path().join("a.bin"), [0xff, 0xfe]).unwrap();
    std::fs::write(folder.path().join(".git/config"), "slugify").unwrap();
    let workspace = Workspace::open(folder.path()).unwrap();
    (folder, workspace)
}

#[test]
fn tools_do_what_they_say() {
    let (_folder, work) = workspace();
    assert_eq!(ask(&work, "list_files", ""), "a.bin\nshop/slug.py");
    assert_eq!(
        ask(&work, "read_file", r#"{"path":"shop/slug.py","start_line":2,"lines":1}"#),
        "    return text"
    );
    assert_eq!(ask(&work, "search", r#"{"query":"slugify"}"#), "shop/slug.py:1: def slugify(text):");
    assert_eq!(ask(&work, "write_file", r#"{"path":"new/x.md","content":"hi"}"#), "wrote new/x.md (2 bytes)");
    assert_eq!(ask(&work, "read_file", r#"{"path":"new/x.md"}"#), "hi");
    assert!(
        ask(&work, "replace_in_file", r#"{"path":"new/x.md","old":"hi","new":"ho"}"#).starts_with("wrote")
    );
    assert_eq!(ask(&work, "finish", r#"{"summary":"done"}"#), "finished: done");
}

#[test]
fn a_wrong_call_is_explained_to_the_model() {
    let (_folder, work) = workspace();
    for (name, arguments, part) in [
        ("read_file", "{\"path\": \"shop/slug", "not readable"),
        ("read_file", "{}", "missing field `path`"),
        ("read_file", r#"{"path":"a.bin"}"#, "is not text"),
        ("read_file", r#"{"path":"../x"}"#, "not relative"),
        ("read_file", r#"{"path":".git/config"}"#, "version control"),
        ("write_file", r#"{"path":"shop","content":""}"#, "is a folder"),
        ("replace_in_file", r#"{"path":"shop/slug.py","old":"t","new":"u"}"#, "occurs 5 times"),
        ("search", r#"{"query":""}"#, "query is empty"),
        ("rm_rf", "{}", "there is no tool"),
    ] {
        let said = ask(&work, name, arguments);
        assert!(said.starts_with("error: ") && said.contains(part), "{name}: {said}");
    }
}

#[test]
fn results_are_bounded() {
    let (folder, work) = workspace();
    std::fs::write(folder.path().join("big.txt"), "é".repeat(limits::TOOL_RESULT)).unwrap();
    let said = ask(&work, "read_file", r#"{"path":"big.txt"}"#);
    assert!(said.len() < limits::TOOL_RESULT + 100 && said.ends_with("ask for less at a time"));
    std::fs::write(folder.path().join("many.txt"), "x\n".repeat(1000)).unwrap();
    assert_eq!(ask(&work, "search", r#"{"query":"x","path":"many.txt"}"#).lines().count(), limits::HITS + 1);
}
