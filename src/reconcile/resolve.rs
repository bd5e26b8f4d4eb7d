//! The Secrets and ConfigMaps that LagMonitors refer to, already fetched, whatever they were fetched from.
//!
//! Fetching is left to `documents` (files) and, on Kubernetes, to the API client; what the bytes mean, to `plan`.

use std::collections::BTreeMap;
use std::fmt;

/// The kind of an object that a LagMonitor may refer to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
}

/// The data of one object, by key.
pub type Data = BTreeMap<String, Vec<u8>>;

/// The objects of one namespace, by kind and name.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Resolved(BTreeMap<(Kind, String), Data>);

impl Resolved {
    /// Adds an object; returns the one that was there before under this kind and name.
    pub fn insert(&mut self, kind: Kind, name: impl Into<String>, data: Data) -> Option<Data> {
        self.0.insert((kind, name.into()), data)
    }

    /// Adds every object of another set, over those of the same kind and name.
    pub fn extend(&mut self, other: &Self) {
        self.0.extend(other.0.iter().map(|(key, data)| (key.clone(), data.clone())));
    }

    /// An object's data; `None` when there is no such object.
    #[must_use]
    pub fn get(&self, kind: Kind, name: &str) -> Option<&Data> {
        self.0.get(&(kind, name.to_owned()))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Secret => "Secret",
            Kind::ConfigMap => "ConfigMap",
        })
    }
}

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
