//! The latest report of each monitor, where those who show it look.
