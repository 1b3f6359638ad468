//! Each test is named by the promise it keeps.

mod additional;
mod attempts;
mod circles;
mod delivery;
mod guards;
mod outside;
mod pauses;
mod people;
mod pods;
mod properties;
mod record;
mod review;
mod support;
mod weights;
