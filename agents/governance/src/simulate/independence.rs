//! Whether the task would have been admitted with its voters' models, where the changed rules ask for other ones than the
//! author's.
//!
//! The record holds each model's name, not what their providers fall back to nor send: alike names are the same model for
//! certain, different ones may still be.

use super::Missing;
use super::course::Course;
use crate::merged::MergedPolicy;
use golden_consensus::same_model;
use golden_crds::governance_policy::Independence;

/// Refuses a voter with the author's model; says that it is not known of one that was never looked at.
pub(super) fn check(course: &Course, after: &MergedPolicy) -> Result<(), Missing> {
    let (before, now) = (&course.merged.review.value, &after.review.value);
    let (true, Some(author)) = (now.independence == Some(Independence::DifferentModel), &course.author)
    else {
        return Ok(());
    };
    let mut unknown = vec![];
    for (role, model_ref) in now.reviewers() {
        let alike = before.asks((role, model_ref));
        if alike && before.independence == now.independence {
            // The task was admitted with it.
            continue;
        }
        let named = model_ref.map(|model| model.model.as_str());
        let model = if alike { course.voter_model(role) } else { named };
        if model.is_some_and(|model| same_model(author, model)) {
            return Err(Missing::Admission(format!(
                "voter {role} would judge with the author's model {author}, and policy {} asks for review.independence \
                 DifferentModel",
                after.review.origin
            )));
        }
        unknown.push(role);
    }
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Missing::Record(format!(
        "the record does not say whether {} may come to judge with the author's model, by a fallback of a provider or \
         under another name",
        unknown.join(", ")
    )))
}
