//! From an answer's words to a type, or a message that says what is wrong and where.

use super::bounds::Bounds;
use super::extract::objects;
use super::schema::{Schema, SchemaError, Violations};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What a structured answer is.
pub trait Form: DeserializeOwned {
    /// Its bounds.
    const BOUNDS: Bounds;
    /// What counts when an answer holds several that fit.
    const AMBIGUOUS: Ambiguous = Ambiguous::Largest;

    /// Its schema, made once.
    fn schema() -> &'static Result<Schema, SchemaError>;

    /// What neither the type nor the schema can say.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

/// What counts when several objects of an answer fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ambiguous {
    /// The largest, which has most to say.
    Largest,
    /// None: with two votes in one answer it is not known which was meant.
    Refused,
}

/// Why an answer cannot be read. The text is for whoever gave it, who may mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the answer has {size} bytes, at most {limit} are read")]
    TooLong { size: usize, limit: usize },
    #[error("there is no JSON object in it")]
    NoObject,
    #[error("it nests deeper than {limit}")]
    TooDeep { limit: usize },
    #[error("it has more than {limit} values")]
    TooMany { limit: usize },
    /// The place is a path such as `evidence[0].startLine`.
    #[error("{place}: {message}")]
    Type { place: String, message: String },
    #[error("{0}")]
    Schema(Violations),
    #[error("{0}")]
    Rule(String),
    #[error("another object of that form is trailing the first; give one alone")]
    Several,
    /// A defect of ours, not of the answer.
    #[error(transparent)]
    Form(#[from] SchemaError),
}

/// Parses a JSON text into a type; an error names the place in it.
pub fn parse<T: DeserializeOwned>(json: &str, bounds: &Bounds) -> Result<T, Unreadable> {
    bounds.size(json)?;
    bounds.shape(json)?;
    let mut reader = serde_json::Deserializer::from_str(json);
    let told =
        |place: String, error: &serde_json::Error| Unreadable::Type { place, message: error.to_string() };
    let value =
        serde_path_to_error::deserialize(&mut reader).map_err(|e| told(e.path().to_string(), e.inner()))?;
    reader.end().map_err(|e| told(".".to_owned(), &e))?;
    Ok(value)
}

/// Takes a form from an answer: the largest of its objects that fits (see [`objects`]). If none fits, the error is the
/// largest one's.
pub fn read<F: Form>(answer: &str) -> Result<F, Unreadable> {
    F::BOUNDS.size(answer)?;
    let schema = F::schema().as_ref().map_err(Clone::clone)?;
    let mut fault = None;
    let mut fits: Option<F> = None;
    for object in objects(answer) {
        match one::<F>(object, schema) {
            Ok(form) if F::AMBIGUOUS == Ambiguous::Largest => return Ok(form),
            Ok(_) if fits.is_some() => return Err(Unreadable::Several),
            Ok(form) => fits = Some(form),
            Err(error) => fault = fault.or(Some(error)),
        }
    }
    fits.ok_or_else(|| fault.unwrap_or(Unreadable::NoObject))
}

/// The type comes first: it refuses what a schema cannot see, such as a key that stands twice.
fn one<F: Form>(object: &str, schema: &Schema) -> Result<F, Unreadable> {
    let form: F = parse(object, &F::BOUNDS)?;
    form.check().map_err(Unreadable::Rule)?;
    let value: Value = parse(object, &F::BOUNDS)?;
    schema.check(&value).map_err(Unreadable::Schema)?;
    Ok(form)
}
