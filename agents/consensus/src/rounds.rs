//! Whether another round of votes is worth its time.
//!
//! The first round is blind. A later one shows the objections: their severity, reasons and evidence, and neither who
//! made them nor how many voted which way, since a known majority draws others along whatever its reasons. Those who
//! rejected are not asked again, so it can only persuade towards rejection, and is held only where that would change
//! something: after an approval or a tie, over an objection whose evidence was verified. That is a fact which those who
//! approved may not have seen; an objection without a place to look at persuades by its tone alone.
//!
//! A rejection goes back to its author with the same objections, and guards and vetoes are not talked away.

use crate::ballot::Ballot;
use crate::decide::DecisionRecord;
use crate::outcome::OutcomeKind;

impl DecisionRecord {
    /// Whether to ask again, as long as the policy has rounds left.
    pub fn is_worth_another_round(&self) -> bool {
        matches!(self.decision, OutcomeKind::Approved | OutcomeKind::Tie)
            && self.dissent.iter().any(Ballot::has_verified_evidence)
    }
}
