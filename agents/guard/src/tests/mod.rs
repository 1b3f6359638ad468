//! What evidence and briefs promise.

mod briefs;
mod excerpts;
mod flakes;
mod imitations;
mod verdicts;
