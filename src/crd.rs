//! The LagMonitor resource: types, defaults, validation rules and print columns. No behaviour.
