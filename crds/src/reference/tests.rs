use super::*;

fn sections(page: &str) -> Vec<(&str, &str)> {
    page.split("\n## ").skip(1).map(|part| part.split_once('\n').unwrap()).collect()
}

#[test]
fn every_kind_has_its_section_and_stands_in_the_index() {
    let page = page().unwrap();
    let definitions = definitions().unwrap();
    assert_eq!(definitions.len(), SAID.len());
    for crd in definitions {
        let kind = crd["spec"]["names"]["kind"].as_str().unwrap().to_owned();
        assert!(sections(&page).iter().any(|(title, _)| *title == kind), "{kind} has no section");
        assert!(page.contains(&format!("[{kind}](#{})", kind.to_lowercase())), "{kind} is not in the index");
    }
}

#[test]
fn every_rule_and_column_of_a_definition_is_printed_in_its_section() {
    let page = page().unwrap();
    for crd in definitions().unwrap() {
        let kind = crd["spec"]["names"]["kind"].as_str().unwrap();
        let (_, section) = sections(&page).into_iter().find(|(title, _)| *title == kind).unwrap();
        let mut count = 0;
        walk(&crd, &mut |object| {
            let one = |key: &str| object.get(key).and_then(Value::as_str).map(words);
            if let (Some(rule), Some(message)) = (one("rule"), one("message")) {
                count += 1;
                assert!(section.contains(&rule) && section.contains(&message), "{kind}: {message}");
            }
            if let Some(path) = one("jsonPath") {
                assert!(section.contains(path.trim_start_matches('.')), "{kind}: {path}");
            }
        });
        assert!(count > 0, "{kind} has no rule");
    }
}

fn walk(value: &Value, look: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            look(object);
            object.values().for_each(|v| walk(v, look));
        }
        Value::Array(items) => items.iter().for_each(|v| walk(v, look)),
        _ => {}
    }
}

#[test]
fn every_condition_type_belongs_to_a_kind_and_every_reason_is_printed() {
    let page = page().unwrap();
    for one in c::TYPES {
        assert!(SAID.iter().any(|said| said.types.contains(&one.name)), "no kind carries {}", one.name);
    }
    let modules = SAID.iter().map(|said| said.reasons).chain([c::shared::ALL]);
    for reason in modules.flatten() {
        assert!(page.contains(&format!("| `{}` | {} |", reason.name, words(reason.doc))), "{}", reason.name);
    }
}

#[test]
fn every_row_has_as_many_cells_as_its_table() {
    let mut columns = 0;
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    for line in page().unwrap().lines() {
        if !line.starts_with('|') {
            columns = 0;
        } else if columns == 0 {
            columns = cells(line);
        } else {
            assert_eq!(cells(line), columns, "{line}");
        }
    }
}

#[test]
fn a_field_says_its_type_default_and_bounds() {
    let schema = serde_json::json!({"required": ["names"], "properties": {
        "names": {"type": "array", "maxItems": 4, "description": "Who", "items": {"type": "string", "minLength": 1, "pattern": "a|b"}},
        "mode": {"type": "string", "enum": ["A", "B"], "default": "A", "description": "How."},
        "limits": {"type": "object", "properties": {"tokens": {"type": "integer", "minimum": 0, "maximum": 9}}},
    }});
    let rows: Vec<_> = fields::of(&schema).into_iter().map(|f| (f.path, f.kind, f.meaning)).collect();
    let row = |path: &str, kind: &str, meaning: &str| (path.to_owned(), kind.to_owned(), meaning.to_owned());
    assert_eq!(
        rows,
        [
            row(
                "names",
                "list of string",
                "*Required.* Who. At most 4 items. Each: Not empty. Matches `a|b`."
            ),
            row("mode", "string", "How. Default `A`. One of `A`, `B`."),
            row("limits", "object", ""),
            row("limits.tokens", "integer", "0 to 9."),
        ]
    );
}
