//! From resources to running monitors: documents, resolved references, plans, the fleet. No lag arithmetic.
