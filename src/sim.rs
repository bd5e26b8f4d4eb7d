//! The embedded simulated Kafka cluster on loopback: for the demo, fast tests and scale. Never in the path of a real one.
