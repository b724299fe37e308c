//! 2D networks become 3D networks, parameter by parameter, with a proof.

mod error;
mod plan;
mod proof;

pub use error::InflateError;
pub use plan::{Action, Classifier, Inflation, Method, Row, inflate};
pub use proof::{Proof, prove};
