//! Every bound of the schema of every spec, broken one by one: the list is made from the generated definitions
//! and the case files' `full` objects.

use super::cases::CaseFile;
use super::schema;
use serde_json::{Value, json};

/// A full object with one bound broken.
#[derive(Debug)]
pub struct Broken {
    /// What was done.
    pub what: String,
    /// Where the error points.
    pub field: String,
    pub object: Value,
    /// Bounds that JSON Schema does not know: unique keys of lists.
    pub apiserver_only: bool,
}

/// Every bound of the kind broken once for each full object that sets the field, and the fields no full object
/// sets.
pub fn broken(crd: &Value, file: &CaseFile) -> (Vec<Broken>, Vec<String>) {
    let spec = &schema(crd)["properties"]["spec"];
    let (mut out, mut missing) = (Vec::new(), Vec::new());
    let fulls = file.full();
    for full in &fulls {
        let mut walk = Walk { full, out: &mut out };
        walk.node("/spec", "spec", spec);
    }
    unset("spec", spec, &fulls.iter().map(|f| &f["spec"]).collect::<Vec<_>>(), &mut missing);
    (out, missing)
}

/// Fields that no object sets.
fn unset(path: &str, schema: &Value, values: &[&Value], missing: &mut Vec<String>) {
    if values.is_empty() {
        missing.push(path.to_owned());
        return;
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let inner: Vec<_> = values.iter().filter_map(|v| v.get(name)).collect();
        unset(&format!("{path}.{name}"), property, &inner, missing);
    }
    if schema["items"].is_object() {
        let inner: Vec<_> = values.iter().filter_map(|v| v.as_array()).flatten().collect();
        unset(&format!("{path}[]"), &schema["items"], &inner, missing);
    }
}

struct Walk<'a> {
    full: &'a Value,
    out: &'a mut Vec<Broken>,
}

impl Walk<'_> {
    fn node(&mut self, pointer: &str, path: &str, schema: &Value) {
        let Some(value) = self.full.pointer(pointer).cloned() else { return };
        if schema["x-kubernetes-int-or-string"] == json!(true) {
            return;
        }
        self.wrong_type(pointer, path, schema);
        match schema["type"].as_str() {
            Some("string") => self.string(pointer, path, schema),
            Some("integer") => self.integer(pointer, path, schema),
            Some("array") => self.array(pointer, path, schema, value.as_array().unwrap()),
            Some("object") => self.object(pointer, path, schema, &value),
            _ => {}
        }
    }

    fn put(&mut self, what: &str, pointer: &str, path: &str, value: Value) {
        let mut object = self.full.clone();
        *object.pointer_mut(pointer).unwrap() = value;
        self.out.push(Broken { what: what.into(), field: path.into(), object, apiserver_only: false });
    }

    fn wrong_type(&mut self, pointer: &str, path: &str, schema: &Value) {
        let wrong = match schema["type"].as_str() {
            Some("string") => json!(7),
            Some(_) => json!("text"),
            None => return,
        };
        self.put("wrong type", pointer, path, wrong);
    }

    fn string(&mut self, pointer: &str, path: &str, schema: &Value) {
        if schema["minLength"].as_u64().is_some_and(|n| n > 0) {
            self.put("too short", pointer, path, json!(""));
        }
        if let Some(max) = schema["maxLength"].as_u64() {
            self.put("too long", pointer, path, json!("a".repeat(usize::try_from(max).unwrap() + 1)));
        }
        if schema["enum"].is_array() {
            self.put("not in the enum", pointer, path, json!("Nonsense"));
        }
        if let Some(pattern) = schema["pattern"].as_str() {
            let regex = regex::Regex::new(pattern).unwrap_or_else(|e| panic!("{path}: {e}"));
            let misfit = [" ", "-x", "UPPER_case!", "a b", "\u{1}"].into_iter().find(|c| !regex.is_match(c));
            let misfit = misfit.unwrap_or_else(|| panic!("{path}: nothing breaks the pattern {pattern}"));
            self.put("against the pattern", pointer, path, json!(misfit));
        }
    }

    fn integer(&mut self, pointer: &str, path: &str, schema: &Value) {
        #[allow(clippy::cast_possible_truncation)] // Bounds are whole numbers below 2^53.
        let bound = |key: &str| schema[key].as_f64().map(|n| n as i64);
        if let Some(min) = bound("minimum") {
            self.put("too small", pointer, path, json!(min - 1));
        }
        if let Some(max) = bound("maximum") {
            self.put("too large", pointer, path, json!(max + 1));
        }
        self.put("a float", pointer, path, json!(1.5));
    }

    fn array(&mut self, pointer: &str, path: &str, schema: &Value, items: &[Value]) {
        if schema["minItems"].as_u64().is_some_and(|n| n > 0) {
            self.put("too few items", pointer, path, json!([]));
        }
        let first = items.first().cloned().unwrap_or(Value::Null);
        if let Some(max) = schema["maxItems"].as_u64() {
            let max = usize::try_from(max).unwrap();
            self.put("too many items", pointer, path, json!(vec![first.clone(); max + 1]));
        }
        if matches!(schema["x-kubernetes-list-type"].as_str(), Some("map" | "set")) {
            self.put("the same twice", pointer, &format!("{path}[1]"), json!([first.clone(), first]));
            self.out.last_mut().unwrap().apiserver_only = true;
        }
        for index in 0..items.len() {
            self.node(&format!("{pointer}/{index}"), &format!("{path}[{index}]"), &schema["items"]);
        }
    }

    fn object(&mut self, pointer: &str, path: &str, schema: &Value, value: &Value) {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            let mut object = self.full.clone();
            object.pointer_mut(pointer).unwrap().as_object_mut().unwrap().remove(name);
            let field = format!("{path}.{name}");
            self.out.push(Broken { what: "missing".into(), field, object, apiserver_only: false });
        }
        if let Some(max) = schema["maxProperties"].as_u64() {
            let many: serde_json::Map<_, _> = (0..=max).map(|n| (format!("k{n}"), json!("v"))).collect();
            self.put("too many entries", pointer, path, Value::Object(many));
        }
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            self.node(&format!("{pointer}/{name}"), &format!("{path}.{name}"), property);
        }
        if schema["additionalProperties"].is_object() {
            for name in value.as_object().into_iter().flatten().map(|(name, _)| name) {
                let pointer = format!("{pointer}/{name}");
                // The apiserver writes `a.b` or `a[b]` for an entry of a map: the map is what both name.
                let before = self.out.len();
                self.node(&pointer, path, &schema["additionalProperties"]);
                self.out[before..].iter_mut().for_each(|b| path.clone_into(&mut b.field));
            }
        }
    }
}
