//! Which groups and topics are wanted.

/// The wanted groups and topics.
pub struct Selection {
    /// Consumer groups by id.
    pub groups: Patterns,
    /// Topics by name.
    pub topics: Patterns,
}

/// Names; none stands for all but those that begin with `__`.
pub struct Patterns(pub Vec<String>);

impl Patterns {
    /// Whether a name is wanted.
    pub fn matches(&self, name: &str) -> bool {
        if self.0.is_empty() { !name.starts_with("__") } else { self.0.iter().any(|n| n == name) }
    }

    /// The names that are written out.
    pub fn literals(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}
