//! The library as a local web page: search, watch, correct, and see what failed.
//!
//! The page asks this server only; nothing comes from elsewhere. What a browser sends names files by their number in the store, never
//! by a path, so there is no path to get out with. It is read-only unless edits are allowed.

mod answers;
mod guard;
mod media;
mod objects;
mod server;
mod thumbnails;

pub use server::{Edits, ServeOptions, Server};
