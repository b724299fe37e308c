//! Decoding in other processes, for files that nobody should trust: what crashes a decoder, or makes it take too much
//! memory, ends a worker process, and is one failed file.
//!
//! A worker is any process that runs [`serve`] on its standard input and output. A [`Crew`] starts workers as they are
//! needed, uses them again for the next file, and replaces those that died. Pixels come back through a pipe, which costs a
//! few percent.

mod crew;
mod decoder;
mod message;
mod serve;
mod worker;

pub use crew::Crew;
pub use decoder::IsolatedDecoder;
pub use serve::serve;
