//! `reelnet library` from the outside: what is new is tagged, what was killed goes on, what is hostile is told.

mod clock;
mod hostile;
mod incremental;
mod killed;
mod made;
mod objects;
mod server;
mod sidecars;
mod watched;
mod windows;
