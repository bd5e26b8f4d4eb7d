//! SQLite: history, states and samples across restarts. No arithmetic.
