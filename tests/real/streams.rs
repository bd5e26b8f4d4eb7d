//! A member of a streams group (KIP-1071), as far as a test needs one: it joins and leaves. No client library that is at
//! hand speaks this protocol.

use std::io::{Read, Write};
use std::net::TcpStream;

/// `StreamsGroupHeartbeat`, version 0.
const HEARTBEAT: i16 = 88;

/// Joins a group that reads a topic, and leaves it. The group stays, of type `streams`, as long as it has offsets.
pub(crate) fn visit(broker: &str, group: &str, topic: &str) {
    let mut stream = TcpStream::connect(broker).unwrap();
    let topology = [
        &[1][..],
        &0_i32.to_be_bytes(), // epoch
        &[2],                 // one subtopology
        &string("0"),
        &[2],
        &string(topic),
        &[1, 1, 1, 1, 1, 0], // nothing else in it
        &[0],
    ];
    let no_tasks = [1, 1, 1];
    heartbeat(&mut stream, group, 0, &topology.concat(), &no_tasks);
    heartbeat(&mut stream, group, -1, &[0xFF], &[0, 0, 0]);
}

fn heartbeat(stream: &mut TcpStream, group: &str, epoch: i32, topology: &[u8], tasks: &[u8]) {
    let head =
        [&HEARTBEAT.to_be_bytes()[..], &0_i16.to_be_bytes(), &1_i32.to_be_bytes(), &(-1_i16).to_be_bytes(), &[0]];
    let body = [
        &string(group)[..],
        &string("visitor"),
        &epoch.to_be_bytes(),
        &0_i32.to_be_bytes(), // of endpoints
        &[0, 0],              // neither instance nor rack
        &60_000_i32.to_be_bytes(),
        topology,
        tasks,
        &string("process"),
        &[0xFF, 0, 0, 0], // no endpoint, tags, offsets
        &[0],             // the application goes on
        &[0],
    ];
    let request = [head.concat(), body.concat()].concat();
    stream.write_all(&u32::try_from(request.len()).unwrap().to_be_bytes()).unwrap();
    stream.write_all(&request).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer).unwrap();
    // Correlation and no tags, then the time throttled, then the error.
    assert_eq!(answer[9..11], [0, 0], "{}", String::from_utf8_lossy(&answer));
}

/// A compact string.
fn string(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len() + 1).unwrap()], text.as_bytes()].concat()
}
