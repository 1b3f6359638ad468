//! What clients speak: one type per protocol behind [`ClientProtocol`]. Pure.

mod cached;
mod chat;
mod client;
mod embeddings;
mod fields;
mod messages;
mod outline;
mod parts;
mod responses;
mod shape;
mod tools;

pub(crate) use chat::ChatCompletions;
pub(crate) use client::{Asked, Cap, ClientProtocol, End, Protocol, Reader, Seen, object, stated};
pub(crate) use embeddings::Embeddings;
pub(crate) use fields::Fields;
pub(crate) use messages::Messages;
pub(crate) use outline::{Digest, Outline, Turn};
pub(crate) use parts::Extent;
pub(crate) use responses::Responses;
