//! Schemas that are written by hand, since the library types' own have no bounds.

use schemars::{Schema, SchemaGenerator, json_schema};

/// `metadata.name` of most kinds: a DNS subdomain.
pub(crate) const DNS_SUBDOMAIN: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// Namespaces, roles, guards: a DNS label.
pub(crate) const DNS_LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
/// The digest of something kept or shown.
pub(crate) const DIGEST: &str = "^sha256:[0-9a-f]{64}$";
/// An image reference: no spaces, and nothing that a program could take for an option.
pub(crate) const IMAGE: &str = "^[a-zA-Z0-9][^\\s]*$";
/// A single line without control characters.
pub(crate) const LINE: &str = "^[^\\x00-\\x1f\\x7f]*$";
/// At least one character that is not a space.
pub(crate) const NOT_BLANK: &str = "\\S";
/// Characters of a git ref that need no quoting anywhere; a rule excludes the rest of what git refuses.
pub(crate) const GIT_REF: &str = "^[A-Za-z0-9_][A-Za-z0-9._/+#=-]*$";
/// Branches Golden may push: all below `golden/`.
pub(crate) const GOLDEN_BRANCH: &str = "^golden/[A-Za-z0-9_][A-Za-z0-9._/+#=-]*$";

/// The greatest amount of money or tokens a field takes: far above use, far below what sums could overflow.
pub(crate) const MAX_AMOUNT: i64 = 1_000_000_000_000_000;

/// `status.conditions`: a map by type, bounded as the API conventions ask.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "Conditions, one of each type. Their reasons are documented in the API reference.",
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["type", "status", "lastTransitionTime", "reason", "message"],
            "properties": {
                "type": {
                    "description": "What is said, in CamelCase.",
                    "type": "string", "maxLength": 316,
                    "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
                },
                "status": {
                    "description": "Whether it holds.",
                    "type": "string", "enum": ["True", "False", "Unknown"]
                },
                "reason": {
                    "description": "Why, as one of the documented words.",
                    "type": "string", "minLength": 1, "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
                },
                "message": {
                    "description": "What happened, to what, and what to do next.",
                    "type": "string", "maxLength": 32768
                },
                "observedGeneration": {
                    "description": "`metadata.generation` this was said of.",
                    "type": "integer", "format": "int64", "minimum": 0
                },
                "lastTransitionTime": {
                    "description": "When the status last changed.",
                    "type": "string", "format": "date-time"
                }
            }
        }
    })
}

/// A label selector with bounds, so that rules over it have a known cost and bad operators are refused at once.
pub(crate) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "Objects by their labels: every entry has to hold; an empty selector selects all.",
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {
                "description": "Labels and the value each must have.",
                "type": "object",
                "maxProperties": 32,
                "additionalProperties": { "type": "string", "maxLength": 63, "pattern": LABEL_VALUE }
            },
            "matchExpressions": {
                "description": "Conditions on labels.",
                "type": "array",
                "maxItems": 32,
                "x-kubernetes-list-type": "atomic",
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": {
                            "description": "The label.",
                            "type": "string", "minLength": 1, "maxLength": 317,
                            "pattern": LABEL_KEY
                        },
                        "operator": {
                            "description": "How the label relates to the values.",
                            "type": "string", "enum": ["In", "NotIn", "Exists", "DoesNotExist"]
                        },
                        "values": {
                            "description": "For In and NotIn; absent otherwise.",
                            "type": "array",
                            "maxItems": 64,
                            "x-kubernetes-list-type": "atomic",
                            "items": { "type": "string", "maxLength": 63, "pattern": LABEL_VALUE }
                        }
                    },
                    "x-kubernetes-validations": [{
                        "rule": "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
                        "message": "values must be given for the operators In and NotIn, and only for them",
                        "reason": "FieldValueInvalid",
                        "fieldPath": ".values"
                    }]
                }
            }
        }
    })
}

const LABEL_VALUE: &str = "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$";
const LABEL_KEY: &str = "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$";
