//! The same on PostgreSQL.
