//! The store from the outside: what goes in comes out, on both engines.

mod leases;
mod library;
mod reading;
mod rows;
mod sidecars;
