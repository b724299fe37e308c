//! Augmentation from the outside: golden values, and what holds for every draw.

mod golden;
mod properties;
