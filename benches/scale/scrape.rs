//! One scrape over HTTP, and what is in it.

use std::io::{Read, Write};
use std::net::TcpStream;

/// The whole answer.
pub(crate) fn get(address: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: bench\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

/// Series of the age of partitions.
pub(crate) fn ages(answer: &[u8]) -> usize {
    count(answer, b"\nkafka_consumergroup_group_lag_seconds{")
}

/// Series of their records that are not read.
pub(crate) fn lags(answer: &[u8]) -> usize {
    count(answer, b"\nkafka_consumergroup_group_lag{")
}

fn count(answer: &[u8], series: &[u8]) -> usize {
    answer.windows(series.len()).filter(|window| *window == series).count()
}
