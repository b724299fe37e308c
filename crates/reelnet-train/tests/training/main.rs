//! Training from the outside: small runs on clips that the tests draw themselves.

mod data;
mod events;
mod gradients;
mod learning;
mod made;
mod recipes;
mod recompute;
mod resume;
