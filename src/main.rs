//! Parses the arguments, runs the command, prints an error chain once.

fn main() {}
