//! A report as table, JSON, file and metrics. Computes nothing.
