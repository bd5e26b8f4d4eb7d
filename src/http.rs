//! Probes and metrics over HTTP, from the board. Never calls Kafka.
