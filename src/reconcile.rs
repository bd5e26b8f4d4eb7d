//! From resources to running monitors: documents, resolved references, plans, the fleet. No lag arithmetic.

mod beacon;
pub mod conditions;
pub mod documents;
pub mod files;
pub mod fleet;
pub mod grants;
pub mod guard;
pub mod lease;
pub mod local;
pub mod marked;
pub mod notices;
pub mod operator;
pub mod plan;
pub mod publish;
pub mod references;
pub mod resolve;
pub mod schema;
pub mod speaker;
pub mod status;
mod turn;
mod watched;
mod wording;
