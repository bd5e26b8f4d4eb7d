//! The commands. Wiring only.
