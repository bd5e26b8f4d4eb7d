//! From resources to running monitors: documents, resolved references, plans, the fleet. No lag arithmetic.

pub mod conditions;
pub mod documents;
pub mod files;
pub mod fleet;
pub mod local;
pub mod marked;
pub mod notices;
pub mod plan;
pub mod publish;
pub mod resolve;
pub mod schema;
pub mod status;
mod wording;
