//! Labels and reliabilities, on sets whose truth is known.

#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of a drawn set are small"
)]

mod crowd;
mod dawid_skene;
mod quality;
mod rules;
